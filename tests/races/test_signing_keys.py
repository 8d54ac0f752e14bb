"""Test rotations and retirements of signing keys at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import drf_signet
from drf_signet.errors import Busy
from drf_signet.keys import changes
from drf_signet.keys.database import DatabaseKeys
from drf_signet.keys.models import SigningKey
from drf_signet.keys.succession import NotPossible
from tests.support.signing_keys import IN_DATABASE, SCHEDULED, new_process, pass_time, states

from .crew import Crew

pytestmark = pytest.mark.django_db(transaction=True)

PROCESSES = 4


@pytest.fixture(autouse=True)
def _in_database(settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(DatabaseKeys, "alone", False)
    settings.SIGNET = IN_DATABASE


def rotate(_: Any) -> str:
    try:
        change = changes.rotate()
    except (Busy, NotPossible) as error:
        return type(error).__name__
    return "lost" if change is None else "made"


def test_concurrent_rotations_make_one_key(assemble: Callable[[int], Crew]) -> None:
    crew = assemble(PROCESSES)
    for number in range(1, 4):
        done = crew.act([rotate] * PROCESSES)
        assert done.count("made") == 1
        assert SigningKey.objects.exclude(kid="settings").count() == number
        pass_time(3600)
        assert list(states().values()).count("signing") == 1


def test_concurrent_logins_make_one_key_when_it_is_due(
    user: Any, settings: Any, assemble: Callable[[int], Crew]
) -> None:
    settings.SIGNET = SCHEDULED
    crew = assemble(PROCESSES)
    new_process()
    pairs = crew.act([lambda _: drf_signet.issue(user)] * PROCESSES)
    assert all(pair.access for pair in pairs)
    assert states() == {"settings": "signing", "1": "standby"}


def test_rotation_and_retirement_at_once_leave_one_key_that_signs(
    assemble: Callable[[int], Crew],
) -> None:
    crew = assemble(PROCESSES)

    def retire(kid: str) -> Callable[[Any], str]:
        def act(_: Any) -> str:
            try:
                return "retired" if changes.retire(kid, now=True) else "known"
            except Busy:
                return "Busy"

        return act

    assert changes.rotate() is not None
    pass_time(3600)
    for _ in range(3):
        (kid,) = (key.kid for key in SigningKey.objects.filter(signs_until=None, retired_at=None))
        done = crew.act([rotate, retire(kid)] * (PROCESSES // 2))
        assert done.count("retired") <= 1
        pass_time(3600)
        assert list(states().values()).count("signing") == 1
