"""Settings of a project that uses simplejwt's API.

COMPAT_PACKAGE selects the package: simplejwt (`real`) or drf-signet's alias (`alias`).
COMPAT_SETTINGS selects the value of SIMPLE_JWT from `CHOICES`.
"""

import os
from datetime import timedelta
from typing import Any

_ALIAS_APPS = ["drf_signet.compat.simplejwt", "drf_signet"]

SECRET_KEY = "the key of the project that switches: 0123456789abcdef0123456789"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = True
ROOT_URLCONF = "tests.compat.project.urls"
INSTALLED_APPS = [
    *(_ALIAS_APPS if os.environ["COMPAT_PACKAGE"] == "alias" else []),
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "rest_framework_simplejwt",
    "rest_framework_simplejwt.token_blacklist",
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": (
        "rest_framework_simplejwt.authentication.JWTAuthentication",
    ),
}
CHOICES: dict[str, dict[str, Any]] = {
    "plain": {},
    "rotating": {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True},
    "rotating, unlisted": {"ROTATE_REFRESH_TOKENS": True},
    "revoking": {"CHECK_REVOKE_TOKEN": True, "REVOKE_TOKEN_CLAIM": "pwd"},
    "sliding": {"AUTH_TOKEN_CLASSES": ("rest_framework_simplejwt.tokens.SlidingToken",)},
    "customised": {
        "ACCESS_TOKEN_LIFETIME": timedelta(minutes=7),
        "ALGORITHM": "HS512",
        "SIGNING_KEY": "a key of the project's own, for HS512: 0123456789abcdef0123456789abcdef",
        "ISSUER": "https://example.com",
        "AUDIENCE": "api",
        "LEEWAY": 2,
        "AUTH_HEADER_TYPES": ("JWT", "Token"),
        "USER_ID_FIELD": "username",
        "USER_ID_CLAIM": "sub",
        "UPDATE_LAST_LOGIN": True,
    },
}
SIMPLE_JWT = CHOICES[os.environ["COMPAT_SETTINGS"]]
