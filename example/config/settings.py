"""The settings of the example. Comments with an arrow mark the three lines for drf-signet."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from config import environment

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = environment.secret_key(os.environ, BASE_DIR / ".secret_key")
DEBUG = environment.flag(os.environ, "DJANGO_DEBUG", default=True)
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", environment.host_and_port(os.environ)[0]]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",  # the files of Swagger UI, so that no other server sends scripts
    "drf_signet",  # ← the app
    "hello",
    "playground",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "playground.weather.bad_weather",  # simulates failures for the demo page if DEBUG is on
]

REST_FRAMEWORK: dict[str, Any] = {
    # ← authentication with access tokens
    "DEFAULT_AUTHENTICATION_CLASSES": ["drf_signet.authentication.JWTAuthentication"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
if DEBUG:  # "Log in" on the pages of REST framework's web interface
    REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"].append(
        "rest_framework.authentication.SessionAuthentication"
    )

SIGNET = {  # ← settings that differ from the defaults
    "COOKIE": {"SECURE": not DEBUG},  # development uses plain HTTP
    # In your project, keep the default grace period of 30 seconds. The example uses a shorter grace
    # period because visitors of the demo page wait until it ends.
    "ROTATION_GRACE_PERIOD": timedelta(seconds=10),
    **environment.signet_overrides(os.environ),
}

SPECTACULAR_SETTINGS = {
    "TITLE": "The example of drf-signet",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# Allow front ends on all ports of localhost to call the API.
CORS_ALLOWED_ORIGIN_REGEXES = [r"^http://(localhost|127\.0\.0\.1)(:[0-9]+)?$"]

DATABASES = {"default": environment.database(os.environ, BASE_DIR / "db.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

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

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
STATIC_URL = "static/"
USE_TZ = True
TIME_ZONE = "UTC"
