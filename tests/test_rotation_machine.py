"""Whatever is done to sessions, in whatever order: the database and a model agree.

The model is plain Python: what a session is by DESIGN §5, and nothing of how it is stored.
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

from drf_signet import flows, sessions
from drf_signet.errors import InvalidClaim, SessionEnded, TokenReused, UserInactive
from drf_signet.models import EndReason, Session
from drf_signet.tokens import TokenPair
from tests.situations import delete_row_of, expire, generation_of, let_pass, refresh_token

SECONDS_OF_GRACE = 30

#: What a refresh comes to: (generation handed out, or None where the client keeps what it has),
#: or the word for a refusal.
Answer = tuple[int | None] | str


@dataclass(kw_only=True, eq=False)
class User:
    """A user of the model; `row` is the one of the database."""

    row: Any
    exists: bool = True
    active: bool = True
    password: int = 0


@dataclass(kw_only=True, eq=False)
class Login:
    """A session of the model; `row` is the one of the database."""

    row: Session
    user: User
    password: int
    generation: int = 0
    age: int = 0  # seconds since the last rotation
    expired: bool = False
    reason: str = ""

    def refresh(self, generation: int, *, rotates: bool) -> Answer:
        """Answer as DESIGN §5 says, and go on or end accordingly."""
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
        return self.trade(generation, rotates=rotates)

    def trade(self, generation: int, *, rotates: bool) -> Answer:
        """Answer to a client of a session that is alive."""
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
        """End for a reason, unless there was one before."""
        self.reason = self.reason or reason
        return answer


def answer_of_the_package(token: str) -> Answer:
    """Refresh, and say what came of it in the words of the model."""
    answer = flows.refresh(token)
    if isinstance(answer, TokenPair):
        return (generation_of(answer.refresh)[1] if answer.refresh else None,)
    if isinstance(answer, TokenReused):
        return f"reused {answer.behind}"
    return {SessionEnded: "ended", UserInactive: "inactive", InvalidClaim: "refused"}[type(answer)]


class Sessions(RuleBasedStateMachine):
    """Users and their logins; each run is a savepoint in the transaction of the test."""

    logins = Bundle("logins")
    over = Bundle("over")  #: logins that were ended, whose tokens somebody still has
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Login] = []
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()

    @initialize(target=logins, rotates=st.sampled_from([True, True, False]))
    def begin(self, rotates: bool) -> Login:
        """Open one session, and refresh it thrice; perhaps rotation is switched off then."""
        self.configure(rotates=True)
        login = self.log_in(times=3, again=False)
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

    @rule(target=logins, times=st.integers(0, 3), again=st.booleans())
    def open(self, times: int, again: bool) -> Login:
        return self.log_in(times=times, again=again)

    def log_in(self, *, times: int, again: bool) -> Login:
        """Log in, and refresh a few times; perhaps as the user of the last login."""
        user = self.known[-1].user if again and self.known else None
        if user is None or not user.exists:
            row = get_user_model().objects.create_user(f"{next(self.numbers)}", "", "0")
            user = User(row=row)
        login = Login(row=flows.issue(user.row).session, user=user, password=user.password)
        self.known.append(login)
        for _ in range(times):
            self.present(login, behind=0)
        return login

    # What clients and thieves do --------------------------------------------------------------

    @rule(login=logins)
    def rotate(self, login: Login) -> None:
        self.present(login, behind=0)

    @rule(login=logins, seconds=st.sampled_from([0, 10, 31]))
    def retry(self, login: Login, seconds: int) -> None:
        self.let_pass(login, seconds)
        self.present(login, behind=1)

    @rule(target=over, login=consumes(logins), behind=st.integers(2, 4))
    def replay(self, login: Login, behind: int) -> Login:
        self.present(login, behind=behind)
        return login

    @rule(login=over, behind=st.integers(-2, 2))
    def present_afterwards(self, login: Login, behind: int) -> None:
        self.present(login, behind=behind)

    @rule(login=logins, ahead=st.sampled_from([1, 2, 1000]))
    def run_ahead(self, login: Login, ahead: int) -> None:
        self.present(login, behind=-ahead)

    def present(self, login: Login, *, behind: int) -> None:
        generation = max(0, login.generation - behind)
        over = bool(login.reason)
        answer = answer_of_the_package(refresh_token(login.row, generation))
        assert answer == "ended" or not over
        assert answer == login.refresh(generation, rotates=self.rotates)

    # What time does ---------------------------------------------------------------------------

    @rule(login=logins, seconds=st.sampled_from([10, 31]))
    def let_pass(self, login: Login, seconds: int) -> None:
        login.age += seconds
        let_pass(login.row, seconds=login.age)

    # What ends sessions -----------------------------------------------------------------------

    @rule(
        target=over,
        login=consumes(logins),
        way=st.sampled_from(["log_out", "log_out_everywhere", "expire"]),
    )
    def end(self, login: Login, way: str) -> Login:
        getattr(self, way)(login)
        return login

    @rule(
        target=over,
        login=consumes(logins),
        way=st.sampled_from(
            [
                *("change_password", "change_password_by_hand"),
                *("deactivate", "deactivate_by_hand"),
                *("delete", "delete_by_hand"),
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
        sessions.end_all(login.user.row, reason=EndReason.LOGOUT_ALL)
        self.end_all(login.user, EndReason.LOGOUT_ALL)

    def expire(self, login: Login) -> None:
        login.expired = True
        expire(login.row)

    def change_password(self, user: User) -> None:
        user.password += 1
        user.row.set_password(str(user.password))
        self.save(user)

    def change_password_by_hand(self, user: User) -> None:
        user.password += 1
        user.row.set_password(str(user.password))
        self.write(user, password=user.row.password)

    def deactivate(self, user: User) -> None:
        user.active = user.row.is_active = not user.active
        self.save(user)

    def deactivate_by_hand(self, user: User) -> None:
        user.active = user.row.is_active = not user.active
        self.write(user, is_active=user.active)

    def save(self, user: User) -> None:
        """Save the user, which ends at once the sessions that it must not keep."""
        user.row.save()
        for login in self.known:
            if login.user is user and not user.active:
                login.end("", EndReason.USER_INACTIVE)
            elif login.user is user and login.password != user.password:
                login.end("", EndReason.PASSWORD_CHANGED)

    def write(self, user: User, **values: object) -> None:
        """Write past the model, which is noticed at the next refresh."""
        get_user_model().objects.filter(pk=user.row.pk).update(**values)

    def delete(self, user: User) -> None:
        get_user_model().objects.filter(pk=user.row.pk).delete()
        self.end_all(user, EndReason.USER_DELETED)
        user.exists = False

    def delete_by_hand(self, user: User) -> None:
        delete_row_of(user.row)
        user.exists = False

    def end_all(self, user: User, reason: str) -> None:
        for login in self.known:
            if login.user is user:
                login.end("", reason)

    # What always holds ------------------------------------------------------------------------

    @invariant()
    def each_session_is_in_the_one_generation_and_for_the_reason_that_the_model_says(self) -> None:
        rows = list(Session.objects.values_list("pk", "generation", "end_reason", "ended_at"))
        model = {(one.row.pk, one.generation, one.reason) for one in self.known}
        assert {row[:3] for row in rows} == model
        assert all(bool(reason) == bool(ended_at) for _, _, reason, ended_at in rows)


@pytest.mark.django_db
def test_sessions_do_what_the_model_says_whatever_is_done_to_them() -> None:
    run_state_machine_as_test(
        Sessions,
        settings=settings(
            max_examples=30,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
