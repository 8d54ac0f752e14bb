"""Convert between users and the user claim, and reject values that cannot identify a user.

The type of the user model's field decides which values are valid, so that invalid values are
rejected without a database query.
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

from ..jose.claims import UserKey

#: Maximum length of a user claim that is neither an integer nor a UUID, in characters.
MAX_LENGTH = 255

_INTEGER = re.compile(r"-?[0-9]{1,19}")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The field of the user model whose value is in the user claim.

    Args:
        name: the name of the field, for attribute access and lookups; "pk" for the primary key.
        key: converts a JSON value to a value of the field. For an integer field, it also accepts
            strings such as "7". It raises ValueError if the field cannot have this value.
        is_string: whether the claim is always a string. RFC 7519 §4.1.2 requires this of `sub`, and
            PyJWT refuses a token whose `sub` is a number.
    """

    name: str
    key: Callable[[object], UserKey]
    is_string: bool = False

    @classmethod
    def of(cls, model: type[models.Model], name: str, *, claim: str = "") -> Subject:
        """Return the `Subject` for a field of the user model, and for the name of the user claim.

        Raises:
            ImproperlyConfigured: the field does not exist, is not unique, or may be NULL.
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
            field = field.target_field  # the primary key of a child model refers to its parent
        return cls(name=attribute, key=_converter(field), is_string=claim == "sub")

    def claim(self, user: Any) -> int | str:
        """Return the user claim for a user: an int if the field contains an int, else a string."""
        value = getattr(user, self.name)
        return value if type(value) is int and not self.is_string else str(value)

    def matches(self, user: Any, key: UserKey) -> bool:
        """Return whether a key that `Subject.key` has returned identifies the user."""
        return bool(getattr(user, self.name) == key or self.key(self.claim(user)) == key)


def _converter(field: models.Field[Any, Any]) -> Callable[[object], UserKey]:
    if isinstance(field, models.IntegerField):
        return _to_integer
    return _to_uuid if isinstance(field, models.UUIDField) else partial(_to_string, field)


def _to_integer(value: object) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value) and str(int(value)) == value:
        value = int(value)
    # Accept every 64-bit integer: Django itself checks the field's range when it looks up the user.
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError("not an integer key")
    return value


def _to_uuid(value: object) -> uuid.UUID:
    if not isinstance(value, str):
        raise ValueError("not a string")
    parsed = uuid.UUID(value)
    if str(parsed) != value:
        raise ValueError("not a canonical UUID")
    return parsed


def _to_string(field: models.Field[Any, Any], value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_LENGTH or "\0" in value:
        raise ValueError("not a string, or empty, too long or with NUL")
    try:
        return str(field.to_python(value))
    except ValidationError as error:
        raise ValueError("not a value of the field") from error
