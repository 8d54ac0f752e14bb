from django.conf import settings
from django.db import models


class OutstandingToken(models.Model):
    objects: models.Manager[models.Model]  # mypy's plugin adds managers only in installed apps

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, db_constraint=False, related_name="+"
    )
    jti = models.CharField(unique=True, max_length=255)
    token = models.TextField()
    created_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()

    class Meta:
        app_label = "token_blacklist"
        db_table = "token_blacklist_outstandingtoken"

    def __str__(self):
        return self.jti


class BlacklistedToken(models.Model):
    objects: models.Manager[models.Model]

    token = models.OneToOneField(OutstandingToken, models.CASCADE)
    blacklisted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "token_blacklist"
        db_table = "token_blacklist_blacklistedtoken"

    def __str__(self):
        return str(self.pk)
