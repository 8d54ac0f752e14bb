"""The model `SigningKey`: the keys that sign tokens, with the private key encrypted."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..db.database import DbClockField

#: The `kid` of the row that represents the keys of the settings, which have no key in the table.
CONFIGURED = "settings"


class KeyState(models.TextChoices):
    """What a key is used for now. The times of the keys decide."""

    STANDBY = "standby", _("published, does not sign yet")
    SIGNING = "signing", _("signs and verifies")
    VERIFYING = "verifying", _("verifies until its last token has expired")
    RETIRED = "retired", _("refused")


class SigningKey(models.Model):
    """A key that signs tokens.

    `drf_signet.keys.changes` writes the rows, and `drf_signet.keys.succession` reads them. The
    first rotation also creates a row with the `kid` "settings", for the keys of the settings: it
    says when they stopped signing and how long their tokens are valid. All times use the database's
    clock. `token_lifetime` is the longest lifetime, in seconds, of a token that the key has signed.
    When a key is retired, its private key is erased.
    """

    # Not assigned by the database: two processes that rotate at once choose the same number.
    id = models.IntegerField(primary_key=True, editable=False)
    kid = models.CharField("kid", max_length=64, unique=True)
    algorithm = models.CharField(_("algorithm"), max_length=8, blank=True)
    created_at: models.DateTimeField[Any, Any] = DbClockField(_("created at"))
    not_before: models.DateTimeField[Any, Any] = DbClockField(_("signs from"))
    signs_until: models.DateTimeField[Any, Any] = DbClockField(_("signs until"), null=True)
    retired_at: models.DateTimeField[Any, Any] = DbClockField(_("retired at"), null=True)
    token_lifetime = models.IntegerField(_("longest lifetime of a token, in seconds"))
    private_key = models.TextField(blank=True, editable=False)

    class Meta:
        verbose_name = _("signing key")
        verbose_name_plural = _("signing keys")

    def __str__(self) -> str:
        return self.kid
