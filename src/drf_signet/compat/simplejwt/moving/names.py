"""simplejwt's public names, and their replacements in drf_signet."""

from __future__ import annotations

PACKAGE = "rest_framework_simplejwt"
#: The app that makes imports of `PACKAGE` return drf_signet's modules.
ALIAS = "drf_signet.compat.simplejwt"

_AUTHENTICATION = "drf_signet.authentication.JWTAuthentication"
_ISSUE = "drf_signet.issue(user)"
_SESSIONS = "drf_signet.Session"

#: A dotted name relative to `PACKAGE` → its replacement, as `signet_migrate_from_simplejwt`
#: prints it.
_INSTEAD = {
    "authentication": "drf_signet.authentication",
    "authentication.JWTAuthentication": _AUTHENTICATION,
    "authentication.JWTStatelessUserAuthentication": _AUTHENTICATION,
    "authentication.JWTTokenUserAuthentication": _AUTHENTICATION,
    "authentication.default_user_authentication_rule": "nothing: it is the default",
    "models.TokenUser": "request.user, whose row is loaded only when needed",
    "serializers": "drf_signet.serializers",
    "serializers.TokenBlacklistSerializer": "drf_signet.serializers.TokenRefreshSerializer",
    "serializers.TokenObtainPairSerializer": (
        "drf_signet.serializers.TokenObtainPairSerializer; to add claims: SIGNET['CLAIMS']"
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
#: Classes that have the same name in drf_signet.
_SAME_NAME = (
    "serializers.TokenRefreshSerializer",
    "serializers.TokenVerifySerializer",
    "views.TokenObtainPairView",
    "views.TokenRefreshView",
    "views.TokenVerifyView",
)
_INSTEAD |= {name: f"drf_signet.{name}" for name in _SAME_NAME}


def is_simplejwt_name(name: str) -> bool:
    """Return whether a dotted name is `PACKAGE` or is inside it."""
    return name == PACKAGE or name.startswith(f"{PACKAGE}.")


def instead(name: str) -> str:
    """Return the replacement for a simplejwt name, as the migration command prints it."""
    return _INSTEAD.get(name.removeprefix(f"{PACKAGE}."), f"nothing: it works with {ALIAS} only")
