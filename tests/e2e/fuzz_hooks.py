"""Hooks for schemathesis: log in, and send the header that browsers send.

FUZZED_SERVER is the URL of the server. The requests also log out. Schemathesis then calls the
login of this module again.
"""

from __future__ import annotations

import json
import os
from http.cookies import SimpleCookie
from typing import Any
from urllib.request import Request, urlopen

import schemathesis

BASE = os.environ["FUZZED_SERVER"]


def log_in(path: str) -> Any:
    body = json.dumps({"username": "vitor", "password": "123"}).encode()
    headers = {"Content-Type": "application/json", "X-Requested-With": "x", "Origin": BASE}
    return urlopen(Request(f"{BASE}{path}", body, headers))


@schemathesis.auth().apply_to(path_regex=r"^/(api/token|hello)/")
class AccessToken:
    """Authentication by an access token in the header."""

    def get(self, case: Any, context: Any) -> str:
        return str(json.load(log_in("/api/token/"))["access"])

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.auth().apply_to(path_regex=r"^/auth/")
class RefreshCookie:
    """Authentication by the refresh cookie."""

    def get(self, case: Any, context: Any) -> dict[str, str]:
        cookies = SimpleCookie(log_in("/auth/login/").headers["Set-Cookie"])
        return {name: morsel.value for name, morsel in cookies.items()}

    def set(self, case: Any, data: dict[str, str], context: Any) -> None:
        case.cookies = {**(case.cookies or {}), **data}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Add the header that says which page sends the request."""
    case.headers["Origin"] = BASE
