"""The settings dict: defaults, where values come from, and what is said of mistakes."""

from __future__ import annotations

import dataclasses
import inspect
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from pytest_django import Settings as SettingsWrapper

from drf_signet import conf
from drf_signet.conf import Settings, default_user_authentication_rule
from drf_signet.cookies import Cookies
from drf_signet.shared import SHARED_WITH_SIMPLE_JWT
from drf_signet.values import Rate, ThrottleRates
from tests.situations import SIMPLE_JWT_DEFAULTS

MINUTE = timedelta(minutes=1)
FIELDS = {one.name: one for one in dataclasses.fields(Settings)}

#: Every setting: a good value, what is kept of it, and a bad value.
EXAMPLES: dict[str, tuple[Any, Any, Any]] = {
    "ACCESS_TOKEN_LIFETIME": (MINUTE, MINUTE, 60),
    "REFRESH_TOKEN_LIFETIME": (MINUTE, MINUTE, timedelta(days=401)),
    "SESSION_LIFETIME": (timedelta(days=3650), timedelta(days=3650), timedelta(0)),
    "ROTATE_REFRESH_TOKENS": (True, True, "yes"),
    "ROTATION_GRACE_PERIOD": (timedelta(0), timedelta(0), -MINUTE),
    "MAX_SESSIONS_PER_USER": (5, 5, 0),
    "ALGORITHM": ("EdDSA", "EdDSA", "none"),
    "SIGNING_KEY": ("s" * 32, "s" * 32, ""),
    "VERIFYING_KEY": (b"PEM", b"PEM", 1),
    "KEYS": ([{"key": "k"}], ({"kid": None, "alg": None, "key": "k"},), {"key": "k"}),
    "ISSUER": ("https://me", "https://me", ["https://me"]),
    "AUDIENCE": (["a", "b"], ("a", "b"), ""),
    "LEEWAY": (MINUTE, 60.0, -1),
    "AUTH_HEADER_TYPES": ("JWT", ("JWT",), []),
    "AUTH_HEADER_NAME": ("HTTP_X_TOKEN", "HTTP_X_TOKEN", None),
    "USER_ID_FIELD": ("username", "username", ""),
    "USER_ID_CLAIM": ("sub", "sub", 1),
    "USER_LOADING": ("fresh", "fresh", "eager"),
    "REVOCATION_POLL_INTERVAL": (timedelta(seconds=2), 2.0, -1),
    "REVOCATION_MAX_STALENESS": (30, 30.0, None),
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
}


#: DESIGN.md §8.
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
    "REVOCATION_POLL_INTERVAL": 1,
    "REVOCATION_MAX_STALENESS": 60,
}


def parsed(**signet: Any) -> Settings:
    return conf.parse(signet, {})


class TestDefaults:
    def test_they_are_those_of_the_design(self) -> None:
        assert dataclasses.asdict(parsed()) == dataclasses.asdict(Settings())
        assert DEFAULTS.items() <= dataclasses.asdict(Settings()).items()

    @pytest.mark.parametrize("name", FIELDS)
    def test_each_is_what_its_parser_returns(self, name: str) -> None:
        default = FIELDS[name].default
        if name not in ("ADOPT_TOKENS_UNTIL", "COOKIE", "LOGIN_THROTTLE"):  # kept in another form
            assert FIELDS[name].metadata["parse"](default) == default

    @pytest.mark.parametrize("name", FIELDS)
    def test_each_is_documented_in_a_sentence(self, name: str) -> None:
        doc = FIELDS[name].metadata["doc"]
        assert doc[0].isupper() or doc[0] in "`'"
        assert doc.endswith(".")

    def test_the_object_is_frozen_and_takes_keywords_only(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            parsed().LEEWAY = 1  # type: ignore[misc]
        kinds = {one.kind for one in inspect.signature(Settings).parameters.values()}
        assert kinds == {inspect.Parameter.KEYWORD_ONLY}

    def test_no_secret_is_in_the_representation(self) -> None:
        settings = parsed(SIGNING_KEY="hunter2", KEYS=[{"key": "hunter2"}], ISSUER="me")
        assert "hunter2" not in repr(settings)
        assert "me" in repr(settings)


class TestParse:
    def test_every_setting_has_an_example(self) -> None:
        assert EXAMPLES.keys() == FIELDS.keys()

    @pytest.mark.parametrize("name", EXAMPLES)
    def test_a_good_value_is_kept(self, name: str) -> None:
        value, kept, _ = EXAMPLES[name]
        settings = parsed(**{name: value})
        assert getattr(settings, name) == kept
        default: Any = FIELDS[name].default
        assert dataclasses.replace(settings, **{name: default}) == Settings()

    @pytest.mark.parametrize("name", EXAMPLES)
    def test_a_bad_value_is_named(self, name: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=rf"^SIGNET\['{name}'\]: .") as caught:
            parsed(**{name: EXAMPLES[name][2]})
        assert caught.value.__cause__ is not None

    @pytest.mark.parametrize(
        "name",
        [
            *("MAX_SESSIONS_PER_USER", "SIGNING_KEY", "VERIFYING_KEY", "ISSUER", "AUDIENCE"),
            *("CLAIMS", "ADOPT_TOKENS_UNTIL"),
        ],
    )
    def test_none_is_the_default_where_the_default_is_nothing(self, name: str) -> None:
        assert parsed(**{name: None}) == Settings()

    def test_a_throttle_of_none_is_off(self) -> None:
        assert parsed(LOGIN_THROTTLE=None).LOGIN_THROTTLE is None

    @pytest.mark.parametrize("value", [1, object()], ids=["number", "object"])
    def test_a_value_of_a_strange_type_is_named_too(self, value: object) -> None:
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
    def test_the_nearest_name_is_suggested_for_an_unknown_one(
        self, name: str, suggestion: str
    ) -> None:
        with pytest.raises(ImproperlyConfigured) as caught:
            parsed(**{name: 1})
        text = f"SIGNET has no setting {name!r}. Did you mean {suggestion!r}?"
        assert str(caught.value) == text

    def test_nothing_is_suggested_where_nothing_is_near(self) -> None:
        with pytest.raises(ImproperlyConfigured) as caught:
            parsed(XYZZY=1)
        assert str(caught.value) == "SIGNET has no setting 'XYZZY'."

    def test_all_unknown_names_are_told_at_once(self) -> None:
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
    def test_a_setting_of_another_package_is_unknown(self, name: str) -> None:
        with pytest.raises(ImproperlyConfigured, match="has no setting"):
            parsed(**{name: True})


class TestSimpleJwt:
    """The dict of djangorestframework-simplejwt."""

    OWN: ClassVar[dict[str, Any]] = {
        **SIMPLE_JWT_DEFAULTS,
        "TOKEN_OBTAIN_SERIALIZER": "my_app.serializers.MyTokenObtainPairSerializer",
    }

    def test_the_block_of_its_documentation_can_stay(self) -> None:
        settings = conf.parse({}, self.OWN)
        assert dataclasses.replace(settings, USER_ID_FIELD="pk") == Settings()
        assert settings.USER_ID_FIELD == "id"

    @pytest.mark.parametrize("name", sorted(SHARED_WITH_SIMPLE_JWT))
    def test_a_shared_setting_is_read_from_it(self, name: str) -> None:
        value, kept, _ = EXAMPLES[name]
        assert getattr(conf.parse({}, {name: value}), name) == kept

    @pytest.mark.parametrize("name", sorted(FIELDS.keys() - SHARED_WITH_SIMPLE_JWT))
    def test_a_setting_that_it_does_not_have_is_not_read_from_it(self, name: str) -> None:
        value, bad = EXAMPLES[name][0], EXAMPLES[name][2]
        assert conf.parse({}, {name: value}) == conf.parse({}, {name: bad}) == Settings()

    def test_all_shared_names_are_settings(self) -> None:
        assert FIELDS.keys() >= SHARED_WITH_SIMPLE_JWT

    @pytest.mark.parametrize("name", sorted(SHARED_WITH_SIMPLE_JWT))
    def test_ours_wins_key_by_key(self, name: str) -> None:
        other = {"LEEWAY": 7} if name != "LEEWAY" else {"ISSUER": "other"}
        value, kept, bad = EXAMPLES[name]
        settings = conf.parse({name: value}, {name: bad, **other})
        assert getattr(settings, name) == kept
        assert {key: getattr(settings, key) for key in other} == other

    def test_a_bad_value_of_a_shared_setting_is_named(self) -> None:
        with pytest.raises(ImproperlyConfigured, match=r"SIMPLE_JWT\['ACCESS_TOKEN_LIFETIME'\]"):
            conf.parse({}, {"ACCESS_TOKEN_LIFETIME": 300})

    def test_no_leeway_is_none_at_all(self) -> None:
        assert conf.parse({}, {"LEEWAY": None}).LEEWAY == 0

    def test_its_default_rule_and_an_empty_key_are_ours(self) -> None:
        assert conf.shared_values(self.OWN).keys() == SHARED_WITH_SIMPLE_JWT - {
            "SIGNING_KEY",
            "VERIFYING_KEY",
            "USER_AUTHENTICATION_RULE",
        }

    def test_a_rule_of_the_project_s_is_read(self) -> None:
        settings = conf.parse({}, {"USER_AUTHENTICATION_RULE": "builtins.bool"})
        assert settings.USER_AUTHENTICATION_RULE is bool

    def test_the_dicts_are_left_as_they_were(self) -> None:
        signet, simple_jwt = {"LEEWAY": 1}, dict(self.OWN)
        conf.parse(signet, simple_jwt)
        assert (signet, simple_jwt) == ({"LEEWAY": 1}, self.OWN)


class TestCurrent:
    def test_it_is_made_once_until_a_setting_changes(self, settings: SettingsWrapper) -> None:
        settings.SIGNET = {"LEEWAY": 1}
        assert conf.current() is conf.current()
        assert conf.current().LEEWAY == 1
        settings.SIGNET = {"LEEWAY": 2}
        assert conf.current().LEEWAY == 2
        settings.SIMPLE_JWT = {"ISSUER": "me", "LEEWAY": 3}
        assert (conf.current().ISSUER, conf.current().LEEWAY) == ("me", 2)

    @pytest.mark.parametrize("name", ["SIGNET", "SIMPLE_JWT"])
    def test_what_is_no_dict_is_refused_and_checked(self, name: str) -> None:
        with override_settings(**{name: ["ROTATE_REFRESH_TOKENS"]}):
            with pytest.raises(ImproperlyConfigured, match=f"{name} must be a dict"):
                conf.current()
            assert [one.id for one in run_checks() if str(one.id).startswith("signet.")] == [
                "signet.E001"
            ]

    def test_it_follows_override_settings_and_comes_back(self) -> None:
        before = conf.current()
        with override_settings(SIGNET={"USER_ID_CLAIM": "sub"}):
            assert conf.current().USER_ID_CLAIM == "sub"
            with override_settings(SIGNET={}):
                assert conf.current().USER_ID_CLAIM == "user_id"
            assert conf.current().USER_ID_CLAIM == "sub"
        assert conf.current() == before

    def test_a_setting_of_no_concern_changes_nothing(self) -> None:
        before = conf.current()
        with override_settings(LANGUAGE_CODE="pt-br"):
            assert conf.current() is before

    @pytest.mark.parametrize("nothing", [None, {}])
    def test_neither_dict_need_be_there(self, settings: SettingsWrapper, nothing: Any) -> None:
        settings.SIGNET = settings.SIMPLE_JWT = nothing
        assert conf.current() == Settings()
        del settings.SIGNET
        del settings.SIMPLE_JWT
        conf.current.cache_clear()
        assert conf.current() == Settings()

    def test_a_mistake_is_raised_at_every_use_and_gone_when_it_is_mended(self) -> None:
        with override_settings(SIGNET={"LEEWAY": "no"}):
            for _ in range(2):
                with pytest.raises(ImproperlyConfigured):
                    conf.current()
        assert conf.current().LEEWAY == 0


def test_the_secrets_are_django_s_newest_first(settings: SettingsWrapper) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old", "older"]
    assert conf.secrets() == ["new", "old", "older"]


@pytest.mark.parametrize(("rotating", "days"), [(True, 30), (False, 1)])
def test_a_session_ends_with_its_refresh_token_unless_it_rotates(rotating: bool, days: int) -> None:
    assert parsed(ROTATE_REFRESH_TOKENS=rotating).login_lifetime("token") == timedelta(days=days)


@pytest.mark.parametrize(
    ("user", "allowed"),
    [
        (None, False),
        (SimpleNamespace(is_active=True), True),
        (SimpleNamespace(is_active=False), False),
    ],
    ids=["nobody", "active", "inactive"],
)
def test_the_default_rule_allows_users_who_are_active(user: Any, allowed: bool) -> None:
    assert default_user_authentication_rule(user) is allowed
