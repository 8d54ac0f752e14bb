"""The one place that builds, from the settings, what the rest works with.

Built at first use and again after a setting has changed; immutable in between.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model

from . import conf, revocation
from .claims import Rules
from .codec import Codec
from .conf import Settings
from .errors import UnusableKey
from .keys import ALGORITHMS, Key, KeyRing
from .revocation import DatabaseSource, Feed
from .subjects import Subject
from .values import RingEntry
from .verified import VerifiedTokens


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Settings, and what was made of them."""

    settings: Settings
    user_model: type[Any]
    users_are_lazy: bool
    subject: Subject
    rules: Rules
    codec: Codec
    verified: VerifiedTokens
    feed: Feed


@functools.cache
def current() -> Runtime:
    """Return the runtime for the settings in force.

    Raises:
        ImproperlyConfigured: a setting is wrong.
        UnusableKey: a configured key is.
    """
    settings = conf.current()
    lifetime = settings.ACCESS_TOKEN_LIFETIME.total_seconds()
    user_model = get_user_model()
    subject = Subject.of(user_model, settings.USER_ID_FIELD)
    rules = Rules(
        user_key=subject.key,
        user_id_claim=settings.USER_ID_CLAIM,
        issuer=settings.ISSUER,
        audience=settings.AUDIENCE,
        leeway=settings.LEEWAY,
        adopt_until=settings.ADOPT_TOKENS_UNTIL,
        access_span=revocation.longest(access_lifetime=lifetime),
    )
    return Runtime(
        settings=settings,
        user_model=user_model,
        # Only by its primary key can a user be told apart without the row.
        users_are_lazy=settings.USER_LOADING == "lazy" and subject.name == "pk",
        subject=subject,
        rules=rules,
        codec=Codec(key_ring(settings)),
        verified=VerifiedTokens(),
        feed=_feed(settings, revocation.reach(access_lifetime=lifetime, leeway=settings.LEEWAY)),
    )


conf.forget_on_change(current, also=frozenset({"AUTH_USER_MODEL"}))


def _feed(settings: Settings, reach: float) -> Feed:
    return Feed(
        DatabaseSource(),
        interval=settings.REVOCATION_POLL_INTERVAL,
        max_staleness=settings.REVOCATION_MAX_STALENESS,
        reach=reach,
    )


def now() -> float:
    """Return the application's clock, in POSIX seconds."""
    return time.time()


def key_ring(settings: Settings) -> KeyRing:
    """Return the ring that the settings describe: `KEYS`, else the key or keys of the project.

    Raises:
        UnusableKey: a key is unknown, empty or too short, or there is none for the algorithm.
    """
    if settings.KEYS:
        return KeyRing(keys=tuple(_ring_key(entry, settings) for entry in settings.KEYS))
    if ALGORITHMS[settings.ALGORITHM] == "oct":
        return KeyRing(keys=tuple(_secret_keys(settings)))
    material = [one for one in (settings.SIGNING_KEY, settings.VERIFYING_KEY) if one]
    if not material:
        raise UnusableKey(f"{settings.ALGORITHM} needs SIGNING_KEY, VERIFYING_KEY or KEYS")
    return KeyRing(keys=tuple(Key(algorithm=settings.ALGORITHM, material=one) for one in material))


def _ring_key(entry: RingEntry, settings: Settings) -> Key:
    return Key(
        algorithm=entry["alg"] or settings.ALGORITHM, material=entry["key"], kid=entry["kid"]
    )


def _secret_keys(settings: Settings) -> Sequence[Key]:
    """Return the explicit secret; else, also where it is the same, Django's with its fallbacks."""
    secrets = conf.secrets()
    if settings.SIGNING_KEY is not None and secrets[0] != settings.SIGNING_KEY:
        return [Key(algorithm=settings.ALGORITHM, material=settings.SIGNING_KEY)]
    # The project chose these for all of Django; a short one is a warning (signet.W001).
    return [Key(algorithm=settings.ALGORITHM, material=one, allow_short=True) for one in secrets]
