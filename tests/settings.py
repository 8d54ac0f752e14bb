"""Settings of the project in which the tests run.

SIGNET_TEST_DATABASE chooses the database: sqlite (the default), postgres or mariadb.
`tests.support.services` defines the addresses of the database servers.
"""

import os
import tempfile
import uuid
from pathlib import Path
from typing import Any

from tests.support.services import server


def _sqlite() -> dict[str, Any]:
    # Use a file, because it is difficult to share an in-memory database between threads. Each run
    # uses a new file name, so that no run reads the file of a killed run.
    path = Path(tempfile.gettempdir(), f"signet-{uuid.uuid4().hex}.sqlite3")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "timeout": 20,
            # Django's documentation recommends IMMEDIATE for concurrent writers. Without it, a
            # transaction that reads before it writes fails at once if another transaction is
            # writing.
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        },
        "TEST": {"NAME": path},
    }


def _served(engine: str, name: str, **options: Any) -> dict[str, Any]:
    service = server(name)
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "NAME": os.environ.get("SIGNET_TEST_DATABASE_NAME", "signet"),
        "HOST": service.host,
        "PORT": service.port,
        "USER": service.user,
        "PASSWORD": service.password,
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
    "drf_spectacular",
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
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
