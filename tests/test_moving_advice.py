"""`drf_signet.moving.advice`: what becomes of each setting of simplejwt's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from drf_signet.moving import advice
from drf_signet.moving.names import ALIAS
from tests.situations import ADOPTING, SIMPLE_JWT_DEFAULTS

#: 2018-12-03 09:30:31 UTC.
NOW = 1543829431.5


@pytest.fixture(autouse=True)
def _adopting(settings: Any) -> None:
    settings.SIGNET = dict(ADOPTING)


def said() -> dict[str, tuple[str, str]]:
    """Return verdict and text by setting."""
    return {one.setting: (one.verdict, one.text) for one in advice.on_settings(now=NOW)}


def said_of(name: str) -> tuple[str, str]:
    return said()[f'SIMPLE_JWT["{name}"]']


def test_a_project_that_never_had_simplejwt_hears_of_its_key_alone() -> None:
    assert list(said()) == ["SECRET_KEY"]


def test_every_setting_of_simplejwt_has_its_sentence(settings: Any) -> None:
    settings.SIMPLE_JWT = SIMPLE_JWT_DEFAULTS
    assert {said_of(name)[0] for name in SIMPLE_JWT_DEFAULTS} == {"kept", "obsolete", "unsafe"}
    unsafe = {name for name in SIMPLE_JWT_DEFAULTS if said_of(name)[0] == "unsafe"}
    assert unsafe == {"ROTATE_REFRESH_TOKENS"}
    assert not any("no meaning" in said_of(name)[1] for name in SIMPLE_JWT_DEFAULTS)


@pytest.mark.parametrize("name", ["CHECK_REVOKE_TOKEN", "REVOKE_TOKEN_CLAIM"])
def test_what_tokens_of_old_are_judged_by_is_kept_as_long_as_they(settings: Any, name: str) -> None:
    settings.SIMPLE_JWT = {name: SIMPLE_JWT_DEFAULTS[name]}
    verdict, text = said_of(name)
    assert verdict == "kept"
    assert "until ADOPT_TOKENS_UNTIL" in text


def test_a_name_that_simplejwt_does_not_know_is_obsolete(settings: Any) -> None:
    settings.SIMPLE_JWT = {"ACCESS_TOKEN_LIFETYME": 1}
    assert said_of("ACCESS_TOKEN_LIFETYME")[0] == "obsolete"


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
def test_a_value_that_is_a_risk_is_called_unsafe(
    settings: Any, name: str, value: Any, text: str
) -> None:
    settings.SIMPLE_JWT = {name: value}
    verdict, said = said_of(name)
    assert verdict == "unsafe"
    assert text in said


def test_a_lifetime_that_is_no_lifetime_is_reported_as_such(settings: Any) -> None:
    settings.SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": 300}
    assert said_of("ACCESS_TOKEN_LIFETIME")[0] == "kept"
    assert said()["SIGNET"][0] == "unsafe"


@pytest.mark.parametrize(
    ("simple_jwt", "until"),
    [
        ({}, "2018-12-04T09:30:31+00:00"),
        ({"REFRESH_TOKEN_LIFETIME": timedelta(days=14)}, "2018-12-17T09:30:31+00:00"),
        ({"REFRESH_TOKEN_LIFETIME": 14}, "2018-12-04T09:30:31+00:00"),
    ],
)
def test_adoption_that_is_off_is_unsafe(
    settings: Any, simple_jwt: dict[str, Any], until: str
) -> None:
    settings.SIGNET, settings.SIMPLE_JWT = {}, simple_jwt
    verdict, text = said()['SIGNET["ADOPT_TOKENS_UNTIL"]']
    assert verdict == "unsafe"
    assert f'"{until}"' in text


def test_what_signet_has_is_obsolete_in_simple_jwt(settings: Any) -> None:
    settings.SIMPLE_JWT = {"LEEWAY": 5}
    settings.SIGNET = {**ADOPTING, "LEEWAY": 1}
    assert said_of("LEEWAY") == ("obsolete", "SIGNET has it, and wins")
    assert advice.proposal() == []


def test_a_key_that_cannot_be_used_is_unsafe_and_not_shown(settings: Any) -> None:
    settings.SIMPLE_JWT = {"SIGNING_KEY": "short"}
    verdict, text = said()["the signing key"]
    assert verdict == "unsafe"
    assert "32 bytes" in text
    assert "short" not in text


def test_a_key_of_its_own_is_not_the_project_s(settings: Any) -> None:
    settings.SIMPLE_JWT = {"SIGNING_KEY": "k" * 40}
    assert "SECRET_KEY" not in said()
    assert "k" * 40 not in str(said()) + str(advice.proposal())


class TestProposal:
    def test_what_is_read_is_written_anew(self, settings: Any) -> None:
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

    def test_the_secret_key_is_left_out_as_it_is_the_default(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {"SIGNING_KEY": settings.SECRET_KEY}
        assert advice.proposal() == []


class TestApps:
    @pytest.fixture(autouse=True)
    def _apps(self, monkeypatch: Any) -> None:
        """Set what is only read: apps that need not be importable here."""
        self.patch = monkeypatch

    def installed(self, *names: str) -> dict[str, tuple[str, str]]:
        from django.conf import settings

        self.patch.setattr(settings, "INSTALLED_APPS", [*settings.INSTALLED_APPS, *names])
        return said()

    def test_apps_of_simplejwt_are_named(self) -> None:
        found = self.installed(
            "rest_framework_simplejwt", "rest_framework_simplejwt.token_blacklist"
        )
        verdict, text = found['INSTALLED_APPS "rest_framework_simplejwt"']
        assert verdict == "obsolete"
        assert ALIAS in text
        assert found['INSTALLED_APPS "rest_framework_simplejwt.token_blacklist"'][0] == "kept"

    def test_with_the_alias_all_of_simplejwt_s_settings_are_kept(self, settings: Any) -> None:
        settings.SIMPLE_JWT = SIMPLE_JWT_DEFAULTS
        self.installed(ALIAS)
        kept = {name for name in SIMPLE_JWT_DEFAULTS if said_of(name)[0] == "kept"}
        assert SIMPLE_JWT_DEFAULTS.keys() - kept == {
            *("JTI_CLAIM", "JWK_URL", "TOKEN_TYPE_CLAIM"),  # have no effect there either
            "ROTATE_REFRESH_TOKENS",  # off
        }
        settings.REST_FRAMEWORK = {
            "DEFAULT_AUTHENTICATION_CLASSES": [
                "rest_framework_simplejwt.authentication.JWTAuthentication"
            ]
        }
        (found,) = (verdict for key, (verdict, _) in said().items() if key.startswith("DEFAULT_"))
        assert found == "kept"

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
    def test_with_the_alias_rotated_tokens_that_stay_good_are_unsafe(
        self,
        settings: Any,
        simple_jwt: dict[str, Any],
        signet: dict[str, Any],
        unsafe: bool,
    ) -> None:
        settings.SIMPLE_JWT, settings.SIGNET = simple_jwt, {**ADOPTING, **signet}
        found = self.installed(ALIAS)
        said = [verdict for verdict, text in found.values() if "stay good" in text]
        assert said == ["unsafe"] * unsafe

    def test_with_the_alias_the_old_name_is_to_go(self) -> None:
        found = self.installed(ALIAS, "rest_framework_simplejwt", "dj_rest_auth")
        assert found['INSTALLED_APPS "rest_framework_simplejwt"'] == ("obsolete", "take it out")
        assert 'INSTALLED_APPS "dj_rest_auth"' not in found

    @pytest.mark.parametrize("name", ["dj_rest_auth", "dj_rest_auth.registration", "djoser"])
    def test_third_parties_need_the_alias(self, name: str) -> None:
        verdict, text = self.installed(name)[f'INSTALLED_APPS "{name}"']
        assert verdict == "changes"
        assert ALIAS in text


def test_authentication_classes_of_simplejwt_are_replaced(settings: Any) -> None:
    stateless = "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"
    ours = "drf_signet.authentication.JWTAuthentication"
    settings.REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": [stateless, ours, dict]}
    found = {key: value for key, value in said().items() if "DEFAULT_" in key}
    assert found == {f'DEFAULT_AUTHENTICATION_CLASSES "{stateless}"': ("changes", f"write {ours}")}
