"""Adapter for ua-parser, which recognizes browsers, systems and devices by their user agents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drf_signet.transports import devices

if TYPE_CHECKING:
    from ua_parser import Device

#: Words in ua-parser's names of browsers that repeat the name of the device.
_REDUNDANT = re.compile(r"(?: |\b)(?:Mobile|iOS|WebView|UI/WKWebView)\b")
#: The name of an app that writes its user agent itself, as in `MyApp/3.1 (…; iOS 17.5)`.
_FIRST_PRODUCT = re.compile(r"(?!Mozilla/)[\w.-]+(?=/)")
#: The name that ua-parser gives to an Apple device whose model it cannot determine.
_SOME_APPLE = "iOS-Device"


def connect() -> None:
    """Let ua-parser name the devices of sessions."""
    devices.register(name_of)


def name_of(user_agent: str) -> str:
    """Return a name such as "Safari on iPhone", or "" if ua-parser recognizes nothing in it."""
    try:
        # Imported at the first use: its thousands of expressions take time and memory, and most
        # processes never show a device.
        from ua_parser import parse
    except ImportError:
        return ""  # a release before 1.0, which another package depends on
    found = parse(user_agent)
    system = found.os.family if found.os else ""
    program = _program(found.user_agent.family if found.user_agent else "", user_agent, system)
    hardware = _hardware(found.device, system)
    return f"{program} on {hardware}" if program and hardware else program or hardware


def _program(family: str, user_agent: str, system: str) -> str:
    """Return the name of the browser, or the first word of a user agent that is not a browser's."""
    if family and family != system:
        return _REDUNDANT.sub("", family).strip() or family
    first = _FIRST_PRODUCT.match(user_agent)
    return first[0] if system and first else ""


def _hardware(device: Device | None, system: str) -> str:
    """Return the name of the device or, if that is too general, of its operating system."""
    if device is None or device.brand is None or device.family == _SOME_APPLE:
        return system
    is_generic = device.brand.startswith("Generic") or device.brand == "Spider"
    return system if is_generic else device.family
