"""A user of whom only the key is known, until more is asked for.

It is of the user model in every respect that does not need the row: `isinstance`, `pk`, equality,
hashing, a value of foreign keys, `is_authenticated`. Anything else loads the row, once, with one
SELECT, and turns the object into a plain user.
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

#: A function and its arguments.
Loader = tuple[Callable[..., Any], *tuple[Any, ...]]


def lazy_user(model: type[models.Model], key: Any, *loader: *Loader) -> Any:
    """Return a user with this primary key, whose row is not loaded yet.

    Args:
        model: the user model.
        key: a value of its primary key.
        loader: what returns the row as an instance of `model`, or raises, and its arguments; None
            makes the user anonymous. Called once, unless it raises.
    """
    cls, key_name = _unfetched(model)
    user = cls.__new__(cls)  # as unpickling makes an instance: no __init__, no signals
    values = user.__dict__
    values[key_name], values[_LOADER] = key, loader
    return user


def is_unfetched(user: object) -> bool:
    """Whether a user's row has not been loaded yet."""
    return isinstance(user, _Unfetched)


def fetch(user: Any) -> Any:
    """Load the row of a lazy user; return the same object, now plain. A plain user stays as it is.

    Raises:
        Whatever the loader raises; the user then stays lazy.
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
        setattr(user, name, value)  # stays; a related object of the row's own does not
    return user


def _anonymous(user: Any) -> Any:
    names = {name for one in user._meta.concrete_fields for name in (one.attname, one.name)}
    user.__class__ = AnonymousUser
    user.__dict__.clear()
    user.__dict__.update({name: getattr(AnonymousUser, name, None) for name in names})
    return user


class _State:
    """Django's `_state`, made when it is asked for: most requests never do."""

    def __get__(self, user: Any, owner: type) -> Any:
        if user is None:
            return self
        state = user.__dict__["_state"] = ModelState()
        state.adding = False
        state.db = router.db_for_read(user._meta.model)
        return state


class _Relation:
    """A foreign key of the user: the row comes first, and may bring along what it points to."""

    def __init__(self, name: str, of_the_model: Any) -> None:
        self._name = name
        self._of_the_model = of_the_model

    def __get__(self, user: Any, owner: type) -> Any:
        return self._of_the_model if user is None else getattr(fetch(user), self._name)

    def __set__(self, user: Any, value: Any) -> None:
        self._of_the_model.__set__(user, value)


class _Unfetched:
    """Stands before the user model; each method needs the row and then is the model's own."""

    _state = _State()

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: Any = None,
    ) -> None:
        """Load the row: Django calls this when a field is read that has no value."""
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
def _unfetched(model: type[models.Model]) -> tuple[Any, str]:
    """Return the class of a model's lazy users, and the attribute that holds their key.

    The class is made past Django's metaclass, so that no registry knows it.
    """
    body: dict[str, Any] = {"__module__": model.__module__, "__qualname__": model.__qualname__}
    relations = (field.name for field in model._meta.concrete_fields if field.is_relation)
    body |= {name: _Relation(name, getattr(model, name)) for name in relations}
    cls = type.__new__(type(model), model.__name__, (_Unfetched, model), body)
    return cls, model._meta.pk.attname
