"""Read the `Authorization` header (RFC 6750 §2.1), and build `WWW-Authenticate` headers (§3)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.http import HttpRequest

from .. import runtime
from ..errors import MalformedHeader

#: Optional whitespace in a header (RFC 9110 §5.6.3).
_SPACES = " \t"


def read(request: HttpRequest) -> str | None:
    """Return the raw token from a request's header, or None if the scheme is not accepted.

    The scheme is case-insensitive. If the header has a scheme without a token, return an empty
    string. Only spaces and tabs are stripped (RFC 9110 §5.6.3). Python's `strip` and `split` also
    remove other characters, such as NEL, and would read the same token from different headers.

    Raises:
        MalformedHeader: there are several tokens, in one header or in several headers, which
            servers join with commas.
    """
    settings = runtime.current().settings
    header: str = request.META.get(settings.AUTH_HEADER_NAME, "")
    scheme, _, raw_token = header.partition(" ")
    simple = raw_token and not _has_separator(raw_token)
    if simple and scheme in settings.AUTH_HEADER_TYPES:  # the form that nearly all clients send
        return raw_token
    return _read_unusual(header.strip(_SPACES), settings.AUTH_HEADER_TYPES)


def challenge(*, error: str | None = None) -> str:
    """Return the value of `WWW-Authenticate`.

    Args:
        error: `invalid_token` or `invalid_request` (RFC 6750 §3.1); None if there was no token.
    """
    scheme = runtime.current().settings.AUTH_HEADER_TYPES[0]
    return f'{scheme} realm="api"' + (f', error="{error}"' if error else "")


def _read_unusual(header: str, types: Sequence[str]) -> str | None:
    schemes = "|".join(map(re.escape, types))
    if re.search(rf",[ \t]*(?:{schemes})(?:[ \t,]|$)", header, re.IGNORECASE):
        raise MalformedHeader
    scheme, _, raw_token = header.partition(" ")
    if not re.fullmatch(schemes, scheme, re.IGNORECASE):
        return None
    raw_token = raw_token.strip(_SPACES)
    if _has_separator(raw_token):
        raise MalformedHeader
    return raw_token


def _has_separator(text: str) -> bool:
    return " " in text or "\t" in text or "," in text
