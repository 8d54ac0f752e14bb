"""Measure how long failed logins take, depending on the account."""

from __future__ import annotations

import random
import time
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.test import override_settings

from benchmarks.tasks import calls
from benchmarks.wire import PASSWORD

#: Username → the fields of the account. The login of each account fails: the first has another
#: password than the request, and there is no account with the name "unknown".
ACCOUNTS: dict[str, dict[str, Any] | None] = {
    "known": {"password": "another password", "is_active": True},
    "unknown": None,
    "inactive": {"password": PASSWORD, "is_active": False},
    "unusable": {"password": None, "is_active": True},
}


class ShorterHasher(PBKDF2PasswordHasher):
    """Django's default hasher with a fiftieth of its iterations.

    A shorter hash hides less of any other difference between two logins.
    """

    algorithm = "pbkdf2_shorter"
    iterations = PBKDF2PasswordHasher.iterations // 50


def failed(rounds: int) -> dict[str, list[float]]:
    """Let the login of each account fail once per round, in random order.

    Each request comes from another address, so that the throttle of failed logins never rejects it.

    Returns:
        Username → the duration of each login, in milliseconds.
    """
    with override_settings(PASSWORD_HASHERS=[f"{__name__}.{ShorterHasher.__name__}"]):
        _make_accounts()
        _round()  # a warm-up
        samples: dict[str, list[float]] = {name: [] for name in ACCOUNTS}
        for _ in range(rounds):
            for name, milliseconds in _round().items():
                samples[name].append(milliseconds)
    return samples


def _make_accounts() -> None:
    model = get_user_model()
    for name, fields in ACCOUNTS.items():
        if fields is not None:
            password = make_password(fields["password"])
            model._default_manager.create(username=name, **fields | {"password": password})


def _round() -> dict[str, float]:
    return {name: _login(name) for name in random.sample(list(ACCOUNTS), k=len(ACCOUNTS))}


def _login(name: str) -> float:
    call = calls.wire().login(name)
    request, view = calls.request(call), calls.view(call.path)
    request.META["REMOTE_ADDR"] = ".".join(str(random.randrange(1, 255)) for _ in range(4))  # noqa: S311 - no secret
    started = time.perf_counter()
    response = calls.render(view(request))
    milliseconds = (time.perf_counter() - started) * 1000
    calls.json(response, 401)
    return milliseconds
