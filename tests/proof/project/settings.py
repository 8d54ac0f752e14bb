"""The settings of the test project. `tests.proof.site` sets the environment variables.

PROOF_STACK is a key of `benchmarks.stacks.STACKS`. PROOF_DATABASE is the default database of
DATABASES, as JSON. PROOF_SIGNET contains keys of SIGNET as JSON, with durations in seconds, and
PROOF_SIMPLE_JWT keys of SIMPLE_JWT. PROOF_ALIAS installs the alias: the app that answers the
imports of simplejwt.
"""

import json
import os
from datetime import timedelta
from typing import Any

from benchmarks.stacks import STACKS

STACK = STACKS[os.environ["PROOF_STACK"]]

SECRET_KEY = os.environ.get(
    "PROOF_SECRET_KEY",
    "a key for the proof, long enough for every algorithm: 0123456789abcdef0123456789",
)
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
USE_I18N = False
ROOT_URLCONF = "tests.proof.project.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
#: A fast hasher, because password hashing would take most of a login's time.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

DATABASES = {"default": json.loads(os.environ["PROOF_DATABASE"])}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    *(("drf_signet", "drf_signet.compat.simplejwt") if os.environ.get("PROOF_ALIAS") else ()),
    *STACK.apps,
]
MIDDLEWARE = [
    "tests.proof.project.middleware.worker_header",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]

_DURATIONS = ("_LIFETIME", "PERIOD", "_INTERVAL", "_STALENESS", "_AHEAD")


def _with_durations(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: _duration(name, value) for name, value in settings.items()}


def _duration(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _with_durations(value)
    is_duration = name.endswith(_DURATIONS) and value is not None
    return timedelta(seconds=value) if is_duration else value


SIGNET = {
    **STACK.settings.get("SIGNET", {}),
    **_with_durations(json.loads(os.environ.get("PROOF_SIGNET", "{}"))),
}
SIMPLE_JWT = {
    **STACK.settings.get("SIMPLE_JWT", {}),
    **json.loads(os.environ.get("PROOF_SIMPLE_JWT", "{}")),
}
#: Log errors and drf-signet's warnings, but do not log a line for each refused request.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django.request": {"handlers": ["console"], "level": "ERROR", "propagate": False},
        "drf_signet": {"handlers": ["console"], "level": "WARNING", "propagate": False},
    },
}
