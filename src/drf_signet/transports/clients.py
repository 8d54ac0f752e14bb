"""Read the user agent and the address of a client from a request, for sessions and throttles."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from .. import runtime
from ..models import USER_AGENT_LENGTH
from ..sessions.store import Client

#: Phrases that nearly all browsers send, and that do not help to tell browsers apart.
_BOILERPLATE = re.compile(r"^Mozilla/5\.0 (?=\()| \(KHTML, like Gecko\)")
#: The positions of the removed phrases: the first phrase was before a parenthesis at the start,
#: the second phrase was after the version of WebKit.
_CUT = re.compile(r"^(?=\()|(?<= AppleWebKit)/[\w.+]+(?! \(KHTML)")
#: An address with a port, or an IPv6 address in brackets, as some proxies write them.
_WITH_PORT = re.compile(r"\[([^\[\]]+)\](?::\d*)?|([\d.]+):\d*", re.ASCII)


def describe(request: HttpRequest | None) -> Client:
    """Return the request's `Client`; empty if there is no request or RECORD_CLIENT is off."""
    if request is None or not runtime.current().settings.RECORD_CLIENT:
        return Client()
    address = parse_address(request)
    return Client(
        user_agent=clean_user_agent(request.META.get("HTTP_USER_AGENT", "")),
        ip_address=str(address) if address else None,
    )


def clean_user_agent(text: str) -> str:
    """Remove unprintable characters and boilerplate from a user agent, and truncate it."""
    cleaned = _BOILERPLATE.sub("", "".join(filter(str.isprintable, text)))
    return cleaned[:USER_AGENT_LENGTH].strip()


def restore_boilerplate(stored: str) -> str:
    """Return a stored user agent with the phrases that `clean_user_agent` removed.

    Parsers of user agents look for these phrases, for example to recognize DuckDuckGo's browser.
    """
    return _CUT.sub(lambda at: f"{at[0]} (KHTML, like Gecko)" if at[0] else "Mozilla/5.0 ", stored)


def num_proxies() -> Any:
    """Return DRF's NUM_PROXIES setting, or None if it is not set."""
    return getattr(settings, "REST_FRAMEWORK", {}).get("NUM_PROXIES")


def is_proxy_count(number: Any) -> bool:
    """Return whether a value of NUM_PROXIES is valid: None, or a number that is not negative."""
    return number is None or (isinstance(number, int) and number >= 0)


def parse_address(request: HttpRequest) -> Any:
    """Return the client's address as an `ipaddress` object, or None if the address is unknown.

    The address is REMOTE_ADDR or, if DRF's NUM_PROXIES is n > 0, the nth entry from the end of the
    X-Forwarded-For header. Without NUM_PROXIES, this header is ignored, because any client can
    send it.
    Some proxies append the client's port to the address, as in `198.51.100.7:51234` or
    `[2001:db8::1]:51234`. The port is ignored.
    """
    text = _client_hop(request)
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])  # drop the zone of an IPv6 address
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def network(request: HttpRequest) -> str | None:
    """Return the network that counts as one client: an IPv4 address or an IPv6 /64 network.

    Return None if the address is unknown: unrelated clients must not count as one client.
    """
    address = parse_address(request)
    if address is not None and address.version == 6:
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address) if address else None


def _client_hop(request: HttpRequest) -> str:
    """Return the client's address as a string, as the server or a proxy wrote it."""
    remote: str = request.META.get("REMOTE_ADDR") or ""  # empty on a Unix socket
    proxies = num_proxies()
    if not is_proxy_count(proxies):
        return ""
    if not proxies:
        return remote
    hops = request.META.get("HTTP_X_FORWARDED_FOR", remote).split(",")
    return str(hops[-min(proxies, len(hops))]).strip()
