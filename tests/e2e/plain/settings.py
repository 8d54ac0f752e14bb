"""The example's settings, with `JWTMiddleware` as the documentation says: after Django's own."""

from config.settings import *  # noqa: F403
from config.settings import MIDDLEWARE as OF_THE_EXAMPLE

ROOT_URLCONF = "tests.e2e.plain.urls"
MIDDLEWARE = [
    "tests.e2e.plain.urls.name_process",
    *OF_THE_EXAMPLE,
    "drf_signet.middleware.JWTMiddleware",
]
