"""simplejwt's public names, and what stands in their place here."""

from __future__ import annotations

PACKAGE = "rest_framework_simplejwt"
#: The app that lets the names of old go on working.
ALIAS = "drf_signet.compat.simplejwt"

_AUTHENTICATION = "drf_signet.authentication.JWTAuthentication"
_ISSUE = "drf_signet.issue(user)"
_SESSIONS = "drf_signet.Session"

#: A name below `PACKAGE` → what to write instead.
_INSTEAD = {
    "authentication": "drf_signet.authentication",
    "authentication.JWTAuthentication": _AUTHENTICATION,
    "authentication.JWTStatelessUserAuthentication": _AUTHENTICATION,
    "authentication.JWTTokenUserAuthentication": _AUTHENTICATION,
    "authentication.default_user_authentication_rule": "leave it out: it is the default",
    "models.TokenUser": "request.user, of which no more than the key is loaded",
    "serializers": "drf_signet.serializers",
    "serializers.TokenBlacklistSerializer": "drf_signet.serializers.TokenRefreshSerializer",
    "serializers.TokenObtainPairSerializer": (
        "drf_signet.serializers.TokenObtainPairSerializer; for claims SIGNET['CLAIMS']"
    ),
    "settings.api_settings": "settings.SIGNET",
    "token_blacklist": f"{_SESSIONS}; keep the app until its tables are dropped",
    "token_blacklist.models": _SESSIONS,
    "token_blacklist.models.BlacklistedToken": f"{_SESSIONS}; drf_signet.end, drf_signet.end_all",
    "tokens": _ISSUE,
    "tokens.AccessToken": f"{_ISSUE}.access",
    "tokens.RefreshToken": f"{_ISSUE}; to blacklist: drf_signet.end",
    "views": "drf_signet.views",
    "views.TokenBlacklistView": "drf_signet.views.TokenLogoutView",
    "views.token_blacklist": "drf_signet.views.TokenLogoutView.as_view()",
    "views.token_obtain_pair": "drf_signet.views.TokenObtainPairView.as_view()",
    "views.token_refresh": "drf_signet.views.TokenRefreshView.as_view()",
    "views.token_verify": "drf_signet.views.TokenVerifyView.as_view()",
}
#: Classes that have the same name here.
_SAME = (
    "serializers.TokenRefreshSerializer",
    "serializers.TokenVerifySerializer",
    "views.TokenObtainPairView",
    "views.TokenRefreshView",
    "views.TokenVerifyView",
)
_INSTEAD |= {name: f"drf_signet.{name}" for name in _SAME}


def is_of_old(name: str) -> bool:
    """Whether a dotted name is simplejwt's."""
    return name == PACKAGE or name.startswith(f"{PACKAGE}.")


def instead(name: str) -> str:
    """Return what to write in the place of a name of simplejwt's."""
    return _INSTEAD.get(name.removeprefix(f"{PACKAGE}."), f"nothing: it needs {ALIAS}")
