"""The setting `COOKIE`: names, attributes and lifetime of the cookies, as one frozen object."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, Literal

from . import values

#: What a cookie's name may be written with (RFC 6265 §4.1.1).
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
#: What a path may be written with: no separator, no control character.
_PATH = re.compile(r"/[!-:<-~]*")


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("it must be the name of a cookie")
    if value.startswith("__"):
        raise ValueError("it must be without a prefix, which SECURE and PATH decide")
    if "token" not in value.lower():
        raise ValueError('it must contain "token", by which Django hides it in error reports')
    return value


def _path(value: Any) -> str:
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        raise ValueError('it must be a path such as "/" or "/auth/"')
    return value


def _key(default: Any, doc: str, parse: Callable[[Any], Any]) -> Any:
    return field(default=default, metadata={"doc": doc, "parse": parse})


@dataclass(frozen=True, kw_only=True)
class Cookies:
    """Every key of `COOKIE` with its default. Nothing here depends on a request."""

    NAME: str = _key(
        "signet-refresh-token", "The name of the refresh cookie, without its prefix.", _name
    )
    SECURE: bool = _key(
        True,
        "Send the cookies over https alone. False is for development over plain http.",
        values.boolean,
    )
    SAMESITE: Literal["Strict", "Lax"] = _key(
        "Strict", '"Strict" or "Lax".', values.one_of("Strict", "Lax")
    )
    PATH: str = _key("/", "Below which path the refresh cookie is sent.", _path)
    IDLE_LIFETIME: timedelta = _key(
        timedelta(days=14),
        "How long after the last refresh the refresh cookie is valid.",
        values.lifetime,
    )
    ACCESS_NAME: str | None = _key(
        None,
        "The name of a cookie with the access token, which protected views then read. None: none.",
        values.optional(_name),
    )

    @property
    def refresh_name(self) -> str:
        """The name of the refresh cookie as the browser has it (RFC 6265bis §4.1.3)."""
        return self._prefix(self.PATH) + self.NAME

    @property
    def access_name(self) -> str | None:
        """The name of the access cookie as the browser has it; None if there is none."""
        return self.ACCESS_NAME and self._prefix("/") + self.ACCESS_NAME

    def _prefix(self, path: str) -> str:
        if not self.SECURE:
            return ""
        return "__Host-" if path == "/" else "__Secure-"


def parse(value: Any) -> Cookies:
    """Make them from the dict in `SIGNET`; what it leaves out keeps its default.

    Raises:
        ValueError: an unknown key or a bad value.
    """
    if not isinstance(value, Mapping):
        raise ValueError("it must be a dict")
    known = {one.name: one.metadata["parse"] for one in fields(Cookies)}
    if unknown := sorted(map(repr, value.keys() - known.keys())):
        raise ValueError(f"it has no key {', '.join(unknown)}; there are {', '.join(known)}")
    found = Cookies(**{name: _value(name, raw, known[name]) for name, raw in value.items()})
    if found.refresh_name == found.access_name:
        raise ValueError("NAME and ACCESS_NAME must differ")
    return found


def _value(name: str, raw: Any, parser: Callable[[Any], Any]) -> Any:
    try:
        return parser(raw)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
