"""Advice on the settings of a project that moves from simplejwt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from drf_signet import runtime
from drf_signet.conf import settings as conf
from drf_signet.errors import UnusableKey
from drf_signet.jose.keys import ALGORITHMS

from .. import alias, shared_settings
from .names import ALIAS, PACKAGE, instead, is_simplejwt_name
from .sources import Code, Place

KEPT, OBSOLETE, CHANGES, UNSAFE = "kept", "obsolete", "changes", "unsafe"

#: The report warns about an ACCESS_TOKEN_LIFETIME that is longer than this.
LONG = timedelta(hours=1)
#: Settings whose values are secret, so the report does not show these values.
_SECRET_SETTINGS = frozenset({"SIGNING_KEY"})

_SERIALIZER = f"subclass the view and set its serializer_class; with {ALIAS} it still works"
_REVOCATION = (
    "checks legacy tokens until ADOPT_TOKENS_UNTIL; then remove it, since a new password ends "
    "the user's sessions without it"
)
_SLIDING = f"there are no sliding tokens; with {ALIAS} they still work"
#: simplejwt setting that drf_signet does not have → the advice on this setting.
_REPLACED = {
    "AUTH_TOKEN_CLASSES": f"views accept access tokens only; with {ALIAS} it still works",
    "BLACKLIST_AFTER_ROTATION": "a rotated token is refused anyway, after ROTATION_GRACE_PERIOD",
    "CHECK_REVOKE_TOKEN": _REVOCATION,
    "CHECK_USER_IS_ACTIVE": "USER_AUTHENTICATION_RULE decides who may use a token",
    "JSON_ENCODER": "claims must be values that JSON supports",
    "JTI_CLAIM": "the name of the claim is always jti",
    "JWK_URL": "list the keys in KEYS; key sets are not fetched",
    "REVOKE_TOKEN_CLAIM": _REVOCATION,
    "SLIDING_TOKEN_LIFETIME": _SLIDING,
    "SLIDING_TOKEN_OBTAIN_SERIALIZER": _SLIDING,
    "SLIDING_TOKEN_REFRESH_EXP_CLAIM": _SLIDING,
    "SLIDING_TOKEN_REFRESH_LIFETIME": _SLIDING,
    "SLIDING_TOKEN_REFRESH_SERIALIZER": _SLIDING,
    "TOKEN_BLACKLIST_SERIALIZER": _SERIALIZER,
    "TOKEN_OBTAIN_SERIALIZER": _SERIALIZER,
    "TOKEN_REFRESH_SERIALIZER": _SERIALIZER,
    "TOKEN_TYPE_CLAIM": "the name of the claim is always token_type",
    "TOKEN_USER_CLASS": "request.user is of your user model, and loads its row when needed",
    "TOKEN_VERIFY_SERIALIZER": _SERIALIZER,
    "UPDATE_LAST_LOGIN": "a login sends Django's user_logged_in, which updates it",
}
_THIRD_PARTIES = ("dj_rest_auth", "djoser")


@dataclass(frozen=True, kw_only=True)
class Advice:
    """The advice on one setting, app or class. `verdict` is one of the four constants above."""

    verdict: str
    setting: str
    text: str


def on_settings(code: Code, *, now: float) -> list[Advice]:
    """Return the advice on the project's current settings.

    Args:
        code: what the project's own code uses.
        now: the current time, in POSIX seconds.

    Raises:
        ImproperlyConfigured: SIGNET or SIMPLE_JWT is not a dict.
    """
    given, signet = conf.given("SIMPLE_JWT"), conf.given("SIGNET")
    return [
        *_on_adoption(given, signet, now),
        *_on_rotation(given, signet),
        *_on_simple_jwt(given, signet, code.readers),
        *_on_key(),
        *_on_apps(),
        *_on_authentication(),
    ]


def proposal() -> list[str]:
    """Return the lines of a `SIGNET` dict that can replace SIMPLE_JWT. They contain no secrets."""
    given, signet = conf.given("SIMPLE_JWT"), conf.given("SIGNET")
    values = shared_settings.shared_values(given)
    if values.get("SIGNING_KEY") == django_settings.SECRET_KEY:
        del values["SIGNING_KEY"]  # SECRET_KEY is the default, and supports fallbacks
    moved = [(name, values[name]) for name in sorted(values.keys() - signet.keys())]
    return [f'    "{name}": {_as_source(name, value)},' for name, value in moved]


def _as_source(name: str, value: Any) -> str:
    if name in _SECRET_SETTINGS:
        return f'SIMPLE_JWT["{name}"]'
    return repr(value).removeprefix("datetime.")


def _on_adoption(
    given: Mapping[str, Any], signet: Mapping[str, Any], now: float
) -> Iterator[Advice]:
    if not signet.get("ADOPT_TOKENS_UNTIL"):
        lifetime = given.get("REFRESH_TOKEN_LIFETIME")
        if not isinstance(lifetime, timedelta):
            lifetime = conf.Settings.REFRESH_TOKEN_LIFETIME
        until = (datetime.fromtimestamp(now, UTC) + lifetime).isoformat(timespec="seconds")
        text = (
            "is not set: legacy tokens are refused, so all users have to log in again; "
            f'all tokens issued so far expire by "{until}"'
        )
        yield Advice(verdict=UNSAFE, setting='SIGNET["ADOPT_TOKENS_UNTIL"]', text=text)


def _on_rotation(given: Mapping[str, Any], signet: Mapping[str, Any]) -> Iterator[Advice]:
    rotates, used_up = (
        given.get(name) for name in ("ROTATE_REFRESH_TOKENS", "BLACKLIST_AFTER_ROTATION")
    )
    always_used_up = "ROTATE_REFRESH_TOKENS" in signet or not alias.in_installed_apps()
    if rotates and not used_up and not always_used_up:
        text = (
            "without BLACKLIST_AFTER_ROTATION, rotated tokens stay valid, as in simplejwt; "
            "set ROTATE_REFRESH_TOKENS in SIGNET to refuse them"
        )
        yield Advice(verdict=UNSAFE, setting="ROTATE_REFRESH_TOKENS", text=text)


def _on_simple_jwt(
    given: Mapping[str, Any], signet: Mapping[str, Any], readers: Mapping[str, list[Place]]
) -> Iterator[Advice]:
    for advice in _on_keys(given, signet):
        name = advice.setting.split('"')[1]
        places = readers.get(name, ())
        if not places or advice.verdict == UNSAFE:
            yield advice
            continue
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        text = f"{advice.text}. Keep it here: your code reads it at {places[0]}{more}"
        yield replace(advice, verdict=KEPT, text=text)


def _on_keys(given: Mapping[str, Any], signet: Mapping[str, Any]) -> Iterator[Advice]:
    for name, value in given.items():
        setting = f'SIMPLE_JWT["{name}"]'
        if (warning := _warning(name, value)) is not None:
            yield Advice(verdict=UNSAFE, setting=setting, text=warning)
        elif name in signet:
            yield Advice(verdict=OBSOLETE, setting=setting, text="is overridden by SIGNET")
        elif name in shared_settings.SHARED:
            yield Advice(verdict=KEPT, setting=setting, text="is read; move it to SIGNET")
        elif name in shared_settings.READ_BY_ALIAS and alias.in_installed_apps():
            text = f"still works with the alias. Without the alias: {_REPLACED[name]}"
            yield Advice(verdict=KEPT, setting=setting, text=text)
        elif name in shared_settings.READ_BY_ADOPTION:
            yield Advice(verdict=KEPT, setting=setting, text=_REPLACED[name])
        else:
            text = _REPLACED.get(name, "is not a setting of simplejwt 5.5")
            yield Advice(verdict=OBSOLETE, setting=setting, text=text)


def _warn_unless(standard: str) -> Callable[[Any], str | None]:
    text = f"is not {standard}: legacy tokens are refused, so their users have to log in again"
    return lambda value: None if value == standard else text


def _warn_of_long_lifetime(value: Any) -> str | None:
    is_long = isinstance(value, timedelta) and value > LONG
    return "is long: clients refresh by themselves, so minutes are enough" if is_long else None


#: Setting → a function that returns a warning about a value, or None if the value is safe.
_WARNINGS: Mapping[str, Callable[[Any], str | None]] = {
    "ACCESS_TOKEN_LIFETIME": _warn_of_long_lifetime,
    "CHECK_USER_IS_ACTIVE": lambda value: (
        None if value else "is off: inactive users may log in; without the alias they may not"
    ),
    "JTI_CLAIM": _warn_unless("jti"),
    "JWK_URL": lambda value: (
        "key sets are not fetched: tokens of that issuer are refused" if value else None
    ),
    "ROTATE_REFRESH_TOKENS": lambda value: (
        None if value else "is off: a stolen refresh token works unnoticed until it expires"
    ),
    "TOKEN_TYPE_CLAIM": _warn_unless("token_type"),
}


def _warning(name: str, value: Any) -> str | None:
    warn = _WARNINGS.get(name)
    return warn(value) if warn else None


def _on_key() -> Iterator[Advice]:
    try:
        settings = runtime.current().settings
    except UnusableKey as error:
        text = f"it cannot be used: {error}"
        yield Advice(verdict=UNSAFE, setting="the signing key", text=text)
        return
    except ImproperlyConfigured as error:
        yield Advice(verdict=UNSAFE, setting="SIGNET", text=str(error))
        return
    own = settings.SIGNING_KEY is not None and settings.SIGNING_KEY != django_settings.SECRET_KEY
    if ALGORITHMS[settings.ALGORITHM] == "oct" and not own and not settings.KEYS:
        text = "signs tokens, as before; you can change it, since SECRET_KEY_FALLBACKS verify too"
        yield Advice(verdict=KEPT, setting="SECRET_KEY", text=text)


def _on_apps() -> Iterator[Advice]:
    installed = list(django_settings.INSTALLED_APPS)
    aliased = alias.in_installed_apps()
    for name in installed:
        if name == PACKAGE:
            text = "remove it" if aliased else f"remove it, or replace it with {ALIAS}"
            yield _on_app(name, OBSOLETE, text)
        elif is_simplejwt_name(name):
            yield _on_app(name, KEPT, "keep it until its tables are dropped")
        elif name.split(".")[0] in _THIRD_PARTIES and not aliased:
            yield _on_app(name, CHANGES, f"put {ALIAS} before it, or it still uses simplejwt")


def _on_app(name: str, verdict: str, text: str) -> Advice:
    return Advice(verdict=verdict, setting=f'INSTALLED_APPS "{name}"', text=text)


def _on_authentication() -> Iterator[Advice]:
    given = getattr(django_settings, "REST_FRAMEWORK", {}).get("DEFAULT_AUTHENTICATION_CLASSES", ())
    for cls in given:
        name = cls if isinstance(cls, str) else f"{cls.__module__}.{cls.__qualname__}"
        if is_simplejwt_name(name):
            verdict = KEPT if alias.in_installed_apps() else CHANGES
            setting = f'DEFAULT_AUTHENTICATION_CLASSES "{name}"'
            yield Advice(verdict=verdict, setting=setting, text=f"write {instead(name)}")
