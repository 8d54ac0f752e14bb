"""Build and validate the claims of the package's tokens.

`validate` converts a valid payload to a `Claims` object, which is typed and read-only.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from ..errors import InvalidClaim, WrongTokenType
from .checks import check_parties, check_tenant, check_times
from .readonly import read_only

ACCESS = "access"
REFRESH = "refresh"

#: Maximum generation of a refresh token. The next generation must fit in a signed 32-bit column.
MAX_GENERATION = 2**31 - 2
MAX_JTI_LENGTH = 255
#: Names of the claims that the package writes. Custom claims must not use these names.
RESERVED = frozenset(
    {"token_type", "exp", "nbf", "iat", "jti", "sid", "gen", "tid", "iss", "aud", "auth_time"}
)

#: Names of the claims that the package also writes in the profile of RFC 9068.
PROFILE_CLAIMS = frozenset({"sub", "client_id"})

UserKey = int | str | uuid.UUID

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The configuration for building and validating claims.

    Args:
        user_key: converts the JSON value of the user claim to the user's key, without a database
            query. It raises ValueError if the value cannot be a key.
        user_id_claim: the name of the user claim.
        issuer: the required value of `iss`. If None, `iss` is neither written nor checked.
        audience: the accepted values of `aud`. A token must contain at least one of them. If
            empty, `aud` is neither written nor checked.
        leeway: the tolerated clock difference, in seconds.
        adopt_until: the time from which legacy tokens (without `sid`) are no longer accepted, in
            POSIX seconds.
        client_id: the `client_id` of access tokens in the profile of RFC 9068. If None, access
            tokens are not in this profile.
        both_profiles_until: the time from which `iss` and `aud` are required, if they are
            configured, in POSIX seconds. Before that time, a token may lack them.
        remembered_lifetime: the maximum lifetime (`exp` minus `iat`, in seconds) of access tokens
            that are checked only with the revocation feed. If a token has a longer lifetime, its
            session is looked up, because the feed may already have forgotten that it has ended.
    """

    user_key: Callable[[object], UserKey]
    user_id_claim: str = "user_id"
    issuer: str | None = None
    audience: tuple[str, ...] = ()
    leeway: float = 0
    adopt_until: float = 0
    client_id: str | None = None
    both_profiles_until: float = 0
    remembered_lifetime: float = math.inf

    @property
    def reserved(self) -> frozenset[str]:
        """The names that custom claims must not use."""
        in_profile = frozenset() if self.client_id is None else PROFILE_CLAIMS
        return RESERVED | {self.user_id_claim} | in_profile

    def check_custom_claims(self, claims: Mapping[str, Any]) -> None:
        """Check that custom claims do not use reserved names.

        Raises:
            ValueError: a claim has a reserved name.
        """
        if taken := self.reserved.intersection(claims):
            raise ValueError(f"reserved claims cannot be set: {', '.join(sorted(taken))}")


class Claims(Mapping[str, Any]):
    """The verified claims of one token: a read-only mapping, with typed attributes.

    Nested objects are read-only dicts, and arrays are tuples. Claims can be copied and pickled, for
    example for a task queue. Only `validate` checks claims. Unpickling does not check them again.
    """

    __slots__ = ("_values", "expires_at", "session_key", "sid", "user_key")

    #: The time at which the token expires, in POSIX seconds.
    expires_at: int
    #: The value of the user claim, converted to the type of the field that USER_ID_FIELD names.
    user_key: UserKey
    #: The session's id as a string; None for a legacy token.
    sid: str | None
    #: `sid` as an int if this is an access token with a lifetime of at most
    #: `Rules.remembered_lifetime`; otherwise None.
    session_key: int | None
    _values: Mapping[str, Any]

    def __init__(
        self, values: dict[str, Any], *, expires_at: int, user_key: UserKey, sid: str | None
    ) -> None:
        copied = values.copy()
        for name, value in values.items():
            if value.__class__ is dict or value.__class__ is list:
                copied[name] = read_only(value)
        set_attribute = object.__setattr__  # because `Claims.__setattr__` always raises
        set_attribute(self, "expires_at", expires_at)
        set_attribute(self, "user_key", user_key)
        set_attribute(self, "sid", sid)
        set_attribute(self, "session_key", None)
        set_attribute(self, "_values", copied)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"claims are read-only: {name}")

    @property
    def token_type(self) -> str:
        """The type of the token: `ACCESS` or `REFRESH`."""
        return str(self._values["token_type"])

    @property
    def jti(self) -> str:
        """The token's id."""
        return str(self._values["jti"])

    @property
    def session_id(self) -> uuid.UUID | None:
        """The session's id as a UUID; None for a legacy token."""
        return None if self.sid is None else uuid.UUID(self.sid)

    @property
    def tenant(self) -> str | None:
        """The tenant for which the token was issued; None if the token has no `tid` claim."""
        tid: str | None = self._values.get("tid")
        return tid

    @property
    def generation(self) -> int:
        """The generation of a refresh token; 0 for access tokens and legacy tokens."""
        is_refresh = self.sid is not None and self._values["token_type"] == REFRESH
        return int(self._values["gen"]) if is_refresh else 0

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Claims: {self.token_type} token {self.jti}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (dict(self._values), self.expires_at, self.user_key, self.sid)


def _restore(values: dict[str, Any], expires_at: int, user_key: UserKey, sid: str | None) -> Claims:
    frozen = {name: read_only(value) for name, value in values.items()}
    return Claims(frozen, expires_at=expires_at, user_key=user_key, sid=sid)


@dataclass(frozen=True, kw_only=True)
class SessionClaims:
    """The claims that the access token and the refresh token of one generation share.

    Args:
        session_id, generation: the id of the session, and the generation of its refresh token.
        user_id: the JSON value of the user claim: an int or a string.
        auth_time: the time of the login, in POSIX seconds (OpenID Connect Core §2).
        tenant: the tenant for which the tokens are issued, or None.
        extra: custom claims that `Rules.check_custom_claims` has accepted.
    """

    session_id: uuid.UUID
    generation: int
    user_id: int | str
    auth_time: int
    tenant: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def build_payload(
    token_type: str, shared: SessionClaims, *, rules: Rules, jti: str, now: float, expires_at: float
) -> dict[str, Any]:
    """Return the payload of a token. Custom claims come last.

    Args:
        token_type: `ACCESS` or `REFRESH`.
        shared: the claims that the access token and the refresh token share.
        now, expires_at: the times of issue and expiry, in POSIX seconds.
    """
    payload: dict[str, Any] = {
        "token_type": token_type,
        "exp": int(expires_at),
        "jti": jti,
        rules.user_id_claim: shared.user_id,
        "iat": int(now),
        "sid": str(shared.session_id),
    }
    if token_type == REFRESH:
        payload["gen"] = shared.generation
    payload["auth_time"] = shared.auth_time
    if shared.tenant is not None:
        payload["tid"] = shared.tenant
    if rules.issuer is not None:
        payload["iss"] = rules.issuer
    if rules.audience:
        payload["aud"] = rules.audience[0] if len(rules.audience) == 1 else list(rules.audience)
    return {**payload, **shared.extra}


def validate(
    payload: dict[str, Any],
    *,
    token_type: str | None,
    rules: Rules,
    now: float,
    tenant: str | None = None,
    accepts_untagged: bool = False,
) -> Claims:
    """Validate a payload whose signature has been verified, and return its claims.

    Args:
        token_type: `ACCESS`, `REFRESH`, or None to accept both.
        now: the current time, in POSIX seconds.
        tenant: the tenant for which the token must have been issued; None if the token must not
            have a `tid` claim.
        accepts_untagged: whether a refresh token without `tid` is accepted even if `tenant` is
            given.

    Raises:
        TokenExpired: the token has expired, even allowing for the leeway.
        WrongTokenType: the type of the token is not `token_type`.
        InvalidClaim: a claim is missing, has the wrong type, or has a value that is not accepted.
    """
    check_times(payload, leeway=rules.leeway, now=now)
    if rules.issuer is not None or rules.audience:
        optional = now < rules.both_profiles_until
        check_parties(payload, issuer=rules.issuer, audience=rules.audience, optional=optional)
    found_type = payload.get("token_type")
    if tenant is not None or "tid" in payload:
        untagged = accepts_untagged and found_type == REFRESH
        check_tenant(payload, tenant, accepts_untagged=untagged)
    if found_type not in (ACCESS, REFRESH):
        raise InvalidClaim("token_type")
    if token_type not in (None, found_type):
        raise WrongTokenType
    sid = _validate_sid(payload, found_type, rules, now)
    jti = payload.get("jti")
    # The `jti` may be looked up in a database. Limit its length, and refuse NUL, which PostgreSQL
    # cannot store.
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI_LENGTH or "\0" in jti:
        raise InvalidClaim("jti")
    try:
        user_key = rules.user_key(payload.get(rules.user_id_claim))
    except ValueError as error:
        raise InvalidClaim(rules.user_id_claim) from error
    claims = Claims(payload, expires_at=payload["exp"], user_key=user_key, sid=sid)
    lifetime = payload["exp"] - payload.get("iat", 0)
    if sid and found_type == ACCESS and lifetime <= rules.remembered_lifetime:
        object.__setattr__(claims, "session_key", int(sid.replace("-", ""), 16))
    return claims


def is_integer(value: object) -> TypeGuard[int]:
    """Return whether a JSON value is an integer. In JSON, a boolean is not an integer."""
    return type(value) is int


def _validate_sid(
    payload: Mapping[str, Any], token_type: str, rules: Rules, now: float
) -> str | None:
    """Check the claims `sid`, `iat` and `gen` of a payload, and return the value of `sid`.

    If legacy tokens are still accepted, return None for one: a token without `sid` and `gen`.
    """
    if "sid" not in payload and "gen" not in payload and now < rules.adopt_until:
        return None
    sid = payload.get("sid")
    if not isinstance(sid, str) or not _UUID.fullmatch(sid):
        raise InvalidClaim("sid")
    if "iat" not in payload:
        raise InvalidClaim("iat")
    if token_type == REFRESH:
        generation = payload.get("gen")
        if type(generation) is not int or not 0 <= generation <= MAX_GENERATION:
            raise InvalidClaim("gen")
    return sid
