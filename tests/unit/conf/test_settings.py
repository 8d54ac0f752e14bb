"""Tests of `drf_signet.conf.settings`: default values, SIGNET, SIMPLE_JWT, and error messages."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from pytest_django import Settings as SettingsWrapper

from drf_signet.compat.simplejwt import shared_settings
from drf_signet.conf import settings as conf
from drf_signet.conf.cookies import Cookies
from drf_signet.conf.hooks import default_user_authentication_rule
from drf_signet.conf.parsers import Rate, ThrottleRates
from drf_signet.conf.providers import KeyRotation
from drf_signet.conf.settings import Settings
from tests.support.session_states import SIMPLE_JWT_DEFAULTS

RING_ENTRY = {
    "kid": None,
    "derives_kid": True,
    "alg": None,
    "key": "k",
    "not_before": None,
    "not_after": None,
}
MINUTE = timedelta(minutes=1)
FIELDS = {field.name: field for field in dataclasses.fields(Settings)}

#: For each setting: a valid value, the result of parsing this value, and an invalid value.
EXAMPLES: dict[str, tuple[Any, Any, Any]] = {
    "ACCESS_TOKEN_LIFETIME": (MINUTE, MINUTE, 60),
    "REFRESH_TOKEN_LIFETIME": (MINUTE, MINUTE, timedelta(days=401)),
    "SESSION_LIFETIME": (timedelta(days=3650), timedelta(days=3650), timedelta(0)),
    "LIFETIMES": (dict, dict, "no.such.hook"),
    "ROTATE_REFRESH_TOKENS": (True, True, "yes"),
    "ROTATION_GRACE_PERIOD": (timedelta(0), timedelta(0), -MINUTE),
    "MAX_SESSIONS_PER_USER": (5, 5, 0),
    "ALGORITHM": ("EdDSA", "EdDSA", "none"),
    "SIGNING_KEY": ("s" * 32, "s" * 32, ""),
    "VERIFYING_KEY": (b"PEM", b"PEM", 1),
    "KEYS": ([{"key": "k"}], (RING_ENTRY,), {"key": "k"}),
    "KEY_PROVIDER": ("builtins.list", list, "no.such.provider"),
    "KEY_ROTATION": ({"PERIOD": None}, KeyRotation(PERIOD=None), {"EVERY": MINUTE}),
    "ISSUER": ("https://me", "https://me", ["https://me"]),
    "AUDIENCE": (["a", "b"], ("a", "b"), ""),
    "TOKEN_PROFILE": (None, None, "JWT"),
    "CLIENT_ID": ("shop", "shop", ""),
    "BOTH_PROFILES_UNTIL": ("2030-01-01T00:00:00Z", 1893456000.0, "2030-01-01"),
    "LEEWAY": (MINUTE, 60.0, -1),
    "AUTH_HEADER_TYPES": ("JWT", ("JWT",), []),
    "AUTH_HEADER_NAME": ("HTTP_X_TOKEN", "HTTP_X_TOKEN", None),
    "USER_ID_FIELD": ("username", "username", ""),
    "USER_ID_CLAIM": ("sub", "sub", 1),
    "PASSWORD_CHANGE_ENDS": ("none", "none", "others"),
    "USER_LOADING": ("fresh", "fresh", "eager"),
    "REVOCATION_POLL_INTERVAL": (timedelta(seconds=2), 2.0, -1),
    "REVOCATION_MAX_STALENESS": (30, 30.0, None),
    "TOKEN_REVOCATION_BROKER": ("redis://a:6379", "redis://a:6379", "http://a"),
    "CLAIMS": (dict, dict, "no.such.hook"),
    "USER_AUTHENTICATION_RULE": ("builtins.bool", bool, None),
    "ADOPT_TOKENS_UNTIL": ("2030-01-01T00:00:00Z", 1893456000.0, "2030-01-01"),
    "LOGIN_THROTTLE": (
        {"username": "1/s", "address": None},
        ThrottleRates(username=Rate(limit=1, period=1), address=None),
        "10/min",
    ),
    "COOKIE": ({"SECURE": False}, Cookies(SECURE=False), {"DOMAIN": "example.com"}),
    "RECORD_CLIENT": (False, False, 0),
    "TENANT": (str, str, "no.such.hook"),
}


#: Some of the defaults that docs/reference/settings.md publishes.
DEFAULTS = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "SESSION_LIFETIME": timedelta(days=30),
    "ROTATE_REFRESH_TOKENS": False,
    "ROTATION_GRACE_PERIOD": timedelta(seconds=30),
    "MAX_SESSIONS_PER_USER": None,
    "ALGORITHM": "HS256",
    "LEEWAY": 0,
    "AUTH_HEADER_TYPES": ("Bearer",),
    "USER_ID_CLAIM": "user_id",
    "RECORD_CLIENT": True,
    "USER_LOADING": "lazy",
    "PASSWORD_CHANGE_ENDS": "all",
    "REVOCATION_POLL_INTERVAL": 1,
    "REVOCATION_MAX_STALENESS": 60,
}


def parsed(**signet: Any) -> Settings:
    return conf.parse(signet, {})


def parse_both(signet: Mapping[str, Any], simple_jwt: Mapping[str, Any]) -> Settings:
    return conf.parse(signet, {"SIMPLE_JWT": shared_settings.read(simple_jwt)})


class TestDefaults:
    def test_defaults_are_the_published_defaults(self) -> None:
        assert dataclasses.asdict(parsed()) == dataclasses.asdict(Settings())
        assert DEFAULTS.items() <= dataclasses.asdict(Settings()).items()

    @pytest.mark.parametrize("name", FIELDS)
    def test_a_default_is_a_value_that_its_parser_returns(self, name: str) -> None:
        default = FIELDS[name].default
        if name not in (
            "ADOPT_TOKENS_UNTIL",
            "BOTH_PROFILES_UNTIL",
            "COOKIE",
            "KEY_ROTATION",
            "LOGIN_THROTTLE",
        ):  # their parsers do not accept values that are already parsed
            assert FIELDS[name].metadata["parse"](default) == default

    @pytest.mark.parametrize("name", FIELDS)
    def test_every_setting_is_documented_in_a_sentence(self, name: str) -> None:
        doc = FIELDS[name].metadata["doc"]
        assert doc[0].isupper() or doc[0] in "`'\""
        assert doc.endswith(".")

    def test_settings_are_frozen_and_keyword_only(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            parsed().LEEWAY = 1  # type: ignore[misc]
        kinds = {parameter.kind for parameter in inspect.signature(Settings).parameters.values()}
        assert kinds == {inspect.Parameter.KEYWORD_ONLY}

    def test_repr_contains_no_secret(self) -> None:
        settings = parsed(SIGNING_KEY="hunter2", KEYS=[{"key": "hunter2"}], ISSUER="me")
        assert "hunter2" not in repr(settings)
        assert "me" in repr(settings)


class TestParse:
    def test_every_setting_has_an_example(self) -> None:
        assert EXAMPLES.keys() == FIELDS.keys()

    @pytest.mark.parametrize("name", EXAMPLES)
    def test_a_valid_value_is_parsed(self, name: str) -> None:
        value, expected, _ = EXAMPLES[name]
        settings = parsed(**{name: value})
        assert getattr(settings, name) == expected
        default: Any = FIELDS[name].default
        assert dataclasses.replace(settings, **{name: default}) == Settings()

    @pytest.mark.parametrize("name", EXAMPLES)
    def test_an_error_names_the_setting_with_the_invalid_value(self, name: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=rf"^SIGNET\['{name}'\]: .") as caught:
            parsed(**{name: EXAMPLES[name][2]})
        assert caught.value.__cause__ is not None

    @pytest.mark.parametrize(
        "name",
        [
            *("MAX_SESSIONS_PER_USER", "SIGNING_KEY", "VERIFYING_KEY", "ISSUER", "AUDIENCE"),
            *("CLAIMS", "TOKEN_REVOCATION_BROKER", "ADOPT_TOKENS_UNTIL"),
        ],
    )
    def test_none_means_the_default_for_optional_settings(self, name: str) -> None:
        assert parsed(**{name: None}) == Settings()

    def test_login_throttle_none_turns_throttling_off(self) -> None:
        assert parsed(LOGIN_THROTTLE=None).LOGIN_THROTTLE is None

    @pytest.mark.parametrize("value", [1, object()], ids=["number", "object"])
    def test_an_error_names_the_setting_with_a_value_of_the_wrong_type(self, value: object) -> None:
        for name in ("AUDIENCE", "AUTH_HEADER_TYPES"):
            with pytest.raises(ImproperlyConfigured, match=name):
                parsed(**{name: value})

    @pytest.mark.parametrize(
        ("name", "suggestion"),
        [
            ("ACCESS_TOKEN_LIFETIMES", "ACCESS_TOKEN_LIFETIME"),
            ("ROTATE_REFRESH_TOKEN", "ROTATE_REFRESH_TOKENS"),
            ("LEEWAYS", "LEEWAY"),
            ("VERIFY_KEY", "VERIFYING_KEY"),
        ],
    )
    def test_an_unknown_setting_gets_the_nearest_name_suggested(
        self, name: str, suggestion: str
    ) -> None:
        with pytest.raises(ImproperlyConfigured) as caught:
            parsed(**{name: 1})
        message = f"SIGNET has no setting {name!r}. Did you mean {suggestion!r}?"
        assert str(caught.value) == message

    def test_an_unknown_setting_without_a_similar_name_gets_no_suggestion(self) -> None:
        with pytest.raises(ImproperlyConfigured) as caught:
            parsed(XYZZY=1)
        assert str(caught.value) == "SIGNET has no setting 'XYZZY'."

    def test_one_error_lists_all_unknown_settings(self) -> None:
        with pytest.raises(ImproperlyConfigured) as caught:
            parsed(XYZZY=1, LEEWEY=1, ISSUER="me")
        assert str(caught.value).splitlines() == [
            "SIGNET has no setting 'LEEWEY'. Did you mean 'LEEWAY'?",
            "SIGNET has no setting 'XYZZY'.",
        ]

    @pytest.mark.parametrize(
        "name",
        ["BLACKLIST_AFTER_ROTATION", "UPDATE_LAST_LOGIN", "JTI_CLAIM", "access_token_lifetime"],
    )
    def test_a_setting_that_only_simplejwt_has_is_unknown(self, name: str) -> None:
        with pytest.raises(ImproperlyConfigured, match="has no setting"):
            parsed(**{name: True})


class TestSimpleJwt:
    """Test the settings that are read from SIMPLE_JWT, the settings of simplejwt."""

    DOCUMENTED: ClassVar[dict[str, Any]] = {
        **SIMPLE_JWT_DEFAULTS,
        "TOKEN_OBTAIN_SERIALIZER": "my_app.serializers.MyTokenObtainPairSerializer",
    }

    def test_the_documented_simple_jwt_gives_the_defaults_of_drf_signet(self) -> None:
        settings = parse_both({}, self.DOCUMENTED)
        assert dataclasses.replace(settings, USER_ID_FIELD="pk") == Settings()
        assert settings.USER_ID_FIELD == "id"

    @pytest.mark.parametrize("name", sorted(shared_settings.SHARED))
    def test_a_shared_setting_is_read_from_simple_jwt(self, name: str) -> None:
        value, expected, _ = EXAMPLES[name]
        assert getattr(parse_both({}, {name: value}), name) == expected

    @pytest.mark.parametrize("name", sorted(FIELDS.keys() - shared_settings.SHARED))
    def test_a_setting_that_is_not_shared_is_not_read_from_simple_jwt(self, name: str) -> None:
        valid, _, invalid = EXAMPLES[name]
        assert parse_both({}, {name: valid}) == parse_both({}, {name: invalid}) == Settings()

    def test_every_shared_name_is_a_setting(self) -> None:
        assert FIELDS.keys() >= shared_settings.SHARED

    @pytest.mark.parametrize("name", sorted(shared_settings.SHARED))
    def test_each_key_of_signet_overrides_the_key_of_simple_jwt(self, name: str) -> None:
        other = {"LEEWAY": 7} if name != "LEEWAY" else {"ISSUER": "other"}
        value, expected, invalid = EXAMPLES[name]
        settings = parse_both({name: value}, {name: invalid, **other})
        assert getattr(settings, name) == expected
        assert {key: getattr(settings, key) for key in other} == other

    def test_an_error_names_the_key_of_simple_jwt_with_the_invalid_value(self) -> None:
        with pytest.raises(ImproperlyConfigured, match=r"SIMPLE_JWT\['ACCESS_TOKEN_LIFETIME'\]"):
            parse_both({}, {"ACCESS_TOKEN_LIFETIME": 300})

    def test_leeway_none_in_simple_jwt_means_zero(self) -> None:
        assert parse_both({}, {"LEEWAY": None}).LEEWAY == 0

    def test_the_default_rule_and_empty_keys_of_simple_jwt_are_not_read(self) -> None:
        assert shared_settings.shared_values(self.DOCUMENTED).keys() == shared_settings.SHARED - {
            "SIGNING_KEY",
            "VERIFYING_KEY",
            "USER_AUTHENTICATION_RULE",
        }

    def test_a_custom_authentication_rule_in_simple_jwt_is_read(self) -> None:
        settings = parse_both({}, {"USER_AUTHENTICATION_RULE": "builtins.bool"})
        assert settings.USER_AUTHENTICATION_RULE is bool

    def test_the_callers_dicts_are_not_changed(self) -> None:
        signet, simple_jwt = {"LEEWAY": 1}, dict(self.DOCUMENTED)
        parse_both(signet, simple_jwt)
        assert (signet, simple_jwt) == ({"LEEWAY": 1}, self.DOCUMENTED)


class TestCurrent:
    def test_settings_are_parsed_once_until_a_setting_changes(
        self, settings: SettingsWrapper
    ) -> None:
        settings.SIGNET = {"LEEWAY": 1}
        assert conf.current() is conf.current()
        assert conf.current().LEEWAY == 1
        settings.SIGNET = {"LEEWAY": 2}
        assert conf.current().LEEWAY == 2
        settings.SIMPLE_JWT = {"ISSUER": "me", "LEEWAY": 3}
        assert (conf.current().ISSUER, conf.current().LEEWAY) == ("me", 2)

    @pytest.mark.parametrize("name", ["SIGNET", "SIMPLE_JWT"])
    def test_a_value_that_is_not_a_dict_is_refused_and_reported_by_the_checks(
        self, name: str
    ) -> None:
        with override_settings(**{name: ["ROTATE_REFRESH_TOKENS"]}):
            with pytest.raises(ImproperlyConfigured, match=f"{name} must be a dict"):
                conf.current()
            ids = [message.id for message in run_checks()]
            assert [name for name in ids if str(name).startswith("signet.")] == ["signet.E001"]

    def test_settings_follow_override_settings(self) -> None:
        before = conf.current()
        with override_settings(SIGNET={"USER_ID_CLAIM": "sub"}):
            assert conf.current().USER_ID_CLAIM == "sub"
            with override_settings(SIGNET={}):
                assert conf.current().USER_ID_CLAIM == "user_id"
            assert conf.current().USER_ID_CLAIM == "sub"
        assert conf.current() == before

    def test_a_change_of_an_unrelated_setting_keeps_the_parsed_settings(self) -> None:
        before = conf.current()
        with override_settings(LANGUAGE_CODE="pt-br"):
            assert conf.current() is before

    @pytest.mark.parametrize("empty", [None, {}])
    def test_empty_or_missing_dicts_give_the_defaults(
        self, settings: SettingsWrapper, empty: Any
    ) -> None:
        settings.SIGNET = settings.SIMPLE_JWT = empty
        assert conf.current() == Settings()
        del settings.SIGNET
        del settings.SIMPLE_JWT
        conf.current.cache_clear()
        assert conf.current() == Settings()

    def test_an_invalid_setting_raises_at_every_use_until_it_is_fixed(self) -> None:
        with override_settings(SIGNET={"LEEWAY": "no"}):
            for _ in range(2):
                with pytest.raises(ImproperlyConfigured):
                    conf.current()
        assert conf.current().LEEWAY == 0


def test_secrets_are_secret_key_and_its_fallbacks_newest_first(settings: SettingsWrapper) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old", "older"]
    assert conf.secrets() == ["new", "old", "older"]


@pytest.mark.parametrize(("rotating", "days"), [(True, 30), (False, 1)])
def test_a_session_without_rotation_ends_with_its_refresh_token(rotating: bool, days: int) -> None:
    assert parsed(ROTATE_REFRESH_TOKENS=rotating).login_lifetime("token") == timedelta(days=days)


@pytest.mark.parametrize(
    ("user", "allowed"),
    [
        (None, False),
        (SimpleNamespace(is_active=True), True),
        (SimpleNamespace(is_active=False), False),
    ],
    ids=["no user", "active", "inactive"],
)
def test_the_default_rule_allows_only_active_users(user: Any, allowed: bool) -> None:
    assert default_user_authentication_rule(user) is allowed
