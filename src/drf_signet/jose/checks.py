"""Check the times, the issuer, the audience and the tenant of a token."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import InvalidClaim, TokenExpired

#: Maximum lifetime of a token, in seconds. The limit is a constant, because a limit that depends on
#: the settings could make existing tokens invalid when the settings change.
MAX_LIFETIME = 400 * 24 * 3600
#: Maximum length of a tenant's name, in characters. This is enough for any host name.
MAX_TENANT_LENGTH = 255


def check_times(payload: Mapping[str, Any], *, leeway: float, now: float) -> None:
    """Check that a token is valid now, according to the `exp`, `iat` and `nbf` of its payload.

    Args:
        leeway: the allowed difference between the clocks of two servers, in seconds.
        now: the current time, in POSIX seconds.

    Raises:
        TokenExpired: the token has expired, even allowing for the leeway.
        InvalidClaim: `exp` is missing, or one of the claims has the wrong type or is out of range.
    """
    exp = payload.get("exp")
    latest = now + leeway
    if type(exp) is not int or exp > latest + MAX_LIFETIME:
        raise InvalidClaim("exp")
    if exp + leeway <= now:
        raise TokenExpired
    for name in ("iat", "nbf"):
        instant = payload.get(name, 0)
        if type(instant) is not int or not 0 <= instant <= latest:
            raise InvalidClaim(name)


def check_parties(
    payload: Mapping[str, Any],
    *,
    issuer: str | None,
    audience: Collection[str],
    optional: bool = False,
) -> None:
    """Check the issuer and the audience of a payload.

    Args:
        issuer: the value that `iss` must have; if None, `iss` is not checked.
        audience: `aud` must contain one of these values; if empty, `aud` is not checked.
        optional: whether to accept a token without the claims.

    Raises:
        InvalidClaim: `iss` is not the configured issuer, or `aud` contains no configured audience.
    """
    if issuer is not None and not (optional and "iss" not in payload):
        found = payload.get("iss")
        if not isinstance(found, str) or found != issuer:
            raise InvalidClaim("iss")
    if audience and not (optional and "aud" not in payload):
        found = payload.get("aud")
        names = found if isinstance(found, list) else [found]
        # RFC 7519 §4.1.3: `aud` must contain one of the configured audiences.
        if not all(isinstance(name, str) for name in names) or not set(names) & set(audience):
            raise InvalidClaim("aud")


def check_at_jwt(payload: Mapping[str, Any], user_id: object) -> None:
    """Check the claims that the profile of RFC 9068 requires in an access token.

    The values of `iss` and `aud` are checked by `check_parties`.

    Args:
        user_id: the value of the user claim; `sub` must be the same, as a string.

    Raises:
        InvalidClaim: the token is not an access token, or a claim is missing or of the wrong type.
    """
    if payload.get("token_type") != "access":
        raise InvalidClaim("token_type")
    for name in ("iss", "aud"):
        if name not in payload:
            raise InvalidClaim(name)
    subject, client = payload.get("sub"), payload.get("client_id")
    if not isinstance(subject, str) or not subject or subject != str(user_id):
        raise InvalidClaim("sub")
    if not isinstance(client, str) or not client:
        raise InvalidClaim("client_id")


def check_tenant(
    payload: Mapping[str, Any], tenant: str | None, *, accepts_untagged: bool = False
) -> None:
    """Check that a token was issued for a tenant.

    Args:
        tenant: the value that `tid` must have; if None, the token must not have a `tid`.
        accepts_untagged: whether a token without `tid` is accepted even if `tenant` is not None.

    Raises:
        InvalidClaim: `tid` names another tenant, is missing, or is present although `tenant` is
            None.
    """
    if "tid" not in payload and (tenant is None or accepts_untagged):
        return
    tid = payload.get("tid")
    if type(tid) is not str or not 0 < len(tid) <= MAX_TENANT_LENGTH or tid != tenant:
        raise InvalidClaim("tid")
