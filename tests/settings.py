"""The smallest project that has everything the tests need.

SIGNET_TEST_DATABASE chooses the database: sqlite (the default), postgres or mariadb.
Where the servers are: see `tests.services`.
"""

import os
import tempfile
import uuid
from pathlib import Path
from typing import Any

from tests.services import server


def _sqlite() -> dict[str, Any]:
    # A file, since threads with a connection each do not share an in-memory database well; a new
    # name, since what a killed run leaves behind must not be read by the next one.
    path = Path(tempfile.gettempdir(), f"signet-{uuid.uuid4().hex}.sqlite3")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "timeout": 20,
            # As Django's documentation advises for concurrent writers; without it, a transaction
            # that reads before it writes fails at once instead of waiting for its turn.
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        },
        "TEST": {"NAME": path},
    }


def _served(engine: str, name: str, **options: Any) -> dict[str, Any]:
    at = server(name)
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "NAME": os.environ.get("SIGNET_TEST_DATABASE_NAME", "signet"),
        "HOST": at.host,
        "PORT": at.port,
        "USER": at.user,
        "PASSWORD": at.password,
        "OPTIONS": options,
    }


_DATABASES = {
    "sqlite": _sqlite,
    "postgres": lambda: _served("postgresql", "postgres", connect_timeout=5),
    "mariadb": lambda: _served("mysql", "mariadb", charset="utf8mb4", connect_timeout=5),
}

DATABASES = {"default": _DATABASES[os.environ.get("SIGNET_TEST_DATABASE", "sqlite")]()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SECRET_KEY = "a key for tests, long enough for every algorithm: 0123456789abcdef0123456789abcdef"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = True
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
ROOT_URLCONF = "tests.urls"
STATIC_URL = "static/"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_signet",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["drf_signet.authentication.JWTAuthentication"],
}
