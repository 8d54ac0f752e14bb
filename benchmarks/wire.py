"""The HTTP requests of each package, as plain data.

The load generator sends these requests to gunicorn. The functions in `benchmarks.tasks` pass the
requests to the views directly.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

#: The password of every benchmark user.
PASSWORD = "benchmark-password"
#: The client id of the OAuth application: a public client with the password grant.
CLIENT_ID = "benchmark"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One HTTP request: method, path, headers and body."""

    method: str = "GET"
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """The tokens from a login or refresh; `refresh` is empty if there is no refresh token."""

    access: str
    refresh: str = ""


class Wire:
    """The HTTP requests of one package.

    By default, requests and responses are JSON, and a login returns an access token and a refresh
    token. This is the API of drf-signet and simplejwt.
    """

    scheme = "Bearer"

    def login(self, username: str) -> Call:
        """Return the login request."""
        return _json("/login/", {"username": username, "password": PASSWORD})

    def refresh(self, tokens: Tokens) -> Call:
        """Return the refresh request."""
        return _json("/refresh/", {"refresh": tokens.refresh})

    def logout(self, tokens: Tokens) -> Call:
        """Return the logout request."""
        return _json("/logout/", {"refresh": tokens.refresh})

    def read(self, answer: Mapping[str, Any], before: Tokens | None = None) -> Tokens:
        """Return the tokens in a response. If it has no refresh token, use `before.refresh`."""
        old_token = before.refresh if before else ""
        return Tokens(access=answer["access"], refresh=answer.get("refresh", old_token))

    def protected(self, access: str, path: str = "/protected/") -> Call:
        """Return a request to the protected view."""
        return Call(path=path, headers={"Authorization": f"{self.scheme} {access}"})


class TokenWire(Wire):
    """The requests of DRF's TokenAuthentication: one opaque token, no refresh and no logout."""

    scheme = "Token"

    def read(self, answer: Mapping[str, Any], before: Tokens | None = None) -> Tokens:
        """Return the token in a response."""
        return Tokens(access=answer["token"])


class KnoxWire(TokenWire):
    """The requests of django-rest-knox: login with HTTP Basic, logout with the token."""

    def login(self, username: str) -> Call:
        """Return the login request."""
        basic = base64.b64encode(f"{username}:{PASSWORD}".encode()).decode()
        return Call(method="POST", path="/login/", headers={"Authorization": f"Basic {basic}"})

    def logout(self, tokens: Tokens) -> Call:
        """Return the logout request."""
        headers = {"Authorization": f"Token {tokens.access}"}
        return Call(method="POST", path="/logout/", headers=headers)


class OAuthWire(Wire):
    """The requests of django-oauth-toolkit, from a public client without a secret (RFC 6749)."""

    def login(self, username: str) -> Call:
        """Return the login request."""
        return _form("/login/", grant_type="password", username=username, password=PASSWORD)

    def refresh(self, tokens: Tokens) -> Call:
        """Return the refresh request."""
        return _form("/login/", grant_type="refresh_token", refresh_token=tokens.refresh)

    def logout(self, tokens: Tokens) -> Call:
        """Return the request that revokes the refresh token and its access token."""
        return _form("/logout/", token=tokens.refresh)

    def read(self, answer: Mapping[str, Any], before: Tokens | None = None) -> Tokens:
        """Return the tokens in a response."""
        return Tokens(access=answer["access_token"], refresh=answer["refresh_token"])


#: Name of a package, as in `Stack.family` → the HTTP requests of the package.
WIRES: Mapping[str, Wire] = {
    "signet": Wire(),
    "simplejwt": Wire(),
    "token": TokenWire(),
    "knox": KnoxWire(),
    "oauth": OAuthWire(),
}


def username(number: int) -> str:
    """Return the username of the benchmark user with this number."""
    return f"user{number}"


def _json(path: str, data: Mapping[str, Any]) -> Call:
    headers = {"Content-Type": "application/json"}
    return Call(method="POST", path=path, headers=headers, body=json.dumps(data).encode())


def _form(path: str, **data: str) -> Call:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({**data, "client_id": CLIENT_ID}).encode()
    return Call(method="POST", path=path, headers=headers, body=body)
