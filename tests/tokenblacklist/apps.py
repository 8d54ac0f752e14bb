from django.apps import AppConfig


class TokenBlacklistConfig(AppConfig):
    name = "tests.tokenblacklist"
    label = "token_blacklist"
    default_auto_field = "django.db.models.BigAutoField"
