"""Check answers of the endpoints against the OpenAPI schema: status, content type, body, headers.

The schema of a view is generated once, from the view alone. So it does not depend on the URLconf of
a test, and subclasses of views in tests are checked, too.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from jsonschema import Draft202012Validator, FormatChecker

from drf_signet.views import SignetView

#: OpenAPI 3.1 contains JSON Schema, so a validator of JSON Schema understands `null`.
_SETTINGS = {"OAS_VERSION": "3.1.0", "AUTHENTICATION_WHITELIST": []}


@functools.cache
def schema_of(view: type[SignetView], route: str = "view/") -> Any:
    """Return the OpenAPI schema of a view, which is served at `route`."""
    with patched_settings(_SETTINGS):
        generator = SchemaGenerator(patterns=[path(route, view.as_view())])
        # Through JSON, because lazy translations and tuples are not valid in JSON Schema.
        return json.loads(json.dumps(generator.get_schema(public=True), default=str))


@functools.cache
def _documented(view: type[SignetView], method: str, status: int) -> Any:
    """Return what the schema says about a status; None if the status is not documented.

    The schema cannot describe a method that the view does not support, so the answer to such a
    method must be documented for all methods that the view supports.
    """
    (operations,) = schema_of(view)["paths"].values()
    known = [operations[method.lower()]] if method.lower() in operations else operations.values()
    answers = [operation["responses"].get(str(status)) for operation in known]
    return answers[0] if all(answers) else None


@functools.cache
def _validator(view: type[SignetView], method: str, status: int, media_type: str) -> Any:
    content = _documented(view, method, status).get("content", {})
    if media_type not in content:
        return None
    components = schema_of(view)["components"]
    schema = {**content[media_type]["schema"], "components": components}
    return Draft202012Validator(schema, format_checker=FormatChecker())


def mistakes(view: SignetView, response: Any) -> list[str]:
    """Return what the schema of a view does not say about an answer.

    Args:
        response: a rendered response to `view.request`.
    """
    method, status = str(view.request.method), response.status_code
    if method in {"HEAD", "OPTIONS"} or response.get("Content-Type", "").startswith("text/html"):
        return []  # OpenAPI describes neither these methods nor DRF's web interface
    where = f"{type(view).__name__}, {method}, {status}"
    documented = _documented(type(view), method, status)
    if documented is None:
        return [f"{where}: the status is not documented"]
    return [
        f"{where}: {mistake}"
        for mistake in (
            *_missing_headers(documented.get("headers", {}), response.headers),
            *_body_mistakes(type(view), method, response),
        )
    ]


def _missing_headers(documented: Mapping[str, Any], headers: Mapping[str, str]) -> list[str]:
    required = [name for name, header in documented.items() if header.get("required")]
    return [f"the header {name} is missing" for name in required if name not in headers]


def _body_mistakes(view: type[SignetView], method: str, response: Any) -> list[str]:
    status, body = response.status_code, response.content
    if not body:
        documented = _documented(view, method, status)
        return ["the body is missing"] if "content" in documented else []
    media_type = response["Content-Type"].partition(";")[0]
    validator = _validator(view, method, status, media_type)
    if validator is None:
        return [f"a body of the type {media_type} is not documented"]
    return [f"{error.message} in {body!r}" for error in validator.iter_errors(json.loads(body))]
