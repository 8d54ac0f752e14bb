"""The example's settings for pages: what costs time and is nobody's subject is left out."""

from django.core.servers.basehttp import WSGIRequestHandler

from config.settings import *  # noqa: F403

# Half of each answer would otherwise wait 40 ms for the browser to confirm the first half.
WSGIRequestHandler.disable_nagle_algorithm = True

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
