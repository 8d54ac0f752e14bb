"""The example's settings, changed to use the import paths of simplejwt."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as EXAMPLE_APPS

INSTALLED_APPS = [
    "drf_signet.compat.simplejwt",
    *EXAMPLE_APPS,
    "rest_framework_simplejwt.token_blacklist",
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTAuthentication",
    ],
}
ROOT_URLCONF = "tests.e2e.alias.urls"
