"""The checks of `check --deploy`, for settings that work, but are unsafe in production."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004
from django.core.exceptions import ImproperlyConfigured

from .. import runtime
from ..conf import settings as conf
from ..conf.parsers import ThrottleRates
from ..errors import UnusableKey
from ..jose.keys import MIN_SECRET_BYTES, Key, as_bytes
from ..sessions import broadcast
from ..transports import clients

#: The longest lifetime of an access token that gets no warning.
LONGEST_ACCESS = timedelta(hours=1)
#: The longest time without a refresh that gets no warning.
LONGEST_IDLE = timedelta(days=90)
#: A secret with fewer different characters gets a warning, as SECRET_KEY does (security.W009).
MIN_UNIQUE_CHARACTERS = 5
#: The prefix of the secrets that `django-admin startproject` generates.
_INSECURE_PREFIX = b"django-insecure-"
#: Cache backends that do not share data between processes.
_UNSHARED_CACHES = ("locmem.LocMemCache", "dummy.DummyCache")
#: Django settings that show that the project is behind a proxy.
_PROXY_SETTINGS = ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")
_NUM_PROXIES_HINT = (
    "Set NUM_PROXIES in REST_FRAMEWORK to the number of your proxies that append to "
    "X-Forwarded-For, or to 0 if REMOTE_ADDR is the address of the client."
)


@register(Tags.security, deploy=True)
def check_deployment(**kwargs: Any) -> list[CheckMessage]:
    """Report settings that are unsafe in production (W003, W005 to W013, W019, W020)."""
    try:
        settings = conf.current()
    except ImproperlyConfigured:
        return []  # `check_settings` reports signet.E001
    checks = (
        _check_shared_secret,
        _check_weak_secrets,
        _check_rotation,
        _check_lifetimes,
        _check_feed,
        _check_throttle,
        _check_cookie,
        _check_address,
        _check_password_change,
        _check_broker,
    )
    return [message for check in checks for message in check(settings)]


def _check_shared_secret(settings: conf.Settings) -> Iterator[CheckMessage]:
    secrets = _secrets(settings)
    if settings.KEY_PROVIDER is not None:
        return  # these secrets stop signing at the first rotation
    if secrets and as_bytes(secrets[0]) == as_bytes(django_settings.SECRET_KEY):
        message = (
            "SECRET_KEY signs the tokens, and also cookies, password resets and everything else "
            "that Django signs."
        )
        hint = (
            "Set SIGNING_KEY or KEYS to a secret for tokens only: you can replace it separately. "
            "Keep SECRET_KEY as the last of KEYS until its tokens have expired."
        )
        yield Warning(message, hint=hint, id="signet.W009")


def _check_weak_secrets(settings: conf.Settings) -> Iterator[CheckMessage]:
    own = set(map(as_bytes, _secrets(settings))) - set(map(as_bytes, conf.secrets()))
    if any(map(_is_weak, own)):  # Django checks its own secrets: security.W009 and W025
        message = "A secret of SIGNING_KEY or KEYS can be guessed."
        hint = (
            f"It begins with {_INSECURE_PREFIX.decode()} or has fewer than {MIN_UNIQUE_CHARACTERS} "
            "different characters. Generate another: "
            "`python -c 'import secrets; print(secrets.token_urlsafe(64))'`."
        )
        yield Warning(message, hint=hint, id="signet.W010")


def _secrets(settings: conf.Settings) -> list[str | bytes]:
    """Return the shared secrets of the key ring; the first signs. Keys as a JWK are left out."""
    try:
        keys = runtime.key_ring(settings).keys
    except UnusableKey:
        return []  # `check_settings` reports signet.E002
    return [key.material for key in keys if _is_secret(key)]  # type: ignore[misc]


def _is_secret(key: Key) -> bool:
    return key.algorithm in MIN_SECRET_BYTES and isinstance(key.material, str | bytes)


def _is_weak(secret: bytes) -> bool:
    return secret.startswith(_INSECURE_PREFIX) or len(set(secret)) < MIN_UNIQUE_CHARACTERS


def _check_rotation(settings: conf.Settings) -> Iterator[CheckMessage]:
    if not settings.ROTATE_REFRESH_TOKENS:
        message = (
            "ROTATE_REFRESH_TOKENS is off: a stolen refresh token can be used unnoticed until it "
            "expires."
        )
        hint = (
            "With rotation, a replayed token ends the session (RFC 9700 §4.14). Clients must store "
            "the refresh token of each response."
        )
        yield Warning(message, hint=hint, id="signet.W003")


def _check_lifetimes(settings: conf.Settings) -> Iterator[CheckMessage]:
    cookie = settings.COOKIE
    remembered = cookie.REMEMBERED_IDLE_LIFETIME or cookie.IDLE_LIFETIME
    lifetimes = {
        "ACCESS_TOKEN_LIFETIME": (settings.ACCESS_TOKEN_LIFETIME, LONGEST_ACCESS),
        "REFRESH_TOKEN_LIFETIME": (settings.REFRESH_TOKEN_LIFETIME, LONGEST_IDLE),
        "IDLE_LIFETIME in COOKIE": (cookie.IDLE_LIFETIME, LONGEST_IDLE),
        "REMEMBERED_IDLE_LIFETIME in COOKIE": (remembered, LONGEST_IDLE),
    }
    for name, (lifetime, longest) in lifetimes.items():
        if lifetime > longest:
            message = f"{name} is {lifetime}, which is longer than {longest}."
            hint = "A stolen token can be used until it expires. Choose a shorter lifetime."
            yield Warning(message, hint=hint, id="signet.W011")


def _check_feed(settings: conf.Settings) -> Iterator[CheckMessage]:
    if settings.REVOCATION_POLL_INTERVAL is None:
        message = (
            "REVOCATION_POLL_INTERVAL is None: after a logout, other processes accept the access "
            "tokens of the session until they expire."
        )
        hint = "Remove the setting. A poll is one statement per process and second."
        yield Warning(message, hint=hint, id="signet.W012")


def _check_throttle(settings: conf.Settings) -> Iterator[CheckMessage]:
    rates, backend = settings.LOGIN_THROTTLE, django_settings.CACHES["default"]["BACKEND"]
    if rates is None or not (rates.username or rates.address):
        message = "LOGIN_THROTTLE is off: passwords can be guessed without a limit."
        hint = "Set LOGIN_THROTTLE, or silence this if another package limits failed logins."
        yield Warning(message, hint=hint, id="signet.W013")
    elif backend.endswith(_UNSHARED_CACHES):
        message = "LOGIN_THROTTLE counts failed logins in a cache that processes do not share."
        hint = "Each process allows the full rate. Use Redis or Memcached."
        yield Warning(message, hint=hint, id="signet.W005")


def _check_cookie(settings: conf.Settings) -> Iterator[CheckMessage]:
    if not settings.COOKIE.SECURE:
        message = "SECURE in COOKIE is off: the refresh cookie is also sent over plain http."
        hint = 'Turn it on in production: `"SECURE": not DEBUG`.'
        yield Warning(message, hint=hint, id="signet.W006")


def _check_broker(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Publish an empty message, which processes ignore."""
    try:
        if broker := broadcast.connect():
            with closing(broker):
                broker.publish(b"")
    except ImproperlyConfigured:
        return  # `check_settings` reports signet.E001
    except Exception as error:
        message = f"TOKEN_REVOCATION_BROKER cannot be used: {type(error).__name__}: {error}"
        hint = "Until this is fixed, other processes learn of ended sessions only by polling."
        yield Warning(message, hint=hint, id="signet.W020")


def _check_password_change(settings: conf.Settings) -> Iterator[CheckMessage]:
    if not settings.ends_with_password:
        message = (
            'PASSWORD_CHANGE_ENDS is "none": anyone with a stolen token or the old password '
            "stays logged in after a new password."
        )
        hint = (
            'Set it to "all", and call drf_signet.keep(request) in the view that changes the '
            "password: then only the client that changes the password stays logged in."
        )
        yield Warning(message, hint=hint, id="signet.W019")


def _check_address(settings: conf.Settings) -> Iterator[CheckMessage]:
    rates = settings.LOGIN_THROTTLE or ThrottleRates(username=None, address=None)
    if not (rates.username or rates.address or settings.RECORD_CLIENT):
        return  # no setting uses the addresses of clients
    number = clients.num_proxies()
    if not clients.is_proxy_count(number):
        message = f"NUM_PROXIES is {number!r}, so the addresses of clients are unknown."
        yield Warning(message, hint=_NUM_PROXIES_HINT, id="signet.W007")
    elif number is None:
        yield from _check_unset_proxies(rates)


def _check_unset_proxies(rates: ThrottleRates) -> Iterator[CheckMessage]:
    if proxies := [name for name in _PROXY_SETTINGS if getattr(django_settings, name)]:
        message = (
            f"The project is behind a proxy ({', '.join(proxies)}), but NUM_PROXIES is not set: "
            "all clients have the address of the proxy, and share one limit of failed logins."
        )
        yield Warning(message, hint=_NUM_PROXIES_HINT, id="signet.W008")
    elif rates.address and not rates.username:
        message = (
            "LOGIN_THROTTLE counts only per address, so logins are not limited if the address of "
            "the client is unknown, for example behind a Unix socket."
        )
        yield Warning(message, hint=_NUM_PROXIES_HINT, id="signet.W007")
