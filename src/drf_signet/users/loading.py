"""Authenticate users by their credentials, and load users by the claims of their tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.contrib.auth import authenticate, get_user_model
from django.db import router
from django.db.models import QuerySet
from django.http import HttpRequest

from .. import runtime
from ..db.database import in_transaction
from ..errors import CredentialsRefused, SessionEnded, UserChanged, UserInactive
from ..jose.claims import Claims
from ..sessions import stamps
from ..sessions.opening import UserCheck
from ..sessions.scopes import Scope, current_scope
from .lazyuser import lazy_user

#: The name of an attribute of user instances. `set_unchecked_hash` stores the new hash in it.
_UNCHECKED = "_signet_unchecked"


def all_users() -> QuerySet[Any]:
    """Return the users that tokens may identify: all users of the model's default manager."""
    return get_user_model()._default_manager.all()


def user_for_claims(claims: Claims, load: Callable[..., Any], *arguments: Any) -> Any:
    """Return the user whom the claims identify: a lazy user if the settings allow it.

    Args:
        load: a function that takes the claims and the `arguments`, and returns the user after all
            checks. It is called now or, for a lazy user, when code first needs more than the user's
            key.
    """
    current = runtime.current()
    if current.users_are_lazy and current.tenant_of is not None:
        load = partial(_load_in_scope, current_scope(), load)
        return lazy_user(current.user_model, claims.user_key, load, claims, *arguments)
    if current.users_are_lazy:
        return lazy_user(current.user_model, claims.user_key, load, claims, *arguments)
    return load(claims, *arguments)


def _load_in_scope(scope: Scope, load: Callable[..., Any], *arguments: Any) -> Any:
    """Load a user, and check that the database and the schema are the same as before.

    Another user may have the same key in another database or schema.

    Raises:
        RuntimeError: the code has switched to another database or schema.
    """
    if current_scope() != scope:
        raise RuntimeError(
            f"the user of this request is in {scope}, and the code has switched to "
            f"{current_scope()}: read a field of request.user before you switch"
        )
    return load(*arguments)


def load(claims: Claims, users: QuerySet[Any]) -> Any:
    """Load the user whom the claims identify, and check that the user may authenticate.

    Runs one SELECT.

    Raises:
        SessionEnded: the user no longer exists.
        UserInactive: the user may not authenticate.
    """
    current = runtime.current()
    user = users.filter(**{current.subject.name: claims.user_key}).first()
    if user is None:
        raise SessionEnded("the user no longer exists")
    if not may_authenticate(user):
        raise UserInactive
    return user


def authenticate_user(request: HttpRequest | None, credentials: Mapping[str, Any]) -> Any:
    """Authenticate a user with Django's backends, and return the user.

    If the stored password hash was replaced while the password was checked, authenticate again. The
    new hash may be of the same password, rehashed by another login, or of a new password.

    Raises:
        CredentialsRefused: no backend accepts the credentials, or the user may not authenticate.
    """
    user = authenticate(request, **credentials)
    if user is not None and is_unchecked(user):
        user = authenticate(request, **credentials)
    if user is None or not may_authenticate(user):
        raise CredentialsRefused
    return user


def set_unchecked_hash(user: Any, password_hash: str) -> None:
    """Set the password hash of a user instance to a hash that another process has stored.

    The password that the user sent has not been checked against this hash.
    """
    user.password = password_hash
    setattr(user, _UNCHECKED, password_hash)


def is_unchecked(user: Any) -> bool:
    """Return whether `set_unchecked_hash` has set the password hash of a user instance."""
    unchecked_hash = getattr(user, _UNCHECKED, None)
    return unchecked_hash is not None and bool(unchecked_hash == user.password)


@dataclass(frozen=True, kw_only=True)
class UserState:
    """The state of an authenticated user, which must be unchanged when the session is saved.

    Args:
        columns: the columns that decide whether the user is unchanged, and their values. None if
            columns do not decide this, and the user must be checked in Python.
        password_stamp: see `drf_signet.sessions.stamps.password_stamp`.
        may_authenticate: whether `USER_AUTHENTICATION_RULE` allowed the user to authenticate. This
            may be False, because `issue` does not require it.
    """

    columns: Mapping[str, Any] | None = field(repr=False)
    password_stamp: str
    may_authenticate: bool

    @classmethod
    def of(cls, user: Any) -> UserState:
        """Return the current state of an authenticated user.

        Raises:
            UserChanged: another process replaced the password hash during the login; see
                `is_unchecked`.
        """
        if is_unchecked(user):
            raise UserChanged
        names = runtime.current().login_columns
        return cls(
            columns=None if names is None else {name: getattr(user, name) for name in names},
            password_stamp=stamps.password_stamp(user),
            may_authenticate=may_authenticate(user),
        )

    def is_unchanged(self, stored: Any) -> bool:
        """Return whether the stored user is still in this state."""
        return (
            all(getattr(stored, name) == value for name, value in (self.columns or {}).items())
            and self._has_same_password(stored)
            and (may_authenticate(stored) or not self.may_authenticate)
        )

    def _has_same_password(self, stored: Any) -> bool:
        if not runtime.current().settings.ends_with_password:
            return True
        return self.password_stamp in stamps.password_stamps(stored)

    def check(self) -> UserCheck:
        """Return this state as a `UserCheck`, which `drf_signet.sessions.store` accepts."""
        users = all_users() if runtime.current().users_may_be_hidden else None
        return UserCheck(columns=self.columns, is_unchanged=self.is_unchanged, users=users)


def may_authenticate(user: Any) -> bool:
    """Return whether the project's `USER_AUTHENTICATION_RULE` allows a user to authenticate."""
    return bool(runtime.current().settings.USER_AUTHENTICATION_RULE(user))


def was_deleted(user: Any) -> bool:
    """Return whether a user was deleted.

    Inside a transaction, return False, because an error may have made further queries impossible.
    """
    model = user._meta.model
    using = router.db_for_write(model, instance=user)
    if in_transaction(using):
        return False
    return not model._base_manager.using(using).filter(pk=user.pk).exists()
