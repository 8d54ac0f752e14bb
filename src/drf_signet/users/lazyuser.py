"""Lazy users: instances of the user model that have only a primary key until code needs the row.

Some operations do not need the row: `isinstance`, `pk`, equality, hashing, assignment to a foreign
key, `is_authenticated`. All other operations load the row with one SELECT, and turn the object into
a plain user.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.db import models, router
from django.db.models.base import ModelState

_LOADER = "_signet_load"

#: A tuple of a function that loads a user, and the arguments of the function.
Loader = tuple[Callable[..., Any], *tuple[Any, ...]]


def lazy_user(model: type[models.Model], key: Any, *loader: *Loader) -> Any:
    """Return a user with this primary key whose row is not loaded yet.

    Args:
        model: the user model.
        key: the primary key.
        loader: a function and its arguments. The function returns an instance of `model`, or None
            to make the user anonymous. If the function raises an exception, it is called again when
            code next needs the row.
    """
    cls, key_name = _lazy_class(model)
    user = cls.__new__(cls)  # as in unpickling, `__init__` is not called and no signal is sent
    values = user.__dict__
    values[key_name], values[_LOADER] = key, loader
    return user


def is_unfetched(user: object) -> bool:
    """Return whether a user is lazy and its row is not loaded yet."""
    return isinstance(user, _LazyUser)


def fetch(user: Any) -> Any:
    """Load the row of a lazy user and return the same object, now a plain user.

    A plain user is returned unchanged. If the loader raises, the user stays lazy.
    """
    if not is_unfetched(user):
        return user
    load, *arguments = user.__dict__[_LOADER]
    row = load(*arguments)
    if row is None:
        return _anonymous(user)
    values = user.__dict__
    assigned = {name: values[name] for name in values if name not in (_LOADER, "_state")}
    user.__class__ = type(row)
    values.update(row.__dict__)
    values.pop(_LOADER, None)
    for name, value in assigned.items():
        # For a changed foreign key, this also drops the cached related object.
        setattr(user, name, value)
    return user


def _anonymous(user: Any) -> Any:
    fields = user._meta.concrete_fields
    names = {name for field in fields for name in (field.attname, field.name)}
    user.__class__ = AnonymousUser
    user.__dict__.clear()
    user.__dict__.update({name: getattr(AnonymousUser, name, None) for name in names})
    return user


class _State:
    """A descriptor that creates Django's `_state` on first use. Most requests never use it."""

    def __get__(self, user: Any, owner: type) -> Any:
        if user is None:
            return self
        state = user.__dict__["_state"] = ModelState()
        state.adding = False
        state.db = router.db_for_read(user._meta.model)
        return state


class _Relation:
    """A descriptor for a foreign key of a lazy user.

    Reading the foreign key loads the user first, because the loader may use `select_related`.
    """

    def __init__(self, name: str, descriptor: Any) -> None:
        self._name = name
        self._descriptor = descriptor

    def __get__(self, user: Any, owner: type) -> Any:
        return self._descriptor if user is None else getattr(fetch(user), self._name)

    def __set__(self, user: Any, value: Any) -> None:
        self._descriptor.__set__(user, value)


class _LazyUser:
    """A mixin whose methods load the row first, and then call the method of the user model."""

    _state = _State()

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: Any = None,
    ) -> None:
        """Load the row. Django calls this method when code reads a field that is not loaded yet."""
        fetch(self)

    async def arefresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: Any = None,
    ) -> None:
        await sync_to_async(fetch)(self)

    def save(self, *args: Any, **kwargs: Any) -> Any:
        return fetch(self).save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return fetch(self).delete(*args, **kwargs)

    save.alters_data = delete.alters_data = True  # type: ignore[attr-defined]  # for templates

    def __reduce__(self) -> Any:
        return fetch(self).__reduce__()


@functools.cache
def _lazy_class(model: type[models.Model]) -> tuple[Any, str]:
    """Return the lazy subclass of a user model, and the name of its primary key attribute.

    `type.__new__` bypasses Django's metaclass, which would register the class as a model.
    """
    body: dict[str, Any] = {"__module__": model.__module__, "__qualname__": model.__qualname__}
    relations = (field.name for field in model._meta.concrete_fields if field.is_relation)
    body |= {name: _Relation(name, getattr(model, name)) for name in relations}
    cls = type.__new__(type(model), model.__name__, (_LazyUser, model), body)
    return cls, model._meta.pk.attname
