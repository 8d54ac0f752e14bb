"""The `Authorization` header (RFC 6750 §2.1), and the challenge that answers its absence (§3)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.http import HttpRequest

from .. import runtime
from ..errors import MalformedHeader


def read(request: HttpRequest) -> str | None:
    """Return the raw token of a request's header; None if it carries no credential for us.

    The scheme's case does not matter. A scheme without a token is an empty token.

    Raises:
        MalformedHeader: more than one token, in one header or in several (servers join them with
            commas).
    """
    settings = runtime.current().settings
    header: str = request.META.get(settings.AUTH_HEADER_NAME, "")
    scheme, _, token = header.partition(" ")
    if scheme in settings.AUTH_HEADER_TYPES and "," not in token and token.split() == [token]:
        return token  # as nearly every client writes it
    return _read_closely(header.strip(), settings.AUTH_HEADER_TYPES)


def challenge(*, error: str | None = None) -> str:
    """Return the value of `WWW-Authenticate`.

    Args:
        error: `invalid_token` or `invalid_request`; None where no credential was sent (§3.1).
    """
    scheme = runtime.current().settings.AUTH_HEADER_TYPES[0]
    return f'{scheme} realm="api"' + (f', error="{error}"' if error else "")


def _read_closely(header: str, types: Sequence[str]) -> str | None:
    schemes = "|".join(map(re.escape, types))
    if re.search(rf",\s*(?:{schemes})(?:\s|,|$)", header, re.IGNORECASE):
        raise MalformedHeader
    scheme, _, token = header.partition(" ")
    if not re.fullmatch(schemes, scheme, re.IGNORECASE):
        return None
    if len(token.split()) > 1 or "," in token:
        raise MalformedHeader
    return token.strip()
