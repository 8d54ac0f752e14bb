"""Where a test of sessions begins: rows moved in time, tokens of any generation, short ways in.

The database's clock is nobody's to set, so time passes by moving a row back.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.urls import reverse
from rest_framework.test import APIClient

from drf_signet import runtime, sessions, tokens
from drf_signet.database import DbNow
from drf_signet.models import Session

#: `SIGNET` with rotation, and nothing else.
ROTATING: Mapping[str, Any] = {"ROTATE_REFRESH_TOKENS": True}
#: A date until which tokens of old are accepted in every test.
ADOPTING: Mapping[str, Any] = {"ADOPT_TOKENS_UNTIL": "2100-01-01T00:00:00Z"}

#: Every setting of simplejwt 5.5.1 with its default, but for SIGNING_KEY.
SIMPLE_JWT_DEFAULTS: Mapping[str, Any] = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "ROTATE_REFRESH_TOKENS": False,
    "BLACKLIST_AFTER_ROTATION": False,
    "UPDATE_LAST_LOGIN": False,
    "ALGORITHM": "HS256",
    "VERIFYING_KEY": "",
    "AUDIENCE": None,
    "ISSUER": None,
    "JSON_ENCODER": None,
    "JWK_URL": None,
    "LEEWAY": 0,
    "AUTH_HEADER_TYPES": ("Bearer",),
    "AUTH_HEADER_NAME": "HTTP_AUTHORIZATION",
    "USER_ID_FIELD": "id",
    "USER_ID_CLAIM": "user_id",
    "USER_AUTHENTICATION_RULE": (
        "rest_framework_simplejwt.authentication.default_user_authentication_rule"
    ),
    "AUTH_TOKEN_CLASSES": ("rest_framework_simplejwt.tokens.AccessToken",),
    "TOKEN_TYPE_CLAIM": "token_type",
    "JTI_CLAIM": "jti",
    "TOKEN_USER_CLASS": "rest_framework_simplejwt.models.TokenUser",
    "SLIDING_TOKEN_REFRESH_EXP_CLAIM": "refresh_exp",
    "SLIDING_TOKEN_LIFETIME": timedelta(minutes=5),
    "SLIDING_TOKEN_REFRESH_LIFETIME": timedelta(days=1),
    "TOKEN_OBTAIN_SERIALIZER": "rest_framework_simplejwt.serializers.TokenObtainPairSerializer",
    "TOKEN_REFRESH_SERIALIZER": "rest_framework_simplejwt.serializers.TokenRefreshSerializer",
    "TOKEN_VERIFY_SERIALIZER": "rest_framework_simplejwt.serializers.TokenVerifySerializer",
    "TOKEN_BLACKLIST_SERIALIZER": "rest_framework_simplejwt.serializers.TokenBlacklistSerializer",
    "SLIDING_TOKEN_OBTAIN_SERIALIZER": (
        "rest_framework_simplejwt.serializers.TokenObtainSlidingSerializer"
    ),
    "SLIDING_TOKEN_REFRESH_SERIALIZER": (
        "rest_framework_simplejwt.serializers.TokenRefreshSlidingSerializer"
    ),
    "CHECK_REVOKE_TOKEN": False,
    "REVOKE_TOKEN_CLAIM": "hash_password",
    "CHECK_USER_IS_ACTIVE": True,
}


def open_session(user: Any, *, lifetime: timedelta = timedelta(days=1), **fields: Any) -> Session:
    """Write a session as a login opens it; `fields` are set before."""
    now = runtime.now()
    session = sessions.draft(id=sessions.new_id(now), user=user, now=now, lifetime=lifetime)
    for name, value in fields.items():
        setattr(session, name, value)
    sessions.open(session)
    return session


def refresh_token(session: Session, generation: int = 0) -> str:
    """Return an authentic refresh token of any generation of a session."""
    return str(tokens.mint_pair(session, generation, now=runtime.now()).refresh)


def token_of_old(user: Any, *, seconds: int = 3600, **claims: Any) -> str:
    """Return a refresh token as simplejwt and the tutorial issue it, valid for that long."""
    own = {"token_type": "refresh", "exp": int(runtime.now()) + seconds, "jti": uuid.uuid4().hex}
    return runtime.current().codec.encode({**own, "user_id": user.pk, **claims})


def access_token(**changed: Any) -> str:
    """Sign an access token of a session that no table knows."""
    now = int(runtime.now())
    payload = {"token_type": "access", "exp": now + 300, "jti": uuid.uuid4().hex, "user_id": 1}
    return runtime.current().codec.encode(
        {**payload, "iat": now, "sid": str(uuid.uuid4()), **changed}
    )


def generation_of(token: str | None) -> tuple[uuid.UUID | None, int]:
    """Return (session, generation), which a valid refresh token stands for."""
    claims = tokens.verify_refresh(token, now=runtime.now())
    return claims.session_id, claims.generation


def set_row(session: Session, **fields: Any) -> None:
    """Change a session's row behind everybody's back."""
    assert Session.objects.filter(pk=session.pk).update(**fields) == 1


def let_pass(session: Session, *, seconds: float) -> None:
    """Make the session's last rotation that long ago."""
    set_row(session, refreshed_at=DbNow() - timedelta(seconds=seconds))


def expire(session: Session) -> None:
    """Put the session's absolute end in the past."""
    set_row(session, expires_at=sessions.as_datetime(runtime.now() - 1))


def delete_row_of(user: Any) -> None:
    """Delete a user as a colleague with a database console does."""
    with connection.cursor() as cursor:
        table = get_user_model()._meta.db_table
        cursor.execute(f"DELETE FROM {table} WHERE id = %s", [user.pk])


class NewHasher(MD5PasswordHasher):
    """Another algorithm, as fast as the one of all tests."""

    algorithm = "new"


def hashed_before(
    settings: Any,
    make_user: Callable[[], Any],
    *,
    old: type[Any] = MD5PasswordHasher,
    preferred: Sequence[type[Any]] = (NewHasher, MD5PasswordHasher),
) -> Any:
    """Return a user whose hash Django replaces at the next login."""
    settings.PASSWORD_HASHERS = [_path(old)]
    user = make_user()
    settings.PASSWORD_HASHERS = [_path(one) for one in preferred]
    return user


def _path(hasher: type[Any]) -> str:
    return f"{hasher.__module__}.{hasher.__qualname__}"


def post(client: APIClient, name: str, **data: Any) -> Any:
    """Send one of the endpoints a JSON body; return the response."""
    return client.post(reverse(name), data, format="json")
