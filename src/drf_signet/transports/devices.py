"""Name the device of a session for people, as in "Firefox on Windows"."""

from __future__ import annotations

from collections.abc import Callable

from . import clients

#: Takes a user agent as a browser sends it, and returns the name of the device, or "" if unknown.
Parser = Callable[[str], str]

#: Contains at most one item: the registered parser.
_registered: list[Parser] = []


def register(parser: Parser | None) -> Parser | None:
    """Register the parser of user agents, and return the previous parser. None removes it."""
    before = _registered.pop() if _registered else None
    if parser is not None:
        _registered.append(parser)
    return before


def name_of(user_agent: str) -> str:
    """Return the name of the device that a stored user agent describes.

    Without a parser, and for a program that the parser does not know, this is the user agent.

    Args:
        user_agent: the field `user_agent` of a session.
    """
    if not (user_agent and _registered):
        return user_agent
    (parse,) = _registered
    return parse(clients.restore_boilerplate(user_agent)) or user_agent
