"""Read-only JSON values. A copy of a read-only dict is a plain dict, which can be changed."""

from __future__ import annotations

from typing import Any, NoReturn


class ReadOnlyDict(dict[str, Any]):
    """A JSON object that cannot be changed, but can be serialized, pickled and copied.

    A copy is a plain dict, and unpickling returns a plain dict.
    """

    __slots__ = ()

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("claims are read-only: change a copy of the dict")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)


def read_only(value: Any) -> Any:
    """Return a read-only copy of a JSON value.

    Objects become instances of `ReadOnlyDict`, and arrays become tuples.
    """
    if isinstance(value, dict):
        return ReadOnlyDict({name: read_only(inner) for name, inner in value.items()})
    if isinstance(value, list | tuple):
        return tuple(read_only(inner) for inner in value)
    return value
