"""Clear cached results when a setting changes, so that `override_settings` works in tests."""

from __future__ import annotations

from typing import Any

from django.core.signals import setting_changed

#: The names of Django's settings on which every cached result depends.
watched = {"SIGNET", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "INSTALLED_APPS"}
#: The functions whose results are cached.
_caches: list[Any] = []


def clear_caches() -> None:
    """Clear the caches of all functions whose results depend on the settings."""
    for cached in _caches:
        cached.cache_clear()


def clear_on_change(cached: Any, *, also: frozenset[str] = frozenset()) -> None:
    """Clear the cache of a function whenever a setting that affects its result changes.

    Args:
        cached: a function decorated with `functools.cache`.
        also: the names of other Django settings that affect the result.
    """
    _caches.append(cached)

    def clear(*, setting: str, **kwargs: Any) -> None:
        if setting in watched or setting in also:
            cached.cache_clear()

    setting_changed.connect(clear, weak=False, dispatch_uid=(cached.__module__, cached.__name__))
