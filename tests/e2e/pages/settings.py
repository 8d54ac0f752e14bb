"""The settings of the project `tests.e2e.pages`, based on the example's settings.

The environment variable PAGES_ORIGIN contains another origin from which requests are allowed.
"""

import os

from config.settings import MIDDLEWARE as EXAMPLE_MIDDLEWARE
from config.settings import SIGNET as EXAMPLE_SIGNET
from tests.e2e.quick_settings import *  # noqa: F403

ROOT_URLCONF = "tests.e2e.pages.urls"
MIDDLEWARE = ["tests.e2e.pages.urls.disturb", *EXAMPLE_MIDDLEWARE]

# Chromium accepts `Secure` cookies from http://localhost, so the tests use them as production does.
SIGNET = {
    **EXAMPLE_SIGNET,
    "COOKIE": {**EXAMPLE_SIGNET["COOKIE"], "SECURE": True},
}

OTHER_ORIGIN = os.environ.get("PAGES_ORIGIN")
CORS_ALLOWED_ORIGIN_REGEXES = []
CORS_ALLOWED_ORIGINS = [OTHER_ORIGIN] if OTHER_ORIGIN else []
CSRF_TRUSTED_ORIGINS = [OTHER_ORIGIN] if OTHER_ORIGIN else []
CORS_ALLOW_CREDENTIALS = True
