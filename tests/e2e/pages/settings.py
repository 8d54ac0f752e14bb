"""The example's settings, with the endpoints for pages and, by PAGES_ORIGIN, another origin."""

import os

from config.settings import MIDDLEWARE as OF_THE_EXAMPLE
from config.settings import SIGNET as SIGNET_OF_THE_EXAMPLE
from tests.e2e.quick import *  # noqa: F403

ROOT_URLCONF = "tests.e2e.pages.urls"
MIDDLEWARE = ["tests.e2e.pages.urls.disturb", *OF_THE_EXAMPLE]

# Chromium takes localhost for secure, so that the cookie is the one of production.
SIGNET = {
    **SIGNET_OF_THE_EXAMPLE,
    "COOKIE": {**SIGNET_OF_THE_EXAMPLE["COOKIE"], "SECURE": True},
}

OTHER = os.environ.get("PAGES_ORIGIN")
CORS_ALLOWED_ORIGIN_REGEXES = []
CORS_ALLOWED_ORIGINS = [OTHER] if OTHER else []
CSRF_TRUSTED_ORIGINS = [OTHER] if OTHER else []
CORS_ALLOW_CREDENTIALS = True
