"""User models unlike Django's own, for `tests.variants`."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "tests.accounts"
    default_auto_field = "django.db.models.BigAutoField"
