"""How a client speaks to each family of packages: the HTTP calls, as plain data.

Used by the load generator, which talks to gunicorn, and by the tasks, which call the view.
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
#: The OAuth application of every database: public, password grant.
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
    """What a login or a refresh handed out; `refresh` is empty where there is none."""

    access: str
    refresh: str = ""


class Wire:
    """The calls of one family: username and password as JSON, a pair of tokens back."""

    scheme = "Bearer"

    def login(self, username: str) -> Call:
        """Return the call that logs in."""
        return _json("/login/", {"username": username, "password": PASSWORD})

    def refresh(self, tokens: Tokens) -> Call:
        """Return the call that trades a refresh token."""
        return _json("/refresh/", {"refresh": tokens.refresh})

    def logout(self, tokens: Tokens) -> Call:
        """Return the call that logs out."""
        return _json("/logout/", {"refresh": tokens.refresh})

    def read(self, answer: Mapping[str, Any], before: Tokens | None = None) -> Tokens:
        """Return the tokens of an answer; without a new refresh token the old one stays."""
        kept = before.refresh if before else ""
        return Tokens(access=answer["access"], refresh=answer.get("refresh", kept))

    def protected(self, access: str, path: str = "/protected/") -> Call:
        """Return a call of the protected view."""
        return Call(path=path, headers={"Authorization": f"{self.scheme} {access}"})


class TokenWire(Wire):
    """DRF's TokenAuthentication: one opaque token, no refresh, no logout."""

    scheme = "Token"

    def read(self, answer: Mapping[str, Any], before: Tokens | None = None) -> Tokens:
        """Return the token of an answer."""
        return Tokens(access=answer["token"])


class KnoxWire(TokenWire):
    """django-rest-knox: the password by HTTP Basic, the token in the header of a logout."""

    def login(self, username: str) -> Call:
        """Return the call that logs in."""
        basic = base64.b64encode(f"{username}:{PASSWORD}".encode()).decode()
        return Call(method="POST", path="/login/", headers={"Authorization": f"Basic {basic}"})

    def logout(self, tokens: Tokens) -> Call:
        """Return the call that logs out."""
        headers = {"Authorization": f"Token {tokens.access}"}
        return Call(method="POST", path="/logout/", headers=headers)


class OAuthWire(Wire):
    """django-oauth-toolkit: the password and the refresh grant of a public client (RFC 6749)."""

    def login(self, username: str) -> Call:
        """Return the call that logs in."""
        return _form("/login/", grant_type="password", username=username, password=PASSWORD)

    def refresh(self, tokens: Tokens) -> Call:
        """Return the call that trades a refresh token."""
        return _form("/login/", grant_type="refresh_token", refresh_token=tokens.refresh)

    def logout(self, tokens: Tokens) -> Call:
        """Return the call that revokes the refresh token, and with it the access token."""
        return _form("/logout/", token=tokens.refresh)

    def read(self, answer: Mapping[str, Any], before: Tokens | None = None) -> Tokens:
        """Return the tokens of an answer."""
        return Tokens(access=answer["access_token"], refresh=answer["refresh_token"])


#: Family → its calls.
WIRES: Mapping[str, Wire] = {
    "signet": Wire(),
    "simplejwt": Wire(),
    "token": TokenWire(),
    "knox": KnoxWire(),
    "oauth": OAuthWire(),
}


def username(number: int) -> str:
    """Return the name of a benchmark user."""
    return f"user{number}"


def _json(path: str, data: Mapping[str, Any]) -> Call:
    headers = {"Content-Type": "application/json"}
    return Call(method="POST", path=path, headers=headers, body=json.dumps(data).encode())


def _form(path: str, **data: str) -> Call:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({**data, "client_id": CLIENT_ID}).encode()
    return Call(method="POST", path=path, headers=headers, body=body)
