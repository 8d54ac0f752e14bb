"""System checks: each mistake of the configuration has a number, and says what to do.

signet.E003 (the app is not installed) is raised by `drf_signet.models`, which is imported first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections, router
from django.db.migrations.recorder import MigrationRecorder
from django.urls import NoReverseMatch, reverse

from . import blacklist, conf, runtime, shared
from .errors import UnusableKey
from .keys import MIN_SECRET_BYTES
from .models import Session

#: Caches that every process has for itself, or nobody has.
_PRIVATE_CACHES = ("locmem.LocMemCache", "dummy.DummyCache")


@register(Tags.security)
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Report settings (E001) and keys (E002) that cannot be used, and a short SECRET_KEY (W001)."""
    try:
        current = runtime.current()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="signet.E001")]
    except UnusableKey as error:
        hint = "See ALGORITHM, SIGNING_KEY, VERIFYING_KEY and KEYS."
        return [Error(f"The signing key cannot be used: {error}.", hint=hint, id="signet.E002")]
    return list(_check_secrets(current.settings))


@register(Tags.security, deploy=True)
def check_deployment(**kwargs: Any) -> list[CheckMessage]:
    """Report what is fine on a desk and not in production: W003, W005, W006."""
    try:
        settings = conf.current()
    except ImproperlyConfigured:
        return []  # signet.E001
    return [*_check_rotation(settings), *_check_cache(settings), *_check_cookie(settings)]


@register(Tags.urls)
def check_cookie_path(**kwargs: Any) -> list[CheckMessage]:
    """Report a refresh cookie that its own endpoints never see (E005)."""
    try:
        path, url = conf.current().COOKIE.PATH, reverse("signet_browser:refresh")
    except (ImproperlyConfigured, NoReverseMatch):
        return []  # signet.E001, or the endpoints are not served
    if f"{url}/".startswith(f"{path.rstrip('/')}/"):  # RFC 6265 §5.1.4
        return []
    text = f"The refresh cookie has the path {path}, and is not sent to {url}."
    hint = 'Set PATH in COOKIE to where drf_signet.urls_browser is included, or to "/".'
    return [Error(text, hint=hint, id="signet.E005")]


@register(Tags.compatibility)
def check_simple_jwt(**kwargs: Any) -> list[CheckMessage]:
    """Say which keys of an existing SIMPLE_JWT are read (I001), and which have no effect (W004)."""
    try:
        given, overridden = conf.given("SIMPLE_JWT"), conf.given("SIGNET")
    except ImproperlyConfigured:
        return []  # signet.E001
    read = sorted(conf.shared_values(given).keys() - overridden.keys())
    known = shared.SHARED_WITH_SIMPLE_JWT
    if conf.stands_in_for_simplejwt():
        known |= shared.READ_UNDER_THE_ALIAS
    if overridden.get("ADOPT_TOKENS_UNTIL"):
        known |= shared.READ_WITH_TOKENS_OF_OLD
    ignored = sorted(given.keys() - known)
    messages: list[CheckMessage] = []
    if read:
        text = f"Settings read from SIMPLE_JWT: {', '.join(read)}."
        messages.append(Info(text, hint="Move them to SIGNET.", id="signet.I001"))
    if ignored:
        text = f"Settings of SIMPLE_JWT that have no effect here: {', '.join(ignored)}."
        messages.append(Warning(text, hint="Remove them.", id="signet.W004"))
    return messages


@register(Tags.database)
def check_table(*, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Report a database without the table of sessions (W002)."""
    return list(_missing_tables(databases or ()))


@register(Tags.database)
def check_old_tables(
    *, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Say what tables of simplejwt's blacklist are for whose app is not installed (I002)."""
    try:
        until = conf.current().ADOPT_TOKENS_UNTIL
        left = blacklist.database() in (databases or ()) and blacklist.is_left_behind()
    except (ImproperlyConfigured, DatabaseError):
        return []  # signet.E001, or a database that cannot be reached
    if not left:
        return []
    if until > runtime.now():
        text = "simplejwt's blacklist is read when a token of old is adopted, without its app."
        hint = "`manage.py signet_migrate_from_simplejwt --dry-run` says when its tables may go."
    else:
        text = "The tables of simplejwt's blacklist are there, and nothing reads them."
        hint = "Set ADOPT_TOKENS_UNTIL if its tokens are to be accepted; else drop them."
    return [Info(text, hint=hint, id="signet.I002")]


def _missing_tables(databases: Sequence[str]) -> Iterator[CheckMessage]:
    table = Session._meta.db_table
    for alias in databases:
        connection = connections[alias]
        try:
            tables = connection.introspection.table_names()
        except DatabaseError:
            continue  # Django itself says that the database cannot be reached
        # Where nothing is migrated yet, the reader is about to do it.
        missing = MigrationRecorder.Migration._meta.db_table in tables and table not in tables
        if missing and router.allow_migrate_model(alias, Session):
            text = f"The table {table} is not in the database {alias!r} yet."
            yield Warning(text, hint="`manage.py migrate` makes it.", id="signet.W002")


def _check_secrets(settings: conf.Settings) -> Iterator[CheckMessage]:
    signing, *verifying = (key.is_short for key in runtime.key_ring(settings).keys)
    if signing:
        use = "SECRET_KEY signs"
        hint = "A longer one logs nobody out if the old one goes into SECRET_KEY_FALLBACKS."
    elif any(verifying):
        use = "One of SECRET_KEY_FALLBACKS verifies"
        hint = "Remove it once the tokens that it signed have expired."
    else:
        return
    algorithm = settings.ALGORITHM
    text = f"{use} tokens with {algorithm} and is shorter than {MIN_SECRET_BYTES[algorithm]} bytes."
    yield Warning(text, hint=hint, id="signet.W001")


def _check_rotation(settings: conf.Settings) -> Iterator[CheckMessage]:
    if not settings.ROTATE_REFRESH_TOKENS:
        text = (
            "ROTATE_REFRESH_TOKENS is off: a stolen refresh token works, unseen, until it expires."
        )
        hint = (
            "With rotation a replayed token ends the session (RFC 9700 §4.14). Clients have to "
            "keep the refresh token of each answer."
        )
        yield Warning(text, hint=hint, id="signet.W003")


def _check_cache(settings: conf.Settings) -> Iterator[CheckMessage]:
    backend = django_settings.CACHES["default"]["BACKEND"]
    if settings.LOGIN_THROTTLE is not None and backend.endswith(_PRIVATE_CACHES):
        text = "LOGIN_THROTTLE counts in a cache that processes do not share."
        hint = "Each process allows the full rate: use Redis or Memcached."
        yield Warning(text, hint=hint, id="signet.W005")


def _check_cookie(settings: conf.Settings) -> Iterator[CheckMessage]:
    if not settings.COOKIE.SECURE:
        text = "SECURE in COOKIE is off: the refresh cookie is sent over plain http too."
        hint = 'Leave it on in production: `"SECURE": not DEBUG`.'
        yield Warning(text, hint=hint, id="signet.W006")
