"""The example's settings, with `JWTMiddleware` at the end of MIDDLEWARE."""

from config.settings import *  # noqa: F403
from config.settings import MIDDLEWARE as EXAMPLE_MIDDLEWARE

ROOT_URLCONF = "tests.e2e.plain.urls"
MIDDLEWARE = [
    "tests.e2e.plain.urls.name_process",
    *EXAMPLE_MIDDLEWARE,
    "drf_signet.middleware.JWTMiddleware",
]
