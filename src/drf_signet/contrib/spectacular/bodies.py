"""OpenAPI schemas of the serializers and fields that provide a part of their schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema

from drf_signet import answers, serializers


class AnswerExtension(OpenApiSerializerExtension):
    """The body of an answer, which a project may use for its own views, too."""

    target_class = answers.AnswerSerializer
    match_subclasses = True

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        """Add the prefix that `SignetSchema` adds to the names of other serializers."""
        return f"Auth{type(self.target).__name__}"

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Any:
        """Return drf-spectacular's schema, changed by the serializer's `json_schema`."""
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, **self.target.json_schema}


class FieldExtension(OpenApiSerializerFieldExtension):
    """A field that provides its own schema."""

    target_class = serializers.DescribedField
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        """Return the schema that the field provides."""
        schema = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)
        return self.target.describe(schema)
