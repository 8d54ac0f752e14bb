"""The key provider `"database"`: the keys of the table `SigningKey`, which rotate by themselves."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from ..conf import settings as conf
from ..db.database import in_transaction
from ..db.outages import reports
from ..errors import KeysUnavailable, UnusableKey
from ..jose.keys import Key
from ..jose.loading import LoadedKey
from ..models import write_database
from . import changes, encryption, succession
from .models import CONFIGURED
from .provider import Keys
from .succession import Row, Succession

logger = logging.getLogger("drf_signet")


class DatabaseKeys:
    """A provider of the keys in the table. Until the first rotation, the keys of the settings sign.

    The process that signs a token also makes the next key when it is due, so requests that only
    verify tokens write nothing.

    Args:
        configured: the keys of the settings.
    """

    #: For tests: whether to use the keys of the settings alone, without a query; see
    #: `drf_signet.testing.deterministic`.
    alone = False

    def __init__(self, configured: Sequence[Key]) -> None:
        self._configured = [LoadedKey.load(key) for key in configured]
        #: The `kid` of a row → its loaded key. A loaded key is not decrypted again, so a process
        #: can use it after another process has encrypted it under a new SECRET_KEY.
        self._loaded: dict[str, LoadedKey] = {}
        #: The `kid` of a row → the row, for the keys that are not retired.
        self._rows: dict[str, Row] = {}
        self._signing, self._rotates = CONFIGURED, False

    def keys(self) -> Keys:
        """Return the keys that are not retired. Runs one SELECT."""
        current = Succession([], margin=0) if self.alone else succession.read()
        used = current.in_use()
        self._rows = {row.kid: row for row in used}
        self._loaded = {kid: key for kid, key in self._loaded.items() if kid in self._rows}
        self._rotates = not self.alone and current.rotates_in(conf.current().KEY_ROTATION) <= 0
        if not current.rows:
            self._signing = CONFIGURED
            found = [key.source for key in self._configured]
        else:
            self._signing = "" if current.signer is None else current.signer.kid
            found = [key for row in used for key in self._keys_of(row)]
        return Keys(
            keys=tuple(found), fresh_for=min(succession.poll_interval(), current.changes_in())
        )

    def sign(self, key: Key, signing_input: bytes, *, lifetime: float) -> bytes:
        """Sign with the private key. Runs an UPDATE if no token of the key was valid for so long.

        Raises:
            KeysUnavailable: the key that must sign now is not known, or cannot be decrypted.
        """
        if self._rotates:
            self._rotate()
        loaded, kid = self._find(key)
        if loaded is None or kid != self._signing:
            raise KeysUnavailable("no key can sign now")
        if not loaded.can_sign:
            raise UnusableKey("the first key only verifies: it is public, or not for signing")
        row = self._rows.get(kid)
        if row is not None and lifetime > row.token_lifetime:
            changes.extend(kid, lifetime)
        return loaded.algorithm.sign(signing_input, loaded.key)

    def _find(self, key: Key) -> tuple[LoadedKey | None, str]:
        """Return the loaded private key, and the `kid` of its row."""
        if key.kid in self._loaded:
            return self._loaded[key.kid], key.kid
        return next((one for one in self._configured if one.source == key), None), CONFIGURED

    def _keys_of(self, row: Row) -> Iterator[Key]:
        if row.kid == CONFIGURED:
            yield from (key.source for key in self._configured)
        elif row.kid in self._loaded:
            yield self._loaded[row.kid].public()
        else:
            try:
                loaded = self._loaded[row.kid] = _load(row)
            except (ValueError, UnusableKey) as error:
                if reports.is_due(f"signing key {row.kid}"):
                    logger.error("the signing key %s cannot be used: %s", row.kid, error)  # noqa: TRY400
            else:
                yield loaded.public()

    def _rotate(self) -> None:
        """Make the next key, unless the caller's transaction is open: it may be rolled back."""
        if in_transaction(write_database()):
            return
        self._rotates = False
        try:
            change = changes.rotate(only_if_due=True)
        except Exception:
            if reports.is_due("key rotation"):
                logger.exception("the next signing key could not be made; the current one goes on")
        else:
            if change is not None:
                logger.info("signing key %s made; signs in %d s", change.kid, change.signs_in)


def is_in_use() -> bool:
    """Return whether the setting `KEY_PROVIDER` is "database", or a subclass of this provider."""
    provider = conf.current().KEY_PROVIDER
    return isinstance(provider, type) and issubclass(provider, DatabaseKeys)


def _load(row: Row) -> LoadedKey:
    """Decrypt and load a private key.

    Raises:
        ValueError: it cannot be decrypted, or belongs to another row.
        UnusableKey: it cannot be used with its algorithm.
    """
    jwk = encryption.decrypt(row.private_key)
    if (jwk.get("kid"), jwk.get("alg")) != (row.kid, row.algorithm):
        raise ValueError("it was encrypted for another row")
    return LoadedKey.load(Key(algorithm=row.algorithm, material=jwk, kid=row.kid))
