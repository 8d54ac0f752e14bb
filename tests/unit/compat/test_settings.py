"""Test that `api_settings` reads the settings, and that assigned values take effect."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from drf_signet.compat.simplejwt import settings as compat_settings
from drf_signet.compat.simplejwt import shared_settings
from drf_signet.compat.simplejwt.settings import DEFAULTS, IMPORT_STRINGS, api_settings
from drf_signet.compat.simplejwt.tokens import AccessToken
from drf_signet.conf import settings as conf
from tests.support.session_states import SIMPLE_JWT_DEFAULTS
from tests.support.simplejwt_alias import alias, alias_tables

__all__ = ["alias", "alias_tables"]  # fixtures, imported so that pytest finds them


def test_api_settings_follow_override_settings():
    with override_settings(SIMPLE_JWT={"ACCESS_TOKEN_LIFETIME": timedelta(minutes=9)}):
        assert api_settings.ACCESS_TOKEN_LIFETIME == AccessToken.lifetime == timedelta(minutes=9)
        assert api_settings.user_settings == {"ACCESS_TOKEN_LIFETIME": timedelta(minutes=9)}
    assert api_settings.ACCESS_TOKEN_LIFETIME == AccessToken.lifetime == timedelta(minutes=5)


def test_defaults_are_those_of_simplejwt():
    assert DEFAULTS == {**SIMPLE_JWT_DEFAULTS, "SIGNING_KEY": None}


def test_signet_takes_precedence_over_simple_jwt():
    with override_settings(SIMPLE_JWT={"ISSUER": "a", "JTI_CLAIM": "x"}, SIGNET={"ISSUER": "b"}):
        assert api_settings.ISSUER == "b"
        assert api_settings.JTI_CLAIM == "x"


def test_dotted_paths_are_imported():
    assert [AccessToken] == api_settings.AUTH_TOKEN_CLASSES
    assert callable(api_settings.USER_AUTHENTICATION_RULE)
    assert api_settings.JSON_ENCODER is None
    assert set(IMPORT_STRINGS) <= DEFAULTS.keys()


def test_signing_key_defaults_to_the_secret_key(settings):
    assert settings.SECRET_KEY == api_settings.SIGNING_KEY
    settings.SIMPLE_JWT = {"SIGNING_KEY": "k" * 32}
    assert api_settings.SIGNING_KEY == "k" * 32


def test_unknown_setting_raises_attribute_error():
    with pytest.raises(AttributeError, match="Invalid API setting: 'NOTHING'"):
        _ = api_settings.NOTHING
    with pytest.raises(AttributeError, match="LEEWAY"):
        del api_settings.LEEWAY


def test_assigned_value_applies_everywhere_until_it_is_deleted(settings):
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


def test_mock_patch_applies_inside_its_block_only():
    with mock.patch.object(api_settings, "ROTATE_REFRESH_TOKENS", True):
        assert conf.current().ROTATE_REFRESH_TOKENS
        with mock.patch.object(api_settings, "ROTATE_REFRESH_TOKENS", False):
            assert not conf.current().ROTATE_REFRESH_TOKENS
        assert conf.current().ROTATE_REFRESH_TOKENS
    assert not conf.current().ROTATE_REFRESH_TOKENS


def test_changed_user_settings_apply_everywhere(settings):
    settings.SIMPLE_JWT = {"ISSUER": "project"}
    api_settings.user_settings["LEEWAY"] = 7
    assert (api_settings.LEEWAY, conf.current().LEEWAY) == (7, 7)
    assert settings.SIMPLE_JWT == {"ISSUER": "project", "LEEWAY": 7}
    del api_settings.user_settings["ISSUER"]
    assert (api_settings.ISSUER, conf.current().ISSUER) == (None, None)
    assert len(api_settings.user_settings) == 1
    assert repr(api_settings.user_settings) == "{'LEEWAY': 7}"
    with pytest.raises(KeyError):
        del api_settings.user_settings["ISSUER"]


def test_user_settings_can_be_patched_as_a_dict(settings):
    settings.SIMPLE_JWT = {"ISSUER": "project"}
    with mock.patch.dict(api_settings.user_settings, {"LEEWAY": 7}, clear=True):
        assert (conf.current().ISSUER, conf.current().LEEWAY) == (None, 7)
    assert (conf.current().ISSUER, conf.current().LEEWAY) == ("project", 0)
    assert settings.SIMPLE_JWT == {"ISSUER": "project"}


def test_assigned_value_takes_precedence_over_user_settings(settings):
    settings.SIMPLE_JWT = {"ISSUER": "project"}
    api_settings.ISSUER = "assigned"
    assert api_settings.user_settings == {"ISSUER": "project"}
    api_settings.user_settings["ISSUER"] = "changed"
    assert api_settings.user_settings == {"ISSUER": "changed"}
    assert (api_settings.ISSUER, conf.current().ISSUER) == ("assigned", "assigned")
    del api_settings.ISSUER
    assert (api_settings.ISSUER, conf.current().ISSUER) == ("changed", "changed")


def test_reload_forgets_assigned_values_and_reads_simple_jwt_again(settings):
    settings.SIMPLE_JWT = {"LEEWAY": 1}
    api_settings.ISSUER = "assigned"
    assert conf.current().ISSUER == "assigned"
    settings.SIMPLE_JWT["LEEWAY"] = 7  # drf_signet does not notice this by itself
    api_settings.reload()
    assert (api_settings.ISSUER, conf.current().ISSUER) == (None, None)
    assert (api_settings.LEEWAY, conf.current().LEEWAY) == (7, 7)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("JTI_CLAIM", "id", "always in the claim 'jti'"),
        ("TOKEN_TYPE_CLAIM", "type", "always in the claim 'token_type'"),
        ("JWK_URL", "https://example.com/jwks.json", "not fetched from a URL"),
        ("SECRET_KEY", "k" * 32, "has been removed from simplejwt"),
        ("ISSUER", "other", "SIGNET contains it and takes precedence"),
    ],
)
def test_value_without_effect_is_refused_with_the_reason(settings, name, value, reason):
    settings.SIGNET = {"ISSUER": "signet"}
    with pytest.raises(ImproperlyConfigured, match=reason):
        setattr(api_settings, name, value)
    with pytest.raises(ImproperlyConfigured, match=reason):
        api_settings.user_settings[name] = value
    with pytest.raises(ImproperlyConfigured, match=reason):
        api_settings.user_settings.update({name: value})


def test_value_that_changes_nothing_is_accepted(settings):
    settings.SIGNET = {"ISSUER": "signet"}
    api_settings.user_settings.update(ISSUER="signet", JTI_CLAIM="jti", JWK_URL=None)
    assert api_settings.ISSUER == "signet"


def test_claims_that_simplejwt_lets_be_missing_may_be_none():
    with mock.patch.object(api_settings, "JTI_CLAIM", None):
        api_settings.user_settings["TOKEN_TYPE_CLAIM"] = None
        assert (api_settings.JTI_CLAIM, api_settings.TOKEN_TYPE_CLAIM) == (None, None)
    assert api_settings.JTI_CLAIM == "jti"
    del api_settings.user_settings["TOKEN_TYPE_CLAIM"]
    assert api_settings.TOKEN_TYPE_CLAIM == "token_type"


def test_every_setting_without_effect_has_a_reason():
    ignored = DEFAULTS.keys() - shared_settings.READ_BY_ALIAS - shared_settings.SHARED
    assert ignored == compat_settings._WITHOUT_EFFECT.keys()


def test_module_has_the_settings_of_the_project_as_user_settings(settings):
    settings.SIMPLE_JWT = {"LEEWAY": 1}
    assert compat_settings.USER_SETTINGS == {"LEEWAY": 1}
    del settings.SIMPLE_JWT
    assert compat_settings.USER_SETTINGS is None
    with pytest.raises(AttributeError, match="NOTHING"):
        _ = compat_settings.NOTHING


def test_defaults_cannot_be_changed():
    with pytest.raises(TypeError):
        DEFAULTS["LEEWAY"] = 7  # type: ignore[index]


def test_override_settings_of_simple_jwt_discards_assigned_values():
    with override_settings(SIMPLE_JWT={}):
        api_settings.ISSUER = "assigned"
        with override_settings(SIMPLE_JWT={"ISSUER": "other"}):
            assert api_settings.ISSUER == "other"
        with override_settings(LANGUAGE_CODE="de"):
            assert api_settings.ISSUER is None or api_settings.ISSUER == "assigned"


def test_alias_throttles_logins_only_if_login_throttle_is_set(alias, settings):
    assert conf.current().LOGIN_THROTTLE is None
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": "1/day"}}
    assert conf.current().LOGIN_THROTTLE is not None


def test_authentication_rule_follows_check_user_is_active(alias, settings):
    user = get_user_model()(is_active=False)
    assert not conf.current().USER_AUTHENTICATION_RULE(user)
    settings.SIMPLE_JWT = {"CHECK_USER_IS_ACTIVE": False}
    assert conf.current().USER_AUTHENTICATION_RULE(user)
    assert not conf.current().USER_AUTHENTICATION_RULE(None)
    settings.SIMPLE_JWT = {"CHECK_USER_IS_ACTIVE": False, "USER_AUTHENTICATION_RULE": bool}
    assert conf.current().USER_AUTHENTICATION_RULE is bool


def test_settings_without_effect_are_reported(alias, settings):
    settings.SIMPLE_JWT = dict.fromkeys(DEFAULTS.keys() - shared_settings.SHARED)
    (warning,) = [message for message in checks.run_checks() if message.id == "signet.W004"]
    assert warning.msg.endswith(": JTI_CLAIM, JWK_URL, TOKEN_TYPE_CLAIM.")
