"""What becomes of each setting, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from drf_signet import conf, runtime, shared
from drf_signet.errors import UnusableKey
from drf_signet.keys import ALGORITHMS

from .names import ALIAS, PACKAGE, instead, is_of_old

KEPT, OBSOLETE, CHANGES, UNSAFE = "kept", "obsolete", "changes", "unsafe"

#: An access token that lives longer than this is advised against.
LONG = timedelta(hours=1)
_SECRET = frozenset({"SIGNING_KEY"})

_SERIALIZER = f"subclass the view and set its serializer_class; with {ALIAS} it goes on working"
_REVOCATION = (
    "tokens of before are checked by it until ADOPT_TOKENS_UNTIL; then it may go, since a new "
    "password ends the user's sessions without it"
)
_SLIDING = f"there are no sliding tokens; with {ALIAS} they go on working"
#: Settings of simplejwt that are not read here → what takes their place.
_GONE = {
    "AUTH_TOKEN_CLASSES": f"a view takes access tokens; with {ALIAS} it goes on working",
    "BLACKLIST_AFTER_ROTATION": "a rotated token is refused anyway, after ROTATION_GRACE_PERIOD",
    "CHECK_REVOKE_TOKEN": _REVOCATION,
    "CHECK_USER_IS_ACTIVE": "USER_AUTHENTICATION_RULE says who may use a token",
    "JSON_ENCODER": "claims have to be values that JSON knows",
    "JTI_CLAIM": "the claim is called jti",
    "JWK_URL": "keys are in KEYS; none are fetched",
    "REVOKE_TOKEN_CLAIM": _REVOCATION,
    "SLIDING_TOKEN_LIFETIME": _SLIDING,
    "SLIDING_TOKEN_OBTAIN_SERIALIZER": _SLIDING,
    "SLIDING_TOKEN_REFRESH_EXP_CLAIM": _SLIDING,
    "SLIDING_TOKEN_REFRESH_LIFETIME": _SLIDING,
    "SLIDING_TOKEN_REFRESH_SERIALIZER": _SLIDING,
    "TOKEN_BLACKLIST_SERIALIZER": _SERIALIZER,
    "TOKEN_OBTAIN_SERIALIZER": _SERIALIZER,
    "TOKEN_REFRESH_SERIALIZER": _SERIALIZER,
    "TOKEN_TYPE_CLAIM": "the claim is called token_type",
    "TOKEN_USER_CLASS": "request.user is of your user model, and loads its row when it is needed",
    "TOKEN_VERIFY_SERIALIZER": _SERIALIZER,
    "UPDATE_LAST_LOGIN": "a login sends Django's user_logged_in, which updates it",
}
_THIRD_PARTIES = ("dj_rest_auth", "djoser")


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What becomes of one thing in the settings, in a sentence; `verdict` is one of four words."""

    verdict: str
    setting: str
    text: str


def on_settings(*, now: float) -> list[Advice]:
    """Return what there is to say of the settings in force.

    Args:
        now: POSIX seconds.

    Raises:
        ImproperlyConfigured: SIGNET or SIMPLE_JWT is no dict.
    """
    given, signet = conf.given("SIMPLE_JWT"), conf.given("SIGNET")
    found = [*_on_adoption(given, signet, now), *_on_rotation(given, signet)]
    found += [*_on_simple_jwt(given, signet), *_on_key()]
    return [*found, *_on_apps(), *_on_authentication()]


def proposal() -> list[str]:
    """Return the lines of a `SIGNET` that replaces SIMPLE_JWT; secrets are not written out."""
    given, signet = conf.given("SIMPLE_JWT"), conf.given("SIGNET")
    shared = conf.shared_values(given)
    if shared.get("SIGNING_KEY") == django_settings.SECRET_KEY:
        del shared["SIGNING_KEY"]  # the default, and rotates by SECRET_KEY_FALLBACKS
    moved = [(name, shared[name]) for name in sorted(shared.keys() - signet.keys())]
    return [f'    "{name}": {_written(name, value)},' for name, value in moved]


def _written(name: str, value: Any) -> str:
    if name in _SECRET:
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
            "is not set: tokens of old are refused, and everybody logs in again; "
            f'"{until}" is when the last one expires that was issued by now'
        )
        yield Advice(verdict=UNSAFE, setting='SIGNET["ADOPT_TOKENS_UNTIL"]', text=text)


def _on_rotation(given: Mapping[str, Any], signet: Mapping[str, Any]) -> Iterator[Advice]:
    rotates, used_up = (
        given.get(name) for name in ("ROTATE_REFRESH_TOKENS", "BLACKLIST_AFTER_ROTATION")
    )
    asked = "ROTATE_REFRESH_TOKENS" in signet or not conf.stands_in_for_simplejwt()
    if rotates and not used_up and not asked:
        text = "without BLACKLIST_AFTER_ROTATION rotated tokens stay good, as before; in SIGNET not"
        yield Advice(verdict=UNSAFE, setting="ROTATE_REFRESH_TOKENS", text=text)


def _on_simple_jwt(given: Mapping[str, Any], signet: Mapping[str, Any]) -> Iterator[Advice]:
    for name, value in given.items():
        setting = f'SIMPLE_JWT["{name}"]'
        if (concern := _concern(name, value)) is not None:
            yield Advice(verdict=UNSAFE, setting=setting, text=concern)
        elif name in signet:
            yield Advice(verdict=OBSOLETE, setting=setting, text="SIGNET has it, and wins")
        elif name in shared.SHARED_WITH_SIMPLE_JWT:
            yield Advice(verdict=KEPT, setting=setting, text="is read as it is; belongs in SIGNET")
        elif name in shared.READ_UNDER_THE_ALIAS and conf.stands_in_for_simplejwt():
            text = f"goes on working with the alias. Without it: {_GONE[name]}"
            yield Advice(verdict=KEPT, setting=setting, text=text)
        elif name in shared.READ_WITH_TOKENS_OF_OLD:
            yield Advice(verdict=KEPT, setting=setting, text=_GONE[name])
        else:
            text = _GONE.get(name, "has no meaning in simplejwt 5.5 either")
            yield Advice(verdict=OBSOLETE, setting=setting, text=text)


def _renamed(standard: str) -> Callable[[Any], str | None]:
    text = f"is not {standard}: tokens of old are refused, and their users log in again"
    return lambda value: None if value == standard else text


def _concern_with_lifetime(value: Any) -> str | None:
    long = isinstance(value, timedelta) and value > LONG
    return "is long: clients refresh by themselves, so minutes are enough" if long else None


#: Settings → what is wrong with a value of theirs, if anything is.
_CONCERNS: Mapping[str, Callable[[Any], str | None]] = {
    "ACCESS_TOKEN_LIFETIME": _concern_with_lifetime,
    "CHECK_USER_IS_ACTIVE": lambda value: (
        None if value else "is off: inactive users get in; without the alias they do not"
    ),
    "JTI_CLAIM": _renamed("jti"),
    "JWK_URL": lambda value: (
        "keys are not fetched: tokens of that issuer are refused" if value else None
    ),
    "ROTATE_REFRESH_TOKENS": lambda value: (
        None if value else "is off: a stolen refresh token works unseen until it expires"
    ),
    "TOKEN_TYPE_CLAIM": _renamed("token_type"),
}


def _concern(name: str, value: Any) -> str | None:
    judge = _CONCERNS.get(name)
    return judge(value) if judge else None


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
        text = "signs, as it did; SECRET_KEY_FALLBACKS verify too, so it can be changed"
        yield Advice(verdict=KEPT, setting="SECRET_KEY", text=text)


def _on_apps() -> Iterator[Advice]:
    installed = list(django_settings.INSTALLED_APPS)
    aliased = conf.stands_in_for_simplejwt()
    for name in installed:
        if name == PACKAGE:
            text = f"take it out, or put {ALIAS} in its place"
            yield _on_app(name, OBSOLETE, "take it out" if aliased else text)
        elif is_of_old(name):
            yield _on_app(name, KEPT, "keep it until its tables are dropped")
        elif name.split(".")[0] in _THIRD_PARTIES and not aliased:
            yield _on_app(name, CHANGES, f"needs {ALIAS} before it, or it goes on with simplejwt")


def _on_app(name: str, verdict: str, text: str) -> Advice:
    return Advice(verdict=verdict, setting=f'INSTALLED_APPS "{name}"', text=text)


def _on_authentication() -> Iterator[Advice]:
    given = getattr(django_settings, "REST_FRAMEWORK", {}).get("DEFAULT_AUTHENTICATION_CLASSES", ())
    for one in given:
        name = one if isinstance(one, str) else f"{one.__module__}.{one.__qualname__}"
        if is_of_old(name):
            verdict = KEPT if conf.stands_in_for_simplejwt() else CHANGES
            setting = f'DEFAULT_AUTHENTICATION_CLASSES "{name}"'
            yield Advice(verdict=verdict, setting=setting, text=f"write {instead(name)}")
