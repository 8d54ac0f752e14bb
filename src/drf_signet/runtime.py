"""Build the objects that depend on settings: key ring, rules, codec, token cache, revocation feed.

They are built on first use, and built again after a setting has changed.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Manager, Model, QuerySet
from django.views.decorators.debug import sensitive_variables

from . import tenants
from .conf import caches
from .conf import settings as conf
from .conf.hooks import TenantHook, default_user_authentication_rule
from .conf.keys import RingEntry
from .conf.providers import ProviderFactory
from .conf.settings import Settings
from .conf.subjects import Subject
from .errors import UnusableKey
from .jose.claims import Rules
from .jose.codec import Codec
from .jose.keys import ALGORITHMS, Key, KeyRing, as_bytes
from .jose.profiles import Profiles
from .jose.verified import VerifiedTokens
from .keys.renewal import Cache, ConfiguredKeys, RenewedKeys
from .sessions import broadcast, opening, revocation
from .sessions.broadcast import ListeningSource
from .sessions.revocation import Feed
from .sessions.scopes import ScopedFeed, ScopedKeys
from .sessions.sources import DatabaseSource, Source


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The settings and the objects that were built from them.

    `login_columns` are the columns of a user that show whether the user has changed since the
    authentication. The value is None if the columns are not enough to show this.
    """

    settings: Settings
    user_model: type[Any]
    users_are_lazy: bool
    users_may_be_hidden: bool
    login_columns: Sequence[str] | None
    subject: Subject
    rules: Rules
    keys: ConfiguredKeys | RenewedKeys | ScopedKeys
    feed: Feed | ScopedFeed
    #: A function that returns the name of a request's tenant (see `tenants.name_of`); None if there
    #: are no tenants.
    tenant_of: TenantHook | None
    #: Whether access tokens are read only from the header, and there are no tenants.
    reads_only_header: bool

    @property
    def codec(self) -> Codec:
        """The codec for tokens with the `typ` JWT, for the keys of the current time."""
        return self.keys.profiles.plain.at(now())

    @property
    def verified(self) -> VerifiedTokens:
        """The cache of tokens that were verified with the current keys."""
        return self.keys.verified


@functools.cache
@sensitive_variables()  # hides keys in the variables of all functions that are called, too
def current() -> Runtime:
    """Return the `Runtime` object for the current settings.

    Raises:
        ImproperlyConfigured: a setting is not valid.
        UnusableKey: a configured key cannot be used.
    """
    settings = conf.current()
    lifetime = settings.ACCESS_TOKEN_LIFETIME.total_seconds()
    reach = revocation.reach(access_lifetime=lifetime, leeway=settings.LEEWAY)
    make_feed = partial(_feed, settings, _source(settings), reach)
    tenant_hook = settings.TENANT or tenants.registered()
    user_model = get_user_model()
    may_be_hidden = _may_hide_rows(user_model._default_manager)
    has_default_rule = settings.USER_AUTHENTICATION_RULE is default_user_authentication_rule
    columns_decide = has_default_rule and not may_be_hidden
    subject = Subject.of(user_model, settings.USER_ID_FIELD, claim=settings.USER_ID_CLAIM)
    rules = Rules(
        user_key=subject.key,
        user_id_claim=settings.USER_ID_CLAIM,
        issuer=settings.ISSUER,
        audience=settings.AUDIENCE,
        leeway=settings.LEEWAY,
        adopt_until=settings.ADOPT_TOKENS_UNTIL,
        client_id=(settings.CLIENT_ID or settings.ISSUER) if settings.TOKEN_PROFILE else None,
        both_profiles_until=settings.BOTH_PROFILES_UNTIL,
        remembered_lifetime=revocation.remembered_lifetime(access_lifetime=lifetime),
    )
    return Runtime(
        settings=settings,
        user_model=user_model,
        # A lazy user has only a primary key, so the claim must contain the primary key.
        users_are_lazy=settings.USER_LOADING == "lazy" and subject.name == "pk",
        users_may_be_hidden=may_be_hidden,
        login_columns=_login_columns(user_model, settings) if columns_decide else None,
        subject=subject,
        rules=rules,
        keys=_keys(settings, rules, keep=None if tenant_hook is None else reach),
        feed=make_feed() if tenant_hook is None else ScopedFeed(make_feed, keep=reach),
        tenant_of=None if tenant_hook is None else partial(tenants.name_of, tenant_hook),
        reads_only_header=settings.COOKIE.ACCESS_NAME is None and tenant_hook is None,
    )


caches.clear_on_change(current, also=frozenset({"AUTH_USER_MODEL"}))


def _login_columns(user_model: type[Model], settings: Settings) -> Sequence[str] | None:
    columns = opening.deciding_columns(user_model)
    if columns is None or settings.ends_with_password:
        return columns
    return [name for name in columns if name != "password"]


def _keys(
    settings: Settings, rules: Rules, *, keep: float | None
) -> ConfiguredKeys | RenewedKeys | ScopedKeys:
    """Return the keys of the settings, or of the provider.

    Args:
        keep: how long to keep the keys of a tenant that is not used; None if there are no tenants.
    """
    if (provider := settings.KEY_PROVIDER) is not None:
        make = partial(_provided, settings, provider, rules, Cache())
        return make() if keep is None else ScopedKeys(make, keep=keep)
    codec = Codec(key_ring(settings), now=now())
    if settings.SIGNING_KEY is not None and not settings.KEYS and not codec.can_sign:
        raise UnusableKey(
            "SIGNING_KEY is a public key, or its key_ops do not allow signing; for a service that "
            "only verifies tokens, set VERIFYING_KEY instead"
        )
    return ConfiguredKeys(profiles=Profiles(codec, rules))


def _provided(settings: Settings, make: ProviderFactory, rules: Rules, cache: Cache) -> RenewedKeys:
    provider = make(key_ring(settings).keys)
    if missing := [name for name in ("keys", "sign") if not hasattr(provider, name)]:
        raise ImproperlyConfigured(
            f"SIGNET['KEY_PROVIDER'] returns an object without {' and '.join(missing)}"
        )
    staleness = settings.REVOCATION_MAX_STALENESS
    return RenewedKeys(provider, rules, max_staleness=staleness, cache=cache)


def _may_hide_rows(manager: Manager[Any]) -> bool:
    """Return whether a manager may hide rows, because it overrides methods or the QuerySet class.

    This function does not compare rows, because the rows may be different for each request.
    """
    cls = type(manager)
    if cls.get_queryset is not Manager.get_queryset or cls.all is not Manager.all:
        return True
    return type(manager.all()) is not QuerySet


def _source(settings: Settings) -> Source:
    """Return the source of the feed, with the broker if there is one.

    Raises:
        ImproperlyConfigured: there is no feed for the broker, or a package is missing.
    """
    if broadcast.current() is None:
        return DatabaseSource()
    if settings.REVOCATION_POLL_INTERVAL is None:
        raise ImproperlyConfigured(
            "SIGNET['TOKEN_REVOCATION_BROKER'] needs a REVOCATION_POLL_INTERVAL: only polls find "
            "ended sessions whose messages the broker has lost"
        )
    return ListeningSource()


def _feed(settings: Settings, source: Source, reach: float) -> Feed:
    return Feed(
        source,
        interval=settings.REVOCATION_POLL_INTERVAL,
        max_staleness=settings.REVOCATION_MAX_STALENESS,
        reach=reach,
    )


def now() -> float:
    """Return the current time of the application's clock, in POSIX seconds."""
    return time.time()


def key_ring(settings: Settings) -> KeyRing:
    """Build the key ring from KEYS, from SIGNING_KEY and VERIFYING_KEY, or from SECRET_KEY.

    Raises:
        UnusableKey: a key is empty or too short, or there is no key for the algorithm.
    """
    if settings.KEYS:
        # No generator: Django looks for the decorator of `current` in the callers, and a generator
        # that has raised an exception has no caller.
        return KeyRing(keys=tuple(map(partial(_ring_key, settings), settings.KEYS)))
    if ALGORITHMS[settings.ALGORITHM] == "oct":
        return KeyRing(keys=tuple(_secret_keys(settings)))
    materials = [key for key in (settings.SIGNING_KEY, settings.VERIFYING_KEY) if key]
    if not materials:
        raise UnusableKey(f"{settings.ALGORITHM} needs SIGNING_KEY, VERIFYING_KEY or KEYS")
    ring = [Key(algorithm=settings.ALGORITHM, material=key) for key in materials]
    return KeyRing(keys=tuple(ring))


def _ring_key(settings: Settings, entry: RingEntry) -> Key:
    not_before, not_after = entry["not_before"], entry["not_after"]
    return Key(
        algorithm=entry["alg"] or settings.ALGORITHM,
        material=entry["key"],
        kid=entry["kid"],
        derives_kid=entry["derives_kid"],
        not_before=-math.inf if not_before is None else not_before,
        not_after=math.inf if not_after is None else not_after,
    )


def _secret_keys(settings: Settings) -> Sequence[Key]:
    """Return SIGNING_KEY if it is set and differs from SECRET_KEY.

    Otherwise, return SECRET_KEY and its fallbacks.
    """
    secrets = conf.secrets()
    own = settings.SIGNING_KEY
    if own is not None and (isinstance(own, Mapping) or as_bytes(own) != as_bytes(secrets[0])):
        return [Key(algorithm=settings.ALGORITHM, material=own)]
    # A short SECRET_KEY only leads to a warning (signet.W001): other parts of Django use it, too.
    return [Key(algorithm=settings.ALGORITHM, material=key, allow_short=True) for key in secrets]
