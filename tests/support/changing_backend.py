"""An authentication backend that changes the stored user after the authentication."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.backends import ModelBackend


class ChangingBackend(ModelBackend):
    """Authenticates as `ModelBackend`, and then applies the changes of the fixture to the user."""

    changes: list[Callable[[Any], object]] = []  # noqa: RUF012 - filled by a fixture

    def authenticate(self, *args: Any, **kwargs: Any) -> Any:
        user = super().authenticate(*args, **kwargs)
        for change in self.changes:
            change(user)
        return user


@pytest.fixture
def change_after_authentication(settings: Any) -> Iterator[Callable[[Any], None]]:
    """Return a function that takes a change. Every later login changes its user in this way."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.ChangingBackend"]
    yield ChangingBackend.changes.append
    ChangingBackend.changes.clear()
