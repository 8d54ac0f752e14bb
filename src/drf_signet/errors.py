"""The errors of this package.

Each check has its own exception class. The log says which check failed. The HTTP response, which
`drf_signet.problems` builds, contains only the `reason`.
"""

from __future__ import annotations

from typing import ClassVar


class SignetError(Exception):
    """The base class of all errors that this package raises."""


class UnusableKey(SignetError):
    """Raised if a key in the settings is missing or cannot be used with its algorithm."""


class DuplicateKid(UnusableKey):
    """Raised if two keys of the key ring have the same `kid`."""


class WrongKeyUse(UnusableKey):
    """Raised if the `use`, `key_ops` or `alg` of a JWK does not allow the key to be used."""


class WrongCurve(UnusableKey):
    """Raised if a key is on another curve than its algorithm requires."""


class ShortKey(UnusableKey):
    """Raised if an RSA key is too short (RFC 7518 §3.3)."""


class ShortSecret(UnusableKey):
    """Raised if a secret is shorter than the hash of its algorithm (RFC 7518 §3.2)."""


class TokenError(SignetError):
    """Raised if a token is not valid.

    `code` identifies the failed check in logs and tests. The HTTP response contains the `reason`.
    """

    code: ClassVar[str] = "invalid"
    reason: ClassVar[str] = "invalid"


class MalformedToken(TokenError):
    """Raised if a token is not a compact JWS in this package's format (RFC 7515 §3.1)."""

    code = "malformed"


class WrongTyp(TokenError):
    """Raised if the header of a token has another `typ` than tokens of its type have."""

    code = "wrong_typ"


class UnknownKey(TokenError):
    """Raised if no configured key has the token's `kid`."""

    code = "unknown_key"


class WrongAlgorithm(TokenError):
    """Raised if the `alg` of a token is not the algorithm of the key (RFC 8725 §3.1)."""

    code = "wrong_algorithm"


class BadSignature(TokenError):
    """Raised if the signature of a token is not valid."""

    code = "bad_signature"


class InvalidClaim(TokenError):
    """Raised if a claim is missing, has the wrong type, or has a value that is not accepted."""

    code = "invalid_claim"

    def __init__(self, claim: str) -> None:
        super().__init__(claim)
        self.claim = claim


class TokenExpired(TokenError):
    """Raised if a token has expired."""

    code = "expired"
    reason = "expired"


class WrongTokenType(TokenError):
    """Raised if a refresh token is sent where an access token is required, or vice versa."""

    code = "wrong_type"
    reason = "wrong_type"


class SessionEnded(TokenError):
    """Raised if the session of a token has ended or does not exist.

    `just_now` is True if a logout or a new login has just ended the session. The browser may not
    have received the response to that request yet.
    """

    code = "ended"
    reason = "ended"

    def __init__(self, message: str = "", *, just_now: bool = False) -> None:
        super().__init__(message)
        self.just_now = just_now


class TokenReused(TokenError):
    """Raised if a rotated refresh token is used after its grace period. The reuse ends the session.

    `behind` is the number of newer refresh tokens that the session has (RFC 9700 §4.14.2).
    """

    code = "reused"
    reason = "reused"

    def __init__(self, *, behind: int) -> None:
        super().__init__(behind)
        self.behind = behind


class UserInactive(SignetError):
    """Raised if the user of a token may no longer authenticate."""


class CredentialsRefused(SignetError):
    """Raised if a username and password do not belong to an active account."""


class UserChanged(CredentialsRefused):
    """Raised if no session is opened because the user has changed since the authentication.

    The user's password was changed, or the user was deactivated or deleted. The login endpoints
    respond as they do to a wrong password. Code that calls `drf_signet.issue` can load the user
    again and retry.
    """


class MalformedHeader(SignetError):
    """Raised if a request carries more than one token, which RFC 6750 §2 forbids."""


class CsrfFailed(SignetError):
    """Raised if a request with a cookie may come from a page of another site.

    The HTTP response contains the `reason`. With DEBUG, it also contains the `hint` for developers.
    """

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class RevocationUnknown(SignetError):
    """Raised if the revocation feed fails, so that a token cannot be checked."""


class KeysUnavailable(SignetError):
    """Raised if the key provider fails, so that no token can be signed or checked."""


class DatabaseUnavailable(SignetError):
    """Raised if the database cannot be used now, for example because it does not respond.

    The cause is the exception of the database driver. The caller may try again.
    """


class Busy(SignetError):
    """Raised if a write keeps conflicting with other transactions. The caller may try again."""
