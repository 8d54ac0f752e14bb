"""The settings dict `SIGNET`, as one typed, frozen object.

Read lazily and again after every change, so that `override_settings` works everywhere. A value
that is not what it must be is an `ImproperlyConfigured` that names the setting.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, Literal

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from . import cookies, values
from .cookies import Cookies
from .keys import Material
from .shared import SHARED_WITH_SIMPLE_JWT
from .values import RingEntry, ThrottleRates

#: What simplejwt takes for nothing, or for what is our default too: spelled out in many projects.
_SAYS_NOTHING: Mapping[str, Any] = {
    "LEEWAY": None,
    "USER_AUTHENTICATION_RULE": (
        "rest_framework_simplejwt.authentication.default_user_authentication_rule"
    ),
    "VERIFYING_KEY": "",
}
#: The app that answers for simplejwt: under it, what simplejwt never did is off unless it is set.
_ALIAS = "drf_signet.compat.simplejwt"
_READ_FROM = frozenset(
    {"SIGNET", "SIMPLE_JWT", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "INSTALLED_APPS"}
)

ClaimsHook = Callable[[Any, Any], Mapping[str, Any]]
Rule = Callable[[Any], bool]


def _setting(default: Any, doc: str, parse: Callable[[Any], Any], *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"doc": doc, "parse": parse})


def default_user_authentication_rule(user: Any) -> bool:
    """Allow every user that exists and is active."""
    return user is not None and bool(user.is_active)


def _as_simple_jwt_had_it(simple_jwt: Mapping[str, Any]) -> dict[str, Any]:
    if simple_jwt.get("CHECK_USER_IS_ACTIVE", True) or "USER_AUTHENTICATION_RULE" in simple_jwt:
        return {}
    return {"USER_AUTHENTICATION_RULE": _any_user_rule}


def _any_user_rule(user: Any) -> bool:
    return user is not None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting with its default. Lifetimes are `timedelta`, also in the dict `SIGNET`."""

    ACCESS_TOKEN_LIFETIME: timedelta = _setting(
        timedelta(minutes=5), "How long an access token is valid.", values.lifetime
    )
    REFRESH_TOKEN_LIFETIME: timedelta = _setting(
        timedelta(days=1),
        "How long a refresh token is valid: from the login or, when rotating, the last refresh.",
        values.lifetime,
    )
    SESSION_LIFETIME: timedelta = _setting(
        timedelta(days=30),
        "When rotating: how long after the login the session ends, however active it is.",
        values.duration,
    )
    ROTATE_REFRESH_TOKENS: bool = _setting(
        False, "Hand out a new refresh token with every refresh, and detect reuse.", values.boolean
    )
    ROTATION_GRACE_PERIOD: timedelta = _setting(
        timedelta(seconds=30),
        "How long after a rotation the previous refresh token still gets the same successor.",
        values.duration_or_zero,
    )
    MAX_SESSIONS_PER_USER: int | None = _setting(
        None,
        "A login beyond this number ends the sessions that were idle longest. None: no limit.",
        values.optional(values.positive_integer),
    )
    ALGORITHM: str = _setting("HS256", "The JWS algorithm of SIGNING_KEY.", values.algorithm)
    SIGNING_KEY: Material | None = _setting(
        None,
        "Secret, PEM text or JWK. None: Django's SECRET_KEY, and SECRET_KEY_FALLBACKS verify too.",
        values.optional(values.key_material),
        secret=True,
    )
    VERIFYING_KEY: Material | None = _setting(
        None,
        "A public key that verifies too; alone, it makes a service that issues nothing.",
        values.optional(values.key_material),
    )
    KEYS: tuple[RingEntry, ...] = _setting(
        (),
        'A key ring: `{"kid": …, "alg": …, "key": …}`, newest first. The first signs, all verify.',
        values.key_ring,
        secret=True,
    )
    ISSUER: str | None = _setting(
        None, "Written to and demanded of `iss`.", values.optional(values.text)
    )
    AUDIENCE: tuple[str, ...] = _setting(
        (), "Written to and demanded of `aud`: a text or several.", values.texts
    )
    LEEWAY: float = _setting(
        0.0, "Seconds (or a `timedelta`) by which clocks may differ.", values.seconds
    )
    AUTH_HEADER_TYPES: tuple[str, ...] = _setting(
        ("Bearer",), "Accepted schemes of the header, in any case.", values.some_texts
    )
    AUTH_HEADER_NAME: str = _setting(
        "HTTP_AUTHORIZATION", "The key of the header in `request.META`.", values.text
    )
    USER_ID_FIELD: str = _setting("pk", "The user field that the token names.", values.text)
    USER_ID_CLAIM: str = _setting("user_id", "The claim that holds it.", values.text)
    USER_LOADING: Literal["lazy", "fresh"] = _setting(
        "lazy",
        'Load `request.user` when more than its key is asked for ("lazy"), or always ("fresh").',
        values.one_of("lazy", "fresh"),
    )
    CLAIMS: ClaimsHook | None = _setting(
        None,
        "`callable(user, session) → dict`, or its dotted path: own claims, made at each refresh.",
        values.optional(values.importable),
    )
    USER_AUTHENTICATION_RULE: Rule = _setting(
        default_user_authentication_rule,
        "`callable(user) → bool` (or its dotted path): who may log in, refresh and use a token.",
        values.importable,
    )
    REVOCATION_POLL_INTERVAL: float | None = _setting(
        1.0,
        "Seconds (or a `timedelta`) within which a process learns which sessions ended elsewhere. "
        "0: ask at every request. None: never.",
        values.optional(values.seconds),
    )
    REVOCATION_MAX_STALENESS: float = _setting(
        60.0,
        "Seconds (or a `timedelta`) for which a process goes on when it cannot learn it; then 503.",
        values.seconds,
    )
    ADOPT_TOKENS_UNTIL: float = _setting(
        0.0,
        "Aware `datetime`, or ISO 8601 text: until then simplejwt's tokens are accepted.",
        values.instant,
    )
    LOGIN_THROTTLE: ThrottleRates | None = _setting(
        ThrottleRates(),
        'Failed logins: `{"username": "10/min", "address": "100/min"}`. None: no limit.',
        values.throttle_rates,
    )
    COOKIE: Cookies = _setting(
        Cookies(), "The cookies of `drf_signet.urls_browser`: a dict, see below.", cookies.parse
    )
    RECORD_CLIENT: bool = _setting(
        True, "Keep user agent and address with each session.", values.boolean
    )

    def rotates(self, transport: str) -> bool:
        """Whether a refresh brings a new refresh token: in a cookie always."""
        return transport == "cookie" or self.ROTATE_REFRESH_TOKENS

    def idle_lifetime(self, transport: str) -> timedelta:
        """How long a refresh token is valid that nobody uses."""
        return self.COOKIE.IDLE_LIFETIME if transport == "cookie" else self.REFRESH_TOKEN_LIFETIME

    def login_lifetime(self, transport: str) -> timedelta:
        """How long after a login its session ends at the latest."""
        return self.SESSION_LIFETIME if self.rotates(transport) else self.REFRESH_TOKEN_LIFETIME


def parse(signet: Mapping[str, Any], simple_jwt: Mapping[str, Any]) -> Settings:
    """Make settings from the two dicts; `signet` wins key by key.

    Raises:
        ImproperlyConfigured: an unknown name (the nearest known one is suggested) or a bad value.
    """
    known = {one.name: one.metadata["parse"] for one in fields(Settings)}
    if unknown := sorted(signet.keys() - known.keys()):
        raise ImproperlyConfigured("\n".join(_unknown(name, known) for name in unknown))
    chosen = shared_values(simple_jwt) | dict(signet)
    values = {}
    for name, raw in chosen.items():
        source = "SIGNET" if name in signet else "SIMPLE_JWT"
        values[name] = _value(f"{source}[{name!r}]", raw, known[name])
    return Settings(**values)


def shared_values(simple_jwt: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a `SIMPLE_JWT` dict that is read here."""
    shared = {name: simple_jwt[name] for name in SHARED_WITH_SIMPLE_JWT & simple_jwt.keys()}
    return {name: value for name, value in shared.items() if value != _SAYS_NOTHING.get(name, ...)}


@functools.cache
def current() -> Settings:
    """Return the settings in force.

    Raises:
        ImproperlyConfigured: see `parse`.
    """
    signet, simple_jwt = given("SIGNET"), given("SIMPLE_JWT")
    if stands_in_for_simplejwt():
        signet = {"LOGIN_THROTTLE": None, **_as_simple_jwt_had_it(simple_jwt), **signet}
    return parse(signet, simple_jwt)


def stands_in_for_simplejwt() -> bool:
    """Whether the project has the app that makes simplejwt's name ours."""
    return any(app.startswith(_ALIAS) for app in django_settings.INSTALLED_APPS)


def given(name: str) -> Mapping[str, Any]:
    """Return one of the two dicts as the project wrote it; empty if it did not.

    Raises:
        ImproperlyConfigured: it is no dict.
    """
    found = getattr(django_settings, name, None) or {}
    if not isinstance(found, Mapping):
        raise ImproperlyConfigured(f"{name} must be a dict")
    return found


def secrets() -> Sequence[str | bytes]:
    """Return Django's SECRET_KEY and its fallbacks, newest first."""
    return [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]


def forget_on_change(cached: Any, *, also: frozenset[str] = frozenset()) -> None:
    """Clear a `functools.cache` whenever a setting that it was made from changes.

    Args:
        cached: the decorated function.
        also: names of Django settings beyond those that `Settings` is read from.
    """
    watched = _READ_FROM | also

    def forget(*, setting: str, **kwargs: Any) -> None:
        if setting in watched:
            cached.cache_clear()

    setting_changed.connect(forget, weak=False, dispatch_uid=(cached.__module__, cached.__name__))


forget_on_change(current)


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"SIGNET has no setting {name!r}.{hint}"


def _value(setting: str, raw: Any, parser: Callable[[Any], Any]) -> Any:
    try:
        return parser(raw)
    except (ValueError, TypeError, ImportError) as error:
        raise ImproperlyConfigured(f"{setting}: {error}") from error
