"""Test that changes to users end their sessions, without any setup by the project."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AdminPasswordChangeForm, PasswordChangeForm, SetPasswordForm
from django.contrib.auth.hashers import (
    MD5PasswordHasher,
    PBKDF2PasswordHasher,
    identify_hasher,
    make_password,
)
from django.contrib.auth.models import Group, User
from django.core import serializers
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

import drf_signet
from drf_signet import runtime
from drf_signet.compat.simplejwt.exceptions import LoginRefused
from drf_signet.compat.simplejwt.tokens import RefreshToken
from drf_signet.db.database import DbNow
from drf_signet.errors import UserChanged
from drf_signet.models import EndReason, Session
from drf_signet.sessions import stamps
from drf_signet.sessions.ended import ended_sessions
from drf_signet.testing import browser_client
from drf_signet.tokens import TokenPair
from drf_signet.users import changes
from drf_signet.users.lazyuser import lazy_user
from tests import usermodels
from tests.conftest import PASSWORD
from tests.support.isolation import MISSES_NEW_ROWS, like_postgresql
from tests.support.session_states import NewHasher, delete_row_of, user_with_outdated_hash
from tests.usermodels.models import Employee, Staff

NEW = "a new password, long enough for every validator"

Change = Callable[[Any, pytest.MonkeyPatch], object]


@pytest.fixture(scope="module", autouse=True)
def _installed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), usermodels.installed():
        yield


@pytest.fixture
def pair(user: Any) -> TokenPair:
    """Open a session for `user`; return its tokens."""
    return drf_signet.issue(user)


def refused(pair: TokenPair) -> bool:
    """Return whether a request with the access token is refused."""
    answer = APIClient().get("/hello/", headers={"authorization": f"Bearer {pair.access}"})
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.data["reason"]) == (401, "ended")
    return True


def refreshed(pair: TokenPair) -> Any:
    return APIClient().post("/api/token/refresh/", {"refresh": pair.refresh})


def reason(pair: TokenPair) -> str:
    return Session.objects.get(pk=pair.session.pk).end_reason


# Password changes


def by_set_password(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.set_password(NEW)
    user.save()


def by_set_password_and_save_of_the_field(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.set_password(NEW)
    user.save(update_fields=["password"])


def by_set_password_and_asave(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.set_password(NEW)
    async_to_sync(user.asave)()


def by_set_password_on_a_lazy_user(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = lazy_user(User, user.pk, lambda: User.objects.get(pk=user.pk))
    lazy.set_password(NEW)
    lazy.save()


def by_assigning_a_hash(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.password = make_password(NEW)
    user.save(update_fields=["password"])


def by_assigning_a_hash_after_set_password(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Assign a new password's hash after `set_password()` and `save()` on the same instance."""
    user.set_password(PASSWORD)
    user.save()
    Session.objects.update(end_reason="", ended_at=None, password_stamp=stamp(user))
    user.password = make_password(NEW)
    user.save(update_fields=["password"])


def by_unusable_password(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.set_unusable_password()
    user.save(update_fields=["password"])


def by_password_change_form(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    submit(PasswordChangeForm(user, data))


def by_set_password_form(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(SetPasswordForm(user, {"new_password1": NEW, "new_password2": NEW}))


def by_admin_form(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(AdminPasswordChangeForm(user, {"password1": NEW, "password2": NEW}))


def by_admin_page(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    page = reverse("admin:auth_user_password_change", args=[user.pk])
    data = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    assert administrator().post(page, data).status_code == 302


def by_command(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda **prompt: NEW)
    call_command("changepassword", user.username, verbosity=0)


def by_new_password(user: Any) -> None:
    user.set_password(NEW)
    user.save()


def submit(form: Any) -> None:
    assert form.is_valid(), form.errors
    form.save()


def administrator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("administrator"))
    return client


def stamp(user: Any) -> str:
    return stamps.password_stamp(user)


PASSWORD_CHANGES: list[Change] = [
    by_set_password,
    by_set_password_and_save_of_the_field,
    by_set_password_and_asave,
    by_set_password_on_a_lazy_user,
    by_assigning_a_hash,
    by_assigning_a_hash_after_set_password,
    by_unusable_password,
    by_password_change_form,
    by_set_password_form,
    by_admin_form,
    by_admin_page,
    by_command,
]


@pytest.mark.parametrize("change", PASSWORD_CHANGES)
def test_a_password_change_ends_the_users_sessions_at_once(
    change: Change,
    user: Any,
    pair: TokenPair,
    make_user: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    second, others = drf_signet.issue(user), drf_signet.issue(make_user())
    change(user, monkeypatch)
    assert refused(pair)
    assert refused(second)
    assert not refused(others)
    assert reason(pair) == reason(second) == EndReason.PASSWORD_CHANGED
    assert refreshed(pair).status_code == 401
    user.refresh_from_db()
    assert not refused(drf_signet.issue(user))


def test_a_password_change_sends_session_ended_with_its_reason(
    user: Any, pair: TokenPair, django_capture_on_commit_callbacks: Any
) -> None:
    received: list[Any] = []

    def receive(*, session_id: Any, user_id: Any, reason: str, **sent: Any) -> None:
        received.append((session_id, user_id, reason))

    drf_signet.session_ended.connect(receive)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            user.set_password(NEW)
            user.save()
    finally:
        drf_signet.session_ended.disconnect(receive)
    assert received == [(pair.session.pk, user.pk, EndReason.PASSWORD_CHANGED)]


def test_a_password_that_is_not_saved_ends_no_session(user: Any, pair: TokenPair) -> None:
    user.set_password(NEW)
    assert not refused(pair)


def test_a_password_written_by_a_queryset_ends_the_session_at_the_next_refresh(
    user: Any, pair: TokenPair
) -> None:
    User.objects.filter(pk=user.pk).update(password=make_password(NEW))
    assert not refused(pair)
    assert refreshed(pair).data["reason"] == "ended"
    assert refused(pair)
    assert reason(pair) == EndReason.PASSWORD_CHANGED


# Deactivation


def by_save(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.is_active = False
    user.save()


def by_save_of_the_field(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.is_active = False
    user.save(update_fields=["is_active"])


def by_change_page(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = administrator()
    page = reverse("admin:auth_user_change", args=[user.pk])
    form = client.get(page).context["adminform"].form
    data = {
        "username": user.username,
        "date_joined_0": form.initial["date_joined"].date().isoformat(),
        "date_joined_1": form.initial["date_joined"].time().isoformat("seconds"),
    }
    answer = client.post(page, data)
    assert answer.status_code == 302, answer.context["errors"]


@pytest.mark.parametrize("change", [by_save, by_save_of_the_field, by_change_page])
def test_deactivating_a_user_ends_the_sessions_at_once(
    change: Change,
    user: Any,
    pair: TokenPair,
    make_user: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = drf_signet.issue(make_user())
    change(user, monkeypatch)
    assert not User.objects.get(pk=user.pk).is_active
    assert refused(pair)
    assert not refused(others)
    assert reason(pair) == EndReason.USER_INACTIVE
    User.objects.update(is_active=True)
    assert refused(pair)
    assert refreshed(pair).status_code == 401


def test_saving_a_user_whom_the_custom_rule_refuses_ends_the_sessions(
    user: Any, pair: TokenPair, settings: Any
) -> None:
    settings.SIGNET = {"USER_AUTHENTICATION_RULE": lambda user: user.is_active and user.email}
    user.save()
    assert refused(pair)
    assert reason(pair) == EndReason.USER_INACTIVE


def test_a_deactivation_written_by_a_queryset_ends_the_session_at_the_next_refresh(
    user: Any, pair: TokenPair
) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert not refused(pair)
    assert refreshed(pair).data["code"] == "user_inactive"
    assert refused(pair)
    assert reason(pair) == EndReason.USER_INACTIVE


# Deletion


def by_delete(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.delete()


def by_adelete(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async_to_sync(user.adelete)()


def by_delete_page(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    page = reverse("admin:auth_user_delete", args=[user.pk])
    client = administrator()
    assert client.get(page).status_code == 200
    assert client.post(page, {"post": "yes"}).status_code == 302


@pytest.mark.parametrize("change", [by_delete, by_adelete, by_delete_page])
def test_deleting_a_user_ends_the_sessions_at_once(
    change: Change,
    user: Any,
    pair: TokenPair,
    make_user: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = drf_signet.issue(make_user())
    change(user, monkeypatch)
    assert refused(pair)
    assert not refused(others)
    assert reason(pair) == EndReason.USER_DELETED
    assert refreshed(pair).status_code == 401


def test_the_confirmation_page_of_a_deletion_ends_no_session(user: Any, pair: TokenPair) -> None:
    assert administrator().get(reverse("admin:auth_user_delete", args=[user.pk])).status_code == 200
    assert not refused(pair)


def test_deleting_a_user_keeps_the_end_reason_of_an_ended_session(
    user: Any, pair: TokenPair
) -> None:
    drf_signet.end(pair.session)
    user.delete()
    assert reason(pair) == EndReason.LOGOUT


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [by_delete, by_set_password, by_save])
def test_a_change_that_is_rolled_back_ends_no_session(
    change: Change, user: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_sessions.alone = False
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": None}
    pair = drf_signet.issue(user)
    with transaction.atomic():
        change(user, monkeypatch)
        transaction.set_rollback(True)
    assert not refused(pair)
    assert reason(pair) == ""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [by_delete, by_set_password, by_save])
def test_a_change_in_a_transaction_ends_the_session_at_the_commit(
    change: Change, user: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_sessions.alone = False
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": None}
    pair = drf_signet.issue(user)
    with transaction.atomic():
        change(user, monkeypatch)
        assert not runtime.current().feed.has_ended(pair.session.pk.int)
    assert refused(pair)


def statements(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        act()
    return len(captured)


def test_deleting_many_users_takes_as_many_statements_as_deleting_two(
    make_user: Callable[..., Any],
) -> None:
    def delete(number: int) -> int:
        users = [make_user() for _ in range(number)]
        for user in users:
            drf_signet.issue(user)
        rows = User.objects.filter(pk__in=[user.pk for user in users])
        return statements(rows.delete)

    assert delete(2) == delete(12)
    assert set(Session.objects.values_list("end_reason", flat=True)) == {EndReason.USER_DELETED}


def test_deleting_rows_of_another_model_costs_no_extra_statement(
    user: Any, django_assert_num_queries: Any
) -> None:
    for _ in range(3):
        drf_signet.issue(user)
    with django_assert_num_queries(1):
        Session.objects.filter(user=user).delete()


# Sessions that a transaction cannot see


def password_by_a_queryset(user: Any) -> None:
    User.objects.filter(pk=user.pk).update(password=make_password(NEW))


def deactivation_by_a_queryset(user: Any) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


#: Change that ends no session by itself → the end reason of the sessions that are ended after the
#: commit.
UNNOTICED: dict[Callable[[Any], None], EndReason] = {
    password_by_a_queryset: EndReason.PASSWORD_CHANGED,
    deactivation_by_a_queryset: EndReason.USER_INACTIVE,
    delete_row_of: EndReason.USER_DELETED,
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("level", MISSES_NEW_ROWS)
@pytest.mark.parametrize(("change", "expected"), UNNOTICED.items())
def test_sessions_that_the_transaction_could_not_see_end_after_the_commit(
    user: Any,
    pair: TokenPair,
    make_user: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Any], None],
    expected: EndReason,
    level: str,
) -> None:
    others = drf_signet.issue(make_user())
    change(user)
    with transaction.atomic():
        with like_postgresql(monkeypatch, level):
            changes.look_again_after_commit([user.pk])
        assert reason(pair) == ""
    assert reason(pair) == (expected if MISSES_NEW_ROWS[level] else "")
    assert refused(pair) == MISSES_NEW_ROWS[level]
    assert not refused(others)


@pytest.mark.django_db(transaction=True)
def test_session_that_is_opened_after_the_change_in_its_transaction_is_kept(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction.atomic():
        for password in (NEW, "a second password"):
            user.set_password(password)
            user.save()
            with like_postgresql(monkeypatch, "serializable"):
                changes.look_again_after_commit([user.pk])
        pair = drf_signet.issue(user)
    assert not refused(pair)
    assert reason(pair) == ""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("level", MISSES_NEW_ROWS)
def test_stamp_that_the_transaction_of_an_upgrade_could_not_see_is_renewed_after_the_commit(
    outdated_user: Any, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    pair = drf_signet.issue(outdated_user)
    upgraded = User.objects.get(pk=outdated_user.pk)
    upgraded.set_password(PASSWORD)
    with transaction.atomic():
        with like_postgresql(monkeypatch, level):
            assert stamps.save_password(upgraded, outdated_user)
        Session.objects.update(password_stamp=stamp(outdated_user))
    renewed = stamp(upgraded) if MISSES_NEW_ROWS[level] else stamp(outdated_user)
    assert Session.objects.get(pk=pair.session.pk).password_stamp == renewed


# Changes that end no session


@pytest.mark.parametrize("names", [["last_login"], ["first_name", "email"]])
def test_a_save_of_other_fields_costs_no_extra_statement(
    names: list[str], user: Any, pair: TokenPair, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        user.save(update_fields=names)
    assert not refused(pair)


@pytest.mark.django_db(transaction=True)
def test_a_save_of_all_fields_costs_one_extra_statement_and_ends_no_session(
    user: Any, pair: TokenPair, django_assert_num_queries: Any
) -> None:
    user.first_name = "Ada"
    with django_assert_num_queries(2):
        user.save()
    assert not refused(pair)


def test_creating_a_user_costs_no_extra_statement(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        User.objects.create_user("ada", password=PASSWORD)


def test_a_save_of_another_model_costs_no_extra_statement(
    db: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        Group(name="readers").save()


def test_a_new_secret_key_ends_no_session_while_the_old_key_is_a_fallback(
    user: Any, pair: TokenPair, settings: Any
) -> None:
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another".ljust(80, "x"), [old]
    user.save()
    assert not refused(pair)
    settings.SECRET_KEY_FALLBACKS = []
    user.save()
    assert reason(pair) == EndReason.PASSWORD_CHANGED


def test_loading_a_fixture_ends_no_session(user: Any, pair: TokenPair, tmp_path: Path) -> None:
    """Test `raw=True`: the handler must not query, because related rows may not be loaded yet."""
    user.set_password(NEW)
    fixture = tmp_path / "users.json"
    fixture.write_text(serializers.serialize("json", [user]), encoding="utf-8")
    assert json.loads(fixture.read_text(encoding="utf-8"))[0]["model"] == "auth.user"
    call_command("loaddata", fixture, verbosity=0)
    assert User.objects.get().check_password(NEW)
    assert not refused(pair)
    assert refreshed(pair).status_code == 401
    assert refused(pair)


# Models that inherit from the user model


@pytest.fixture(params=[Staff, Employee], ids=["proxy", "child"])
def subclass_user(request: pytest.FixtureRequest, user: Any) -> Any:
    """Return the user as an instance of a proxy model or a child model of the user model."""
    if request.param is Employee:
        Employee(
            account=user, **{f.attname: getattr(user, f.attname) for f in _fields(user)}
        ).save()
    return request.param.objects.get(pk=user.pk)


def _fields(user: Any) -> list[Any]:
    return [field for field in user._meta.concrete_fields if not field.primary_key]


@pytest.mark.parametrize(
    "change", [by_set_password, by_assigning_a_hash, by_save, by_save_of_the_field, by_delete]
)
def test_a_change_of_a_subclass_instance_ends_the_users_sessions(
    change: Change, user: Any, subclass_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = drf_signet.issue(user)
    assert not refused(pair)
    change(subclass_user, monkeypatch)
    assert refused(pair)


def test_a_save_of_a_subclass_field_costs_no_extra_statement(
    user: Any, subclass_user: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        field = "desk" if isinstance(subclass_user, Employee) else "email"
        subclass_user.save(update_fields=[field])


# Upgrades of an outdated password hash


class FewIterations(PBKDF2PasswordHasher):
    iterations = 1


class MoreIterations(PBKDF2PasswordHasher):
    iterations = 2


UPGRADES: dict[str, Any] = {
    "another algorithm": (MD5PasswordHasher, [NewHasher, MD5PasswordHasher]),
    "more iterations": (FewIterations, [MoreIterations]),
}


@pytest.fixture(params=UPGRADES.values(), ids=list(UPGRADES))
def outdated_user(request: pytest.FixtureRequest, settings: Any, make_user: Any) -> Any:
    """Return a user whose password hash Django upgrades at the next login."""
    old, preferred = request.param
    user = user_with_outdated_hash(settings, make_user, old=old, preferred=preferred)
    assert identify_hasher(user.password).must_update(user.password) or old is MD5PasswordHasher
    return user


def by_check(user: Any) -> None:
    assert user.check_password(PASSWORD)


def by_async_check(user: Any) -> None:
    assert async_to_sync(user.acheck_password)(PASSWORD)


def by_check_on_a_lazy_user(user: Any) -> None:
    lazy = lazy_user(User, user.pk, lambda: User.objects.get(pk=user.pk))
    assert lazy.check_password(PASSWORD)


def by_check_on_a_proxy(user: Any) -> None:
    assert Staff.objects.get(pk=user.pk).check_password(PASSWORD)


def by_login(user: Any) -> None:
    data = {"username": user.username, "password": PASSWORD}
    assert APIClient().post("/api/token/", data).status_code == 200


def by_django_login(user: Any) -> None:
    assert Client().login(username=user.username, password=PASSWORD)


@pytest.mark.parametrize(
    "check",
    [
        by_check,
        by_async_check,
        by_check_on_a_lazy_user,
        by_check_on_a_proxy,
        by_login,
        by_django_login,
    ],
)
def test_upgrading_the_hash_of_the_same_password_ends_no_session(
    check: Callable[[Any], None], outdated_user: Any
) -> None:
    pairs = [drf_signet.issue(outdated_user) for _ in range(2)]
    former_hash = outdated_user.password
    check(outdated_user)
    stored = get_user_model().objects.get(pk=outdated_user.pk)
    assert stored.password != former_hash
    assert stored.check_password(PASSWORD)
    for pair in pairs:
        assert not refused(pair)
        assert refreshed(pair).status_code == 200
        assert Session.objects.get(pk=pair.session.pk).password_stamp == stamp(stored)


def test_upgrading_a_hash_ends_no_session_stamped_with_a_fallback_secret_key(
    outdated_user: Any, settings: Any
) -> None:
    pair = drf_signet.issue(outdated_user)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another".ljust(80, "x")
    by_check(outdated_user)
    assert not refused(pair)
    assert refreshed(pair).status_code == 200


def test_upgrading_a_hash_does_not_keep_sessions_of_an_older_password(outdated_user: Any) -> None:
    older, current = drf_signet.issue(outdated_user), drf_signet.issue(outdated_user)
    Session.objects.filter(pk=older.session.pk).update(password_stamp="of another")
    by_check(outdated_user)
    assert refused(older)
    assert reason(older) == EndReason.PASSWORD_CHANGED
    assert not refused(current)


def test_a_wrong_password_does_not_upgrade_the_hash(
    outdated_user: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert not outdated_user.check_password(NEW)


def test_a_new_password_ends_the_sessions_of_a_user_with_an_outdated_hash(
    outdated_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = drf_signet.issue(outdated_user)
    by_assigning_a_hash(outdated_user, monkeypatch)
    assert refused(pair)


def test_the_first_of_two_upgrades_of_a_hash_is_kept(outdated_user: Any) -> None:
    """Keep the first hash: saving the second hash would end sessions opened with the first hash."""
    pair = drf_signet.issue(outdated_user)
    first, second = (User.objects.get(pk=outdated_user.pk) for _ in range(2))
    by_check(first)
    by_check(second)
    stored = User.objects.get(pk=outdated_user.pk)
    assert stored.password == first.password == second.password
    for tokens in (pair, drf_signet.issue(first), drf_signet.issue(stored)):
        assert refreshed(tokens).status_code == 200
        assert not refused(tokens)


def test_issue_refuses_a_user_whose_password_was_compared_with_another_hash(
    outdated_user: Any,
) -> None:
    """The package cannot know whether the hash was upgraded or the password was changed."""
    stale = User.objects.get(pk=outdated_user.pk)
    by_check(outdated_user)
    by_check(stale)
    assert stale.password == outdated_user.password
    with pytest.raises(UserChanged):
        drf_signet.issue(stale)
    with pytest.raises(LoginRefused):
        str(RefreshToken.for_user(stale))
    stale.set_password(NEW)
    stale.save()
    assert not refused(drf_signet.issue(stale))


@pytest.mark.parametrize(
    ("replace", "status"),
    [(by_check, 200), (by_new_password, 401)],
    ids=["upgrade", "new password"],
)
@pytest.mark.parametrize("path", ["/api/token/", "/auth/login/", "/alias/", "/alias/sliding/"])
def test_login_that_finds_a_new_hash_compares_the_password_again(
    replace: Callable[[Any], None], status: int, path: str, outdated_user: Any, settings: Any
) -> None:
    """Another login upgrades the hash first, or the password is changed before the upgrade."""
    settings.ROOT_URLCONF = "tests.support.every_login"
    replacement = User.objects.get(pk=outdated_user.pk)

    def overtake(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith("UPDATE") and not overtaken:
            overtaken.append(sql)
            replace(replacement)
        return execute(sql, *args)

    overtaken: list[str] = []
    credentials = {"username": outdated_user.username, "password": PASSWORD}
    with connection.execute_wrapper(overtake):
        answer = browser_client().post(path, credentials)
    assert overtaken
    assert answer.status_code == status
    assert Session.objects.filter(end_reason="").count() == (status == 200)
    assert User.objects.get(pk=outdated_user.pk).password == replacement.password


def test_a_slower_login_adopts_the_hash_of_a_faster_login(outdated_user: Any) -> None:
    pair = drf_signet.issue(outdated_user)
    faster, slower = (User.objects.get(pk=outdated_user.pk) for _ in range(2))

    def overtake(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith("UPDATE") and faster.password != slower.password and not overtaken:
            overtaken.append(sql)
            by_check(faster)
        return execute(sql, *args)

    overtaken: list[str] = []
    with connection.execute_wrapper(overtake):
        by_check(slower)
    assert overtaken
    assert User.objects.get(pk=outdated_user.pk).password == faster.password == slower.password
    assert refreshed(pair).status_code == 200


def test_upgrading_the_hash_of_an_old_password_does_not_overwrite_a_new_password(
    outdated_user: Any,
) -> None:
    """Prevent a race in Django: a login during a password change could restore the old password."""
    stale = User.objects.get(pk=outdated_user.pk)
    outdated_user.set_password(NEW)
    outdated_user.save()
    by_check(stale)
    stored = User.objects.get(pk=outdated_user.pk)
    assert stored.check_password(NEW)
    assert not stored.check_password(PASSWORD)


def test_a_second_password_of_a_new_user_is_not_taken_for_an_upgraded_hash(db: None) -> None:
    user = User(username="ada")
    user.set_password(PASSWORD)
    user.save()
    pair = drf_signet.issue(user)
    user.password = make_password(NEW)
    user.save(update_fields=["password"])
    assert User.objects.get().check_password(NEW)
    assert refused(pair)


def test_an_unusable_password_is_not_taken_for_an_upgraded_hash(outdated_user: Any) -> None:
    pair = drf_signet.issue(outdated_user)
    outdated_user._password = None
    outdated_user.set_unusable_password()
    outdated_user.save(update_fields=["password"])
    assert refused(pair)


def test_replacing_an_unreadable_hash_is_a_password_change(user: Any, pair: TokenPair) -> None:
    User.objects.update(password="nonsense")
    user.set_password(NEW)
    user._password = None
    user.save(update_fields=["password"])
    assert reason(pair) == EndReason.PASSWORD_CHANGED


def test_check_password_of_a_deleted_user_fails_as_in_django(outdated_user: Any) -> None:
    User.objects.filter(pk=outdated_user.pk)._raw_delete("default")
    with pytest.raises(DatabaseError), transaction.atomic():
        outdated_user.check_password(PASSWORD)


def test_ended_at_is_the_time_of_the_database(user: Any, pair: TokenPair) -> None:
    user.set_password(NEW)
    user.save()
    ended = Session.objects.filter(ended_at__lte=DbNow(), ended_at__gt=pair.session.created_at)
    assert ended.exists()
