"""The filter, the search and the pages of the list of sessions, for tables with many rows.

The list is in the order of the primary keys, and no statement reads the whole table of sessions:
not to count the rows, and not to find the sessions of a user by a part of the user's name.
"""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..models import SessionQuerySet, State, write_database

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator

#: Maximum number of sessions that the list counts, and that its pages contain.
MAX_COUNT = 10_000
#: Maximum number of users whose sessions a search finds.
MAX_USERS = 100


class CappedPaginator(_Paginator):
    """A paginator that reads at most `MAX_COUNT` rows to count them."""

    @cached_property
    def count(self) -> int:
        """Return the number of rows, or `MAX_COUNT` if there are more rows."""
        rows: Any = self.object_list
        return int(rows[:MAX_COUNT].count())


class StateFilter(admin.SimpleListFilter):
    """A filter of live, ended and expired sessions."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the values of `State`, with their names."""
        return State.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """Return the sessions with the selected state, or None if no state is selected."""
        value = self.value()
        return getattr(queryset, value)() if value in State.values else None


def search(sessions: SessionQuerySet, term: str) -> tuple[SessionQuerySet, bool]:
    """Return the sessions that a search finds, and whether more than `MAX_USERS` users match.

    The term is the id of a session, an IP address, or the username or e-mail address of a user. A
    part of a username or e-mail address finds users, too, unless the term is exactly a username.
    """
    term = term.strip()
    if (address := _address(term)) is not None:
        return sessions.filter(ip_address=address), False
    if users := _users_called(term):
        return sessions.filter(user__in=users), False
    with suppress(ValueError):
        return sessions.filter(pk=uuid.UUID(term)), False
    users = _users_like(term)
    return sessions.filter(user__in=users[:MAX_USERS]), len(users) > MAX_USERS


def find_user(key: str) -> Any:
    """Return the user with this primary key, or None."""
    if "\0" in key:  # PostgreSQL's strings cannot contain it
        return None
    try:
        return _all_users().filter(pk=key).first()
    except (TypeError, ValueError, ValidationError):
        return None


def _users_called(term: str) -> list[Any]:
    """Return the keys of the users who have exactly this username."""
    path, *_ = _searched_paths(get_user_model())
    try:
        return list(_all_users().filter(**{path: term}).values_list("pk", flat=True)[:MAX_USERS])
    except (TypeError, ValueError, ValidationError):
        return []  # no username can have this value


def _users_like(term: str) -> list[Any]:
    """Return the keys of users whose username or e-mail address contains the term.

    This reads all users, and returns at most `MAX_USERS + 1`.
    """
    contains = Q()
    for path in _searched_paths(get_user_model()):
        contains |= Q(**{f"{path}__icontains": term})
    users = _all_users().filter(contains)
    return list(users.values_list("pk", flat=True)[: MAX_USERS + 1])


def _searched_paths(model: type[Model]) -> Iterator[str]:
    """Yield the lookups of the username and, if the model has one, of the e-mail address."""
    email: Any = getattr(model, "get_email_field_name", lambda: "email")()
    for name in dict.fromkeys((model.USERNAME_FIELD, email)):  # type: ignore[attr-defined]
        with suppress(FieldDoesNotExist):
            field: Any = model._meta.get_field(name)
            if field.concrete and not field.many_to_many:
                yield "__".join(_to_column(field))


def _to_column(field: Any) -> Iterator[str]:
    """Yield the name of a field and, for a foreign key, the name of the column it refers to."""
    yield field.name
    if field.is_relation:
        yield from _to_column(field.target_field)


def _all_users() -> QuerySet[Any]:
    """Return all users, including users whom the default manager hides."""
    return get_user_model()._base_manager.using(write_database())


def _address(term: str) -> str | None:
    try:
        return str(ipaddress.ip_address(term))
    except ValueError:
        return None
