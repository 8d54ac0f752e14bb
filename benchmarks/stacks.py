"""The stacks to compare. A stack is one package in one configuration.

This module does not import Django, because the driver imports this module and runs without Django.
Settings that a stack does not list keep the defaults of the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .wire import WIRES, Wire

Family = Literal["signet", "simplejwt", "token", "knox", "oauth"]
#: URL path → the dotted path of the view class, and the arguments of its `as_view`.
Endpoints = Mapping[str, tuple[str, Mapping[str, Any]]]

_JWT = "rest_framework_simplejwt"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One package in one configuration.

    Args:
        family: the package. It determines the HTTP requests and how tables are filled.
        column: the key of the column in the results table, see COLUMNS.
        authentication: the dotted path of the authentication class of the protected view.
        apps: installed apps besides auth, contenttypes and REST framework.
        endpoints: the package's endpoints.
        settings: Django settings of this stack, besides the settings that all stacks share.
        tables: the package's tables whose size is measured. The first table contains the logins.
    """

    name: str
    family: Family
    column: str
    authentication: str
    apps: tuple[str, ...] = ()
    endpoints: Endpoints = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    tables: tuple[str, ...] = ()

    @property
    def wire(self) -> Wire:
        """The HTTP requests of the package."""
        return WIRES[self.family]


def _signet(name: str, **signet: Any) -> Stack:
    return Stack(
        name=name,
        family="signet",
        column="signet",
        authentication="drf_signet.authentication.JWTAuthentication",
        apps=("drf_signet",),
        endpoints={
            "login/": ("drf_signet.views.TokenObtainPairView", {}),
            "refresh/": ("drf_signet.views.TokenRefreshView", {}),
            "logout/": ("drf_signet.views.TokenLogoutView", {}),
        },
        settings={"SIGNET": signet},
        tables=("drf_signet_session",),
    )


def _simplejwt(name: str, *, stateless: bool = False, blacklist: bool = False, **jwt: Any) -> Stack:
    kind = "JWTStatelessUserAuthentication" if stateless else "JWTAuthentication"
    endpoints: dict[str, tuple[str, Mapping[str, Any]]] = {
        "login/": (f"{_JWT}.views.TokenObtainPairView", {}),
        "refresh/": (f"{_JWT}.views.TokenRefreshView", {}),
    }
    if blacklist:
        endpoints["logout/"] = (f"{_JWT}.views.TokenBlacklistView", {})
    return Stack(
        name=name,
        family="simplejwt",
        column="stateless" if stateless else "simplejwt",
        authentication=f"{_JWT}.authentication.{kind}",
        apps=(f"{_JWT}.token_blacklist",) if blacklist else (),
        endpoints=endpoints,
        settings={"SIMPLE_JWT": jwt},
        tables=("token_blacklist_outstandingtoken", "token_blacklist_blacklistedtoken")
        if blacklist
        else (),
    )


_TOKEN = Stack(
    name="token",
    family="token",
    column="token",
    authentication="rest_framework.authentication.TokenAuthentication",
    apps=("rest_framework.authtoken",),
    endpoints={"login/": ("rest_framework.authtoken.views.ObtainAuthToken", {})},
    tables=("authtoken_token",),
)
_KNOX = Stack(
    name="knox",
    family="knox",
    column="knox",
    authentication="knox.auth.TokenAuthentication",
    apps=("knox",),
    endpoints={"login/": ("knox.views.LoginView", {}), "logout/": ("knox.views.LogoutView", {})},
    settings={
        "REST_FRAMEWORK": {
            "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.BasicAuthentication"]
        }
    },
    tables=("knox_authtoken",),
)
_OAUTH = Stack(
    name="oauth",
    family="oauth",
    column="oauth",
    authentication="oauth2_provider.contrib.rest_framework.OAuth2Authentication",
    apps=("oauth2_provider",),
    endpoints={
        "login/": ("oauth2_provider.views.TokenView", {}),
        "logout/": ("oauth2_provider.views.RevokeTokenView", {}),
    },
    tables=("oauth2_provider_accesstoken", "oauth2_provider_refreshtoken"),
)

_ROTATES: Mapping[str, Any] = {"ROTATE_REFRESH_TOKENS": True}
_RS256: Mapping[str, Any] = {"ALGORITHM": "RS256"}

#: Name of a stack → the stack. `benchmarks.project.settings` adds the RSA key to the RS256 stacks,
#: and the URL of a Redis server to `signet-redis`.
STACKS: Mapping[str, Stack] = {
    stack.name: stack
    for stack in (
        _signet("signet"),
        _signet("signet-rotating", **_ROTATES),
        _signet("signet-rs256", **_RS256),
        _signet("signet-redis", **_ROTATES),
        _simplejwt("simplejwt"),
        _simplejwt("simplejwt-rs256", **_RS256),
        _simplejwt("simplejwt-rotating", blacklist=True, **_ROTATES, BLACKLIST_AFTER_ROTATION=True),
        _simplejwt("stateless", stateless=True),
        _simplejwt("stateless-rs256", stateless=True, **_RS256),
        _TOKEN,
        _KNOX,
        _OAUTH,
    )
}

#: Column of the results table → its heading.
COLUMNS: Mapping[str, str] = {
    "signet": "drf-signet",
    "simplejwt": "simplejwt",
    "stateless": "simplejwt stateless",
    "token": "DRF TokenAuthentication",
    "knox": "knox",
    "oauth": "django-oauth-toolkit",
}
