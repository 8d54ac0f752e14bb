"""The checks of keys that can be loaded: whether they are secret, and when they sign."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004

from .. import runtime
from ..jose import jwks
from ..jose.keys import Key, KeyRing
from ..jose.loading import LoadedKey
from ..jose.published import is_published
from ..keys import database
from ..runtime import Runtime
from ..sessions import lifetimes


def check(current: Runtime) -> Iterator[CheckMessage]:
    """Report published secrets (E015) and gaps in the times of KEYS (E016, W021, W022).

    Also report new keys that are not published for long enough (W026).
    """
    ring = runtime.key_ring(current.settings)
    yield from _check_published(ring)
    if current.settings.KEYS:
        yield from _check_times(ring, current)
    if database.is_in_use():
        yield from _check_publication(current)


def _check_published(ring: KeyRing) -> Iterator[CheckMessage]:
    secrets = (LoadedKey.load(key).secret() for key in ring.keys)
    if any(is_published(secret) for secret in secrets if secret is not None):
        message = "A secret that verifies tokens is published: everyone can sign valid tokens."
        hint = (
            "It is the example of a specification, a tutorial or a product. Generate another: "
            "`python -c 'import secrets; print(secrets.token_urlsafe(64))'`."
        )
        yield Error(message, hint=hint, id="signet.E015")


def _check_times(ring: KeyRing, current: Runtime) -> Iterator[CheckMessage]:
    now = runtime.now()
    if ring.signing_key(now) is None:
        message = "No key of KEYS signs now: each has expired, or its not_before is in the future."
        hint = "Add a key without times, or change not_before and not_after."
        yield Error(message, hint=hint, id="signet.E016")
        return
    longest = lifetimes.longest_of_a_token(current.settings).total_seconds()
    for key, ends in _ends_of_signing(ring, now):
        if ends == key.not_after and ring.signing_key(ends) is None:
            message = f"From {_iso(ends)} on, no key of KEYS signs, and nobody can log in."
            hint = "Add the next key, with a not_before before that time."
            yield Warning(message, hint=hint, id="signet.W021")
        elif key.not_after < ends + longest:
            message = (
                f"A key of KEYS signs until {_iso(ends)} and expires at {_iso(key.not_after)}: "
                "its last tokens are refused before they expire."
            )
            hint = "Set not_after to the longest lifetime of a token after the next key signs."
            yield Warning(message, hint=hint, id="signet.W022")


def _check_publication(current: Runtime) -> Iterator[CheckMessage]:
    ahead = current.settings.KEY_ROTATION.PUBLISHED_AHEAD
    if ahead < timedelta(seconds=jwks.MAX_AGE):
        message = (
            f"PUBLISHED_AHEAD in KEY_ROTATION is {ahead}, but services keep the public keys for "
            f"{timedelta(seconds=jwks.MAX_AGE)}: they refuse the first tokens of each new key."
        )
        hint = "Choose a longer PUBLISHED_AHEAD. Ignore this if no service reads the JWKS."
        yield Warning(message, hint=hint, id="signet.W026")


def _ends_of_signing(ring: KeyRing, now: float) -> Iterator[tuple[Key, float]]:
    """Yield each key that signs now or later, and when the next key signs or the key expires.

    Stop when no key signs, and at a key that signs forever.
    """
    begins = now
    while (key := ring.signing_key(begins)) is not None:
        ends = begins
        while ends < math.inf and ring.signing_key(ends) is key:
            ends = ring.period(ends)[1]
        if ends == math.inf:
            return
        yield key, ends
        begins = ends


def _iso(seconds: float) -> str:
    # As a float, `datetime.max` is rounded up to the year 10000, which no datetime can have.
    latest = datetime.max.replace(microsecond=0, tzinfo=UTC).timestamp()
    return datetime.fromtimestamp(min(seconds, latest), tz=UTC).isoformat(timespec="seconds")
