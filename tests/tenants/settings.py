"""Settings of a project with django-tenants, in which each tenant has its own schema."""

import os

from tests import settings as common
from tests.support.services import server

PASSWORD_HASHERS, SECRET_KEY, USE_TZ = common.PASSWORD_HASHERS, common.SECRET_KEY, True
STATIC_URL, TEMPLATES = common.STATIC_URL, common.TEMPLATES

_service = server("postgres")
DATABASES = {
    "default": {
        "ENGINE": "django_tenants.postgresql_backend",
        "NAME": os.environ["SIGNET_TENANTS_DATABASE"],
        "HOST": _service.host,
        "PORT": _service.port,
        "USER": _service.user,
        "PASSWORD": _service.password,
    }
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
TENANT_MODEL = "customers.Customer"
TENANT_DOMAIN_MODEL = "customers.Domain"
# New schemas are copied from this schema, which is faster than running the migrations.
TENANT_BASE_SCHEMA = "base"
TENANT_CREATION_FAKES_MIGRATIONS = True

_BOTH = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "rest_framework",
    "drf_signet",
    "drf_signet.compat.simplejwt",
    "rest_framework_simplejwt.token_blacklist",
]
SHARED_APPS = ["django_tenants", "tests.tenants.customers", *_BOTH]
TENANT_APPS = _BOTH
# The simplejwt alias comes first, because the apps after it may import simplejwt.
_ALIAS = "drf_signet.compat.simplejwt"
INSTALLED_APPS = [_ALIAS, *(app for app in SHARED_APPS if app != _ALIAS)]
MIDDLEWARE = [
    "django_tenants.middleware.main.TenantMainMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "drf_signet.middleware.JWTMiddleware",
]
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
ALLOWED_HOSTS = [".example.com"]
USE_X_FORWARDED_HOST = True
ROOT_URLCONF = PUBLIC_SCHEMA_URLCONF = "tests.tenants.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["drf_signet.authentication.JWTAuthentication"],
}
SIGNET = {"REVOCATION_POLL_INTERVAL": float(os.environ.get("SIGNET_TENANTS_INTERVAL", "0.2"))}
