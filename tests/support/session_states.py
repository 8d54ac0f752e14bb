"""Create sessions and tokens in the states that tests need, such as expired, rotated or legacy.

A test cannot change the clock of the database. Therefore, these helpers set the timestamps in a
session's row to times in the past.
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

from drf_signet import runtime, tokens
from drf_signet.db.database import DbNow
from drf_signet.models import Session
from drf_signet.sessions import store

#: A value of the `SIGNET` setting that turns rotation on and changes nothing else.
ROTATING: Mapping[str, Any] = {"ROTATE_REFRESH_TOKENS": True}
#: A value of the `SIGNET` setting with which legacy tokens are accepted until the year 2100.
ADOPTING: Mapping[str, Any] = {"ADOPT_TOKENS_UNTIL": "2100-01-01T00:00:00Z"}

#: The default values of all settings of simplejwt 5.5.1 except SIGNING_KEY.
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
    """Create and save a session as a login does. `fields` overrides attributes of the session."""
    now = runtime.now()
    session = store.draft(id=store.new_id(now), user=user, now=now, lifetime=lifetime)
    for name, value in fields.items():
        setattr(session, name, value)
    store.open(session)
    return session


def refresh_token(session: Session, generation: int = 0) -> str:
    """Return the refresh token that a session has after `generation` rotations."""
    return str(tokens.mint_pair(session, generation, now=runtime.now()).refresh)


def legacy_token(user: Any, *, seconds: int = 3600, **claims: Any) -> str:
    """Return a legacy refresh token, like the tokens that simplejwt issues."""
    base = {"token_type": "refresh", "exp": int(runtime.now()) + seconds, "jti": uuid.uuid4().hex}
    return runtime.current().codec.encode({**base, "user_id": user.pk, **claims})


def access_token(**changed: Any) -> str:
    """Return a signed access token whose session is not in the database."""
    now = int(runtime.now())
    payload = {"token_type": "access", "exp": now + 300, "jti": uuid.uuid4().hex, "user_id": 1}
    return runtime.current().codec.encode(
        {**payload, "iat": now, "sid": str(uuid.uuid4()), **changed}
    )


def generation_of(token: str | None) -> tuple[uuid.UUID | None, int]:
    """Verify a refresh token, and return its session id and its generation."""
    claims = tokens.verify(token, "refresh", now=runtime.now())
    return claims.session_id, claims.generation


def set_row(session: Session, **fields: Any) -> None:
    """Update a session's row directly, without signals or caches."""
    assert Session.objects.filter(pk=session.pk).update(**fields) == 1


def backdate_rotation(session: Session, *, seconds: float) -> None:
    """Set the time of a session's last rotation to `seconds` seconds ago."""
    set_row(session, refreshed_at=DbNow() - timedelta(seconds=seconds))


def expire(session: Session) -> None:
    """Expire a session by setting its expiry time to one second ago."""
    set_row(session, expires_at=store.as_datetime(runtime.now() - 1))


def delete_row_of(user: Any) -> None:
    """Delete a user's row with SQL, so that Django sends no signals."""
    with connection.cursor() as cursor:
        table = get_user_model()._meta.db_table
        cursor.execute(f"DELETE FROM {table} WHERE id = %s", [user.pk])


class NewHasher(MD5PasswordHasher):
    """`MD5PasswordHasher` with another algorithm name, so that older hashes count as outdated."""

    algorithm = "new"


def user_with_outdated_hash(
    settings: Any,
    make_user: Callable[[], Any],
    *,
    old: type[Any] = MD5PasswordHasher,
    preferred: Sequence[type[Any]] = (NewHasher, MD5PasswordHasher),
) -> Any:
    """Return a user with an outdated password hash, which Django replaces at the next login."""
    settings.PASSWORD_HASHERS = [_path(old)]
    user = make_user()
    settings.PASSWORD_HASHERS = [_path(hasher) for hasher in preferred]
    return user


def _path(hasher: type[Any]) -> str:
    return f"{hasher.__module__}.{hasher.__qualname__}"


def post(client: APIClient, name: str, **data: Any) -> Any:
    """Send a POST request with JSON to the endpoint with this URL name, and return the response."""
    return client.post(reverse(name), data, format="json")
