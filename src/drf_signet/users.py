"""Claims → user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import QuerySet

from . import runtime
from .claims import Claims
from .database import in_transaction
from .errors import SessionEnded, UserInactive
from .lazyuser import lazy_user


def all_users() -> QuerySet[Any]:
    """Return the users that a token may name, by the user model's default manager."""
    return get_user_model()._default_manager.all()


def named_by(claims: Claims, load: Callable[..., Any], *arguments: Any) -> Any:
    """Return the user that an access token names: lazy, if the settings and the claim allow it.

    Args:
        load: loads and checks the user; called with the claims and the arguments, now or when more
            than the key is asked for.
    """
    current = runtime.current()
    if current.users_are_lazy:
        return lazy_user(current.user_model, claims.user_key, load, claims, *arguments)
    return load(claims, *arguments)


def load(claims: Claims, users: QuerySet[Any]) -> Any:
    """Load the user that an access token names: one SELECT.

    Raises:
        SessionEnded: there is no such user any more.
        UserInactive: the user may not authenticate.
    """
    current = runtime.current()
    user = users.filter(**{current.subject.name: claims.user_key}).first()
    if user is None:
        raise SessionEnded("the user is gone")
    if not may_authenticate(user):
        raise UserInactive
    return user


def may_authenticate(user: Any) -> bool:
    """Ask the project's `USER_AUTHENTICATION_RULE`."""
    return bool(runtime.current().settings.USER_AUTHENTICATION_RULE(user))


def was_deleted(user: Any) -> bool:
    """Whether a user's row is gone by now; not asked inside a transaction, which may be broken."""
    model = user._meta.model
    using = router.db_for_write(model, instance=user)
    if in_transaction(using):
        return False
    return not model._base_manager.using(using).filter(pk=user.pk).exists()


def is_named_by(claims: Claims, user: Any) -> bool:
    """Whether a token is this user's."""
    return runtime.current().subject.is_named(user, claims.user_key)
