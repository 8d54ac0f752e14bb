"""The Django settings of one stack. Environment variables choose the stack and its database.

BENCH_STACK: a key of `stacks.STACKS`. BENCH_DATABASE: an entry of DATABASES as JSON.
BENCH_RSA_KEY: the path of a PEM file with the RSA key of the run. BENCH_REDIS: the URL of the Redis
server of the stack `signet-redis`, if it is running.
"""

import json
import os
from pathlib import Path
from typing import Any

from benchmarks.stacks import STACKS

STACK = STACKS[os.environ["BENCH_STACK"]]

SECRET_KEY = "a key for benchmarks, long enough for every algorithm: 0123456789abcdef0123456789"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
USE_I18N = False
ROOT_URLCONF = "benchmarks.project.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
#: A fast hasher, because the benchmarks compare tokens, not password hashing.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

DATABASES = {"default": json.loads(os.environ["BENCH_DATABASE"]) | {"CONN_MAX_AGE": None}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "benchmarks.project",
    *STACK.apps,
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]


def _with_key(own: dict[str, Any]) -> dict[str, Any]:
    if own.get("ALGORITHM") != "RS256":
        return own
    pem = Path(os.environ["BENCH_RSA_KEY"])
    return own | {
        "SIGNING_KEY": pem.read_text(),
        "VERIFYING_KEY": pem.with_suffix(".pub").read_text(),
    }


SIGNET = _with_key(STACK.settings.get("SIGNET", {}))
if STACK.name == "signet-redis":
    SIGNET = SIGNET | {"TOKEN_REVOCATION_BROKER": os.environ.get("BENCH_REDIS")}
SIMPLE_JWT = _with_key(STACK.settings.get("SIMPLE_JWT", {}))
REST_FRAMEWORK = STACK.settings.get("REST_FRAMEWORK", {})
#: Discard the packages' log messages: the load generator itself counts rejected requests.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"null": {"class": "logging.NullHandler"}},
    "root": {"handlers": ["null"]},
}
