"""`register`, the function that connects the support for simplejwt to drf_signet.

`drf_signet.apps` calls the function when all apps are loaded, even if the alias is not installed.
"""

from __future__ import annotations

from django.db.models.signals import post_save

from drf_signet import legacy
from drf_signet.conf import settings as conf

from . import adoption, blacklist, checks, shared_settings  # noqa: F401 - registers the checks


def register() -> None:
    """Register the functions that read simplejwt's settings, adopt its tokens and end sessions.

    When a token is added to simplejwt's blacklist, its session ends. Safe to repeat.
    """
    conf.share(shared_settings.SETTING, shared_settings.read)
    legacy.register(adoption)
    if (model := blacklist.model()) is not None:
        uid = "signet.end_blacklisted"
        post_save.connect(adoption.end_blacklisted, sender=model, dispatch_uid=uid)
