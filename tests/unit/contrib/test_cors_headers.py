"""Test the checks of a project with django-cors-headers."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from django.apps import apps
from django.core.checks import CheckMessage, run_checks
from django.core.checks.registry import registry

from drf_signet.contrib import cors_headers

CORS = "corsheaders.middleware.CorsMiddleware"
TOKENS = "drf_signet.middleware.JWTMiddleware"


class TestW014:
    """Test signet.W014: pages of other origins cannot read some answers."""

    def only_message(self) -> CheckMessage:
        (message,) = cors_headers.check_order()
        assert message.id == "signet.W014"
        assert not message.is_serious()
        assert "CorsMiddleware" in str(message.hint)
        return message

    def test_cors_middleware_at_the_end_is_a_warning(self, settings: Any) -> None:
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, CORS]
        assert "answers requests itself" in self.only_message().msg

    def test_cors_middleware_after_jwt_middleware_is_a_warning(self, settings: Any) -> None:
        settings.MIDDLEWARE = [TOKENS, CORS, *settings.MIDDLEWARE]
        self.only_message()

    def test_cors_middleware_at_the_start_gets_no_message(self, settings: Any) -> None:
        settings.MIDDLEWARE = [CORS, *settings.MIDDLEWARE, TOKENS]
        assert cors_headers.check_order() == []

    @pytest.mark.parametrize("middleware", [[], [CORS], [TOKENS]])
    def test_project_without_one_of_them_gets_no_message(
        self, settings: Any, middleware: list[str]
    ) -> None:
        settings.MIDDLEWARE = middleware
        assert cors_headers.check_order() == []


class TestW015:
    """Test signet.W015: any page on the web can call the API with cookies."""

    @pytest.mark.parametrize(
        "origins",
        [
            {"CORS_ALLOW_ALL_ORIGINS": True},
            {"CORS_ALLOWED_ORIGIN_REGEXES": [".*"]},
            {"CORS_ALLOWED_ORIGIN_REGEXES": [r"^https://a\.example$", r"^https?://.+"]},
            {"CORS_ALLOWED_ORIGIN_REGEXES": [re.compile(r"https://\w+")]},
        ],
    )
    def test_credentials_for_all_origins_are_a_warning(self, settings: Any, origins: Any) -> None:
        for name, value in origins.items():
            setattr(settings, name, value)
        assert cors_headers.check_credentials() == []
        settings.CORS_ALLOW_CREDENTIALS = True
        (message,) = cors_headers.check_credentials()
        assert message.id == "signet.W015"
        assert "CORS_ALLOW_CREDENTIALS is on" in message.msg
        assert "CORS_ALLOWED_ORIGINS" in str(message.hint)

    @pytest.mark.parametrize(
        "origins",
        [
            {"CORS_ALLOWED_ORIGINS": ["https://a.example"]},
            {"CORS_ALLOWED_ORIGIN_REGEXES": [r"^https://\w+\.a\.example$"]},
            {"CORS_ALLOWED_ORIGIN_REGEXES": [r"^http://(localhost|127\.0\.0\.1)(:[0-9]+)?$"]},
            {"CORS_ALLOWED_ORIGIN_REGEXES": ["("]},
            {"CORS_ALLOWED_ORIGIN_REGEXES": [7]},
            {},
        ],
    )
    def test_credentials_for_some_origins_get_no_message(self, settings: Any, origins: Any) -> None:
        settings.CORS_ALLOW_CREDENTIALS = True
        for name, value in origins.items():
            setattr(settings, name, value)
        assert cors_headers.check_credentials() == []


def test_app_registers_the_checks_if_django_cors_headers_is_installed(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(registry, "registered_checks", set())
    monkeypatch.setattr(registry, "deployment_checks", set())
    monkeypatch.setattr(apps, "is_installed", lambda name: name == "corsheaders")
    apps.get_app_config("drf_signet").ready()
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, CORS]
    settings.CORS_ALLOW_ALL_ORIGINS = settings.CORS_ALLOW_CREDENTIALS = True
    assert [message.id for message in run_checks()] == ["signet.W014"]
    deployed = {message.id for message in run_checks(include_deployment_checks=True)}
    assert deployed == {"signet.W014", "signet.W015"}


@pytest.mark.parametrize("deploy", [False, True])
def test_project_that_lists_the_app_gets_the_messages(tmp_path: Any, deploy: bool) -> None:
    (tmp_path / "cors_project.py").write_text(
        "from tests.settings import *\n"
        "INSTALLED_APPS = ['corsheaders', *INSTALLED_APPS]\n"
        f"MIDDLEWARE = [*MIDDLEWARE, {CORS!r}]\n"
        "CORS_ALLOW_ALL_ORIGINS = CORS_ALLOW_CREDENTIALS = True\n"
    )
    command = [sys.executable, "-m", "django", "check", "--settings=cors_project"]
    done = subprocess.run(
        [*command, f"--pythonpath={tmp_path}", *(["--deploy"] if deploy else [])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "signet.W014" in done.stderr
    assert ("signet.W015" in done.stderr) is deploy
