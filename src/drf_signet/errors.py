"""Everything that can go wrong, by name.

Inside, errors are specific: each class says which check failed, for the log. The HTTP layer
translates them in one place (`drf_signet.problems`) and tells a client no more than `reason`.
"""

from __future__ import annotations

from typing import ClassVar


class SignetError(Exception):
    """The root of every error that this package raises on purpose."""


class UnusableKey(SignetError):
    """A configured key cannot be used with its algorithm. A mistake of the configuration."""


class TokenError(SignetError):
    """A token was refused.

    `code` names the failed check, for logs and tests; `reason` is what a client may know.
    """

    code: ClassVar[str] = "invalid"
    reason: ClassVar[str] = "invalid"


class MalformedToken(TokenError):
    """Not a compact JWS of the one form that this package issues (RFC 7515 §3.1)."""

    code = "malformed"


class UnknownKey(TokenError):
    """No configured key answers to the token's `kid`."""

    code = "unknown_key"


class WrongAlgorithm(TokenError):
    """The header's `alg` is not the algorithm of the key (RFC 8725 §3.1)."""

    code = "wrong_algorithm"


class BadSignature(TokenError):
    """The signature does not verify."""

    code = "bad_signature"


class InvalidClaim(TokenError):
    """A claim is missing, of the wrong type or out of range."""

    code = "invalid_claim"

    def __init__(self, claim: str) -> None:
        super().__init__(claim)
        self.claim = claim


class TokenExpired(TokenError):
    """`exp` is not in the future."""

    code = "expired"
    reason = "expired"


class WrongTokenType(TokenError):
    """A refresh token where an access token belongs, or the reverse."""

    code = "wrong_type"
    reason = "wrong_type"


class SessionEnded(TokenError):
    """The session behind the token has ended, or there is none.

    `just_now`: a logout, or a login in its place, has ended it, and may not be answered yet.
    """

    code = "ended"
    reason = "ended"

    def __init__(self, message: str = "", *, just_now: bool = False) -> None:
        super().__init__(message)
        self.just_now = just_now


class TokenReused(TokenError):
    """A rotated refresh token came back after its grace period; its session was ended.

    `behind` is how many generations old the token was (RFC 9700 §4.14.2).
    """

    code = "reused"
    reason = "reused"

    def __init__(self, *, behind: int) -> None:
        super().__init__(behind)
        self.behind = behind


class UserInactive(SignetError):
    """The token's user may no longer authenticate."""


class CredentialsRefused(SignetError):
    """Username and password do not belong to an active account."""


class MalformedHeader(SignetError):
    """The request carries more than one credential (RFC 6750 §2: one method per request)."""


class CsrfFailed(SignetError):
    """A request with a cookie that may come from a page of another site.

    `reason` is what a client may know; `hint` is for the developer, and shown under DEBUG alone.
    """

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class RevocationUnknown(SignetError):
    """Whether the session has ended cannot be found out now: an outage, not bad credentials."""


class Busy(SignetError):
    """The database kept refusing a conflicting write; nothing was changed, try again."""
