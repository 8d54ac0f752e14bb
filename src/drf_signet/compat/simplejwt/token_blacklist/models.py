"""simplejwt's two models: OutstandingToken for logins, BlacklistedToken for ended logins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .. import tables
from . import lookups


class OutstandingToken(models.Model):
    """The row of a login. A `token` that was written by drf-signet can only end the session."""

    id = models.BigAutoField(primary_key=True, serialize=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    jti = models.CharField(unique=True, max_length=255)
    token = models.TextField()
    created_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    objects: models.Manager[OutstandingToken] = models.Manager()

    class Meta:
        app_label = "token_blacklist"
        verbose_name = _("Outstanding Token")
        verbose_name_plural = _("Outstanding Tokens")
        ordering = ("user",)

    def __str__(self) -> str:
        return _("Token for %(user)s (%(jti)s)") % {"user": self.user, "jti": self.jti}


lookups.register(OutstandingToken._meta.get_field("token"))


class BlacklistedTokenManager(models.Manager["BlacklistedToken"]):
    """A manager whose `bulk_create` ends sessions, because Django sends no signals for it."""

    def bulk_create(
        self, objs: Iterable[BlacklistedToken], *args: Any, **kwargs: Any
    ) -> list[BlacklistedToken]:
        """Add logins to the blacklist, and end their sessions."""
        rows = list(objs)
        created = super().bulk_create(rows, *args, **kwargs)
        tables.end_logins(row.token.jti for row in rows)
        return created


class BlacklistedToken(models.Model):
    """The row of a login that has ended. Deleting the row does not make the session valid again."""

    id = models.BigAutoField(primary_key=True, serialize=False)
    token = models.OneToOneField(OutstandingToken, on_delete=models.CASCADE)
    blacklisted_at = models.DateTimeField(auto_now_add=True)

    objects = BlacklistedTokenManager()

    class Meta:
        app_label = "token_blacklist"
        verbose_name = _("Blacklisted Token")
        verbose_name_plural = _("Blacklisted Tokens")

    def __str__(self) -> str:
        return _("Blacklisted token for %(user)s") % {"user": self.token.user}
