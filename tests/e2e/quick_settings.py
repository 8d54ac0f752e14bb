"""The example's settings, changed to make browser tests faster."""

from django.core.servers.basehttp import WSGIRequestHandler

from config.settings import *  # noqa: F403

# With Nagle's algorithm, the server would send the second part of each response only after the
# browser has acknowledged the first part, which takes 40 ms.
WSGIRequestHandler.disable_nagle_algorithm = True

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
