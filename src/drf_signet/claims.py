"""What the tokens say, and the rules by which a token of ours is believed.

Payloads are written in the order in which the field's tutorials show them; a payload that was
read becomes `Claims`: verified, typed, read-only.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeGuard

from .errors import InvalidClaim, TokenExpired, WrongTokenType

ACCESS = "access"
REFRESH = "refresh"

#: No token of ours lives longer, in seconds. A constant, so that no setting ends old tokens.
MAX_LIFETIME = 400 * 24 * 3600
#: Largest generation of a session: a signed 32-bit column, less one for the successor.
MAX_GENERATION = 2**31 - 2
MAX_JTI_LENGTH = 255
#: Claims that the package itself writes; an application's own may not take their names.
RESERVED = frozenset(
    {"token_type", "exp", "nbf", "iat", "jti", "sid", "gen", "iss", "aud", "auth_time"}
)

UserKey = int | str | uuid.UUID

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """By which rules claims are written and believed.

    Args:
        user_key: turns the JSON value of the user claim into the key it stands for; raises
            ValueError for what can be no key. Called before anything asks the database.
        user_id_claim: the name of that claim.
        issuer, audience: written, and demanded exactly; None neither writes nor reads them.
        leeway: seconds by which clocks may differ.
        adopt_until: POSIX seconds until which tokens without `sid` are believed.
        access_span: seconds from `iat` to `exp` that an access token of a session has at most: no
            longer is the end of a session remembered.
    """

    user_key: Callable[[object], UserKey]
    user_id_claim: str = "user_id"
    issuer: str | None = None
    audience: tuple[str, ...] = ()
    leeway: float = 0
    adopt_until: float = 0
    access_span: float = math.inf

    @property
    def reserved(self) -> frozenset[str]:
        """The names that an application's own claims may not take."""
        return RESERVED | {self.user_id_claim}


class Claims(Mapping[str, Any]):
    """The verified claims of one token: a read-only mapping, with the typed ones as attributes.

    Only `read` makes them.
    """

    __slots__ = ("_values", "expires_at", "sid", "user_key")

    #: POSIX seconds.
    expires_at: int
    #: The key that the user claim stands for, of the type of the user model's field.
    user_key: UserKey
    #: The session's id as text; None for a token of before the switch to this package.
    sid: str | None
    _values: Mapping[str, Any]

    def __init__(
        self, values: Mapping[str, Any], *, expires_at: int, user_key: UserKey, sid: str | None
    ) -> None:
        keep = object.__setattr__
        keep(self, "expires_at", expires_at)
        keep(self, "user_key", user_key)
        keep(self, "sid", sid)
        keep(self, "_values", values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"claims are read-only: {name}")

    @property
    def token_type(self) -> str:
        """`ACCESS` or `REFRESH`."""
        return str(self._values["token_type"])

    @property
    def jti(self) -> str:
        """The token's own id."""
        return str(self._values["jti"])

    @property
    def session_id(self) -> uuid.UUID | None:
        """The session's id; see `sid`."""
        return None if self.sid is None else uuid.UUID(self.sid)

    @property
    def generation(self) -> int:
        """The generation of a refresh token; 0 for every other token."""
        is_refresh = self.sid is not None and self.token_type == REFRESH
        return int(self._values["gen"]) if is_refresh else 0

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Claims: {self.token_type} token {self.jti}>"


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What both tokens of one generation of a session have in common.

    Args:
        session_id, generation: which session, and the generation of the refresh token.
        user_id: the JSON value of the user claim, an int or a text.
        auth_time: POSIX seconds of the login (OpenID Connect Core §2).
        extra: the application's own claims.
    """

    session_id: uuid.UUID
    generation: int
    user_id: int | str
    auth_time: int
    extra: Mapping[str, Any] = field(default_factory=dict)


def write(
    token_type: str, grant: Grant, *, rules: Rules, jti: str, now: float, expires_at: float
) -> dict[str, Any]:
    """Return the payload of a token.

    Raises:
        ValueError: an own claim takes a reserved name.
    """
    if taken := rules.reserved.intersection(grant.extra):
        raise ValueError(f"reserved claims cannot be set: {', '.join(sorted(taken))}")
    payload: dict[str, Any] = {
        "token_type": token_type,
        "exp": int(expires_at),
        "jti": jti,
        rules.user_id_claim: grant.user_id,
        "iat": int(now),
        "sid": str(grant.session_id),
    }
    if token_type == REFRESH:
        payload["gen"] = grant.generation
    payload["auth_time"] = grant.auth_time
    if rules.issuer is not None:
        payload["iss"] = rules.issuer
    if rules.audience:
        payload["aud"] = rules.audience[0] if len(rules.audience) == 1 else list(rules.audience)
    return payload | dict(grant.extra)


def read(payload: dict[str, Any], *, token_type: str | None, rules: Rules, now: float) -> Claims:
    """Believe a payload whose signature has been verified, or refuse it.

    Args:
        token_type: `ACCESS`, `REFRESH`, or None for either.
        now: POSIX seconds.

    Raises:
        TokenExpired: `exp` is `now` or earlier, beyond the leeway.
        WrongTokenType: it is a token of the other type.
        InvalidClaim: any other claim is missing, mistyped, out of range or not ours.
    """
    check_times(payload, rules, now)
    if rules.issuer is not None or rules.audience:
        check_parties(payload, rules)
    sid = _sid(payload, _check_type(payload, token_type), rules, now)
    jti = payload.get("jti")
    # It may be looked up, and no database takes every text.
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI_LENGTH or "\0" in jti:
        raise InvalidClaim("jti")
    try:
        user_key = rules.user_key(payload.get(rules.user_id_claim))
    except ValueError as error:
        raise InvalidClaim(rules.user_id_claim) from error
    return Claims(_read_only(payload), expires_at=payload["exp"], user_key=user_key, sid=sid)


def is_integer(value: object) -> TypeGuard[int]:
    """Whether a JSON value is an integer; `true` is not."""
    return type(value) is int


def check_times(payload: Mapping[str, Any], rules: Rules, now: float) -> None:
    """Refuse a payload whose `exp`, `iat` or `nbf` says that it is not for now.

    Raises:
        TokenExpired: `exp` is `now` or earlier, beyond the leeway.
        InvalidClaim: one of them is mistyped or out of range, or there is no `exp`.
    """
    exp = payload.get("exp")
    latest = now + rules.leeway
    if type(exp) is not int or exp > latest + MAX_LIFETIME:
        raise InvalidClaim("exp")
    if exp + rules.leeway <= now:
        raise TokenExpired
    for name in ("iat", "nbf"):
        instant = payload.get(name, 0)
        if type(instant) is not int or not 0 <= instant <= latest:
            raise InvalidClaim(name)


def check_parties(payload: Mapping[str, Any], rules: Rules) -> None:
    """Refuse a payload that is of another issuer or for another audience.

    Raises:
        InvalidClaim: `iss` or `aud`.
    """
    if rules.issuer is not None:
        issuer = payload.get("iss")
        if not isinstance(issuer, str) or issuer != rules.issuer:
            raise InvalidClaim("iss")
    if rules.audience:
        audience = payload.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        # RFC 7519 §4.1.3: one of the parties named must be us.
        if not all(isinstance(name, str) for name in named) or not set(named) & set(rules.audience):
            raise InvalidClaim("aud")


def _check_type(payload: Mapping[str, Any], expected: str | None) -> str:
    found = payload.get("token_type")
    if not isinstance(found, str) or found not in (ACCESS, REFRESH):
        raise InvalidClaim("token_type")
    if expected is not None and found != expected:
        raise WrongTokenType
    return found


def _sid(payload: Mapping[str, Any], token_type: str, rules: Rules, now: float) -> str | None:
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
    # From `iat`, not from now: else it would be accepted again once its end is forgotten.
    elif payload["exp"] - payload["iat"] > rules.access_span:
        raise InvalidClaim("exp")
    return sid


def _read_only(payload: dict[str, Any]) -> Mapping[str, Any]:
    values = payload.copy()
    for name, value in payload.items():
        if value.__class__ is dict or value.__class__ is list:
            values[name] = _frozen(value)
    return values


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(inner) for name, inner in value.items()})
    if isinstance(value, list):
        return tuple(_frozen(inner) for inner in value)
    return value
