"""The settings dict `SIGNET` as one typed, frozen object.

The dict is parsed on first use, and again after Django's `setting_changed` signal, so that
`override_settings` works. If a value is not valid, `ImproperlyConfigured` names the setting.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables

from ..jose.keys import Material
from . import caches, cookies, keys, options, parsers, providers
from .cookies import Cookies
from .hooks import ClaimsHook, LifetimesHook, Rule, TenantHook, default_user_authentication_rule
from .keys import RingEntry
from .options import option
from .parsers import ThrottleRates
from .providers import KeyRotation, ProviderFactory

#: Settings from another package: the name of the setting in `SIGNET` → the value.
SharedSettings = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of the package with their defaults. Each lifetime is a `timedelta`."""

    ACCESS_TOKEN_LIFETIME: timedelta = option(
        timedelta(minutes=5), "How long an access token is valid.", parsers.lifetime
    )
    REFRESH_TOKEN_LIFETIME: timedelta = option(
        timedelta(days=1),
        "How long a refresh token is valid after the login or, with rotation, after the last "
        "refresh.",
        parsers.lifetime,
    )
    SESSION_LIFETIME: timedelta = option(
        timedelta(days=30),
        "With rotation: how long after the login the session expires, even if it is in use.",
        parsers.session_lifetime,
    )
    LIFETIMES: LifetimesHook | None = option(
        None,
        "`callable(user, request or None, transport) → (idle, lifetime)`, or its dotted path: the "
        "two lifetimes above for one login. None, for one or both: the default.",
        parsers.optional(parsers.importable),
    )
    ROTATE_REFRESH_TOKENS: bool = option(
        False, "Issue a new refresh token at every refresh, and detect reuse.", parsers.boolean
    )
    ROTATION_GRACE_PERIOD: timedelta = option(
        timedelta(seconds=30),
        "How long after a rotation the previous refresh token is still exchanged for the new one.",
        parsers.duration_or_zero,
    )
    MAX_SESSIONS_PER_USER: int | None = option(
        None,
        "A login beyond this number ends the sessions that were idle longest. None: no limit.",
        parsers.optional(parsers.positive_integer),
    )
    ALGORITHM: str = option("HS256", "The JWS algorithm of SIGNING_KEY.", parsers.algorithm)
    SIGNING_KEY: Material | None = option(
        None,
        "Secret, PEM string or JWK. None: SECRET_KEY signs, and SECRET_KEY_FALLBACKS verify too.",
        parsers.optional(keys.key_material),
        secret=True,
    )
    VERIFYING_KEY: Material | None = option(
        None,
        "A public key that verifies tokens. Without SIGNING_KEY, no tokens can be issued.",
        parsers.optional(keys.key_material),
        secret=True,
    )
    KEYS: tuple[RingEntry, ...] = option(
        (),
        "The key ring, newest first: the first key signs, all verify. See below.",
        keys.key_ring,
        secret=True,
    )
    KEY_PROVIDER: ProviderFactory | None = option(
        None,
        '"database", or the class of a provider, or its dotted path. None: the keys above.',
        parsers.optional(providers.provider),
    )
    KEY_ROTATION: KeyRotation = option(
        KeyRotation(), "How the keys in the database rotate: a dict, see below.", providers.parse
    )
    ISSUER: str | None = option(
        None, "Written to `iss`, and required there.", parsers.optional(parsers.string)
    )
    AUDIENCE: tuple[str, ...] = option(
        (),
        "One or more strings: written to `aud`, which must contain at least one of them.",
        parsers.strings,
    )
    TOKEN_PROFILE: Literal["at+jwt"] | None = option(
        None,
        'The form of access tokens: "at+jwt" is the profile of RFC 9068. It needs ISSUER and '
        "AUDIENCE.",
        parsers.optional(parsers.one_of("at+jwt")),
    )
    CLIENT_ID: str | None = option(
        None,
        "With TOKEN_PROFILE: written to `client_id`. None: the value of ISSUER.",
        parsers.optional(parsers.string),
    )
    BOTH_PROFILES_UNTIL: float = option(
        0.0,
        "Aware `datetime`, or ISO 8601 string, until which access tokens of either form are "
        "accepted, and tokens without `iss` and `aud`.",
        parsers.instant,
    )
    LEEWAY: float = option(
        0.0, "Tolerated clock difference, in seconds (or a `timedelta`).", parsers.seconds
    )
    AUTH_HEADER_TYPES: tuple[str, ...] = option(
        ("Bearer",),
        "Accepted schemes in the header, case-insensitive.",
        parsers.one_or_more_strings,
    )
    AUTH_HEADER_NAME: str = option(
        "HTTP_AUTHORIZATION", "The key of the header in `request.META`.", parsers.meta_key
    )
    USER_ID_FIELD: str = option(
        "pk", "The field of the user model that identifies the user.", parsers.string
    )
    USER_ID_CLAIM: str = option(
        "user_id", "The claim that contains the value of USER_ID_FIELD.", parsers.string
    )
    USER_LOADING: Literal["lazy", "fresh"] = option(
        "lazy",
        'Load `request.user` when a view needs more than its key ("lazy"), or always ("fresh").',
        parsers.one_of("lazy", "fresh"),
    )
    CLAIMS: ClaimsHook | None = option(
        None,
        "`callable(user, session) → dict`, or its dotted path: custom claims, for each new token.",
        parsers.optional(parsers.importable),
    )
    USER_AUTHENTICATION_RULE: Rule = option(
        default_user_authentication_rule,
        "`callable(user) → bool` (or its dotted path): who may log in, refresh and use a token.",
        parsers.importable,
    )
    PASSWORD_CHANGE_ENDS: Literal["all", "none"] = option(
        "all",
        'Which of the user\'s sessions a new password ends: "all" or "none".',
        parsers.one_of("all", "none"),
    )
    REVOCATION_POLL_INTERVAL: float | None = option(
        1.0,
        "Seconds (or a `timedelta`) between polls for sessions that other processes ended. "
        "0: query in every request. None: never poll.",
        parsers.optional(parsers.seconds),
    )
    REVOCATION_MAX_STALENESS: float = option(
        60.0,
        "Seconds (or a `timedelta`) for which polls may fail; after that, requests get a 503.",
        parsers.seconds,
    )
    TOKEN_REVOCATION_BROKER: str | None = option(
        None,
        "The URL of a Redis or Valkey server that tells all processes immediately when a session "
        "ends. None: processes only poll the database.",
        parsers.optional(parsers.broker_url),
        secret=True,
    )
    ADOPT_TOKENS_UNTIL: float = option(
        0.0,
        "Aware `datetime`, or ISO 8601 string, until which legacy tokens are accepted.",
        parsers.instant,
    )
    LOGIN_THROTTLE: ThrottleRates | None = option(
        ThrottleRates(),
        'Limits of failed logins: `{"username": "10/min", "address": "100/min"}`. None: no limit.',
        parsers.throttle_rates,
    )
    COOKIE: Cookies = option(
        Cookies(), "The cookies of `drf_signet.urls_browser`: a dict, see below.", cookies.parse
    )
    RECORD_CLIENT: bool = option(
        True, "Store the user agent and IP address of the login with the session.", parsers.boolean
    )
    TENANT: TenantHook | None = option(
        None,
        "`callable(request or None) → str`, or its dotted path: the tenant of a request. "
        "Only its tokens are accepted. None: no tenants, or the schema of django-tenants.",
        parsers.optional(parsers.importable),
    )

    def rotates(self, transport: str) -> bool:
        """Return whether a refresh issues a new refresh token. With cookies, it always does."""
        return transport == "cookie" or self.ROTATE_REFRESH_TOKENS

    @property
    def ends_with_password(self) -> bool:
        """Whether a session ends when its user gets a new password."""
        return self.PASSWORD_CHANGE_ENDS != "none"  # noqa: S105 - not a password

    def idle_lifetime(self, transport: str, idle_seconds: int | None = None) -> timedelta:
        """Return the lifetime of a refresh token.

        Args:
            idle_seconds: the value that is stored with the session; it overrides the settings.
        """
        if idle_seconds is not None:
            return timedelta(seconds=abs(idle_seconds))
        return self.COOKIE.IDLE_LIFETIME if transport == "cookie" else self.REFRESH_TOKEN_LIFETIME

    def login_lifetime(self, transport: str) -> timedelta:
        """Return the time from the login to the expiry of the session."""
        return self.SESSION_LIFETIME if self.rotates(transport) else self.REFRESH_TOKEN_LIFETIME


@sensitive_variables("signet", "shared", "given", "values")
def parse(signet: Mapping[str, Any], shared: Mapping[str, SharedSettings]) -> Settings:
    """Parse the `SIGNET` dict, combined with settings from other packages.

    Args:
        signet: the `SIGNET` dict. Its values override values of the same name in `shared`.
        shared: the name of another package's Django setting → the values to take from it.

    Raises:
        ImproperlyConfigured: a name is unknown (the message suggests the closest name), or a value
            is not valid.
    """
    if unknown := options.unknown(Settings, signet):
        lines = [f"SIGNET has no setting {x!r}.{options.suggest(Settings, x)}" for x in unknown]
        raise ImproperlyConfigured("\n".join(lines))
    given, sources = dict(signet), dict.fromkeys(signet, "SIGNET")
    for setting, values in shared.items():
        sources = dict.fromkeys(values, setting) | sources
        given = {**values, **given}
    try:
        settings = options.build(Settings, given, called=lambda name: f"{sources[name]}[{name!r}]")
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from error
    if settings.TOKEN_PROFILE and not (settings.ISSUER and settings.AUDIENCE):
        message = "SIGNET['TOKEN_PROFILE']: at+jwt needs ISSUER and AUDIENCE (RFC 9068 §2.2)"
        raise ImproperlyConfigured(message)
    return settings


@functools.cache
def current() -> Settings:
    """Return the current settings.

    Raises:
        ImproperlyConfigured: see `parse`.
    """
    return parse(given("SIGNET"), {name: read(given(name)) for name, read in _shared.items()})


#: The name of another package's Django setting → the function that reads the values from it.
_shared: dict[str, Callable[[Mapping[str, Any]], SharedSettings]] = {}


def share(setting: str, read: Callable[[Mapping[str, Any]], SharedSettings]) -> None:
    """Register another package's Django setting. Its values apply if `SIGNET` does not set them.

    Args:
        setting: the name of a dict in Django's settings.
        read: takes that dict, and returns the values under the names that `SIGNET` uses.
    """
    _shared[setting] = read
    caches.watched.add(setting)
    caches.clear_caches()  # the cached results do not contain the values of this setting yet


def given(name: str) -> Mapping[str, Any]:
    """Return a dict from Django's settings, or an empty dict if the project does not set it.

    Raises:
        ImproperlyConfigured: the setting is not a dict.
    """
    value = getattr(django_settings, name, None) or {}
    if not isinstance(value, Mapping):
        raise ImproperlyConfigured(f"{name} must be a dict")
    return value


def secrets() -> Sequence[str | bytes]:
    """Return SECRET_KEY, followed by SECRET_KEY_FALLBACKS."""
    return [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]


caches.clear_on_change(current)
