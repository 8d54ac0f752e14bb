"""Test which changes the report predicts for a project that moves from simplejwt."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drf_signet.compat.simplejwt.moving import changes, sources
from drf_signet.compat.simplejwt.moving.names import ALIAS
from drf_signet.compat.simplejwt.moving.sources import Code

OLD = "rest_framework_simplejwt"
ROTATING = {"ROTATE_REFRESH_TOKENS": True}
BLACKLISTING = {**ROTATING, "BLACKLIST_AFTER_ROTATION": True}
#: The beginnings of the changes that concern every project.
ALWAYS = {"A new password logs", "Spaces before and after", "The claim `user_id`"}
#: The beginnings of further changes that concern every project without the alias.
WITHOUT_ALIAS = {"Failed logins", "Each login writes"}


@pytest.fixture(autouse=True)
def _project(settings: Any) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, ALIAS]


def predicted(code: Code | None = None) -> set[str]:
    """Return what changes for the project, except for what changes for every project."""
    found = {change.what for _, change in changes.concerning(code or Code())}
    return {what for what in found if not what.startswith(tuple(ALWAYS))}


def scanned(directory: Path, text: str, *, file: str) -> Code:
    (directory / file).write_text(text, encoding="utf-8")
    return sources.scan([directory])


def is_one(found: set[str], beginning: str) -> bool:
    return len(found) == 1 and found.pop().startswith(beginning)


def test_changes_that_concern_every_project_are_predicted() -> None:
    found = {change.what for _, change in changes.concerning(Code())}
    assert {begin for begin in ALWAYS for what in found if what.startswith(begin)} == ALWAYS
    assert predicted() == set()


def test_changes_have_an_audience() -> None:
    audiences = {audience for audience, _ in changes.concerning(Code())}
    assert audiences == {"users"}


def test_changes_without_the_alias_are_predicted(settings: Any) -> None:
    settings.INSTALLED_APPS = settings.INSTALLED_APPS[:-1]
    found = predicted()
    assert len(found) == 2
    assert all(what.startswith(tuple(WITHOUT_ALIAS)) for what in found)


def test_new_password_is_not_predicted_with_password_change_ends_none(settings: Any) -> None:
    settings.SIGNET = {"PASSWORD_CHANGE_ENDS": "none"}
    found = {change.what for _, change in changes.concerning(Code())}
    assert not any(what.startswith("A new password") for what in found)


@pytest.mark.parametrize(
    ("signet", "simple_jwt", "beginnings"),
    [
        ({}, ROTATING, ()),
        (ROTATING, {}, ("A refresh token that was rotated is refused",)),
        (
            {},
            BLACKLISTING,
            (
                "A refresh token that was rotated is exchanged again for 30",
                "A refresh token that was just rotated",
            ),
        ),
        ({"LOGIN_THROTTLE": {"username": "5/min"}}, {}, ("Failed logins",)),
        ({"USER_ID_FIELD": "username"}, {}, ()),
        (
            {"ACCESS_TOKEN_LIFETIME": timedelta(1)},
            {"ACCESS_TOKEN_LIFETIME": timedelta(401)},
            ("A token that lives",),
        ),
        ({}, {"JWK_URL": "https://id.example/jwks"}, ("Tokens of the issuer",)),
        ({}, {"CHECK_USER_IS_ACTIVE": False}, ()),
    ],
)
def test_changes_are_predicted_from_the_settings(
    signet: Any, simple_jwt: Any, beginnings: tuple[str, ...], settings: Any
) -> None:
    settings.SIGNET, settings.SIMPLE_JWT = signet, simple_jwt
    found = predicted()
    assert len(found) == len(beginnings)
    assert all(what.startswith(beginnings) for what in found)


def test_changes_of_rotation_and_inactive_users_are_predicted_without_the_alias(
    settings: Any,
) -> None:
    settings.INSTALLED_APPS = settings.INSTALLED_APPS[:-1]
    settings.SIMPLE_JWT = {**ROTATING, "CHECK_USER_IS_ACTIVE": False, "UPDATE_LAST_LOGIN": True}
    beginnings = ("Failed logins", "A refresh token that was rotated is refused", "Inactive users")
    found = predicted()
    assert len(found) == 3
    assert all(what.startswith(beginnings) for what in found)


def test_logout_is_predicted_from_the_blacklist_app(settings: Any) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.tokenblacklist"]
    assert is_one(predicted(), "After a logout")


@pytest.mark.parametrize(
    ("text", "file", "beginning"),
    [
        ("RefreshToken(raw).blacklist()", "views.py", "After a logout"),
        (f"from {OLD}.views import TokenBlacklistView", "urls.py", "After a logout"),
        ("import jwt\njwt.encode(x)", "views.py", "A token that other code"),
        ("user.set_password(x)", "tests.py", "Saving a new password"),
        ("with self.assertNumQueries(3): pass", "tests.py", "A login, a refresh"),
        ("def test_a(django_assert_num_queries): pass", "test_a.py", "A login, a refresh"),
        ("OutstandingToken.objects.all()", "views.py", "`OutstandingToken` has"),
        ("client = APIClient()", "tests.py", "The body of a failed"),
        ("from freezegun import freeze_time", "tests.py", "A frozen clock"),
        ("import time_machine", "conftest.py", "A frozen clock"),
        ("refresh = RefreshToken.for_user(user)", "views.py", "If the user's password"),
    ],
)
def test_changes_are_predicted_from_the_code(
    tmp_path: Path, text: str, file: str, beginning: str
) -> None:
    assert is_one(predicted(scanned(tmp_path, text, file=file)), beginning)


@pytest.mark.parametrize(
    ("text", "file"), [("user.set_password(x)", "views.py"), ("APIClient()", "views.py")]
)
def test_changes_for_tests_are_not_predicted_from_other_code(
    tmp_path: Path, text: str, file: str
) -> None:
    assert predicted(scanned(tmp_path, text, file=file)) == set()


def test_logout_inside_a_test_case_is_predicted(tmp_path: Path) -> None:
    text = "class T(TestCase):\n  def test_a(self): token.blacklist()"
    found = predicted(scanned(tmp_path, text, file="tests.py"))
    assert len(found) == 2
    assert all(what.startswith(("After a logout", "Inside the transaction")) for what in found)


def test_names_of_simplejwt_are_a_change_without_the_alias(tmp_path: Path, settings: Any) -> None:
    code = scanned(tmp_path, f"import {OLD}", file="views.py")
    assert predicted(code) == set()
    settings.INSTALLED_APPS = settings.INSTALLED_APPS[:-1]
    found = predicted(code)
    assert any(what.startswith("`rest_framework_simplejwt` cannot") for what in found)


def test_every_change_is_predicted_by_one_of_these_tests() -> None:
    texts = Path(__file__).read_text(encoding="utf-8")
    for change in (*changes.FOR_USERS, *changes.FOR_TESTS):
        assert any(change.what[:size] in texts for size in range(12, 60)), change.what
