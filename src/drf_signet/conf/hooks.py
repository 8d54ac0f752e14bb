"""The types of settings that are functions of the project, and a default of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.http import HttpRequest

ClaimsHook = Callable[[Any, Any], Mapping[str, Any]]
Rule = Callable[[Any], bool]
LifetimesHook = Callable[
    [Any, HttpRequest | None, str], tuple[timedelta | None, timedelta | None] | None
]
TenantHook = Callable[[HttpRequest | None], str | None]


def default_user_authentication_rule(user: Any) -> bool:
    """Return whether a user exists and is active."""
    return user is not None and bool(user.is_active)
