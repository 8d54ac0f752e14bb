"""The checks of REST framework's setting `DEFAULT_AUTHENTICATION_CLASSES`."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004
from rest_framework.authentication import SessionAuthentication
from rest_framework.settings import api_settings

from ..authentication import AccessTokenAuthentication


@register(Tags.security)
def check_authentication_classes(**kwargs: Any) -> list[CheckMessage]:
    """Report if DRF's challenge to clients without a token is not that of this package (W016)."""
    classes: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    own = [each for each in classes if _reads_access_tokens(each)]
    if not own or own[0] is classes[0]:
        return []
    message = (
        f"{classes[0].__name__} comes before {own[0].__name__} in DEFAULT_AUTHENTICATION_CLASSES, "
        "so DRF does not answer requests without a valid token with 401 and a Bearer challenge."
    )
    hint = f"Put {own[0].__name__} first."
    return [Warning(message, hint=hint, id="signet.W016")]


@register(Tags.security, deploy=True)
def check_web_interface(**kwargs: Any) -> list[CheckMessage]:
    """Report if the API also accepts Django's session cookie in production (W017)."""
    classes: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    sessions = [each for each in classes if issubclass(each, SessionAuthentication)]
    if not sessions or not any(map(_reads_access_tokens, classes)):
        return []
    message = (
        f"{sessions[0].__name__} in DEFAULT_AUTHENTICATION_CLASSES accepts Django's session cookie "
        "on every view. Ending the sessions of drf-signet does not end Django's."
    )
    hint = "If it is for the web interface in development, add it only if DEBUG is on."
    return [Warning(message, hint=hint, id="signet.W017")]


def _reads_access_tokens(authentication_class: type[Any]) -> bool:
    return issubclass(authentication_class, AccessTokenAuthentication)
