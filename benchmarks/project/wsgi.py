"""The WSGI application: Django, with an additional header that contains the process id."""

from __future__ import annotations

import os
from typing import Any

from django.core.wsgi import get_wsgi_application

_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """Handle a request with Django, and add the header `X-Worker` with the process id."""

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [*headers, ("X-Worker", str(os.getpid()))], *rest)

    return _django(environ, start)
