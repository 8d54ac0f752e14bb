"""The `COOKIE` setting as one frozen object: the names, attributes and lifetime of cookies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from . import options, parsers
from .options import option

#: A valid cookie name (RFC 6265 §4.1.1) of at most 64 characters.
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
#: An absolute path of ASCII characters, without spaces, semicolons or control characters.
_PATH = re.compile(r"/[!-:<-~]*")


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("it must be the name of a cookie")
    if value.startswith("__"):
        raise ValueError("it must be without a prefix, which SECURE and PATH determine")
    if "token" not in value.lower():
        raise ValueError('it must contain "token", so that Django hides its value in reports')
    return value


def _path(value: Any) -> str:
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        raise ValueError('it must be a path such as "/" or "/auth/"')
    return value


@dataclass(frozen=True, kw_only=True)
class Cookies:
    """The keys of the `COOKIE` setting with their defaults. No value depends on the request."""

    NAME: str = option(
        "signet-refresh-token", "The name of the refresh cookie, without its prefix.", _name
    )
    SECURE: bool = option(
        True,
        "Send the cookies over https only. False is for development over plain http.",
        parsers.boolean,
    )
    SAMESITE: Literal["Strict", "Lax"] = option(
        "Strict", '"Strict" or "Lax".', parsers.one_of("Strict", "Lax")
    )
    PATH: str = option("/", "The refresh cookie is sent only to URLs below this path.", _path)
    IDLE_LIFETIME: timedelta = option(
        timedelta(days=14),
        "How long the refresh cookie is valid after the last refresh.",
        parsers.lifetime,
    )
    REMEMBERED_IDLE_LIFETIME: timedelta | None = option(
        timedelta(days=14),
        "The same after a login with `remember: true`. None: `true` changes nothing.",
        parsers.optional(parsers.lifetime),
    )
    UNREMEMBERED_IDLE_LIFETIME: timedelta = option(
        timedelta(hours=2),
        "The same after a login with `remember: false`, if it is shorter than IDLE_LIFETIME.",
        parsers.lifetime,
    )
    ACCESS_NAME: str | None = option(
        None,
        "The name of a cookie with the access token, which protected views then accept. "
        "None: no such cookie.",
        parsers.optional(_name),
    )

    @property
    def refresh_name(self) -> str:
        """The name of the refresh cookie with its prefix, if any (RFC 6265bis §4.1.3)."""
        return self._prefix(self.PATH) + self.NAME

    @property
    def access_name(self) -> str | None:
        """The name of the access cookie with its prefix, if any; None if ACCESS_NAME is not set."""
        return self.ACCESS_NAME and self._prefix("/") + self.ACCESS_NAME

    def idle_lifetime_if(self, remember: bool | None) -> timedelta | None:
        """Return the idle lifetime for the user's choice at the login; None for the default."""
        if remember is None:
            return None
        if remember:
            return self.REMEMBERED_IDLE_LIFETIME
        return min(self.IDLE_LIFETIME, self.UNREMEMBERED_IDLE_LIFETIME)

    def _prefix(self, path: str) -> str:
        if not self.SECURE:
            return ""
        return "__Host-" if path == "/" else "__Secure-"


def parse(value: Any) -> Cookies:
    """Parse the value of the `COOKIE` setting. Missing keys keep their defaults.

    Raises:
        ValueError: a key is unknown, a value is not valid, or both cookies have the same name.
    """
    if not isinstance(value, Mapping):
        raise ValueError("it must be a dict")
    if unknown := options.unknown(Cookies, value):
        known = ", ".join(options.names(Cookies))
        raise ValueError(f"it has no key {', '.join(map(repr, unknown))}; there are {known}")
    cookies = options.build(Cookies, value)
    if cookies.refresh_name == cookies.access_name:
        raise ValueError("NAME and ACCESS_NAME must differ")
    return cookies
