"""What a request says about the client that sent it, cleaned for the database and for throttles."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from . import runtime
from .models import USER_AGENT_LENGTH
from .sessions import Client

#: Browsers pretend to be each other: these phrases tell none of them from another.
_OF_ALL_BROWSERS = re.compile(r"^Mozilla/5\.0 (?=\()| \(KHTML, like Gecko\)")


def describe(request: HttpRequest | None) -> Client:
    """Return what is remembered of a client; nothing with RECORD_CLIENT off or no request."""
    if request is None or not runtime.current().settings.RECORD_CLIENT:
        return Client()
    address = parse_address(request)
    return Client(
        user_agent=clean_user_agent(request.META.get("HTTP_USER_AGENT", "")),
        ip_address=str(address) if address else None,
    )


def clean_user_agent(text: str) -> str:
    """Return what is kept of a `User-Agent`: printable, short, without what all browsers say."""
    telling = _OF_ALL_BROWSERS.sub("", "".join(filter(str.isprintable, text)))
    return telling[:USER_AGENT_LENGTH].strip()


def parse_address(request: HttpRequest) -> Any:
    """Return the client's address as an `ipaddress` object, or None if the server knows none.

    REMOTE_ADDR; behind proxies, the hop of X-Forwarded-For that DRF's NUM_PROXIES counts to.
    Without that setting the header is not believed, since any client can send it.
    """
    text = request.META.get("REMOTE_ADDR", "")
    if proxies := getattr(settings, "REST_FRAMEWORK", {}).get("NUM_PROXIES"):
        hops = request.META.get("HTTP_X_FORWARDED_FOR", text).split(",")
        text = hops[-min(proxies, len(hops))].strip()
    try:
        address = ipaddress.ip_address(text.partition("%")[0])  # a zone means nothing elsewhere
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def network(request: HttpRequest) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 that one IPv6 client owns."""
    address = parse_address(request)
    if address is not None and address.version == 6:
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)
