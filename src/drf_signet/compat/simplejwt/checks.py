"""System checks for projects that move from simplejwt. `alias` defines one more check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Info, Tags, Warning, register  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from drf_signet import runtime
from drf_signet.conf import settings as conf

from . import alias, blacklist, shared_settings


@register(Tags.compatibility)
def check_simple_jwt(**kwargs: Any) -> list[CheckMessage]:
    """Report the keys of SIMPLE_JWT that are used (I001), and the keys without effect (W004)."""
    try:
        given, overridden = conf.given(shared_settings.SETTING), conf.given("SIGNET")
    except ImproperlyConfigured:
        return []  # the check signet.E001 reports invalid settings
    read = sorted(shared_settings.shared_values(given).keys() - overridden.keys())
    known = shared_settings.SHARED
    if alias.in_installed_apps():
        known |= shared_settings.READ_BY_ALIAS
    if overridden.get("ADOPT_TOKENS_UNTIL"):
        known |= shared_settings.READ_BY_ADOPTION
    ignored = sorted(given.keys() - known)
    messages: list[CheckMessage] = []
    if read:
        text = f"Settings read from SIMPLE_JWT: {', '.join(read)}."
        messages.append(Info(text, hint="Move them to SIGNET.", id="signet.I001"))
    if ignored:
        text = f"Settings of SIMPLE_JWT that have no effect here: {', '.join(ignored)}."
        messages.append(
            Warning(text, hint="Remove them, unless your own code reads them.", id="signet.W004")
        )
    return messages


@register(Tags.database)
def check_old_tables(
    *, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Report I002 if the tables of simplejwt's blacklist exist, but their app is not installed."""
    try:
        until = conf.current().ADOPT_TOKENS_UNTIL
        checked = blacklist.database() in (databases or ())
        left_behind = checked and blacklist.is_left_behind()
    except (ImproperlyConfigured, DatabaseError):
        return []  # signet.E001 reports invalid settings; the database may be down
    if not left_behind:
        return []
    if until > runtime.now():
        text = "simplejwt's blacklist is read when a legacy token is adopted, even without its app."
        hint = "`manage.py signet_migrate_from_simplejwt --dry-run` says when to drop the tables."
    else:
        text = "The tables of simplejwt's blacklist exist, but nothing reads them."
        hint = "Set ADOPT_TOKENS_UNTIL to accept simplejwt's tokens, or drop the tables."
    return [Info(text, hint=hint, id="signet.I002")]
