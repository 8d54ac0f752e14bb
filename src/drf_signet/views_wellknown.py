"""The endpoints for services that verify tokens: the public keys, and where to find them.

DRF and drf-spectacular show the docstrings of the endpoints to users of the API.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import SplitResult, urlsplit

from django.urls import reverse
from django.utils.http import parse_etags
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from . import answers, runtime
from .answers import AnswerSerializer
from .jose import jwks
from .jose.keys import ALGORITHMS
from .jose.loading import PUBLIC_MEMBERS
from .serializers import CodeField
from .views import SignetView

_ASYMMETRIC = sorted(name for name, kind in ALGORITHMS.items() if kind in PUBLIC_MEMBERS)


class JWKSerializer(AnswerSerializer):
    """A public key (RFC 7517). Its type says which of the last five members it has."""

    kty = CodeField(sorted(PUBLIC_MEMBERS), help_text="The type of the key.")
    use = CodeField(["sig"])
    alg = CodeField(_ASYMMETRIC, help_text="The only algorithm for which the key is used.")
    kid = serializers.CharField(help_text="The `kid` in the header of the key's tokens.")
    n = serializers.CharField(required=False, help_text="RSA: the modulus.")
    e = serializers.CharField(required=False, help_text="RSA: the exponent.")
    crv = serializers.CharField(required=False, help_text="EC and OKP: the curve.")
    x = serializers.CharField(required=False, help_text="EC and OKP: the public key.")
    y = serializers.CharField(required=False, help_text="EC: the second coordinate.")
    json_schema: ClassVar[Mapping[str, Any]] = {"additionalProperties": False}


class JWKSetSerializer(AnswerSerializer):
    """The public keys of this API (RFC 7517). It has no keys if the tokens have a shared secret."""

    keys = JWKSerializer(many=True)


class MetadataSerializer(AnswerSerializer):
    """Who signs the tokens, and where the public keys are (RFC 8414)."""

    issuer = serializers.URLField(help_text="The `iss` of the tokens.")
    jwks_uri = serializers.URLField(help_text="The URL of the public keys.")
    response_types_supported = serializers.ListField(
        child=serializers.CharField(), max_length=0, help_text="No OAuth 2.0 flows are supported."
    )
    grant_types_supported = serializers.ListField(
        child=serializers.CharField(), max_length=0, help_text="No OAuth 2.0 flows are supported."
    )
    access_token_signing_alg_values_supported = serializers.ListField(
        child=CodeField(_ASYMMETRIC), help_text="The algorithms of the public keys."
    )


class NoIssuerSerializer(answers.ErrorSerializer):
    """The `ISSUER` of this API is not a URL, or its path is another one."""

    code = CodeField(["not_found"])


_REFUSALS = {
    **{status: body for status, body in answers.REFUSALS.items() if status not in {404, 406}},
    400: answers.UnreadableSerializer,
}


class AlwaysJSON(BaseContentNegotiation):
    """Answer in JSON, whatever the client accepts: not all clients ask for what they read."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        """Return no parser: nothing is read."""
        return None

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the first renderer."""
        return renderers[0], renderers[0].media_type


class PublicDocumentView(SignetView):
    """The base class of documents that everyone may read, and keep for `jwks.MAX_AGE` seconds."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = AlwaysJSON
    versioning_class = None

    def document(self, **kwargs: Any) -> dict[str, Any]:
        """Return the document.

        Raises:
            NotFound: there is no such document.
        """
        raise NotImplementedError

    def get(  # noqa: D102 - without it, drf-spectacular shows the docstring of the endpoint
        self, request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        document = self.document(**kwargs)
        digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()
        etag = f'"{digest[:32]}"'
        # Ignore the other conditions (RFC 9110 §13.1): they are for changes, or need a date.
        known = {
            tag.removeprefix("W/") for tag in parse_etags(request.headers.get("If-None-Match", ""))
        }
        status = 304 if known & {etag, "*"} else 200
        return Response(document if status == 200 else None, status, headers={"ETag": etag})

    def finalize_response(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Allow caching of the document, but not of errors, nor of the answer to OPTIONS."""
        response = super().finalize_response(request, *args, **kwargs)
        if response.status_code in {200, 304} and request.method != "OPTIONS":
            response["Cache-Control"] = f"public, max-age={jwks.MAX_AGE}"
        return response


class JWKSetView(PublicDocumentView):
    """Get the public keys that verify the tokens."""

    serializer_class = JWKSetSerializer
    responses: ClassVar[answers.Methods] = {"GET": {200: JWKSetSerializer, 304: None, **_REFUSALS}}

    def document(self, **kwargs: Any) -> dict[str, Any]:
        """Return the JWK Set of all keys that verify now, also of those that do not sign yet."""
        return jwks.key_set(runtime.current().codec.verifying_keys)


class MetadataView(PublicDocumentView):
    """Get the issuer of the tokens, and the URL of the public keys."""

    serializer_class = MetadataSerializer
    responses: ClassVar[answers.Methods] = {
        "GET": {200: MetadataSerializer, 304: None, **_REFUSALS, 404: NoIssuerSerializer}
    }

    def document(self, **kwargs: Any) -> dict[str, Any]:
        """Return the metadata of the issuer whose path is in the URL (RFC 8414 §3.1).

        The URL of the keys comes from `ISSUER`, never from the request.
        """
        current = runtime.current()
        issuer = _url(current.settings.ISSUER)
        if issuer is None or issuer.path.strip("/") != kwargs.get("path", "").strip("/"):
            raise NotFound
        keys = reverse("signet_wellknown:jwks")
        return {
            "issuer": current.settings.ISSUER,
            "jwks_uri": f"{issuer.scheme}://{issuer.netloc}{keys}",
            "response_types_supported": [],
            "grant_types_supported": [],
            "access_token_signing_alg_values_supported": jwks.algorithms(
                current.codec.verifying_keys
            ),
        }


def _url(issuer: str | None) -> SplitResult | None:
    """Return the parts of an issuer that is a URL; None if it is not a URL."""
    try:
        parts = urlsplit(issuer or "")
    except ValueError:  # such as "https://[me"
        return None
    return parts if parts.scheme in {"https", "http"} and parts.netloc else None
