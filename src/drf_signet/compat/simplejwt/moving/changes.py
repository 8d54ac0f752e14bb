"""What changes for the users and the tests of a project that moves from simplejwt.

`docs/howto/what-will-change.md` has the same list: a test compares them. The command predicts which
of the changes concern the project.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import IntegerField

from drf_signet.conf import settings as conf

from .. import alias, blacklist
from .sources import Code

#: A token that lives longer than this is refused.
_LONGEST = timedelta(days=400)


@dataclass(frozen=True, kw_only=True)
class Project:
    """The facts about a project from which the changes are predicted."""

    settings: conf.Settings
    simple_jwt: Mapping[str, Any]
    signet: Mapping[str, Any]
    code: Code
    uses_alias: bool
    has_blacklist: bool

    @classmethod
    def current(cls, code: Code) -> Project:
        """Return the facts about the project whose settings are in use.

        Raises:
            ImproperlyConfigured: a setting is not valid.
        """
        return cls(
            settings=conf.current(),
            simple_jwt=conf.given("SIMPLE_JWT"),
            signet=conf.given("SIGNET"),
            code=code,
            uses_alias=alias.in_installed_apps(),
            has_blacklist=blacklist.model() is not None,
        )

    @property
    def rotates(self) -> bool:
        """Whether a refresh replaced the refresh token and blacklisted the old one."""
        return self.settings.ROTATE_REFRESH_TOKENS and bool(
            self.simple_jwt.get("BLACKLIST_AFTER_ROTATION")
        )

    @property
    def logs_out(self) -> bool:
        """Whether tokens are blacklisted."""
        names = ("blacklist", "BlacklistedToken", "TokenBlacklistView", "token_blacklist")
        return self.has_blacklist or self.code.uses(*names)

    def tests_use(self, *words: str) -> bool:
        """Return whether the project's tests use one of some names."""
        return self.code.uses(*words, in_tests=True)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change that users or tests notice.

    Args:
        what: what is different.
        whom: which projects it concerns.
        todo: what to do.
        concerns: whether it concerns a project.
    """

    what: str
    whom: str
    todo: str
    concerns: Callable[[Project], bool]


def _number_keys(project: Project) -> bool:
    field = get_user_model()._meta.pk
    return isinstance(field, IntegerField) and project.settings.USER_ID_FIELD in ("pk", field.name)


def _long_lifetime(project: Project) -> bool:
    lifetimes = [value for name, value in project.simple_jwt.items() if "LIFETIME" in name]
    return any(isinstance(value, timedelta) and value > _LONGEST for value in lifetimes)


FOR_USERS = (
    Change(
        what="A new password logs the user out everywhere.",
        whom='all projects, unless `PASSWORD_CHANGE_ENDS` is `"none"`',
        todo=(
            "Call `drf_signet.keep(request)` in the view that changes the password, so that "
            'this client stays logged in. Set `PASSWORD_CHANGE_ENDS` to `"none"` to keep all '
            "sessions."
        ),
        concerns=lambda project: project.settings.ends_with_password,
    ),
    Change(
        what=(
            "After a logout, the access token is refused within a second. With simplejwt, it "
            "worked until it expired."
        ),
        whom="projects that blacklist tokens",
        todo="Nothing. A client that still uses the token after its logout gets a 401.",
        concerns=lambda project: project.logs_out,
    ),
    Change(
        what=(
            "A refresh token that was rotated is exchanged again for 30 seconds. After that, "
            "its use logs the client out, because somebody may have copied it. With "
            "simplejwt, it got a 401 immediately, and the newer token stayed valid."
        ),
        whom="projects with `ROTATE_REFRESH_TOKENS` and `BLACKLIST_AFTER_ROTATION`",
        todo="Make sure that clients store the refresh token from each response.",
        concerns=lambda project: project.rotates,
    ),
    Change(
        what=(
            "A refresh token that was rotated is refused. With simplejwt, it worked until it "
            "expired."
        ),
        whom=(
            "projects with `ROTATE_REFRESH_TOKENS` and without `BLACKLIST_AFTER_ROTATION`, if "
            "they do not use the alias, or set `ROTATE_REFRESH_TOKENS` in `SIGNET`"
        ),
        todo="Make sure that clients store the refresh token from each response.",
        concerns=lambda project: (
            project.settings.ROTATE_REFRESH_TOKENS
            and not project.simple_jwt.get("BLACKLIST_AFTER_ROTATION")
            and ("ROTATE_REFRESH_TOKENS" in project.signet or not project.uses_alias)
        ),
    ),
    Change(
        what="Failed logins are limited: 429 after 10 in a minute.",
        whom="projects without the alias, and projects that set `LOGIN_THROTTLE`",
        todo=(
            "Tell clients to read `Retry-After`. Behind a proxy, set `NUM_PROXIES` of REST "
            "framework."
        ),
        concerns=lambda project: project.settings.LOGIN_THROTTLE is not None,
    ),
    Change(
        what="Spaces before and after a password are part of it. simplejwt removed them.",
        whom="all projects",
        todo="Nothing, unless a client sends spaces that are not part of the password.",
        concerns=lambda project: True,
    ),
    Change(
        what="Each login writes `last_login` and sends `user_logged_in`.",
        whom="projects without the alias and without `UPDATE_LAST_LOGIN`",
        todo="Nothing, unless a receiver of the signal must not run for the API.",
        concerns=lambda project: (
            not project.uses_alias and not project.simple_jwt.get("UPDATE_LAST_LOGIN")
        ),
    ),
    Change(
        what="The claim `user_id` of a new token is a number. With simplejwt, it was a string.",
        whom="projects whose users have numbers as keys",
        todo="Clients that decode the token must not compare the claim as a string.",
        concerns=_number_keys,
    ),
    Change(
        what="Inactive users cannot log in, and their tokens are refused.",
        whom="projects with `CHECK_USER_IS_ACTIVE` off, if they do not use the alias",
        todo="Set `USER_AUTHENTICATION_RULE`.",
        concerns=lambda project: (
            not project.uses_alias and not project.simple_jwt.get("CHECK_USER_IS_ACTIVE", True)
        ),
    ),
    Change(
        what="A token that lives longer than 400 days is refused, so its user must log in again.",
        whom="projects with a lifetime of more than 400 days",
        todo="Shorten the lifetime. `signet.E001` names the setting.",
        concerns=_long_lifetime,
    ),
    Change(
        what=(
            "A token that other code has signed with the same key, and that identifies a "
            "user, is refused after `ADOPT_TOKENS_UNTIL`: it has no session."
        ),
        whom="projects that sign their own tokens, for example with PyJWT",
        todo="Call `drf_signet.issue(user)` instead.",
        concerns=lambda project: project.code.uses("jwt"),
    ),
    Change(
        what="Tokens of the issuer behind `JWK_URL` are refused.",
        whom="projects that set `JWK_URL`",
        todo="List the issuer's keys in `KEYS`.",
        concerns=lambda project: bool(project.simple_jwt.get("JWK_URL")),
    ),
)

FOR_TESTS = (
    Change(
        what="Saving a new password ends the sessions that a test opened earlier.",
        whom="tests that call `set_password` after a login",
        todo="Log in after the password is saved.",
        concerns=lambda project: (
            project.settings.ends_with_password and project.tests_use("set_password")
        ),
    ),
    Change(
        what=(
            "Inside the transaction of a `TestCase`, an access token stays valid after a "
            "logout, because the logout takes effect at the commit."
        ),
        whom="tests that use an access token after a logout",
        todo=(
            "Run the tests inside `drf_signet.testing.deterministic()`: with pytest, "
            '`pytest_plugins = ["drf_signet.testing.pytest"]`.'
        ),
        concerns=lambda project: project.logs_out and project.tests_use("TestCase", "APITestCase"),
    ),
    Change(
        what="A refresh token that was just rotated is exchanged again: 200, not 401.",
        whom="tests of rotation that send the old token again",
        todo="Set `ROTATION_GRACE_PERIOD` to `timedelta(0)` in these tests.",
        concerns=lambda project: project.rotates,
    ),
    Change(
        what="A login, a refresh and a request run a different number of SQL statements.",
        whom="tests that count statements",
        todo="Update the numbers. Count inside `drf_signet.testing.deterministic()`.",
        concerns=lambda project: project.tests_use(
            "assertNumQueries", "django_assert_num_queries", "django_assert_max_num_queries"
        ),
    ),
    Change(
        what=(
            "`OutstandingToken` has one row for each login, not one for each token, and its "
            "`token` cannot be used as a token."
        ),
        whom="code and tests that use `OutstandingToken`",
        todo="Find a row by its `jti`; end its session with `BlacklistedToken` as before.",
        concerns=lambda project: project.code.uses("OutstandingToken"),
    ),
    Change(
        what="The body of a failed login has a `code` in addition to `detail`.",
        whom="tests that compare the whole body",
        todo="Compare `detail`, or add the `code`.",
        concerns=lambda project: project.tests_use("APIClient", "APITestCase", "client"),
    ),
    Change(
        what="A frozen clock does not move the clock of the database, which decides rotations.",
        whom="tests with freezegun or time-machine",
        todo="Set `ROTATION_GRACE_PERIOD` instead of moving the clock past it.",
        concerns=lambda project: project.code.uses("freezegun", "time_machine", "freezer"),
    ),
    Change(
        what="`rest_framework_simplejwt` cannot be imported or patched after it is uninstalled.",
        whom="code and tests that mention simplejwt, if the project does not use the alias",
        todo="Use the alias, or the names that the report lists.",
        concerns=lambda project: not project.uses_alias and bool(project.code.mentions),
    ),
    Change(
        what=(
            "If the user's password or `is_active` has changed in the database, a token from "
            "`for_user` cannot be signed: it raises `AuthenticationFailed`."
        ),
        whom="code and tests that call `for_user` with an outdated instance",
        todo="Save or reload the user first.",
        concerns=lambda project: project.uses_alias and project.code.uses("for_user"),
    ),
)


def concerning(code: Code) -> list[tuple[str, Change]]:
    """Return the changes that concern the project: whom they concern, and the change.

    Raises:
        ImproperlyConfigured: a setting is not valid.
    """
    project = Project.current(code)
    audiences = {"users": FOR_USERS, "tests": FOR_TESTS}
    return [
        (audience, change)
        for audience, all_changes in audiences.items()
        for change in all_changes
        if change.concerns(project)
    ]
