"""Test random sequences of actions: the sessions in the database must agree with a model.

The model is plain Python, without a database. It follows the rules of docs/concepts/sessions.md.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from drf_signet import flows
from drf_signet.errors import InvalidClaim, SessionEnded, TokenReused, UserInactive
from drf_signet.models import EndReason, Session
from drf_signet.sessions import store
from drf_signet.tokens import TokenPair
from tests.support.session_states import (
    backdate_rotation,
    delete_row_of,
    expire,
    generation_of,
    refresh_token,
)

SECONDS_OF_GRACE = 30

#: The result of a refresh. A tuple means success: it contains the generation of the new refresh
#: token, or None if the client keeps its token. A string says why the refresh was refused.
Answer = tuple[int | None] | str


@dataclass(kw_only=True, eq=False)
class User:
    """A user in the model; `row` is the Django instance of the same user."""

    row: Any
    exists: bool = True
    active: bool = True
    password: int = 0


@dataclass(kw_only=True, eq=False)
class Login:
    """A session in the model; `row` is the Django instance of the same session."""

    row: Session
    user: User
    password: int
    generation: int = 0
    age: int = 0  # seconds since the last rotation
    expired: bool = False
    reason: str = ""

    def refresh(self, generation: int, *, rotates: bool) -> Answer:
        """Refresh the session in the model; return the result."""
        if self.reason:
            return "ended"
        if not self.user.exists:
            return self.end("ended", EndReason.USER_DELETED)
        if self.password != self.user.password:
            return self.end("ended", EndReason.PASSWORD_CHANGED)
        if self.expired:
            return "ended"
        if not self.user.active:
            return self.end("inactive", EndReason.USER_INACTIVE)
        return self.exchange(generation, rotates=rotates)

    def exchange(self, generation: int, *, rotates: bool) -> Answer:
        """Advance or end the session, depending on the token's generation; return the result."""
        behind = self.generation - generation
        if behind == 1 and self.age < SECONDS_OF_GRACE:
            return (self.generation,)
        if behind > 0:
            return self.end(f"reused {behind}", EndReason.REUSE)
        if behind < -1:
            return "refused"
        if behind == 0 and not rotates:
            return (None,)
        self.generation, self.age = generation + 1, 0
        return (self.generation,)

    def end(self, answer: str, reason: str) -> str:
        """End the session for a reason, unless it has already ended; return `answer` unchanged."""
        self.reason = self.reason or reason
        return answer


def answer_of_the_package(token: str) -> Answer:
    """Refresh with drf-signet; return the result in the form that the model uses."""
    answer = flows.refresh(token)
    if isinstance(answer, TokenPair):
        return (generation_of(answer.refresh)[1] if answer.refresh else None,)
    if isinstance(answer, TokenReused):
        return f"reused {answer.behind}"
    return {SessionEnded: "ended", UserInactive: "inactive", InvalidClaim: "refused"}[type(answer)]


class Sessions(RuleBasedStateMachine):
    """Random actions on users and sessions. Each run ends with a rollback to a savepoint."""

    logins = Bundle("logins")
    ended = Bundle("ended")  #: ended sessions whose tokens a client still has
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Login] = []
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()

    @initialize(target=logins, rotates=st.sampled_from([True, True, False]))
    def begin(self, rotates: bool) -> Login:
        """Open a session and refresh it three times. Then turn rotation off in some runs."""
        self.configure(rotates=True)
        login = self.log_in(times=3, same_user=False)
        if not rotates:
            self.settings.disable()
            self.configure(rotates=False)
        return login

    def configure(self, *, rotates: bool) -> None:
        self.rotates = rotates
        self.settings = override_settings(SIGNET={"ROTATE_REFRESH_TOKENS": rotates})
        self.settings.enable()

    def teardown(self) -> None:
        self.settings.disable()
        transaction.set_rollback(True)
        self.savepoint.__exit__(None, None, None)

    # Logins -----------------------------------------------------------------------------------

    @rule(target=logins, times=st.integers(0, 3), same_user=st.booleans())
    def open(self, times: int, same_user: bool) -> Login:
        return self.log_in(times=times, same_user=same_user)

    def log_in(self, *, times: int, same_user: bool) -> Login:
        """Log in as a new user or as the last user; then refresh the given number of times."""
        user = self.known[-1].user if same_user and self.known else None
        if user is None or not user.exists:
            row = get_user_model().objects.create_user(f"{next(self.numbers)}", "", "0")
            user = User(row=row)
        login = Login(row=flows.issue(user.row).session, user=user, password=user.password)
        self.known.append(login)
        for _ in range(times):
            self.present(login, behind=0)
        return login

    # Refreshes by clients and attackers -------------------------------------------------------

    @rule(login=logins)
    def rotate(self, login: Login) -> None:
        self.present(login, behind=0)

    @rule(login=logins, seconds=st.sampled_from([0, 10, 31]))
    def retry(self, login: Login, seconds: int) -> None:
        self.let_time_pass(login, seconds)
        self.present(login, behind=1)

    @rule(target=ended, login=consumes(logins), behind=st.integers(2, 4))
    def replay(self, login: Login, behind: int) -> Login:
        self.present(login, behind=behind)
        return login

    @rule(login=ended, behind=st.integers(-2, 2))
    def present_afterwards(self, login: Login, behind: int) -> None:
        self.present(login, behind=behind)

    @rule(login=logins, ahead=st.sampled_from([1, 2, 1000]))
    def run_ahead(self, login: Login, ahead: int) -> None:
        self.present(login, behind=-ahead)

    def present(self, login: Login, *, behind: int) -> None:
        generation = max(0, login.generation - behind)
        has_ended = bool(login.reason)
        answer = answer_of_the_package(refresh_token(login.row, generation))
        assert answer == "ended" or not has_ended
        assert answer == login.refresh(generation, rotates=self.rotates)

    # Time -------------------------------------------------------------------------------------

    @rule(login=logins, seconds=st.sampled_from([10, 31]))
    def let_time_pass(self, login: Login, seconds: int) -> None:
        login.age += seconds
        backdate_rotation(login.row, seconds=login.age)

    # Ending sessions --------------------------------------------------------------------------

    @rule(
        target=ended,
        login=consumes(logins),
        way=st.sampled_from(["log_out", "log_out_everywhere", "expire"]),
    )
    def end(self, login: Login, way: str) -> Login:
        getattr(self, way)(login)
        return login

    @rule(
        target=ended,
        login=consumes(logins),
        way=st.sampled_from(
            [
                *("change_password", "change_password_in_sql"),
                *("deactivate", "deactivate_in_sql"),
                *("delete", "delete_in_sql"),
            ]
        ),
    )
    def change_user(self, login: Login, way: str) -> Login:
        if login.user.exists:
            getattr(self, way)(login.user)
        return login

    def log_out(self, login: Login) -> None:
        flows.logout(refresh_token(login.row, login.generation))
        login.end("", EndReason.LOGOUT)

    def log_out_everywhere(self, login: Login) -> None:
        store.end_all(login.user.row, reason=EndReason.LOGOUT_ALL)
        self.end_all(login.user, EndReason.LOGOUT_ALL)

    def expire(self, login: Login) -> None:
        login.expired = True
        expire(login.row)

    def change_password(self, user: User) -> None:
        user.password += 1
        user.row.set_password(str(user.password))
        self.save(user)

    def change_password_in_sql(self, user: User) -> None:
        user.password += 1
        user.row.set_password(str(user.password))
        self.write(user, password=user.row.password)

    def deactivate(self, user: User) -> None:
        user.active = user.row.is_active = not user.active
        self.save(user)

    def deactivate_in_sql(self, user: User) -> None:
        user.active = user.row.is_active = not user.active
        self.write(user, is_active=user.active)

    def save(self, user: User) -> None:
        """Save the user, and end the affected sessions in the model."""
        user.row.save()
        for login in self.known:
            if login.user is user and not user.active:
                login.end("", EndReason.USER_INACTIVE)
            elif login.user is user and login.password != user.password:
                login.end("", EndReason.PASSWORD_CHANGED)

    def write(self, user: User, **values: object) -> None:
        """Update the row without signals; the next refresh detects the change."""
        get_user_model().objects.filter(pk=user.row.pk).update(**values)

    def delete(self, user: User) -> None:
        get_user_model().objects.filter(pk=user.row.pk).delete()
        self.end_all(user, EndReason.USER_DELETED)
        user.exists = False

    def delete_in_sql(self, user: User) -> None:
        delete_row_of(user.row)
        user.exists = False

    def end_all(self, user: User, reason: str) -> None:
        for login in self.known:
            if login.user is user:
                login.end("", reason)

    # Invariants -------------------------------------------------------------------------------

    @invariant()
    def rows_have_the_generations_and_end_reasons_of_the_model(self) -> None:
        rows = list(Session.objects.values_list("pk", "generation", "end_reason", "ended_at"))
        model = {(login.row.pk, login.generation, login.reason) for login in self.known}
        assert {row[:3] for row in rows} == model
        assert all(bool(reason) == bool(ended_at) for _, _, reason, ended_at in rows)


@pytest.mark.django_db
def test_sessions_agree_with_the_model_after_any_sequence_of_actions() -> None:
    run_state_machine_as_test(
        Sessions,
        settings=settings(
            max_examples=30,
            stateful_step_count=20,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
