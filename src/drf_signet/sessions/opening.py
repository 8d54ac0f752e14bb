"""Write a new session only if its user has not changed since the authentication.

While a login checks the password, another request may change the password, or deactivate or delete
the user. Such a change ends the user's sessions, but the session of the login does not exist yet.
So the INSERT locks the user's row and compares it with the authenticated user. If the INSERT comes
first, the change waits for it and then ends the new session. If the change comes first, the INSERT
waits for it and then writes no session (docs/decisions/0032).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import FieldDoesNotExist
from django.db import connections, transaction
from django.db.models import Model, QuerySet
from django.views.decorators.debug import sensitive_variables

from ..db.compiled import CompiledInsert
from ..db.database import DbNow, retried
from ..models import Session, session_user_model, write_database

#: Attributes of a user that decide whether a login is valid, if `USER_AUTHENTICATION_RULE` is the
#: default rule.
_ATTRIBUTES = ("password", "is_active")


@dataclass(frozen=True, kw_only=True)
class UserCheck:
    """How to find out whether a user has changed since the authentication.

    Args:
        columns: the names of columns, with the values that the user had at the authentication. If
            the values are still the same, the user is unchanged. None if columns do not decide
            this, and `is_unchanged` must be called.
        is_unchanged: a function that receives the user as stored now, and returns whether the user
            is unchanged.
        users: the users that the project's default manager returns; None if it returns all users.
    """

    columns: Mapping[str, Any] | None = field(repr=False)
    is_unchanged: Callable[[Any], bool]
    users: QuerySet[Any] | None = None


@functools.cache
def deciding_columns(user_model: type[Model]) -> Sequence[str] | None:
    """Return the columns on which the default rule and the password stamp depend.

    Return None if they depend on more than columns. This is the case if one of the attributes is
    neither a column nor a constant, or if the user model overrides `get_session_auth_hash`.
    """
    if getattr(user_model, "get_session_auth_hash", None) is not (
        AbstractBaseUser.get_session_auth_hash
    ):
        return None
    columns = [name for name in _ATTRIBUTES if _is_column(user_model, name)]
    constant = [name for name in _ATTRIBUTES if isinstance(getattr(user_model, name, None), bool)]
    return columns if set(_ATTRIBUTES) == {*columns, *constant} else None


@sensitive_variables()
def insert(session: Session, check: UserCheck) -> bool:
    """Write a drafted session if its user is unchanged. Return whether the session was written.

    Runs one INSERT that compares the columns. If there are no columns to compare, or if the columns
    differ, a transaction locks the user's row and calls `is_unchanged`. If the user is unchanged,
    the transaction writes the session. So a login also works, but takes longer, if equal values
    differ in the database, as in encrypted columns.

    Raises:
        IntegrityError: a session with this id already exists.
        Busy: the write kept conflicting with other transactions.
    """
    using = write_database()
    if check.columns is not None and None not in check.columns.values():
        statement = _statement(session_user_model(), tuple(check.columns))
        values = {each.attname: getattr(session, each.attname) for each in _fields()}
        run = partial(statement.run, using, **values, **check.columns)
        if retried(run, using=using):
            session._state.adding, session._state.db = False, using
            return True
    return retried(partial(_insert_if_unchanged, session, check, using), using=using)


def _insert_if_unchanged(session: Session, check: UserCheck, using: str) -> bool:
    with transaction.atomic(using=using):
        user_id: Any = session.user_id
        users: QuerySet[Any] = QuerySet(session_user_model(), using=using).filter(pk=user_id)
        no_key = connections[using].features.has_select_for_no_key_update
        stored = users.select_for_update(no_key=no_key).first()
        if stored is None or not check.is_unchanged(stored):
            return False
        # This must be a separate query: the query that waited for the lock may have taken its
        # snapshot before it waited.
        if check.users is not None and not check.users.using(using).filter(pk=stored.pk).exists():
            return False
        session.save(force_insert=True, using=using)
    return True


@functools.cache
def _statement(user_model: type[Model], columns: Sequence[str]) -> CompiledInsert:
    fields = _fields()

    def build(**values: Any) -> Any:
        same = {name: values[name] for name in columns}
        rows: QuerySet[Any] = QuerySet(user_model).filter(pk=values["user_id"], **same)
        new = {each: values[each.attname] for each in fields}
        return rows, new | {Session._meta.get_field("refreshed_at"): DbNow()}

    slots = {each.attname: each for each in fields}
    slots |= {name: user_model._meta.get_field(name) for name in columns}
    return CompiledInsert(Session, build, **slots)


def _fields() -> Sequence[Any]:
    """Return the fields whose values come from the session: all fields except `refreshed_at`."""
    return [each for each in Session._meta.concrete_fields if each.name != "refreshed_at"]


def _is_column(model: type[Model], name: str) -> bool:
    try:
        return bool(getattr(model._meta.get_field(name), "concrete", False))
    except FieldDoesNotExist:
        return False
