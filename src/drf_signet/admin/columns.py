"""The columns that the list of sessions and the page of a user share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext_lazy as _

from ..models import Session, State
from ..transports import devices


class SessionColumns:
    """The columns. `state` needs rows of `SessionQuerySet.with_state`."""

    @admin.display(description=_("user"), empty_value="-")
    def who(self, session: Session) -> Any:
        """Return the user, as the user model's `__str__` names them."""
        return session.user and _with_tooltip(str(session.user), str(session.user))

    @admin.display(description=_("device"), empty_value="-")
    def device(self, session: Session) -> Any:
        """Return the name of the device, after the label that the user gave it."""
        name = devices.name_of(session.user_agent)
        shown = " – ".join(filter(None, (session.label, name)))  # noqa: RUF001
        return shown and _with_tooltip(shown, f"{shown} ({session.user_agent})")

    @admin.display(description=_("state"))
    def state(self, session: Session) -> Any:
        """Return whether the session is live, ended or expired."""
        state = State(session.state)  # type: ignore[attr-defined]  # an annotation
        return format_html('<span class="signet-{}">{}</span>', state.value, state.label)

    @admin.display(description=_("logged in"))
    def opened(self, session: Session) -> str:
        """Return the time of the login."""
        return _time(session.created_at)

    @admin.display(description=_("last used"))
    def used(self, session: Session) -> str:
        """Return the time of the last refresh."""
        return _time(session.refreshed_at)

    @admin.display(description=_("expires"))
    def expires(self, session: Session) -> str:
        """Return the time after which the session cannot be refreshed, however it is used."""
        return _time(session.expires_at)


def _with_tooltip(text: str, tooltip: str) -> Any:
    """Return a cell. The style sheet cuts it if it is too long, so the tooltip has all of it."""
    return format_html('<span title="{}">{}</span>', tooltip, text)


def _time(instant: datetime) -> str:
    shown = localtime(instant) if is_aware(instant) else instant
    return date_format(shown, "Y-m-d H:i")
