"""The checks of the setting `SIGNET` and of the keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, reverse

from .. import runtime
from ..conf import settings as conf
from ..errors import (
    DuplicateKid,
    ShortKey,
    ShortSecret,
    UnusableKey,
    WrongCurve,
    WrongKeyUse,
)
from ..jose.keys import MIN_SECRET_BYTES
from . import keys


@register(Tags.security)
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Report invalid settings (E001), unusable keys (E002, E010 to E016) and secrets (W001)."""
    try:
        current = runtime.current()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="signet.E001")]
    except UnusableKey as error:
        return [_unusable(error)]
    return [*_check_secrets(current.settings), *keys.check(current)]


#: Why a key cannot be used → the id of the check.
_IDS: Mapping[type[UnusableKey], str] = {
    DuplicateKid: "signet.E010",
    WrongKeyUse: "signet.E011",
    WrongCurve: "signet.E012",
    ShortKey: "signet.E013",
    ShortSecret: "signet.E014",
}


def _unusable(error: UnusableKey) -> CheckMessage:
    hint = "See ALGORITHM, SIGNING_KEY, VERIFYING_KEY and KEYS."
    check_id = _IDS.get(type(error), "signet.E002")
    return Error(f"The signing key cannot be used: {error}.", hint=hint, id=check_id)


@register(Tags.urls)
def check_cookie_path(**kwargs: Any) -> list[CheckMessage]:
    """Report a cookie PATH with which browsers do not send the cookie to the endpoints (E005)."""
    try:
        path, url = conf.current().COOKIE.PATH, reverse("signet_browser:refresh")
    except (ImproperlyConfigured, NoReverseMatch):
        return []  # the settings are invalid (E001), or the project has no such endpoint
    if f"{url}/".startswith(f"{path.rstrip('/')}/"):  # how browsers match paths: RFC 6265 §5.1.4
        return []
    message = f"The refresh cookie has the path {path}, and is not sent to {url}."
    hint = 'Set PATH in COOKIE to the path of drf_signet.urls_browser, or to "/".'
    return [Error(message, hint=hint, id="signet.E005")]


def _check_secrets(settings: conf.Settings) -> Iterator[CheckMessage]:
    signing, *verifying = (key.is_short for key in runtime.key_ring(settings).keys)
    if signing:
        subject = "SECRET_KEY signs"
        hint = (
            "Set a longer SECRET_KEY, and put the old one into SECRET_KEY_FALLBACKS: otherwise all "
            "users are logged out."
        )
    elif any(verifying):
        subject = "One of SECRET_KEY_FALLBACKS verifies"
        hint = "Remove it once the tokens that it signed have expired."
    else:
        return
    algorithm = settings.ALGORITHM
    needed = MIN_SECRET_BYTES[algorithm]
    message = f"{subject} tokens with {algorithm} and is shorter than {needed} bytes."
    yield Warning(message, hint=hint, id="signet.W001")
