"""Test what all endpoints have in common, such as their error format and cache headers.

Tests without the `db` fixture also assert that no SQL statement runs: pytest-django refuses
database access in these tests.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection, connections, transaction
from django.http import Http404, JsonResponse
from django.urls import resolve
from rest_framework import exceptions
from rest_framework.permissions import BasePermission
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import exception_handler

from drf_signet import views
from drf_signet.errors import UnusableKey
from tests.conftest import PASSWORD
from tests.support.endpoint_table import ALL, LOGOUT_ALL, OBTAIN, OPEN, PROTECTED, REFRESH, Endpoint

on_all = pytest.mark.parametrize("endpoint", ALL, ids=str)
on_open = pytest.mark.parametrize("endpoint", OPEN, ids=str)
on_protected = pytest.mark.parametrize("endpoint", PROTECTED, ids=str)

#: A token with an empty payload and an invalid signature.
FORGED_TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.e30.AAAA"


def _with_handler(settings, handler: str) -> None:
    name = f"{__name__}.{handler}"
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "EXCEPTION_HANDLER": name}


def enveloped(error: Exception, context: Any) -> Response | None:
    """Return errors in a custom format, as the exception handlers of many projects do."""
    response = exception_handler(error, context)
    if response is not None:
        response.data = {"error": {"status": response.status_code, "is": type(error).__name__}}
    return response


def numbered(error: Exception, context: Any) -> Response | None:
    """Add a key to DRF's response, as in the example in DRF's documentation."""
    response = exception_handler(error, context)
    if response is not None and isinstance(response.data, dict):
        response.data["status_code"] = response.status_code
    return response


def explained(error: Exception, context: Any) -> Response:
    """Return a response whose `detail` does not come from DRF."""
    return Response({"detail": "see the documentation"}, status=400)


def without_drf(error: Exception, context: Any) -> JsonResponse:
    """Return a Django response instead of a DRF response."""
    return JsonResponse({"oops": True}, status=418)


def send(client, endpoint: Endpoint, **extra: Any) -> Any:
    return client.generic(
        endpoint.method, endpoint.url, extra.pop("body", b""), "application/json", **extra
    )


def assert_contract(response: Any, status: int, code: str) -> None:
    assert response.status_code == status
    body = response.json()
    assert isinstance(body["detail"], str)
    assert body["detail"]
    assert body["code"] == code
    assert response["Cache-Control"] == "no-store"


@on_open
def test_response_to_an_empty_body_has_field_errors_detail_and_code(client, endpoint) -> None:
    response = send(client, endpoint)
    assert_contract(response, 400, "invalid")
    assert response.json() == {
        **{name: ["This field is required."] for name in endpoint.fields},
        "detail": "Invalid input.",
        "code": "invalid",
    }


@on_all
def test_other_methods_are_405(user, auth_client, endpoint) -> None:
    client = auth_client(user)
    allowed = {endpoint.method, *endpoint.also} | ({"HEAD"} if endpoint.method == "GET" else set())
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "LIST"} - allowed:
        response = client.generic(method, endpoint.url)
        assert response.status_code == 405
        assert endpoint.method in response["Allow"]
        assert response["Cache-Control"] == "no-store"
        if method != "HEAD":
            assert_contract(response, 405, "method_not_allowed")


@on_all
def test_body_of_an_unknown_type_is_415(client, endpoint) -> None:
    response = client.generic(endpoint.method, endpoint.url, b"x", "text/plain")
    assert_contract(response, 415, "unsupported_media_type")


@on_all
def test_body_that_is_not_json_is_400(client, endpoint) -> None:
    assert_contract(send(client, endpoint, body=b"{"), 400, "parse_error")


@on_all
def test_body_beyond_djangos_limit_is_413(client, endpoint, settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert_contract(send(client, endpoint, body=b" " * 11), 413, "request_too_large")


def test_large_body_is_read_if_djangos_limit_is_none(client, settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
    assert_contract(send(client, REFRESH, body=b"{}" + b" " * 3_000_000), 400, "invalid")


@on_all
def test_unknown_media_type_in_accept_is_406(client, endpoint) -> None:
    response = send(client, endpoint, HTTP_ACCEPT="image/png")
    assert_contract(response, 406, "not_acceptable")


@on_all
def test_unknown_format_in_the_query_string_is_404(client, endpoint) -> None:
    response = client.generic(endpoint.method, f"{endpoint.url}?format=xml")
    assert_contract(response, 404, "not_found")


@on_all
def test_query_string_with_too_many_fields_is_400(client, endpoint) -> None:
    response = client.generic(endpoint.method, f"{endpoint.url}?{'a&' * 1001}")
    assert_contract(response, 400, "parse_error")


@on_all
def test_response_is_not_cached(user, auth_client, endpoint) -> None:
    assert send(auth_client(user), endpoint)["Cache-Control"] == "no-store"


@on_all
def test_options_request_is_200_and_not_cached(user, auth_client, endpoint) -> None:
    response = auth_client(user).options(endpoint.url)
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"


@on_open
def test_options_request_needs_no_token(client, endpoint) -> None:
    assert client.options(endpoint.url).status_code == 200


@on_open
@pytest.mark.parametrize("header", ["Bearer x", "Bearer x, Bearer y", "Basic x", "\xff"])
def test_authorization_header_is_ignored_by_token_endpoints(client, endpoint, header) -> None:
    plain = send(client, endpoint)
    response = send(client, endpoint, HTTP_AUTHORIZATION=header)
    assert (response.status_code, response.json()) == (plain.status_code, plain.json())


@pytest.mark.parametrize("endpoint", OPEN[1:], ids=str)
def test_refused_token_is_401_with_invalid_token_in_the_challenge(client, endpoint) -> None:
    (field,) = endpoint.fields
    response = client.post(endpoint.url, {field: FORGED_TOKEN})
    assert_contract(response, 401, "token_not_valid")
    assert response.json() == {
        "detail": "Token is invalid or expired",
        "code": "token_not_valid",
        "reason": "invalid",
    }
    assert response["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'


def test_wrong_password_is_401_with_a_plain_challenge(client, db) -> None:
    response = client.post(OBTAIN.url, OBTAIN.body())
    assert_contract(response, 401, "no_active_account")
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


@on_protected
@pytest.mark.parametrize("header", [None, "", "Basic dml0b3I6MTIz", "Token abc"])
def test_protected_endpoint_without_a_token_is_401_with_a_plain_challenge(
    client, endpoint, header
) -> None:
    extra = {} if header is None else {"HTTP_AUTHORIZATION": header}
    response = send(client, endpoint, **extra)
    assert_contract(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


@on_protected
def test_protected_endpoint_with_an_invalid_token_is_401_with_messages(client, endpoint) -> None:
    response = send(client, endpoint, HTTP_AUTHORIZATION=f"Bearer {FORGED_TOKEN}")
    assert_contract(response, 401, "token_not_valid")
    assert response.json() == {
        "detail": "Given token not valid for any token type",
        "code": "token_not_valid",
        "reason": "invalid",
        "messages": [
            {
                "token_class": "AccessToken",
                "token_type": "access",
                "message": "Token is invalid",
            }
        ],
    }
    assert response["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'


@on_protected
def test_protected_endpoint_with_two_tokens_is_400(client, endpoint) -> None:
    response = send(client, endpoint, HTTP_AUTHORIZATION="Bearer a, Bearer b")
    assert_contract(response, 400, "bad_authorization_header")
    assert response["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_request"'


@pytest.mark.usefixtures("answers_of_the_project")
@on_all
def test_response_of_the_projects_exception_handler_keeps_its_shape(
    client, endpoint, settings
) -> None:
    _with_handler(settings, "enveloped")
    response = send(client, endpoint)
    assert response.json().keys() == {"error"}
    assert response["Cache-Control"] == "no-store"


@pytest.mark.usefixtures("answers_of_the_project")
def test_exception_handler_of_the_project_receives_the_refusal(client, settings) -> None:
    _with_handler(settings, "enveloped")
    response = client.post(REFRESH.url, {"refresh": FORGED_TOKEN})
    assert response.json() == {"error": {"status": 401, "is": "TokenNotValid"}}
    assert response["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'


def test_response_extended_by_the_exception_handler_has_code(client, settings) -> None:
    _with_handler(settings, "numbered")
    assert send(client, REFRESH).json() == {
        "refresh": ["This field is required."],
        "detail": "Invalid input.",
        "code": "invalid",
        "status_code": 400,
    }
    assert send(client, REFRESH, body=b"{").json()["code"] == "parse_error"


@pytest.mark.usefixtures("answers_of_the_project")
def test_response_with_another_detail_by_the_exception_handler_keeps_its_shape(
    client, settings
) -> None:
    _with_handler(settings, "explained")
    assert send(client, REFRESH).json() == {"detail": "see the documentation"}


@pytest.mark.usefixtures("answers_of_the_project")
def test_django_response_of_the_exception_handler_is_returned(client, settings) -> None:
    _with_handler(settings, "without_drf")
    response = send(client, REFRESH)
    assert (response.status_code, response.json()) == (418, {"oops": True})
    assert response["Cache-Control"] == "no-store"


class Raising(BasePermission):
    """Permission class that raises its `error`."""

    error: Exception = Http404()

    def has_permission(self, request: Any, view: Any) -> bool:
        raise self.error


@pytest.mark.usefixtures("answers_of_the_project")
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "permission_denied"),
        (exceptions.PermissionDenied("no", code="vacation"), 403, "vacation"),
        (exceptions.Throttled(7), 429, "throttled"),
    ],
    ids=repr,
)
def test_refusal_by_a_permission_class_has_a_code(rf, error, status, code) -> None:
    permission = type("Refusing", (Raising,), {"error": error})
    view = views.TokenVerifyView.as_view(permission_classes=[permission])
    response = view(rf.post("/"))
    response.render()
    assert response.status_code == status
    assert response.data["code"] == code
    assert response["Cache-Control"] == "no-store"
    assert response.headers.get("Retry-After") == ("7" if status == 429 else None)


def test_validation_error_of_a_subclass_has_detail_and_code() -> None:
    class Refusing(views.TokenVerifyView):
        def answer(self, request, data):
            raise exceptions.ValidationError("not today")

    response = Refusing.as_view()(APIRequestFactory().post("/", {"token": "x"}))
    assert response.data == {
        "non_field_errors": ["not today"],
        "detail": "Invalid input.",
        "code": "invalid",
    }


def test_configuration_mistake_raises_and_is_not_a_client_error(client, user, settings) -> None:
    settings.SIGNET = {"SIGNING_KEY": "too short"}
    with pytest.raises(UnusableKey):
        client.post(REFRESH.url, {"refresh": "x"})


def test_view_without_an_answer_method_raises_not_implemented_error() -> None:
    view = views.TokenView.as_view(serializer_class=views.TokenVerifyView.serializer_class)
    with pytest.raises(NotImplementedError):
        view(APIRequestFactory().post("/", {"token": "x"}))


@on_all
def test_view_runs_outside_atomic_requests(endpoint) -> None:
    view: Any = resolve(endpoint.url).func
    assert view._non_atomic_requests == set(connections)


def test_view_of_a_subclass_runs_outside_atomic_requests() -> None:
    class Own(views.TokenRefreshView):
        pass

    assert Own.as_view()._non_atomic_requests == set(connections)


@on_all
def test_view_is_exempt_from_csrf_checks(endpoint) -> None:
    view: Any = resolve(endpoint.url).func
    assert view.csrf_exempt


@pytest.fixture
def atomic_requests():
    """Turn ATOMIC_REQUESTS on."""
    before = connection.settings_dict["ATOMIC_REQUESTS"]
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    yield
    connection.settings_dict["ATOMIC_REQUESTS"] = before


@pytest.mark.usefixtures("transactional_db", "atomic_requests")
def test_login_and_refresh_run_outside_a_transaction_under_atomic_requests(
    client, make_user, settings
) -> None:
    in_transaction = []

    def claims(user, session):
        in_transaction.append(connection.in_atomic_block)
        return {}

    settings.SIGNET = {"CLAIMS": claims, "ROTATE_REFRESH_TOKENS": True}
    make_user(username="vitor")
    pair = client.post(OBTAIN.url, {"username": "vitor", "password": PASSWORD}).json()
    assert client.post(REFRESH.url, {"refresh": pair["refresh"]}).status_code == 200
    assert in_transaction == [False, False]


@pytest.mark.usefixtures("db", "atomic_requests")
def test_error_marks_the_callers_transaction_for_rollback_as_drf_does(client) -> None:
    with transaction.atomic():
        client.post(LOGOUT_ALL.url)
        assert connection.needs_rollback
        transaction.set_rollback(False)
