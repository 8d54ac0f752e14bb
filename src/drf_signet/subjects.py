"""User ↔ the value of the user claim: which JSON values can name a user at all.

Decided from the type of the user model's field alone, so that what can be no key is refused
before anything asks the database.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured, ValidationError
from django.db import models

from .claims import UserKey, is_integer

#: Longest user id, in characters.
MAX_LENGTH = 255

_INTEGER = re.compile(r"-?[0-9]{1,19}")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The field of the user model that tokens name.

    Args:
        name: the attribute that holds the value, also for lookups: "pk" for the primary key.
        key: turns a JSON value into the key it stands for; integers may be written as text. Raises
            ValueError for what can be no value of the field.
    """

    name: str
    key: Callable[[object], UserKey]

    @classmethod
    def of(cls, model: type[models.Model], name: str) -> Subject:
        """Look the field up.

        Raises:
            ImproperlyConfigured: there is no such field, or two users could share its value.
        """
        try:
            field: Any = model._meta.pk if name == "pk" else model._meta.get_field(name)
        except FieldDoesNotExist as error:
            raise ImproperlyConfigured(f"USER_ID_FIELD: {model} has no {name!r}") from error
        if not getattr(field, "unique", False) or field.null:
            raise ImproperlyConfigured(
                f"USER_ID_FIELD: {name!r} of {model} is not unique, or may be NULL"
            )
        attribute = "pk" if field.primary_key else field.attname
        while field.remote_field is not None:
            field = field.target_field  # of a model that inherits its key: the inherited one
        return cls(name=attribute, key=_reader(field))

    def claim(self, user: Any) -> int | str:
        """Return the JSON value that names a user: an int for an int, a text for all else."""
        value = getattr(user, self.name)
        return value if is_integer(value) else str(value)

    def is_named(self, user: Any, key: UserKey) -> bool:
        """Whether `key`, as `Subject.key` returned it, is this user's."""
        return self.key(self.claim(user)) == key


def _reader(field: models.Field[Any, Any]) -> Callable[[object], UserKey]:
    if isinstance(field, models.IntegerField):
        return _integer
    return _uuid if isinstance(field, models.UUIDField) else partial(_text, field)


def _integer(value: object) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value) and str(int(value)) == value:
        value = int(value)
    # Any 64-bit value may be looked up: Django knows the range of each integer field.
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError("not an integer key")
    return value


def _uuid(value: object) -> uuid.UUID:
    if not isinstance(value, str):
        raise ValueError("not a text")
    parsed = uuid.UUID(value)
    if str(parsed) != value:
        raise ValueError("not a canonical UUID")
    return parsed


def _text(field: models.Field[Any, Any], value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_LENGTH or "\0" in value:
        raise ValueError("not a text that could be a key")
    try:
        return str(field.to_python(value))
    except ValidationError as error:
        raise ValueError("not a value of the field") from error
