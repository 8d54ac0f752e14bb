"""Test that names which projects replace in their tests have the same effect as in simplejwt."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.test import APIRequestFactory

from drf_signet.compat.simplejwt import authentication, backends, serializers, tokens, views
from drf_signet.compat.simplejwt.backends import TokenBackend
from drf_signet.compat.simplejwt.exceptions import ExpiredTokenError, TokenError
from drf_signet.compat.simplejwt.utils import aware_utcnow, datetime_to_epoch
from tests.support.simplejwt_alias import OLD, alias, alias_tables

__all__ = ["alias", "alias_tables"]  # fixtures, imported so that pytest finds them


def test_patched_clock_determines_when_new_tokens_expire(user):
    moment = aware_utcnow() - timedelta(days=2)
    with mock.patch(f"{OLD}.tokens.aware_utcnow", return_value=moment):
        token = tokens.RefreshToken.for_user(user)
        access = token.access_token
    assert token["iat"] == access["iat"] == datetime_to_epoch(moment)
    assert token["exp"] == datetime_to_epoch(moment + tokens.RefreshToken.lifetime)
    with pytest.raises(ExpiredTokenError):
        tokens.RefreshToken(str(token))


def test_patched_lifetime_of_a_token_class_applies(user):
    with mock.patch.object(tokens.AccessToken, "lifetime", timedelta(seconds=7)):
        token = tokens.AccessToken.for_user(user)
    assert token["exp"] - token["iat"] == 7
    assert tokens.AccessToken.lifetime == timedelta(minutes=5)


def test_patched_token_backend_signs_and_reads_tokens(user):
    other = TokenBackend("HS256", "o" * 32)
    with mock.patch(f"{OLD}.state.token_backend", other):
        raw_token = str(tokens.AccessToken.for_user(user))
        assert tokens.AccessToken(raw_token).verified
    with pytest.raises(TokenError):
        tokens.AccessToken(raw_token)


def test_patched_header_types_are_accepted_and_named_in_the_challenge():
    request = APIRequestFactory().get("/")
    authenticator = authentication.JWTAuthentication()
    with (
        mock.patch(f"{OLD}.authentication.AUTH_HEADER_TYPES", ("JWT",)),
        mock.patch(f"{OLD}.authentication.AUTH_HEADER_TYPE_BYTES", {b"JWT"}),
        mock.patch(f"{OLD}.views.AUTH_HEADER_TYPES", ("Token",)),
    ):
        assert authenticator.get_raw_token(b"JWT x") == b"x"
        assert authenticator.get_raw_token(b"Bearer x") is None
        assert authenticator.authenticate_header(request) == 'JWT realm="api"'
        view = views.TokenVerifyView()
        assert view.get_authenticate_header(request) == 'Token realm="api"'
        answer = views.token_verify(APIRequestFactory().post("/", {"token": "x"}))
        assert answer["WWW-Authenticate"] == 'Token realm="api", error="invalid_token"'
    assert authenticator.authenticate_header(request) == 'Bearer realm="api"'


@pytest.mark.parametrize(
    ("name", "serializer", "field"),
    [
        ("authenticate", "TokenObtainPairSerializer", "username"),
        ("UntypedToken", "TokenVerifySerializer", "token"),
    ],
)
def test_patched_names_of_the_serializers_are_called(name, serializer, field):
    with mock.patch(f"{OLD}.serializers.{name}", side_effect=TokenError("patched")):
        instance = getattr(serializers, serializer)(data={field: "x", "password": "x"})
        with pytest.raises(TokenError, match="patched"):
            instance.is_valid()


def test_patched_update_of_last_login_is_called(alias: Any, user: Any, settings: Any):
    settings.SIMPLE_JWT = {"UPDATE_LAST_LOGIN": True}
    with mock.patch(f"{OLD}.serializers.update_last_login") as update:
        serializer = serializers.TokenObtainPairSerializer()
        serializer.user = user
        serializer._update_last_login()
    assert update.call_count == 1


def test_patched_serializer_path_of_a_view_applies():
    path = f"{OLD}.serializers.TokenVerifySerializer"
    assert views.TokenRefreshView._serializer_class == (f"{OLD}.serializers.TokenRefreshSerializer")
    with mock.patch.object(views.TokenRefreshView, "_serializer_class", path):
        serializer = views.TokenRefreshView().get_serializer_class()
    assert serializer is serializers.TokenVerifySerializer


@pytest.mark.parametrize("name", ["OutstandingToken", "BlacklistedToken"])
def test_replaced_model_in_the_module_of_the_tokens_is_refused_with_the_reason(alias, user, name):
    raw_token = str(tokens.RefreshToken.for_user(user))
    with mock.patch(f"{OLD}.tokens.{name}"):
        for use in (tokens.RefreshToken, lambda raw: str(tokens.RefreshToken.for_user(user))):
            with pytest.raises(ImproperlyConfigured, match=f"replacing {OLD}.tokens.{name} has no"):
                use(raw_token)
    assert tokens.RefreshToken(raw_token).verified


def test_genuine_model_in_the_module_of_the_tokens_is_accepted(alias, user, monkeypatch):
    monkeypatch.setattr(tokens, "OutstandingToken", alias.OutstandingToken)
    assert tokens.RefreshToken(str(tokens.RefreshToken.for_user(user))).verified


@pytest.mark.parametrize("name", ["jwt", "algorithms", "PyJWKClient", "InvalidTokenError"])
def test_patch_of_pyjwt_in_the_backends_is_refused_with_the_reason(name):
    with pytest.raises(AttributeError, match=f"'{name}': drf-signet does not use PyJWT"):
        getattr(backends, name)
    with pytest.raises(AttributeError, match="does not have the attribute"):
        mock.patch(f"{OLD}.backends.{name}").start()


def test_unknown_name_of_the_backends_is_refused():
    with pytest.raises(AttributeError, match=r"has no attribute 'nothing'$"):
        _ = backends.nothing
