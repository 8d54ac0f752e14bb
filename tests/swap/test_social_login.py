"""Test docs/howto/social-login.md with the real libraries, and services that need no network."""

from __future__ import annotations

from pathlib import Path

from tests.docs.pages import DOCS, blocks
from tests.docs.projects import Project

PAGE = "howto/social-login.md"


def test_finished_login_of_allauth_becomes_a_session(tmp_path: Path, old_python: Path) -> None:
    project = Project(tmp_path, PAGE, python=old_python)
    settings = """
INSTALLED_APPS += ["allauth.socialaccount.providers.dummy"]
SOCIAL_LOGIN_PAGE = "/accounts/dummy/login/"
"""
    project.run_tests("social_login.py", settings=settings)


def test_finished_login_of_python_social_auth_becomes_a_session(
    tmp_path: Path, old_python: Path
) -> None:
    project = Project(tmp_path, PAGE, "accounts/", python=old_python)
    [redirects] = [block.text for block in blocks(DOCS / PAGE) if "SOCIAL_AUTH_" in block.text]
    settings = f"""
INSTALLED_APPS += ["rest_framework", "drf_signet", "social_django"]
AUTHENTICATION_BACKENDS = ["test_page.LocalAuth"]
ROOT_URLCONF = "test_page"
FRONT_END = "https://app.example.com/"
{redirects}"""
    project.run_tests("social_auth.py", settings=settings)
