"""Variants of `tests.settings`. SIGNET_TEST_VARIANT selects the variant."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES as SERVED
from tests.settings import INSTALLED_APPS, MIDDLEWARE
from tests.variants import audit_page, tenants_page

VARIANT = os.environ.get("SIGNET_TEST_VARIANT", "uuid key")

_MEMORY = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
_is_served = SERVED["default"]["ENGINE"] != _MEMORY["ENGINE"]
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
elif VARIANT == "audit":
    globals().update(audit_page.audited(INSTALLED_APPS, MIDDLEWARE))
elif VARIANT == "databases":
    DATABASES = {
        "default": {**_MEMORY, "ATOMIC_REQUESTS": True},
        "archive": {**_MEMORY, "ATOMIC_REQUESTS": True},
    }
elif VARIANT == "tenants":
    DATABASES = {alias: {**_MEMORY} for alias in ("default", "a", "b")}
    MIDDLEWARE, DATABASE_ROUTERS, SIGNET = tenants_page.database_for_each_tenant(MIDDLEWARE)
    MIDDLEWARE = [*MIDDLEWARE, "drf_signet.middleware.JWTMiddleware"]
    ALLOWED_HOSTS = [".example.com"]
    USE_X_FORWARDED_HOST = True
else:
    INSTALLED_APPS = [*INSTALLED_APPS, "tests.accounts"]
    AUTH_USER_MODEL = {
        "uuid key": "accounts.EmailUser",
        "text key": "accounts.BadgeUser",
        "inherited key": "accounts.Member",
        "soft deletion": "accounts.Customer",
        "own columns": "accounts.Guest",
    }[VARIANT]
    if VARIANT == "soft deletion" and _is_served:
        # The parent process already uses the test database with the original name.
        _name = f"{SERVED['default']['NAME']}_soft"
        DATABASES = {"default": {**SERVED["default"], "NAME": _name}}
