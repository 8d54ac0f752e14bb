"""Test the system checks: when each message appears, and what the message says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from rest_framework.authentication import SessionAuthentication

from drf_signet.authentication import JWTAuthentication
from drf_signet.checks.databases import check_signing_keys
from drf_signet.keys import changes as key_changes
from drf_signet.keys.database import DatabaseKeys
from drf_signet.middleware import JWTMiddleware
from tests.support.session_states import ADOPTING
from tests.support.signing_keys import IN_DATABASE
from tests.support.token_forge import signer

SHORT = "k" * 31
LONG = "k" * 32
#: A secret without a warning, which is not SECRET_KEY.
OWN_SECRET = "a secret for tokens alone, with enough characters"
#: Settings of a project that is ready for production.
READY: Mapping[str, Any] = {"ROTATE_REFRESH_TOKENS": True, "SIGNING_KEY": OWN_SECRET}
REDIS = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}}


def messages(*, deploy: bool = False, databases: list[str] | None = None) -> list[CheckMessage]:
    """Run all system checks; return the messages of drf-signet."""
    all_messages = run_checks(include_deployment_checks=deploy, databases=databases)
    return [message for message in all_messages if str(message.id).startswith("signet.")]


def ids(**options: Any) -> list[str]:
    return sorted(str(message.id) for message in messages(**options))


def only_message(number: str, **options: Any) -> CheckMessage:
    """Return the message with the given number; fail unless there is exactly one."""
    (message,) = (each for each in messages(**options) if each.id == f"signet.{number}")
    return message


def test_new_project_gets_no_message() -> None:
    assert ids() == []


def test_project_ready_for_production_gets_no_message(settings: Any) -> None:
    settings.SIGNET = dict(READY)
    settings.CACHES = REDIS
    assert ids(deploy=True) == []


class TestE001:
    """Test signet.E001: a setting has an invalid value."""

    def test_an_invalid_value_is_an_error(self, settings: Any) -> None:
        settings.SIGNET = {"LEEWAY": -1}
        message = only_message("E001")
        assert message.is_serious()
        assert message.msg.startswith("SIGNET['LEEWAY']: it must be a number of seconds")

    @pytest.mark.parametrize("name", ["SIGNET", "SIMPLE_JWT"])
    def test_a_header_name_that_is_no_key_of_meta_is_an_error(
        self, settings: Any, name: str
    ) -> None:
        setattr(settings, name, {"AUTH_HEADER_NAME": "X-Access-Token"})
        message = only_message("E001").msg
        assert message.startswith(f"{name}['AUTH_HEADER_NAME']: it must be a key of request.META")
        assert message.endswith("such as 'HTTP_X_ACCESS_TOKEN'")

    def test_an_unknown_name_is_an_error(self, settings: Any) -> None:
        settings.SIGNET = {"LEEWEY": 1}
        assert "Did you mean 'LEEWAY'?" in only_message("E001").msg

    def test_a_user_id_field_that_does_not_exist_is_an_error(self, settings: Any) -> None:
        settings.SIGNET = {"USER_ID_FIELD": "nickname"}
        assert "has no 'nickname'" in only_message("E001").msg

    def test_an_invalid_value_in_simple_jwt_is_an_error(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": 300}
        assert "ACCESS_TOKEN_LIFETIME" in only_message("E001").msg

    def test_an_invalid_setting_is_reported_once_under_check_deploy(self, settings: Any) -> None:
        settings.SIGNET = {"LEEWAY": -1}
        assert ids(deploy=True) == ["signet.E001"]


class TestE002:
    """Test signet.E002: the configured keys cannot be used."""

    def test_no_key_is_an_error(self, settings: Any) -> None:
        settings.SIGNET = {"ALGORITHM": "RS256"}
        message = only_message("E002")
        assert message.is_serious()
        needed = "RS256 needs SIGNING_KEY, VERIFYING_KEY or KEYS"
        assert message.msg == f"The signing key cannot be used: {needed}."
        assert "ALGORITHM" in str(message.hint)

    def test_a_key_for_another_algorithm_is_an_error(self, settings: Any) -> None:
        settings.SIGNET = {"ALGORITHM": "ES256", "SIGNING_KEY": signer("RS256").jwk}
        assert "not a key for ES256" in only_message("E002").msg

    def test_a_key_with_an_unknown_curve_is_an_error(self, settings: Any) -> None:
        jwk = {**signer("ES256").jwk, "crv": "P-1"}
        settings.SIGNET = {"ALGORITHM": "ES256", "SIGNING_KEY": jwk}
        assert "not a key for ES256" in only_message("E002").msg

    @pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
    @pytest.mark.parametrize("form", ["pem", "pem_crlf", "pem_bom", "jwk"])
    def test_a_public_key_as_signing_key_is_an_error(
        self, settings: Any, alg: str, form: str
    ) -> None:
        by = signer(alg)
        material = dict(by.public_jwk) if form == "jwk" else by.public_forms()[form].decode()
        settings.SIGNET = {"ALGORITHM": alg, "SIGNING_KEY": material}
        message = only_message("E002").msg
        assert "SIGNING_KEY is a public key" in message
        assert "set VERIFYING_KEY instead" in message

    def test_a_public_key_as_signing_key_in_simple_jwt_is_an_error(self, settings: Any) -> None:
        public_pem = signer("RS256").public_forms()["pem"].decode()
        settings.SIMPLE_JWT = {
            "ALGORITHM": "RS256",
            "SIGNING_KEY": public_pem,
            "VERIFYING_KEY": public_pem,
        }
        assert "SIGNING_KEY is a public key" in only_message("E002").msg

    def test_a_signing_key_whose_key_ops_only_verify_is_an_error(self, settings: Any) -> None:
        jwk = {**signer("ES256").jwk, "key_ops": ["verify"]}
        settings.SIGNET = {"ALGORITHM": "ES256", "SIGNING_KEY": jwk}
        assert "key_ops do not allow signing" in only_message("E002").msg

    def test_a_service_that_only_verifies_gets_no_message(self, settings: Any) -> None:
        public_jwk = dict(signer("ES256").public_jwk)
        for keys in ({"VERIFYING_KEY": public_jwk}, {"KEYS": [{"key": public_jwk}]}):
            settings.SIGNET = {"ALGORITHM": "ES256", **keys}
            assert ids() == []

    @pytest.mark.parametrize("place", ["SIGNING_KEY", "KEYS", "SIMPLE_JWT", "SECRET_KEY"])
    def test_the_text_of_a_key_as_a_secret_is_an_error(self, settings: Any, place: str) -> None:
        text = json.dumps(dict(signer("RS256").public_jwk))
        if place == "SIGNING_KEY":
            settings.SIGNET = {"SIGNING_KEY": text}
        elif place == "KEYS":
            settings.SIGNET = {"KEYS": [{"key": LONG}, {"key": text}]}
        elif place == "SIMPLE_JWT":
            settings.SIMPLE_JWT = {"SIGNING_KEY": text}
        else:
            settings.SECRET_KEY = text
        message = only_message("E002")
        assert "HS256 needs a secret, not a private or public key" in message.msg
        assert text[10:40] not in message.msg


class TestW001:
    """Test signet.W001: Django's SECRET_KEY or a fallback is too short."""

    def test_a_short_secret_key_is_a_warning(self, settings: Any) -> None:
        settings.SECRET_KEY = SHORT
        message = only_message("W001")
        assert not message.is_serious()
        assert message.msg == "SECRET_KEY signs tokens with HS256 and is shorter than 32 bytes."
        assert "SECRET_KEY_FALLBACKS" in str(message.hint)

    def test_a_short_fallback_gets_a_message_of_its_own(self, settings: Any) -> None:
        """Test a project that has replaced its short SECRET_KEY, but keeps a short fallback."""
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = LONG, [LONG + "2", SHORT]
        message = only_message("W001")
        assert message.msg.startswith("One of SECRET_KEY_FALLBACKS verifies tokens with HS256")
        assert "Remove it" in str(message.hint)

    def test_a_short_secret_key_is_reported_before_a_short_fallback(self, settings: Any) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = SHORT, [SHORT + "2"]
        assert only_message("W001").msg.startswith("SECRET_KEY signs")

    @pytest.mark.parametrize(("algorithm", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
    def test_the_algorithm_decides_which_length_is_too_short(
        self, settings: Any, algorithm: str, size: int
    ) -> None:
        settings.SIGNET = {"ALGORITHM": algorithm}
        settings.SECRET_KEY = "k" * (size - 1)
        assert f"shorter than {size} bytes" in only_message("W001").msg
        settings.SECRET_KEY = "k" * size
        assert ids() == []

    def test_a_short_secret_key_that_signs_no_tokens_gets_no_message(self, settings: Any) -> None:
        settings.SECRET_KEY = SHORT
        settings.SIGNET = {"SIGNING_KEY": LONG}
        assert ids() == []
        settings.SIGNET = {"ALGORITHM": "EdDSA", "SIGNING_KEY": signer("EdDSA").jwk}
        assert ids() == []


class TestW002:
    """Test signet.W002: the session table does not exist."""

    @pytest.fixture
    def alias(self, django_db_blocker: Any, tmp_path: Path) -> Iterator[str]:
        """Return the alias of a database to which no migration has been applied."""
        databases = connections.databases
        databases["empty"] = {**databases["default"], **SQLITE, "NAME": tmp_path / "empty"}
        with django_db_blocker.unblock():
            MigrationRecorder(connections["empty"]).ensure_schema()
            yield "empty"
            connections["empty"].close()
        del connections["empty"]
        del databases["empty"]

    def test_a_missing_table_is_a_warning(self, alias: str) -> None:
        message = only_message("W002", databases=[alias])
        assert message.msg == "The table drf_signet_session is not in the database 'empty' yet."
        assert "migrate" in str(message.hint)

    def test_a_database_without_any_migrations_gets_no_message(self, alias: str) -> None:
        """Leave the warning to `runserver`, which already tells a new project to migrate."""
        with connections[alias].schema_editor() as editor:
            editor.delete_model(MigrationRecorder.Migration)
        assert ids(databases=[alias]) == []

    def test_a_missing_table_is_not_looked_for_without_databases(self) -> None:
        assert ids() == []

    @pytest.mark.django_db
    def test_a_database_with_the_table_gets_no_message(self) -> None:
        assert ids(databases=["default"]) == []

    @pytest.mark.django_db
    @pytest.mark.parametrize("name", ["0001_initial", "0002_index_of_ended_sessions"])
    def test_a_migration_that_is_not_applied_is_a_warning(self, name: str) -> None:
        MigrationRecorder(connections["default"]).record_unapplied("drf_signet", name)
        message = only_message("W002", databases=["default"])
        assert message.msg == f"Migrations of drf_signet are not applied to 'default': {name}."
        assert "migrate" in str(message.hint)

    @pytest.mark.django_db
    def test_an_app_whose_migrations_are_disabled_gets_no_message(self, settings: Any) -> None:
        MigrationRecorder(connections["default"]).record_unapplied("drf_signet", "0001_initial")
        settings.MIGRATION_MODULES = {"drf_signet": None}
        assert ids(databases=["default"]) == []

    def test_a_database_that_the_router_excludes_gets_no_message(
        self, alias: str, settings: Any
    ) -> None:
        settings.DATABASE_ROUTERS = [SessionsElsewhere()]
        assert ids(databases=[alias]) == []

    def test_an_unreachable_database_gets_no_message(self, alias: str) -> None:
        connections.databases[alias]["NAME"] = "/nonexistent/directory/database"
        connections[alias].close()
        assert ids(databases=[alias]) == []


SQLITE: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {}}


class SessionsElsewhere:
    """Database router that allows the session table only in the default database."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return None if app_label != "drf_signet" else db == "default"


class TestDeployment:
    """Test the warnings that only `check --deploy` prints."""

    @pytest.fixture(autouse=True)
    def _ready_for_production(self, settings: Any) -> None:
        settings.SIGNET = dict(READY)
        settings.CACHES = REDIS

    @pytest.fixture
    def set_signet(self, settings: Any) -> Callable[..., None]:
        def change(**changed: Any) -> None:
            settings.SIGNET = {**READY, **changed}

        return change

    def only_warning(self, number: str) -> CheckMessage:
        """Return the message; fail unless it is the only one, and a warning of --deploy alone."""
        assert ids() == []
        assert set(ids(deploy=True)) == {f"signet.{number}"}
        message = only_message(number, deploy=True)
        assert not message.is_serious()
        assert message.hint
        return message

    def test_w003_warns_if_rotation_is_off(self, set_signet: Any) -> None:
        set_signet(ROTATE_REFRESH_TOKENS=False)
        message = self.only_warning("W003")
        assert "ROTATE_REFRESH_TOKENS is off" in message.msg
        assert "RFC 9700" in str(message.hint)

    @pytest.mark.parametrize("cache", ["locmem.LocMemCache", "dummy.DummyCache"])
    def test_w005_warns_if_processes_do_not_share_the_cache(
        self, settings: Any, cache: str
    ) -> None:
        settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{cache}"}}
        assert "Redis" in str(self.only_warning("W005").hint)

    def test_w009_warns_if_secret_key_signs_the_tokens(self, settings: Any) -> None:
        settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True}
        assert "SECRET_KEY signs the tokens" in self.only_warning("W009").msg

    @pytest.mark.parametrize("name", ["SIGNING_KEY", "KEYS"])
    def test_w009_warns_if_secret_key_is_also_the_signing_key(
        self, settings: Any, set_signet: Any, name: str
    ) -> None:
        secret = settings.SECRET_KEY
        ring = [{"key": secret}, {"kid": "old", "key": OWN_SECRET}]
        set_signet(**{name: secret if name == "SIGNING_KEY" else ring})
        self.only_warning("W009")

    def test_w009_is_silent_if_secret_key_only_verifies(
        self, settings: Any, set_signet: Any
    ) -> None:
        set_signet(KEYS=[{"kid": "new", "key": OWN_SECRET}, {"key": settings.SECRET_KEY}])
        assert ids(deploy=True) == []

    def test_secrets_are_not_checked_if_keys_are_asymmetric(self, set_signet: Any) -> None:
        set_signet(ALGORITHM="EdDSA", SIGNING_KEY=signer("EdDSA").jwk)
        assert ids(deploy=True) == []

    def test_secrets_are_not_checked_if_a_key_cannot_be_used(self, set_signet: Any) -> None:
        set_signet(SIGNING_KEY=SHORT)
        assert ids(deploy=True) == ["signet.E014"]

    @pytest.mark.parametrize("secret", ["k" * 40, "abcd" * 10, "django-insecure-" + OWN_SECRET])
    @pytest.mark.parametrize("name", ["SIGNING_KEY", "KEYS"])
    def test_w010_warns_if_a_secret_can_be_guessed(
        self, set_signet: Any, secret: str, name: str
    ) -> None:
        ring = [{"kid": "new", "key": OWN_SECRET}, {"key": secret}]
        set_signet(**{name: secret if name == "SIGNING_KEY" else ring})
        message = self.only_warning("W010")
        assert secret not in message.msg + str(message.hint)

    def test_w010_leaves_a_weak_secret_key_to_django(self, settings: Any, set_signet: Any) -> None:
        settings.SECRET_KEY = LONG
        set_signet(SIGNING_KEY=None)
        self.only_warning("W009")

    @pytest.mark.parametrize(
        ("signet", "name"),
        [
            ({"ACCESS_TOKEN_LIFETIME": timedelta(hours=1, seconds=1)}, "ACCESS_TOKEN_LIFETIME"),
            (
                {
                    "REFRESH_TOKEN_LIFETIME": timedelta(days=91),
                    "SESSION_LIFETIME": timedelta(days=365),
                },
                "REFRESH_TOKEN_LIFETIME",
            ),
            (
                {
                    "COOKIE": {"IDLE_LIFETIME": timedelta(days=91)},
                    "SESSION_LIFETIME": timedelta(days=365),
                },
                "IDLE_LIFETIME in COOKIE",
            ),
            (
                {
                    "COOKIE": {"REMEMBERED_IDLE_LIFETIME": timedelta(days=91)},
                    "SESSION_LIFETIME": timedelta(days=365),
                },
                "REMEMBERED_IDLE_LIFETIME in COOKIE",
            ),
        ],
    )
    def test_w011_warns_if_a_lifetime_is_too_long(
        self, set_signet: Any, signet: Any, name: str
    ) -> None:
        set_signet(**signet)
        assert self.only_warning("W011").msg.startswith(f"{name} is ")

    def test_w011_is_silent_at_the_longest_lifetimes(self, set_signet: Any) -> None:
        set_signet(
            ACCESS_TOKEN_LIFETIME=timedelta(hours=1),
            REFRESH_TOKEN_LIFETIME=timedelta(days=90),
            SESSION_LIFETIME=timedelta(days=365),
        )
        assert ids(deploy=True) == []

    def test_w012_warns_if_ended_sessions_are_not_polled(self, set_signet: Any) -> None:
        set_signet(REVOCATION_POLL_INTERVAL=None)
        assert "REVOCATION_POLL_INTERVAL is None" in self.only_warning("W012").msg
        set_signet(REVOCATION_POLL_INTERVAL=0)  # each request queries the database
        assert ids(deploy=True) == []

    @pytest.mark.parametrize("rates", [None, {"username": None, "address": None}])
    def test_w013_warns_if_failed_logins_are_not_limited(
        self, settings: Any, set_signet: Any, rates: Any
    ) -> None:
        set_signet(LOGIN_THROTTLE=rates)
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
        assert "LOGIN_THROTTLE is off" in self.only_warning("W013").msg


TOKENS = "drf_signet.middleware.JWTMiddleware"
SESSIONS = "django.contrib.auth.middleware.AuthenticationMiddleware"


class OwnJWTMiddleware(JWTMiddleware):
    """A project's own subclass."""


class TestE009:
    """Test signet.E009: AuthenticationMiddleware replaces the user of the token."""

    @pytest.mark.parametrize("path", [TOKENS, f"{__name__}.OwnJWTMiddleware"])
    def test_jwt_middleware_before_authentication_middleware_is_an_error(
        self, settings: Any, path: str
    ) -> None:
        settings.MIDDLEWARE = [path, *settings.MIDDLEWARE]
        message = only_message("E009")
        assert message.is_serious()
        assert "JWTMiddleware comes before AuthenticationMiddleware" in message.msg
        assert "after it" in str(message.hint)

    def test_jwt_middleware_after_authentication_middleware_gets_no_message(
        self, settings: Any
    ) -> None:
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, TOKENS]
        assert ids() == []

    def test_jwt_middleware_alone_gets_no_message(self, settings: Any) -> None:
        settings.MIDDLEWARE = [path for path in (TOKENS, *settings.MIDDLEWARE) if path != SESSIONS]
        assert ids() == []

    @pytest.mark.parametrize("path", ["nowhere.Middleware", f"{__name__}.ids"])
    def test_other_middleware_is_ignored(self, settings: Any, path: str) -> None:
        """Test middleware that cannot be imported, or that is a function."""
        settings.MIDDLEWARE = [path, *settings.MIDDLEWARE, TOKENS]
        assert ids() == []


class TestSimpleJwt:
    """Test the messages for a project that still has the setting SIMPLE_JWT."""

    def test_i001_lists_the_settings_read_from_simple_jwt(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {"LEEWAY": 5, "ISSUER": "me", "AUDIENCE": None}
        assert ids() == ["signet.I001"]
        message = only_message("I001")
        assert not message.is_serious()
        assert message.msg == "Settings read from SIMPLE_JWT: AUDIENCE, ISSUER, LEEWAY."
        assert "SIGNET" in str(message.hint)

    def test_i001_omits_settings_that_signet_overrides(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {"LEEWAY": 5, "ISSUER": "me"}
        settings.SIGNET = {"LEEWAY": 1}
        assert only_message("I001").msg == "Settings read from SIMPLE_JWT: ISSUER."
        settings.SIGNET = {"LEEWAY": 1, "ISSUER": "you"}
        assert ids() == []

    def test_w004_lists_the_settings_without_effect(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {"UPDATE_LAST_LOGIN": True, "BLACKLIST_AFTER_ROTATION": True}
        assert ids() == ["signet.W004"]
        text = "BLACKLIST_AFTER_ROTATION, UPDATE_LAST_LOGIN"
        assert (
            only_message("W004").msg == f"Settings of SIMPLE_JWT that have no effect here: {text}."
        )
        assert only_message("W004").hint == "Remove them, unless your own code reads them."

    def test_w004_omits_settings_that_legacy_tokens_need_during_adoption(
        self, settings: Any
    ) -> None:
        settings.SIMPLE_JWT = {"CHECK_REVOKE_TOKEN": True, "REVOKE_TOKEN_CLAIM": "password"}
        assert ids() == ["signet.W004"]
        settings.SIGNET = dict(ADOPTING)
        assert ids() == []

    def test_i001_and_w004_appear_together(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {"LEEWAY": 5, "JTI_CLAIM": "jti"}
        assert ids() == ["signet.I001", "signet.W004"]

    def test_an_empty_simple_jwt_dict_gets_no_message(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {}
        assert ids() == []


class TestE005:
    """Test signet.E005: browsers do not send the refresh cookie to the endpoints that read it."""

    @pytest.mark.parametrize("path", ["/", "/auth/", "/auth", "/auth/refresh/"])
    def test_a_cookie_path_above_the_refresh_endpoint_gets_no_message(
        self, settings: Any, path: str
    ) -> None:
        settings.SIGNET = {"COOKIE": {"PATH": path}}
        assert ids() == []

    @pytest.mark.parametrize("path", ["/api/", "/au", "/auth/login/"])
    def test_a_cookie_path_beside_the_refresh_endpoint_is_an_error(
        self, settings: Any, path: str
    ) -> None:
        settings.SIGNET = {"COOKIE": {"PATH": path}}
        message = only_message("E005")
        assert message.is_serious()
        assert f"has the path {path}, and is not sent to /auth/refresh/." in message.msg

    def test_a_project_without_browser_endpoints_gets_no_message(self, settings: Any) -> None:
        settings.ROOT_URLCONF = "drf_signet.urls"
        settings.SIGNET = {"COOKIE": {"PATH": "/api/"}}
        assert "signet.E005" not in ids()

    def test_an_invalid_cookie_setting_is_reported_once(self, settings: Any) -> None:
        settings.SIGNET = {"COOKIE": {"PATH": 7}}
        assert ids() == ["signet.E001"]


class Router:
    """Database router that sends the writes of one app to another database."""

    def __init__(self, app: str) -> None:
        self.app = app

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "other" if model._meta.app_label == self.app else None


class TestE006:
    """Test signet.E006: sessions and users are in different databases."""

    @pytest.mark.parametrize(
        ("app", "databases"),
        [
            ("drf_signet", "the database 'other', and users to 'default'."),
            ("auth", "the database 'default', and users to 'other'."),
        ],
    )
    def test_a_router_that_separates_sessions_and_users_is_an_error(
        self, settings: Any, app: str, databases: str
    ) -> None:
        settings.DATABASE_ROUTERS = [Router(app)]
        message = only_message("E006")
        assert message.is_serious()
        assert message.msg == f"Sessions are written to {databases}"
        assert "Route drf_signet" in str(message.hint)

    def test_another_database_for_both_gets_no_message(self, settings: Any) -> None:
        settings.DATABASE_ROUTERS = [Router("drf_signet"), Router("auth")]
        assert ids() == []

    def test_a_router_that_moves_another_app_gets_no_message(self, settings: Any) -> None:
        settings.DATABASE_ROUTERS = [Router("contenttypes")]
        assert ids() == []


class TestW006:
    """Test signet.W006: browsers may send the cookies over plain HTTP."""

    def test_an_insecure_cookie_is_a_warning_under_check_deploy(self, settings: Any) -> None:
        settings.SIGNET = {"COOKIE": {"SECURE": False}}
        assert "signet.W006" in ids(deploy=True)
        assert "SECURE" in only_message("W006", deploy=True).msg
        assert ids() == []


class TestW019:
    """Test signet.W019: a new password ends no session."""

    def test_sessions_that_outlive_a_new_password_are_a_warning_under_check_deploy(
        self, settings: Any
    ) -> None:
        settings.SIGNET = {"PASSWORD_CHANGE_ENDS": "none"}
        assert "signet.W019" in ids(deploy=True)
        assert "drf_signet.keep" in str(only_message("W019", deploy=True).hint)
        assert ids() == []


#: Django settings that show that the project is behind a proxy.
PROXY_SETTINGS = [
    ("SECURE_PROXY_SSL_HEADER", ("HTTP_X_FORWARDED_PROTO", "https")),
    ("USE_X_FORWARDED_HOST", True),
    ("USE_X_FORWARDED_PORT", True),
]


class TestAddresses:
    """Test signet.W007 and W008: the client's address is unknown, or is the address of a proxy."""

    @pytest.fixture(autouse=True)
    def _ready_for_production(self, settings: Any) -> None:
        settings.SIGNET = dict(READY)
        settings.CACHES = REDIS

    @pytest.fixture
    def set_num_proxies(self, settings: Any) -> Callable[[Any], None]:
        def set_number(number: Any) -> None:
            settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": number}

        return set_number

    @pytest.mark.parametrize(("name", "value"), PROXY_SETTINGS)
    def test_w008_warns_if_there_is_a_proxy_and_num_proxies_is_not_set(
        self, settings: Any, name: str, value: Any
    ) -> None:
        setattr(settings, name, value)
        assert ids(deploy=True) == ["signet.W008"]
        message = only_message("W008", deploy=True)
        assert f"behind a proxy ({name})" in message.msg
        assert "NUM_PROXIES" in str(message.hint)
        assert ids() == []

    def test_w008_lists_all_settings_of_a_proxy(self, settings: Any) -> None:
        for name, value in PROXY_SETTINGS:
            setattr(settings, name, value)
        names = ", ".join(name for name, _ in PROXY_SETTINGS)
        assert f"({names})" in only_message("W008", deploy=True).msg

    @pytest.mark.parametrize("number", [0, 1, 2])
    def test_w008_is_silent_if_num_proxies_is_set(
        self, settings: Any, set_num_proxies: Any, number: int
    ) -> None:
        settings.USE_X_FORWARDED_HOST = True
        set_num_proxies(number)
        assert ids(deploy=True) == []

    def test_w008_appears_without_settings_of_rest_framework(self, settings: Any) -> None:
        del settings.REST_FRAMEWORK
        settings.USE_X_FORWARDED_HOST = True
        assert "signet.W008" in ids(deploy=True)

    @pytest.mark.parametrize("rates", [None, {"username": None, "address": None}])
    def test_addresses_are_not_checked_if_nothing_uses_them(
        self, settings: Any, set_num_proxies: Any, rates: Any
    ) -> None:
        settings.USE_X_FORWARDED_HOST = True
        settings.SIGNET = {**settings.SIGNET, "LOGIN_THROTTLE": rates}
        silent = ["signet.W013"]  # LOGIN_THROTTLE is off
        assert ids(deploy=True) == ["signet.W008", *silent]  # sessions store the address
        settings.SIGNET = {**settings.SIGNET, "RECORD_CLIENT": False}
        assert ids(deploy=True) == silent
        set_num_proxies("1")
        assert ids(deploy=True) == silent

    @pytest.mark.parametrize("number", ["1", -1, 1.5])
    def test_w007_warns_if_num_proxies_is_not_a_number_of_proxies(
        self, set_num_proxies: Any, number: Any
    ) -> None:
        set_num_proxies(number)
        assert ids(deploy=True) == ["signet.W007"]
        assert f"NUM_PROXIES is {number!r}" in only_message("W007", deploy=True).msg
        assert ids() == []

    def test_w007_warns_if_clients_without_an_address_are_not_limited(
        self, settings: Any, set_num_proxies: Any
    ) -> None:
        settings.SIGNET = {**settings.SIGNET, "LOGIN_THROTTLE": {"username": None}}
        assert ids(deploy=True) == ["signet.W007"]
        assert "Unix socket" in only_message("W007", deploy=True).msg
        set_num_proxies(1)
        assert ids(deploy=True) == []

    def test_w007_is_silent_if_only_usernames_are_limited(self, settings: Any) -> None:
        settings.SIGNET = {**settings.SIGNET, "LOGIN_THROTTLE": {"address": None}}
        assert ids(deploy=True) == []


class TestAuthenticationClasses:
    """Test signet.W016 and W017: the order of authentication classes, and Django's session."""

    OWN = "drf_signet.authentication.JWTAuthentication"
    SESSION = "rest_framework.authentication.SessionAuthentication"
    BASIC = "rest_framework.authentication.BasicAuthentication"
    ALIAS = "drf_signet.compat.simplejwt.authentication.JWTAuthentication"

    @pytest.fixture
    def use(self, settings: Any) -> Callable[..., None]:
        """Return a function that sets DEFAULT_AUTHENTICATION_CLASSES, and no unsafe setting.

        The function takes the dotted paths of the classes.
        """
        settings.SIGNET = dict(READY)
        settings.CACHES = REDIS

        def set_classes(*paths: str) -> None:
            settings.REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": list(paths)}

        return set_classes

    @pytest.mark.parametrize("first", [SESSION, BASIC])
    @pytest.mark.parametrize("own", [OWN, ALIAS])
    def test_class_of_another_package_in_first_place_is_a_warning(
        self, use: Callable[..., None], first: str, own: str
    ) -> None:
        use(first, own)
        assert ids() == ["signet.W016"]
        assert only_message("W016").msg.startswith(f"{first.rpartition('.')[2]} comes before ")

    @pytest.mark.parametrize("others", [(), (BASIC,), (SESSION,), (SESSION, BASIC)])
    def test_own_class_in_first_place_is_correct(
        self, use: Callable[..., None], others: tuple[str, ...]
    ) -> None:
        use(self.OWN, *others)
        assert ids() == []

    @pytest.mark.parametrize("classes", [(), (SESSION,), (SESSION, BASIC)])
    def test_project_that_sets_the_class_on_its_views_gets_no_message(
        self, use: Callable[..., None], classes: tuple[str, ...]
    ) -> None:
        use(*classes)
        assert ids(deploy=True) == []

    def test_session_cookie_in_production_is_a_warning(self, use: Callable[..., None]) -> None:
        use(self.OWN, self.SESSION)
        assert ids(deploy=True) == ["signet.W017"]
        assert only_message("W017", deploy=True).hint == (
            "If it is for the web interface in development, add it only if DEBUG is on."
        )

    def test_subclasses_count_as_their_base_classes(self, use: Callable[..., None]) -> None:
        use(f"{__name__}.OwnSession", f"{__name__}.OwnToken")
        assert ids(deploy=True) == ["signet.W016", "signet.W017"]
        assert only_message("W017", deploy=True).msg.startswith("OwnSession in ")


class OwnToken(JWTAuthentication):
    """A subclass, as a project has."""


class OwnSession(SessionAuthentication):
    """A subclass, as a project has."""


class TestSigningKeys:
    """Test signet.W025 and signet.W026: keys in the database."""

    @pytest.fixture
    def _in_database(self, transactional_db: None, settings: Any, monkeypatch: Any) -> None:
        monkeypatch.setattr(DatabaseKeys, "alone", False)
        settings.SIGNET = IN_DATABASE

    @pytest.mark.usefixtures("_in_database")
    def test_w025_names_the_keys_that_cannot_be_decrypted(self, settings: Any) -> None:
        change = key_changes.rotate()
        assert change is not None
        assert ids(databases=["default"]) == ids(databases=[]) == []
        settings.SECRET_KEY = LONG * 2
        message = only_message("W025", databases=["default"])
        assert change.kid in message.msg
        assert "SECRET_KEY_FALLBACKS" in str(message.hint)

    @pytest.mark.usefixtures("_in_database")
    def test_w025_is_silent_if_the_table_cannot_be_read(self, busy_database: Any) -> None:
        with busy_database():
            assert check_signing_keys(databases=["default"]) == []

    def test_w026_warns_if_keys_are_published_for_a_shorter_time_than_they_are_cached(
        self, settings: Any
    ) -> None:
        for minutes, expected in ((5, []), (4, ["signet.W026"])):
            ahead = timedelta(minutes=minutes)
            settings.SIGNET = {**IN_DATABASE, "KEY_ROTATION": {"PUBLISHED_AHEAD": ahead}}
            assert ids() == expected

    def test_w009_is_silent_with_a_key_provider(self, settings: Any) -> None:
        settings.SIGNET = IN_DATABASE
        assert "signet.W009" not in ids(deploy=True)

    def test_e001_reports_a_provider_without_the_two_methods(self, settings: Any) -> None:
        settings.SIGNET = {"KEY_PROVIDER": list}
        assert "without keys and sign" in only_message("E001").msg
