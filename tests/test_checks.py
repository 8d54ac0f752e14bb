"""System checks: one tiny test for each thing that can be said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from tests.forge import signer
from tests.situations import ADOPTING

SHORT = "k" * 31
LONG = "k" * 32
REDIS = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}}


def messages(*, deploy: bool = False, databases: list[str] | None = None) -> list[CheckMessage]:
    """Run all of Django's checks as a project would; return what is ours."""
    found = run_checks(include_deployment_checks=deploy, databases=databases)
    return [one for one in found if str(one.id).startswith("signet.")]


def ids(**options: Any) -> list[str]:
    return sorted(str(one.id) for one in messages(**options))


def the_one(number: str, **options: Any) -> CheckMessage:
    """Return the only message of that number."""
    (found,) = (one for one in messages(**options) if one.id == f"signet.{number}")
    return found


def test_nothing_is_said_of_a_new_project() -> None:
    assert ids() == []


def test_nothing_is_said_of_a_project_that_is_ready_for_production(settings: Any) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True}
    settings.CACHES = REDIS
    assert ids(deploy=True) == []


class TestE001:
    """A setting that cannot be used."""

    def test_a_bad_value_is_an_error(self, settings: Any) -> None:
        settings.SIGNET = {"LEEWAY": -1}
        found = the_one("E001")
        assert found.is_serious()
        assert found.msg.startswith("SIGNET['LEEWAY']: it must be seconds")

    def test_an_unknown_name_is_an_error(self, settings: Any) -> None:
        settings.SIGNET = {"LEEWEY": 1}
        assert "Did you mean 'LEEWAY'?" in the_one("E001").msg

    def test_a_user_field_that_is_not_there_is_an_error(self, settings: Any) -> None:
        settings.SIGNET = {"USER_ID_FIELD": "nickname"}
        assert "has no 'nickname'" in the_one("E001").msg

    def test_a_bad_value_in_simple_jwt_is_an_error(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": 300}
        assert "ACCESS_TOKEN_LIFETIME" in the_one("E001").msg

    def test_it_is_told_once_at_deployment_too(self, settings: Any) -> None:
        settings.SIGNET = {"LEEWAY": -1}
        assert ids(deploy=True) == ["signet.E001"]


class TestE002:
    """A key that cannot be used."""

    def test_no_key_is_an_error(self, settings: Any) -> None:
        settings.SIGNET = {"ALGORITHM": "RS256"}
        found = the_one("E002")
        assert found.is_serious()
        needed = "RS256 needs SIGNING_KEY, VERIFYING_KEY or KEYS"
        assert found.msg == f"The signing key cannot be used: {needed}."
        assert "ALGORITHM" in str(found.hint)

    def test_a_short_secret_of_the_project_s_own_is_an_error(self, settings: Any) -> None:
        settings.SIGNET = {"SIGNING_KEY": SHORT}
        found = the_one("E002")
        assert "at least 32 bytes" in found.msg
        assert SHORT not in found.msg

    def test_a_key_of_another_kind_is_an_error(self, settings: Any) -> None:
        settings.SIGNET = {"ALGORITHM": "ES256", "SIGNING_KEY": signer("RS256").jwk}
        assert "not a key for ES256" in the_one("E002").msg

    def test_a_key_that_the_library_stumbles_over_is_an_error(self, settings: Any) -> None:
        jwk = {**signer("ES256").jwk, "crv": "P-1"}
        settings.SIGNET = {"ALGORITHM": "ES256", "SIGNING_KEY": jwk}
        assert "not a key for ES256" in the_one("E002").msg


class TestW001:
    """A secret of Django's that is too short."""

    def test_a_short_secret_key_is_a_warning(self, settings: Any) -> None:
        settings.SECRET_KEY = SHORT
        found = the_one("W001")
        assert not found.is_serious()
        assert found.msg == "SECRET_KEY signs tokens with HS256 and is shorter than 32 bytes."
        assert "SECRET_KEY_FALLBACKS" in str(found.hint)

    def test_a_short_fallback_is_named_as_such(self, settings: Any) -> None:
        """Whoever has followed the hint is not told the same again."""
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = LONG, [LONG + "2", SHORT]
        found = the_one("W001")
        assert found.msg.startswith("One of SECRET_KEY_FALLBACKS verifies tokens with HS256")
        assert "Remove it" in str(found.hint)

    def test_the_secret_that_signs_goes_before_a_fallback(self, settings: Any) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = SHORT, [SHORT + "2"]
        assert the_one("W001").msg.startswith("SECRET_KEY signs")

    @pytest.mark.parametrize(("algorithm", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
    def test_the_algorithm_decides_what_is_short(
        self, settings: Any, algorithm: str, size: int
    ) -> None:
        settings.SIGNET = {"ALGORITHM": algorithm}
        settings.SECRET_KEY = "k" * (size - 1)
        assert f"shorter than {size} bytes" in the_one("W001").msg
        settings.SECRET_KEY = "k" * size
        assert ids() == []

    def test_nothing_is_said_of_a_secret_that_signs_no_tokens(self, settings: Any) -> None:
        settings.SECRET_KEY = SHORT
        settings.SIGNET = {"SIGNING_KEY": LONG}
        assert ids() == []
        settings.SIGNET = {"ALGORITHM": "EdDSA", "SIGNING_KEY": signer("EdDSA").jwk}
        assert ids() == []


class TestW002:
    """A database without the table."""

    @pytest.fixture
    def alias(self, django_db_blocker: Any, tmp_path: Path) -> Iterator[str]:
        """Return the alias of a database where other apps are migrated and ours is not."""
        databases = connections.databases
        databases["empty"] = {**databases["default"], **SQLITE, "NAME": tmp_path / "empty"}
        with django_db_blocker.unblock():
            MigrationRecorder(connections["empty"]).ensure_schema()
            yield "empty"
            connections["empty"].close()
        del connections["empty"]
        del databases["empty"]

    def test_a_missing_table_is_a_warning(self, alias: str) -> None:
        found = the_one("W002", databases=[alias])
        assert found.msg == "The table drf_signet_session is not in the database 'empty' yet."
        assert "migrate" in str(found.hint)

    def test_nothing_is_said_where_nothing_is_migrated_yet(self, alias: str) -> None:
        """A project on its first day: `runserver` says it already."""
        with connections[alias].schema_editor() as editor:
            editor.delete_model(MigrationRecorder.Migration)
        assert ids(databases=[alias]) == []

    def test_no_database_is_asked_unless_told_to(self) -> None:
        assert ids() == []

    @pytest.mark.django_db
    def test_nothing_is_said_where_the_table_is(self) -> None:
        assert ids(databases=["default"]) == []

    def test_nothing_is_said_where_sessions_are_not_kept(self, alias: str, settings: Any) -> None:
        settings.DATABASE_ROUTERS = [SessionsElsewhere()]
        assert ids(databases=[alias]) == []

    def test_nothing_is_said_of_a_database_that_cannot_be_reached(self, alias: str) -> None:
        connections.databases[alias]["NAME"] = "/nonexistent/directory/database"
        connections[alias].close()
        assert ids(databases=[alias]) == []


SQLITE: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {}}


class SessionsElsewhere:
    """A router by which the session table is in one database alone."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return None if app_label != "drf_signet" else db == "default"


class TestDeployment:
    """Only `check --deploy` says these."""

    def test_w003_rotation_that_is_off_is_a_warning(self, settings: Any) -> None:
        settings.CACHES = REDIS
        assert ids(deploy=True) == ["signet.W003"]
        found = the_one("W003", deploy=True)
        assert "ROTATE_REFRESH_TOKENS is off" in found.msg
        assert "RFC 9700" in str(found.hint)
        assert ids() == []

    @pytest.mark.parametrize("cache", ["locmem.LocMemCache", "dummy.DummyCache"])
    def test_w005_a_cache_that_processes_do_not_share_is_a_warning(
        self, settings: Any, cache: str
    ) -> None:
        settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True}
        settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{cache}"}}
        assert ids(deploy=True) == ["signet.W005"]
        assert "Redis" in str(the_one("W005", deploy=True).hint)
        assert ids() == []

    def test_w005_is_not_said_where_nothing_is_counted(self, settings: Any) -> None:
        settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True, "LOGIN_THROTTLE": None}
        assert ids(deploy=True) == []


class TestSimpleJwt:
    """A dict of djangorestframework-simplejwt that is still there."""

    def test_i001_names_what_is_read(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {"LEEWAY": 5, "ISSUER": "me", "AUDIENCE": None}
        assert ids() == ["signet.I001"]
        found = the_one("I001")
        assert not found.is_serious()
        assert found.msg == "Settings read from SIMPLE_JWT: AUDIENCE, ISSUER, LEEWAY."
        assert "SIGNET" in str(found.hint)

    def test_i001_leaves_out_what_is_set_here(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {"LEEWAY": 5, "ISSUER": "me"}
        settings.SIGNET = {"LEEWAY": 1}
        assert the_one("I001").msg == "Settings read from SIMPLE_JWT: ISSUER."
        settings.SIGNET = {"LEEWAY": 1, "ISSUER": "you"}
        assert ids() == []

    def test_w004_names_what_has_no_effect(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {"UPDATE_LAST_LOGIN": True, "BLACKLIST_AFTER_ROTATION": True}
        assert ids() == ["signet.W004"]
        text = "BLACKLIST_AFTER_ROTATION, UPDATE_LAST_LOGIN"
        assert the_one("W004").msg == f"Settings of SIMPLE_JWT that have no effect here: {text}."
        assert the_one("W004").hint == "Remove them."

    def test_what_tokens_of_old_are_judged_by_has_an_effect_while_they_are_adopted(
        self, settings: Any
    ) -> None:
        settings.SIMPLE_JWT = {"CHECK_REVOKE_TOKEN": True, "REVOKE_TOKEN_CLAIM": "password"}
        assert ids() == ["signet.W004"]
        settings.SIGNET = dict(ADOPTING)
        assert ids() == []

    def test_both_are_said_of_a_dict_with_both(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {"LEEWAY": 5, "JTI_CLAIM": "jti"}
        assert ids() == ["signet.I001", "signet.W004"]

    def test_nothing_is_said_of_an_empty_dict(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {}
        assert ids() == []


class TestE005:
    """A refresh cookie that its own endpoints never see."""

    @pytest.mark.parametrize("path", ["/", "/auth/", "/auth", "/auth/refresh/"])
    def test_a_path_that_leads_there_is_fine(self, settings: Any, path: str) -> None:
        settings.SIGNET = {"COOKIE": {"PATH": path}}
        assert ids() == []

    @pytest.mark.parametrize("path", ["/api/", "/au", "/auth/login/"])
    def test_another_one_is_an_error(self, settings: Any, path: str) -> None:
        settings.SIGNET = {"COOKIE": {"PATH": path}}
        found = the_one("E005")
        assert found.is_serious()
        assert f"has the path {path}, and is not sent to /auth/refresh/." in found.msg

    def test_nothing_is_said_if_nobody_serves_them(self, settings: Any) -> None:
        settings.ROOT_URLCONF = "drf_signet.urls"
        settings.SIGNET = {"COOKIE": {"PATH": "/api/"}}
        assert "signet.E005" not in ids()

    def test_a_bad_setting_is_said_once(self, settings: Any) -> None:
        settings.SIGNET = {"COOKIE": {"PATH": 7}}
        assert ids() == ["signet.E001"]


class TestW006:
    """Cookies over plain http."""

    def test_it_is_a_warning_where_it_goes_online(self, settings: Any) -> None:
        settings.SIGNET = {"COOKIE": {"SECURE": False}}
        assert "signet.W006" in ids(deploy=True)
        assert "SECURE" in the_one("W006", deploy=True).msg
        assert ids() == []
