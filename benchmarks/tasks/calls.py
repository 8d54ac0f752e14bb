"""Make calls without a server: `RequestFactory` → the view that the path resolves to → rendered."""

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
    """Return how this stack is spoken to."""
    return STACK.wire


def request(call: Call) -> Any:
    """Return the request of a call."""
    headers = {name: value for name, value in call.headers.items() if name != "Content-Type"}
    return _factory.generic(
        call.method,
        call.path,
        call.body,
        content_type=call.headers.get("Content-Type", "application/octet-stream"),
        headers=headers,
    )


def view(path: str) -> Callable[[Any], Any]:
    """Return the view of a path."""
    found: Callable[[Any], Any] = resolve(path).func
    return found


def has(path: str) -> bool:
    """Return whether the stack serves a path."""
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


def answer(one: Any) -> Any:
    """Return a response, rendered."""
    return one.render() if hasattr(one, "render") else one


def make(call: Call) -> Any:
    """Make a call and return the response."""
    return answer(view(call.path)(request(call)))


def logged_in(number: int, user_agent: str = "benchmark") -> Tokens:
    """Log a user in, and return the tokens.

    Raises:
        RuntimeError: the login was refused.
    """
    call = wire().login(username(number))
    agent = {"User-Agent": user_agent}
    response = make(
        Call(method="POST", path=call.path, headers={**call.headers, **agent}, body=call.body)
    )
    return wire().read(json(response, 200))


def json(response: Any, status: int) -> Any:
    """Return a response's JSON value.

    Raises:
        RuntimeError: it has another status.
    """
    if response.status_code != status:
        raise RuntimeError(f"{response.status_code} instead of {status}: {response.content!r}")
    return json_module.loads(response.content)
