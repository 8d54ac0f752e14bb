"""Describe in OpenAPI what the endpoints read and answer."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_doc
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.settings import api_settings

from drf_signet import answers, serializers
from drf_signet.answers import Own
from drf_signet.views import SignetView


def connect() -> None:
    """Describe the endpoints with a subclass of the project's schema class."""
    base: Any = api_settings.DEFAULT_SCHEMA_CLASS
    if isinstance(base, type) and issubclass(base, AutoSchema):
        SignetView.schema = type("SignetSchema", (SignetSchema, base), {})()


class SignetSchema(AutoSchema):
    """The description of an endpoint, from the attributes of its view."""

    view: Any

    def get_response_serializers(self) -> Any:
        """Return the view's answers. Its own serializer describes a method without answers."""
        own = super().get_response_serializers()
        known = sorted(self.view.responses.get(self.method, {}).items())
        return {status: _answer(status, body, own) for status, body in known} or own

    def get_summary(self) -> str | None:
        """Return the first line of the description."""
        return super().get_summary() or self.get_description().partition("\n")[0]

    def get_override_parameters(self) -> list[Any]:
        """Add the view's parameters, and the headers of its answers."""
        known = [*self.view.get_parameters(), *answers.HEADERS]
        own = [OpenApiParameter(**vars(one)) for one in known]
        return [*own, *super().get_override_parameters()]

    def get_operation(self, *args: Any) -> Any:
        """Require a body if the view does, even if it only checks the content type of the body."""
        operation = super().get_operation(*args)
        if operation and self.method in ("POST", "PATCH") and self.view.requires_body:
            body = {"content": {"application/json": {"schema": {}}}, "required": True}
            operation.setdefault("requestBody", body)["required"] = True
        return operation

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        """Add a prefix to this package's names, because a project may use the same names."""
        name = super().get_serializer_name(serializer, direction)
        return f"Auth{name}" if type(serializer).__module__ == serializers.__name__ else name


def _answer(status: int, body: Any, own: Any) -> Any:
    if isinstance(body, Own):
        return own if body is Own.ONE else type(own)(many=True)
    if body is None:
        done = "Not modified since the response with the `ETag` in `If-None-Match`."
        text = done if status == 304 else "Done. The response has no body."
        return OpenApiResponse(description=text)
    if body is serializers.NothingSerializer:  # without a field, drf-spectacular drops the body
        return OpenApiResponse({"type": "object"}, description="Done. The object is empty.")
    return OpenApiResponse(body, description=get_doc(body))
