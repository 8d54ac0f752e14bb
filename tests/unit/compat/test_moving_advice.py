"""Test the advice that `signet_migrate_from_simplejwt` prints for each simplejwt setting."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drf_signet.compat.simplejwt.moving import advice
from drf_signet.compat.simplejwt.moving.names import ALIAS
from drf_signet.compat.simplejwt.moving.sources import Code, Place
from tests.support.session_states import ADOPTING, SIMPLE_JWT_DEFAULTS

#: The time 2018-12-03 09:30:31 UTC, in POSIX seconds.
NOW = 1543829431.5
#: A key of SIMPLE_JWT → the places where the project's own code reads the key.
READERS: dict[str, list[Place]] = {}


@pytest.fixture(autouse=True)
def _adopting(settings: Any) -> None:
    settings.SIGNET = dict(ADOPTING)


def all_advice() -> dict[str, tuple[str, str]]:
    """Return a dict: name of a setting → (verdict, text of the advice)."""
    found = advice.on_settings(Code(readers=READERS), now=NOW)
    return {item.setting: (item.verdict, item.text) for item in found}


def advice_on(name: str) -> tuple[str, str]:
    return all_advice()[f'SIMPLE_JWT["{name}"]']


def test_project_without_simplejwt_gets_advice_on_its_key_only() -> None:
    assert list(all_advice()) == ["SECRET_KEY"]


def test_every_simplejwt_setting_gets_advice(settings: Any) -> None:
    settings.SIMPLE_JWT = SIMPLE_JWT_DEFAULTS
    assert {advice_on(name)[0] for name in SIMPLE_JWT_DEFAULTS} == {"kept", "obsolete", "unsafe"}
    unsafe = {name for name in SIMPLE_JWT_DEFAULTS if advice_on(name)[0] == "unsafe"}
    assert unsafe == {"ROTATE_REFRESH_TOKENS"}
    assert not any("not a setting" in advice_on(name)[1] for name in SIMPLE_JWT_DEFAULTS)


@pytest.mark.parametrize("name", ["CHECK_REVOKE_TOKEN", "REVOKE_TOKEN_CLAIM"])
def test_settings_that_validate_legacy_tokens_are_kept_until_adopt_tokens_until(
    settings: Any, name: str
) -> None:
    settings.SIMPLE_JWT = {name: SIMPLE_JWT_DEFAULTS[name]}
    verdict, text = advice_on(name)
    assert verdict == "kept"
    assert "until ADOPT_TOKENS_UNTIL" in text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("AUTH_COOKIE", "access", "is not a setting of simplejwt 5.5. Keep it here"),
        ("ACCESS_TOKEN_LIFETIME", timedelta(minutes=5), "is read; move it to SIGNET. Keep it here"),
        ("TOKEN_TYPE_CLAIM", "token_type", "always token_type. Keep it here"),
    ],
)
def test_setting_that_the_projects_own_code_reads_is_kept(
    settings: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: Any, text: str
) -> None:
    settings.SIMPLE_JWT = {name: value}
    places = [Place(path=Path("shop/views.py"), line=line) for line in (7, 12, 20)]
    monkeypatch.setitem(READERS, name, places[:1])
    verdict, advised = advice_on(name)
    assert verdict == "kept"
    assert text in advised
    assert advised.endswith(": your code reads it at shop/views.py:7")
    monkeypatch.setitem(READERS, name, places)
    assert advice_on(name)[1].endswith("shop/views.py:7 and 2 more")


def test_unsafe_setting_stays_unsafe_although_the_projects_own_code_reads_it(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": timedelta(days=30)}
    monkeypatch.setitem(READERS, "ACCESS_TOKEN_LIFETIME", [Place(path=Path("shop/views.py"))])
    assert advice_on("ACCESS_TOKEN_LIFETIME")[0] == "unsafe"


def test_unknown_simplejwt_setting_is_obsolete(settings: Any) -> None:
    settings.SIMPLE_JWT = {"ACCESS_TOKEN_LIFETYME": 1}
    assert advice_on("ACCESS_TOKEN_LIFETYME")[0] == "obsolete"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("ACCESS_TOKEN_LIFETIME", timedelta(days=30), "is long"),
        ("CHECK_USER_IS_ACTIVE", False, "inactive users"),
        ("JTI_CLAIM", "id", "is not jti"),
        ("TOKEN_TYPE_CLAIM", None, "is not token_type"),
        ("JWK_URL", "https://id.example/jwks", "are not fetched"),
        ("ROTATE_REFRESH_TOKENS", False, "stolen"),
    ],
)
def test_risky_value_is_unsafe(settings: Any, name: str, value: Any, text: str) -> None:
    settings.SIMPLE_JWT = {name: value}
    verdict, advice_text = advice_on(name)
    assert verdict == "unsafe"
    assert text in advice_text


def test_lifetime_of_the_wrong_type_is_reported_as_an_invalid_setting(settings: Any) -> None:
    settings.SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": 300}
    assert advice_on("ACCESS_TOKEN_LIFETIME")[0] == "kept"
    assert all_advice()["SIGNET"][0] == "unsafe"


@pytest.mark.parametrize(
    ("simple_jwt", "until"),
    [
        ({}, "2018-12-04T09:30:31+00:00"),
        ({"REFRESH_TOKEN_LIFETIME": timedelta(days=14)}, "2018-12-17T09:30:31+00:00"),
        ({"REFRESH_TOKEN_LIFETIME": 14}, "2018-12-04T09:30:31+00:00"),
    ],
)
def test_missing_adopt_tokens_until_is_unsafe(
    settings: Any, simple_jwt: dict[str, Any], until: str
) -> None:
    settings.SIGNET, settings.SIMPLE_JWT = {}, simple_jwt
    verdict, text = all_advice()['SIGNET["ADOPT_TOKENS_UNTIL"]']
    assert verdict == "unsafe"
    assert f'"{until}"' in text


def test_setting_given_in_signet_is_obsolete_in_simple_jwt(settings: Any) -> None:
    settings.SIMPLE_JWT = {"LEEWAY": 5}
    settings.SIGNET = {**ADOPTING, "LEEWAY": 1}
    assert advice_on("LEEWAY") == ("obsolete", "is overridden by SIGNET")
    assert advice.proposal() == []


def test_unusable_key_is_unsafe_and_not_printed(settings: Any) -> None:
    settings.SIMPLE_JWT = {"SIGNING_KEY": "short"}
    verdict, text = all_advice()["the signing key"]
    assert verdict == "unsafe"
    assert "32 bytes" in text
    assert "short" not in text


def test_dedicated_signing_key_gets_no_advice_on_secret_key(settings: Any) -> None:
    settings.SIMPLE_JWT = {"SIGNING_KEY": "k" * 40}
    assert "SECRET_KEY" not in all_advice()
    assert "k" * 40 not in str(all_advice()) + str(advice.proposal())


class TestProposal:
    def test_settings_in_use_are_proposed_for_signet(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {
            "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
            "ISSUER": "shop",
            "SIGNING_KEY": "k" * 40,
            "UPDATE_LAST_LOGIN": True,
        }
        assert advice.proposal() == [
            "    \"ISSUER\": 'shop',",
            '    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),',
            '    "SIGNING_KEY": SIMPLE_JWT["SIGNING_KEY"],',
        ]

    def test_secret_key_as_signing_key_is_omitted_because_it_is_the_default(
        self, settings: Any
    ) -> None:
        settings.SIMPLE_JWT = {"SIGNING_KEY": settings.SECRET_KEY}
        assert advice.proposal() == []


class TestApps:
    @pytest.fixture(autouse=True)
    def _apps(self, monkeypatch: Any) -> None:
        """Store `monkeypatch`, so that tests can change INSTALLED_APPS without importing apps."""
        self.patch = monkeypatch

    def advice_with_apps(self, *names: str) -> dict[str, tuple[str, str]]:
        from django.conf import settings

        self.patch.setattr(settings, "INSTALLED_APPS", [*settings.INSTALLED_APPS, *names])
        return all_advice()

    def test_simplejwt_apps_get_advice(self) -> None:
        given = self.advice_with_apps(
            "rest_framework_simplejwt", "rest_framework_simplejwt.token_blacklist"
        )
        verdict, text = given['INSTALLED_APPS "rest_framework_simplejwt"']
        assert verdict == "obsolete"
        assert ALIAS in text
        assert given['INSTALLED_APPS "rest_framework_simplejwt.token_blacklist"'][0] == "kept"

    def test_alias_keeps_the_settings_and_authentication_classes_of_simplejwt(
        self, settings: Any
    ) -> None:
        settings.SIMPLE_JWT = SIMPLE_JWT_DEFAULTS
        self.advice_with_apps(ALIAS)
        kept = {name for name in SIMPLE_JWT_DEFAULTS if advice_on(name)[0] == "kept"}
        assert SIMPLE_JWT_DEFAULTS.keys() - kept == {
            *("JTI_CLAIM", "JWK_URL", "TOKEN_TYPE_CLAIM"),  # the alias ignores these settings
            "ROTATE_REFRESH_TOKENS",  # the default turns rotation off, which is unsafe
        }
        settings.REST_FRAMEWORK = {
            "DEFAULT_AUTHENTICATION_CLASSES": [
                "rest_framework_simplejwt.authentication.JWTAuthentication"
            ]
        }
        verdicts = [
            verdict for key, (verdict, _) in all_advice().items() if key.startswith("DEFAULT_")
        ]
        assert verdicts == ["kept"]

    @pytest.mark.parametrize(
        ("simple_jwt", "signet", "unsafe"),
        [
            ({"ROTATE_REFRESH_TOKENS": True}, {}, True),
            ({"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": False}, {}, True),
            ({"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}, {}, False),
            ({"ROTATE_REFRESH_TOKENS": True}, {"ROTATE_REFRESH_TOKENS": True}, False),
            ({}, {}, False),
        ],
    )
    def test_alias_without_blacklist_after_rotation_is_unsafe(
        self,
        settings: Any,
        simple_jwt: dict[str, Any],
        signet: dict[str, Any],
        unsafe: bool,
    ) -> None:
        settings.SIMPLE_JWT, settings.SIGNET = simple_jwt, {**ADOPTING, **signet}
        given = self.advice_with_apps(ALIAS)
        verdicts = [verdict for verdict, text in given.values() if "stay valid" in text]
        assert verdicts == ["unsafe"] * unsafe

    def test_alias_makes_the_old_app_name_obsolete(self) -> None:
        given = self.advice_with_apps(ALIAS, "rest_framework_simplejwt", "dj_rest_auth")
        assert given['INSTALLED_APPS "rest_framework_simplejwt"'] == ("obsolete", "remove it")
        assert 'INSTALLED_APPS "dj_rest_auth"' not in given

    @pytest.mark.parametrize("name", ["dj_rest_auth", "dj_rest_auth.registration", "djoser"])
    def test_third_party_apps_need_the_alias(self, name: str) -> None:
        verdict, text = self.advice_with_apps(name)[f'INSTALLED_APPS "{name}"']
        assert verdict == "changes"
        assert ALIAS in text


def test_simplejwt_authentication_classes_are_replaced(settings: Any) -> None:
    stateless = "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"
    replacement = "drf_signet.authentication.JWTAuthentication"
    settings.REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": [stateless, replacement, dict]}
    given = {key: value for key, value in all_advice().items() if "DEFAULT_" in key}
    setting = f'DEFAULT_AUTHENTICATION_CLASSES "{stateless}"'
    assert given == {setting: ("changes", f"write {replacement}")}
