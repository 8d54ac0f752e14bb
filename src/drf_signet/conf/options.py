"""Helpers for settings classes: dataclasses whose fields contain their description and parser."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, fields
from typing import Any, TypeVar

from django.views.decorators.debug import sensitive_variables

T = TypeVar("T")


def option(default: Any, doc: str, parse: Callable[[Any], Any], *, secret: bool = False) -> Any:
    """Return a dataclass field for one option.

    Args:
        default: the parsed value that applies if the project does not set the option.
        doc: one sentence for the reference page of the settings.
        parse: converts the value in the project's settings. It raises ValueError with a message
            that can follow the name of the option, as in "NAME: it must be True or False".
        secret: whether to omit the value from `repr`.
    """
    return field(default=default, repr=not secret, metadata={"doc": doc, "parse": parse})


def names(cls: type[Any]) -> list[str]:
    """Return the names of all options of a settings class, in the order of their definition."""
    return [one.name for one in fields(cls)]


def unknown(cls: type[Any], given: Iterable[str]) -> list[Any]:
    """Return the given names that are not options of the settings class, sorted."""
    return sorted(set(given) - set(names(cls)), key=repr)


def suggest(cls: type[Any], name: Any) -> str:
    """Return a question that suggests the closest option, or an empty string."""
    closest = difflib.get_close_matches(str(name), names(cls), n=1)
    return f" Did you mean {closest[0]!r}?" if closest else ""


@sensitive_variables("given", "values", "raw")
def build(cls: type[T], given: Mapping[str, Any], *, called: Callable[[str], str] = str) -> T:
    """Parse the given options and return a settings object. Other options keep their defaults.

    Args:
        cls: the settings class, a dataclass of `option` fields.
        given: the name of an option → its value in the project's settings.
        called: takes the name of an option and returns the name to use in error messages.

    Raises:
        ValueError: a value is not valid; the message contains the name of the option.
    """
    parsers = {one.name: one.metadata["parse"] for one in fields(cls)}  # type: ignore[arg-type]
    values = {}
    for name, raw in given.items():
        try:
            values[name] = parsers[name](raw)
        except (ValueError, TypeError, ImportError) as error:
            raise ValueError(f"{called(name)}: {error}") from error
    return cls(**values)
