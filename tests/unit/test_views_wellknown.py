"""Test the endpoints for services that verify tokens: the JWK Set and the metadata."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient, APIRequestFactory

from drf_signet.jose.keys import ALGORITHMS
from drf_signet.views_wellknown import PublicDocumentView
from tests.support.token_forge import Signer, signer

JWKS_URLS = ["/api/token/jwks/", "/.well-known/jwks.json"]
METADATA_URL = "/.well-known/oauth-authorization-server"
OWN_SECRET = "a secret for tokens alone, with enough characters: 0123456789abcdef0123456789"
#: Members of JWKs that must never be published (RFC 7518 §6).
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

each_url = pytest.mark.parametrize("url", JWKS_URLS)
each_signer = pytest.mark.parametrize("by", [signer(alg) for alg in ALGORITHMS], ids=str)


@pytest.fixture
def client() -> APIClient:
    return APIClient()


def published(client: APIClient, url: str = JWKS_URLS[0]) -> list[dict[str, Any]]:
    response = client.get(url)
    assert response.status_code == 200
    document = response.json()
    assert document.keys() == {"keys"}
    keys: list[dict[str, Any]] = document["keys"]
    return keys


class TestJWKSet:
    @each_url
    @pytest.mark.parametrize("signet", [{}, {"SIGNING_KEY": OWN_SECRET}])
    def test_jwk_set_of_a_single_secret_is_empty(
        self, client: APIClient, settings: Any, url: str, signet: dict[str, Any]
    ) -> None:
        settings.SIGNET = signet
        assert published(client, url) == []
        assert client.get(url)["ETag"]

    @each_signer
    @pytest.mark.parametrize("setting", ["KEYS", "SIGNING_KEY"])
    def test_jwk_set_contains_no_private_and_no_symmetric_member(
        self, client: APIClient, settings: Any, by: Signer, setting: str
    ) -> None:
        jwk = {**by.jwk, "x-note": "internal", "key_ops": ["sign", "verify"]}
        secret = {"alg": "HS512", "kid": "secret", "key": OWN_SECRET}
        ring = [{"alg": by.alg, "key": jwk}, secret]
        key = {"ALGORITHM": by.alg, "SIGNING_KEY": jwk}
        settings.SIGNET = {"KEYS": ring} if setting == "KEYS" else key
        keys = published(client)
        assert not any(PRIVATE_MEMBERS & key.keys() for key in keys)
        kind = ALGORITHMS[by.alg]
        public = {name: by.jwk[name] for name in ("n", "e", "crv", "x", "y") if name in by.jwk}
        kid = keys[0]["kid"] if keys else ""
        expected = {"kty": kind, "use": "sig", "alg": by.alg, "kid": kid, **public}
        assert keys == ([] if kind == "oct" else [expected])
        for private in PRIVATE_MEMBERS & by.jwk.keys():
            assert by.jwk[private] not in client.get(JWKS_URLS[0]).content.decode()

    def test_jwk_set_contains_keys_that_do_not_sign_yet_but_no_expired_keys(
        self, client: APIClient, settings: Any
    ) -> None:
        now, day = datetime.now(tz=UTC), timedelta(days=1)
        settings.SIGNET = {
            "KEYS": [
                {"kid": "3", "alg": "EdDSA", "key": signer("EdDSA").jwk, "not_before": now + day},
                {"kid": "2", "alg": "ES256", "key": signer("ES256").public_jwk},
                {"kid": "1", "alg": "RS256", "key": signer("RS256").jwk, "not_after": now - day},
            ]
        }
        assert [key["kid"] for key in published(client)] == ["3", "2"]

    def test_jwk_set_contains_a_key_once_if_its_public_half_is_set_too(
        self, client: APIClient, settings: Any
    ) -> None:
        by = signer("ES256")
        settings.SIGNET = {
            "ALGORITHM": "ES256",
            "SIGNING_KEY": by.jwk,
            "VERIFYING_KEY": by.public_jwk,
        }
        (key,) = published(client)
        assert len(key["kid"]) == 43

    @each_url
    def test_jwk_set_may_be_cached_for_five_minutes(self, client: APIClient, url: str) -> None:
        response = client.get(url)
        assert response["Cache-Control"] == "public, max-age=300"
        assert response["Content-Type"] == "application/json"
        assert not response.has_header("Vary")
        assert not response.cookies

    def test_jwk_set_is_not_sent_again_while_its_etag_is_current(
        self, client: APIClient, settings: Any
    ) -> None:
        settings.SIGNET = {"ALGORITHM": "ES256", "SIGNING_KEY": signer("ES256").jwk}
        first = client.get(JWKS_URLS[0])
        again = client.get(JWKS_URLS[0], HTTP_IF_NONE_MATCH=first["ETag"])
        assert (again.status_code, again.content) == (304, b"")
        assert again["ETag"] == first["ETag"]
        assert again["Cache-Control"] == first["Cache-Control"]
        settings.SIGNET = {"ALGORITHM": "EdDSA", "SIGNING_KEY": signer("EdDSA").jwk}
        changed = client.get(JWKS_URLS[0], HTTP_IF_NONE_MATCH=first["ETag"])
        assert changed.status_code == 200
        assert changed["ETag"] != first["ETag"]

    @pytest.mark.parametrize("etag", ["*", "W/{}", '"other", {}'])
    def test_jwk_set_is_not_sent_again_for_any_form_of_its_etag(
        self, client: APIClient, etag: str
    ) -> None:
        known = etag.format(client.get(JWKS_URLS[0])["ETag"])
        assert client.get(JWKS_URLS[0], HTTP_IF_NONE_MATCH=known).status_code == 304

    @pytest.mark.parametrize(
        ("header", "value"),
        [
            ("HTTP_IF_NONE_MATCH", '"other"'),
            ("HTTP_IF_NONE_MATCH", '"' * 5000),
            ("HTTP_IF_NONE_MATCH", "\xff no etag"),
            ("HTTP_IF_MATCH", '"other"'),
            ("HTTP_IF_UNMODIFIED_SINCE", "Mon, 01 Jan 2024 00:00:00 GMT"),
            ("HTTP_IF_MODIFIED_SINCE", "Mon, 01 Jan 2024 00:00:00 GMT"),
            ("HTTP_IF_MODIFIED_SINCE", "no date"),
            ("HTTP_RANGE", "bytes=0-1"),
        ],
    )
    def test_other_conditions_are_ignored(self, client: APIClient, header: str, value: str) -> None:
        sent: dict[str, Any] = {header: value}
        response = client.get(JWKS_URLS[0], **sent)
        assert (response.status_code, response.json()) == (200, {"keys": []})

    def test_answer_to_options_is_not_cached(self, client: APIClient) -> None:
        response = client.options(JWKS_URLS[0])
        assert (response.status_code, response["Cache-Control"]) == (200, "no-store")

    def test_documents_have_no_version(self) -> None:
        # NamespaceVersioning would refuse the namespace of the URLs.
        assert PublicDocumentView.versioning_class is None

    def test_head_request_has_the_headers_and_no_body(self, client: APIClient) -> None:
        head, get = client.head(JWKS_URLS[0]), client.get(JWKS_URLS[0])
        assert (head.status_code, head.content) == (200, b"")
        assert head["ETag"] == get["ETag"]
        assert head["Cache-Control"] == get["Cache-Control"]

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    def test_other_methods_are_refused_and_not_cached(self, client: APIClient, method: str) -> None:
        response = getattr(client, method)(JWKS_URLS[0])
        assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
        assert response["Cache-Control"] == "no-store"

    @pytest.mark.parametrize(
        "accept", ["application/jwk-set+json", "text/html", "image/png", "nothing", ""]
    )
    def test_answer_is_json_whatever_the_client_accepts(
        self, client: APIClient, accept: str
    ) -> None:
        assert client.get(JWKS_URLS[0], HTTP_ACCEPT=accept).json() == {"keys": []}
        assert client.get(f"{JWKS_URLS[0]}?format=html").json() == {"keys": []}

    def test_access_token_is_neither_needed_nor_read(self, client: APIClient) -> None:
        response = client.get(JWKS_URLS[0], HTTP_AUTHORIZATION="Bearer nonsense")
        assert response.status_code == 200

    def test_body_and_query_string_of_a_request_are_never_a_server_error(
        self, client: APIClient
    ) -> None:
        junk = client.generic("GET", JWKS_URLS[0], "[" * 1000, content_type="application/json")
        fields = client.get(f"{JWKS_URLS[0]}?{'a&' * 2000}")
        assert {junk.status_code, fields.status_code} <= {200, 400, 413, 415}

    @pytest.mark.django_db
    def test_jwk_set_is_answered_without_a_query(
        self, client: APIClient, django_assert_num_queries: Any
    ) -> None:
        with django_assert_num_queries(0):
            client.get(JWKS_URLS[0])


ED = {"kid": "1", "alg": "EdDSA", "key": signer("EdDSA").jwk}


def test_document_view_without_a_document_raises_not_implemented_error() -> None:
    with pytest.raises(NotImplementedError):
        PublicDocumentView.as_view()(APIRequestFactory().get("/"))


class TestMetadata:
    def test_metadata_names_the_issuer_the_url_of_the_keys_and_the_algorithms(
        self, client: APIClient, settings: Any
    ) -> None:
        es256 = {"kid": "2", "alg": "ES256", "key": signer("ES256").jwk}
        settings.SIGNET = {"ISSUER": "https://api.example.com", "KEYS": [ED, es256]}
        response = client.get(METADATA_URL)
        assert response.json() == {
            "issuer": "https://api.example.com",
            "jwks_uri": "https://api.example.com/.well-known/jwks.json",
            "response_types_supported": [],
            "grant_types_supported": [],
            "access_token_signing_alg_values_supported": ["EdDSA", "ES256"],
        }
        assert response["Cache-Control"] == "public, max-age=300"
        again = client.get(METADATA_URL, HTTP_IF_NONE_MATCH=response["ETag"])
        assert again.status_code == 304

    def test_metadata_of_an_issuer_with_a_path_is_below_the_well_known_path(
        self, client: APIClient, settings: Any
    ) -> None:
        settings.SIGNET = {"ISSUER": "https://example.com/api/v1", "KEYS": [ED]}
        found = client.get(f"{METADATA_URL}/api/v1")
        assert found.json()["issuer"] == "https://example.com/api/v1"
        assert found.json()["jwks_uri"] == "https://example.com/.well-known/jwks.json"
        for path in ("", "/api", "/api/v2"):
            assert client.get(METADATA_URL + path).status_code == 404

    @pytest.mark.parametrize(
        "issuer", [None, "me", "urn:me", "mailto:me@example.com", "https://", "https://[me"]
    )
    def test_metadata_does_not_exist_if_the_issuer_is_no_url(
        self, client: APIClient, settings: Any, issuer: str | None
    ) -> None:
        settings.SIGNET = {"ISSUER": issuer}
        response = client.get(METADATA_URL)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
        assert response["Cache-Control"] == "no-store"

    def test_url_of_the_keys_does_not_depend_on_the_host_of_the_request(
        self, client: APIClient, settings: Any
    ) -> None:
        settings.ALLOWED_HOSTS = ["*"]
        settings.SIGNET = {"ISSUER": "https://api.example.com", "KEYS": [ED]}
        response = client.get(METADATA_URL, HTTP_HOST="evil.example")
        assert "evil" not in json.dumps(response.json())

    def test_url_of_the_keys_answers(self, client: APIClient, settings: Any) -> None:
        settings.SIGNET = {"ISSUER": "https://testserver", "KEYS": [ED]}
        uri = client.get(METADATA_URL).json()["jwks_uri"]
        assert uri.removeprefix("https://testserver") == reverse("signet_wellknown:jwks")
        assert published(client, uri)[0]["kid"] == "1"
