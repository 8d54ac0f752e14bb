"""Changes of a user that end sessions, noticed when the user is saved; no wiring by the project.

Password and deactivation are seen in Django's `post_save`, so forms, admin and commands count; a
bulk or raw write is noticed at the next refresh. Deletion is `drf_signet.models.END_SESSIONS`, and
of one user it is known in this process at once.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import get_hasher, identify_hasher, is_password_usable
from django.db.models.signals import post_save, pre_delete, pre_save

from . import sessions, users
from .models import EndReason, write_database

#: In the dict of a user that was saved with a password: `_password` is None from then on.
_SAVED = "_signet_saved"

#: Fields whose change ends sessions. A save that writes others alone costs nothing.
WATCHED = frozenset({"password", "is_active"})


def connect() -> None:
    """Listen to the saves of users: of the user model, and of its proxies and children."""
    pre_save.connect(keep_on_rehash, dispatch_uid="signet.keep_on_rehash")
    post_save.connect(end_on_change, dispatch_uid="signet.end_on_change")
    for model in apps.get_models():
        if issubclass(model, get_user_model()):  # for all models, Django could delete none fast
            pre_delete.connect(end_on_delete, sender=model, dispatch_uid="signet.end_on_delete")


def end_on_change(
    *,
    instance: Any,
    created: bool,
    raw: bool,
    update_fields: Collection[str] | None,
    **kwargs: Any,
) -> None:
    """End the sessions that a saved user must not keep: one SELECT if there are none."""
    if raw or not isinstance(instance, get_user_model()):
        return
    if update_fields is not None and WATCHED.isdisjoint(update_fields):
        return
    instance.__dict__[_SAVED] = True
    if created:
        return
    if users.may_authenticate(instance):
        stamps = sessions.password_stamps(instance)
        sessions.end_all(instance, reason=EndReason.PASSWORD_CHANGED, unless=stamps)
    else:
        sessions.end_all(instance, reason=EndReason.USER_INACTIVE)


def end_on_delete(*, instance: Any, origin: Any, **kwargs: Any) -> None:
    """Know the end of the sessions of a user who is deleted, but not of each one of a queryset."""
    if origin is instance:
        sessions.expect_deletion(instance)


def keep_on_rehash(
    *, instance: Any, raw: bool, update_fields: Collection[str] | None, **kwargs: Any
) -> None:
    """Keep sessions when Django hashes the same password anew, as it does at a login.

    Before the save, in one transaction: afterwards, a refresh in between would see the new hash
    beside the old stamps.
    """
    if raw or not isinstance(instance, get_user_model()) or not _is_rehash(instance, update_fields):
        return
    rows = type(instance)._base_manager.using(write_database()).filter(pk=instance.pk)
    while (stored := rows.first()) and _needs_rehash(stored.password):
        if sessions.carry_over(instance, stored):
            return
    if stored and _SAVED not in instance.__dict__:
        # Another login was faster: what it wrote counts, and nothing is changed a second time.
        instance.password = stored.password


def _is_rehash(user: Any, update_fields: Collection[str] | None) -> bool:
    """Whether this is how `AbstractBaseUser.check_password` saves, the raw password forgotten."""
    return (
        update_fields is not None
        and set(update_fields) == {"password"}
        and user.__dict__.get("_password", "") is None
        and is_password_usable(user.password)
    )


def _needs_rehash(encoded: str) -> bool:
    """Whether a stored hash is one that Django replaces at the next login."""
    try:
        hasher = identify_hasher(encoded)
    except ValueError:
        return False
    preferred = get_hasher()
    return hasher.algorithm != preferred.algorithm or preferred.must_update(encoded)
