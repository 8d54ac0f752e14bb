"""simplejwt's app `token_blacklist`, with the tables of outstanding and blacklisted tokens."""

#: Part of simplejwt's API. Only Django 3.1 and older read this name.
default_app_config = "rest_framework_simplejwt.token_blacklist.apps.TokenBlacklistConfig"
