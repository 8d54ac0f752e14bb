"""The example, as its readers wrote it before: simplejwt's name everywhere, and one app more."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as OF_THE_EXAMPLE

INSTALLED_APPS = [
    "drf_signet.compat.simplejwt",
    *OF_THE_EXAMPLE,
    "rest_framework_simplejwt.token_blacklist",
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTAuthentication",
    ],
}
ROOT_URLCONF = "tests.e2e.alias.urls"
