"""`api_settings`: live, assignable, and the same for the rest of the package."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from django.contrib.auth import get_user_model
from django.core import checks
from django.test import override_settings

from drf_signet import conf, shared
from drf_signet.compat.simplejwt.settings import DEFAULTS, IMPORT_STRINGS, api_settings
from drf_signet.compat.simplejwt.tokens import AccessToken
from tests.aliased import alias, alias_tables
from tests.situations import SIMPLE_JWT_DEFAULTS

__all__ = ["alias", "alias_tables"]  # fixtures, here by their import


def test_it_follows_override_settings():
    with override_settings(SIMPLE_JWT={"ACCESS_TOKEN_LIFETIME": timedelta(minutes=9)}):
        assert api_settings.ACCESS_TOKEN_LIFETIME == AccessToken.lifetime == timedelta(minutes=9)
        assert api_settings.user_settings == {"ACCESS_TOKEN_LIFETIME": timedelta(minutes=9)}
    assert api_settings.ACCESS_TOKEN_LIFETIME == AccessToken.lifetime == timedelta(minutes=5)


def test_the_defaults_are_those_of_old():
    assert DEFAULTS == {**SIMPLE_JWT_DEFAULTS, "SIGNING_KEY": None}


def test_signet_wins_for_what_both_have():
    with override_settings(SIMPLE_JWT={"ISSUER": "a", "JTI_CLAIM": "x"}, SIGNET={"ISSUER": "b"}):
        assert api_settings.ISSUER == "b"
        assert api_settings.JTI_CLAIM == "x"


def test_dotted_paths_are_imported():
    assert [AccessToken] == api_settings.AUTH_TOKEN_CLASSES
    assert callable(api_settings.USER_AUTHENTICATION_RULE)
    assert api_settings.JSON_ENCODER is None
    assert set(IMPORT_STRINGS) <= DEFAULTS.keys()


def test_the_signing_key_is_the_secret_key_unless_given(settings):
    assert settings.SECRET_KEY == api_settings.SIGNING_KEY
    settings.SIMPLE_JWT = {"SIGNING_KEY": "k" * 32}
    assert api_settings.SIGNING_KEY == "k" * 32


def test_an_unknown_name_is_an_error():
    with pytest.raises(AttributeError, match="Invalid API setting: 'NOTHING'"):
        _ = api_settings.NOTHING
    with pytest.raises(AttributeError, match="LEEWAY"):
        del api_settings.LEEWAY


def test_an_assigned_value_is_in_force_everywhere_until_it_is_deleted(settings):
    settings.SIMPLE_JWT = {"ISSUER": "project"}
    api_settings.ISSUER = "assigned"
    api_settings.LEEWAY = 3
    api_settings.LEEWAY = 4
    assert (api_settings.ISSUER, conf.current().ISSUER, conf.current().LEEWAY) == (
        "assigned",
        "assigned",
        4,
    )
    del api_settings.LEEWAY
    assert (api_settings.ISSUER, conf.current().ISSUER, conf.current().LEEWAY) == (
        "assigned",
        "assigned",
        0,
    )
    del api_settings.ISSUER
    assert (api_settings.ISSUER, conf.current().ISSUER) == ("project", "project")


def test_a_patch_comes_and_goes():
    with mock.patch.object(api_settings, "ROTATE_REFRESH_TOKENS", True):
        assert conf.current().ROTATE_REFRESH_TOKENS
        with mock.patch.object(api_settings, "ROTATE_REFRESH_TOKENS", False):
            assert not conf.current().ROTATE_REFRESH_TOKENS
        assert conf.current().ROTATE_REFRESH_TOKENS
    assert not conf.current().ROTATE_REFRESH_TOKENS


def test_a_change_of_the_setting_itself_forgets_what_was_assigned():
    with override_settings(SIMPLE_JWT={}):
        api_settings.ISSUER = "assigned"
        with override_settings(SIMPLE_JWT={"ISSUER": "other"}):
            assert api_settings.ISSUER == "other"
        with override_settings(LANGUAGE_CODE="de"):
            assert api_settings.ISSUER is None or api_settings.ISSUER == "assigned"


def test_logins_are_throttled_under_the_alias_only_if_it_is_set(alias, settings):
    assert conf.current().LOGIN_THROTTLE is None
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": "1/day"}}
    assert conf.current().LOGIN_THROTTLE is not None


def test_inactive_users_are_allowed_as_the_setting_says(alias, settings):
    user = get_user_model()(is_active=False)
    assert not conf.current().USER_AUTHENTICATION_RULE(user)
    settings.SIMPLE_JWT = {"CHECK_USER_IS_ACTIVE": False}
    assert conf.current().USER_AUTHENTICATION_RULE(user)
    assert not conf.current().USER_AUTHENTICATION_RULE(None)
    settings.SIMPLE_JWT = {"CHECK_USER_IS_ACTIVE": False, "USER_AUTHENTICATION_RULE": bool}
    assert conf.current().USER_AUTHENTICATION_RULE is bool


def test_settings_without_effect_are_reported(alias, settings):
    settings.SIMPLE_JWT = dict.fromkeys(DEFAULTS.keys() - shared.SHARED_WITH_SIMPLE_JWT)
    (found,) = [one for one in checks.run_checks() if one.id == "signet.W004"]
    assert found.msg.endswith(": JTI_CLAIM, JWK_URL, TOKEN_TYPE_CLAIM.")
