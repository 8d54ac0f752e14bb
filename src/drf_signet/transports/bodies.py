"""Whether the body and the query string of a request can be read."""

from __future__ import annotations

import codecs
from typing import cast

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.request import Request

#: Accepted charsets of a body, by their names in Python. Other charsets are refused, because DRF
#: before 3.18 decodes a body with any of Python's codecs, and some codecs decompress the body.
_CHARSETS = frozenset({"utf-8", "ascii", "iso8859-1"})


class RequestTooLarge(APIException):
    """Raised if the body is larger than Django's DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "Request body is too large."
    default_code = "request_too_large"


def read(request: Request) -> None:
    """Parse the body and the query string, and raise a client error (4xx) if they are not valid.

    DRF's parsers ignore Django's size limit, and do not catch RecursionError or errors of codecs.

    Raises:
        RequestTooLarge, UnsupportedMediaType, ParseError: the body or the query is not valid.
    """
    limit = cast("int | None", settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    if limit is not None and _content_length(request) > limit:
        raise RequestTooLarge
    charset = (request.content_params or {}).get("charset")
    if charset is not None and not _is_accepted(charset):
        raise UnsupportedMediaType(request.content_type)
    try:
        _ = request.data, request.query_params  # reading the attributes parses the request
    except APIException:
        raise
    except Exception as error:
        raise ParseError from error


def _is_accepted(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name in _CHARSETS
    except LookupError:
        return False


def _content_length(request: Request) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0
