"""Call views without a server: build a request, find its view, and render the response."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable
from typing import Any

from django.test import RequestFactory
from django.urls import Resolver404, resolve

from benchmarks.project.settings import STACK
from benchmarks.wire import Call, Tokens, Wire, username

_factory = RequestFactory()


def wire() -> Wire:
    """Return the `Wire` of the tested package, which builds its HTTP requests."""
    return STACK.wire


def request(call: Call) -> Any:
    """Return the Django request for a `Call`."""
    headers = {name: value for name, value in call.headers.items() if name != "Content-Type"}
    return _factory.generic(
        call.method,
        call.path,
        call.body,
        content_type=call.headers.get("Content-Type", "application/octet-stream"),
        headers=headers,
    )


def view(path: str) -> Callable[[Any], Any]:
    """Return the view that a path resolves to."""
    resolved: Callable[[Any], Any] = resolve(path).func
    return resolved


def has(path: str) -> bool:
    """Return whether a URL pattern matches the path."""
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


def render(response: Any) -> Any:
    """Render a response if its class has a method `render`, and return the response."""
    return response.render() if hasattr(response, "render") else response


def make(call: Call) -> Any:
    """Pass the request of a `Call` to its view, and return the rendered response."""
    return render(view(call.path)(request(call)))


def logged_in(number: int, user_agent: str = "benchmark") -> Tokens:
    """Log in as the benchmark user with this number, and return the tokens.

    Raises:
        RuntimeError: the login failed.
    """
    call = wire().login(username(number))
    agent = {"User-Agent": user_agent}
    response = make(
        Call(method="POST", path=call.path, headers={**call.headers, **agent}, body=call.body)
    )
    return wire().read(json(response, 200))


def json(response: Any, status: int) -> Any:
    """Return the parsed JSON body of a response, which must have this status.

    Raises:
        RuntimeError: the response has another status.
    """
    if response.status_code != status:
        raise RuntimeError(f"{response.status_code} instead of {status}: {response.content!r}")
    return json_module.loads(response.content)
