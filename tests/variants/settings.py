"""The settings of `tests.settings` but for one thing, which SIGNET_TEST_VARIANT names."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

VARIANT = os.environ.get("SIGNET_TEST_VARIANT", "uuid key")

_MEMORY = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
DATABASES = {"default": _MEMORY}

if VARIANT == "axes":
    INSTALLED_APPS = [*INSTALLED_APPS, "axes"]
    MIDDLEWARE = [*MIDDLEWARE, "axes.middleware.AxesMiddleware"]
    AUTHENTICATION_BACKENDS = [
        "axes.backends.AxesStandaloneBackend",
        "django.contrib.auth.backends.ModelBackend",
    ]
    AXES_FAILURE_LIMIT = 3
    AXES_LOCKOUT_PARAMETERS = ["username"]
    AXES_VERBOSE = False
elif VARIANT == "databases":
    DATABASES = {
        "default": {**_MEMORY, "ATOMIC_REQUESTS": True},
        "archive": {**_MEMORY, "ATOMIC_REQUESTS": True},
    }
else:
    INSTALLED_APPS = [*INSTALLED_APPS, "tests.accounts"]
    AUTH_USER_MODEL = {
        "uuid key": "accounts.EmailUser",
        "text key": "accounts.BadgeUser",
        "inherited key": "accounts.Member",
    }[VARIANT]
