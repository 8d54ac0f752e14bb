"""JWT authentication for Django REST Framework, with a session for every login.

The public names are imported on first use, because Django imports this package before the app
registry is ready, and models need the registry.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import delete_cookie, end, end_all, issue, keep, set_cookie
    from .models import EndReason, Session
    from .signals import refresh_reused, session_ended, session_opened, session_refreshed
    from .tokens import TokenPair

__version__ = "0.1.0"

#: Public name → the module from which it is imported.
_HOMES = {
    "EndReason": "models",
    "Session": "models",
    "TokenPair": "tokens",
    "delete_cookie": "api",
    "end": "api",
    "end_all": "api",
    "issue": "api",
    "keep": "api",
    "refresh_reused": "signals",
    "session_ended": "signals",
    "session_opened": "signals",
    "session_refreshed": "signals",
    "set_cookie": "api",
}

__all__ = [  # noqa: RUF022 - grouped by kind
    "issue",
    "end",
    "end_all",
    "keep",
    "set_cookie",
    "delete_cookie",
    "Session",
    "EndReason",
    "TokenPair",
    "session_opened",
    "session_refreshed",
    "session_ended",
    "refresh_reused",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
