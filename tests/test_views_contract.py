"""What holds on every endpoint: `detail` and `code`, the challenge, no caching, no transaction.

A test that does not ask for `db` says that no statement is made: pytest-django refuses any.
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
from tests.endpoints import ALL, LOGOUT_ALL, OBTAIN, OPEN, PROTECTED, REFRESH, Endpoint

on_all = pytest.mark.parametrize("endpoint", ALL, ids=str)
on_open = pytest.mark.parametrize("endpoint", OPEN, ids=str)
on_protected = pytest.mark.parametrize("endpoint", PROTECTED, ids=str)

#: An access token of nobody.
FORGED = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.e30.AAAA"


def _with_handler(settings, handler: str) -> None:
    name = f"{__name__}.{handler}"
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "EXCEPTION_HANDLER": name}


def enveloped(error: Exception, context: Any) -> Response | None:
    """Answer in a shape of the project's own, as many projects do."""
    response = exception_handler(error, context)
    if response is not None:
        response.data = {"error": {"status": response.status_code, "is": type(error).__name__}}
    return response


def numbered(error: Exception, context: Any) -> Response | None:
    """Add a member to DRF's answer, as its documentation shows."""
    response = exception_handler(error, context)
    if response is not None and isinstance(response.data, dict):
        response.data["status_code"] = response.status_code
    return response


def explained(error: Exception, context: Any) -> Response:
    """Answer with a `detail` that is not DRF's."""
    return Response({"detail": "see the documentation"}, status=400)


def frameless(error: Exception, context: Any) -> JsonResponse:
    """Answer without DRF."""
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
def test_answer_has_detail_and_code_if_the_body_is_empty(client, endpoint) -> None:
    response = send(client, endpoint)
    assert_contract(response, 400, "invalid")
    assert response.json() == {
        **{name: ["This field is required."] for name in endpoint.fields},
        "detail": "Invalid input.",
        "code": "invalid",
    }


@on_all
def test_other_methods_are_not_allowed(user, auth_client, endpoint) -> None:
    client = auth_client(user)
    allowed = {endpoint.method, "HEAD"} if endpoint.method == "GET" else {endpoint.method}
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


def test_body_of_any_size_is_read_without_djangos_limit(client, settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
    assert_contract(send(client, REFRESH, body=b"{}" + b" " * 3_000_000), 400, "invalid")


@on_all
def test_answer_in_no_known_type_is_406(client, endpoint) -> None:
    response = send(client, endpoint, HTTP_ACCEPT="image/png")
    assert_contract(response, 406, "not_acceptable")


@on_all
def test_answer_in_no_known_format_is_404(client, endpoint) -> None:
    response = client.generic(endpoint.method, f"{endpoint.url}?format=xml")
    assert_contract(response, 404, "not_found")


@on_all
def test_query_of_too_many_fields_is_400(client, endpoint) -> None:
    response = client.generic(endpoint.method, f"{endpoint.url}?{'a&' * 1001}")
    assert_contract(response, 400, "parse_error")


@on_all
def test_success_is_not_cached(user, auth_client, endpoint) -> None:
    assert send(auth_client(user), endpoint)["Cache-Control"] == "no-store"


@on_all
def test_options_are_described(user, auth_client, endpoint) -> None:
    response = auth_client(user).options(endpoint.url)
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"


@on_open
def test_options_need_no_token(client, endpoint) -> None:
    assert client.options(endpoint.url).status_code == 200


@on_open
@pytest.mark.parametrize("header", ["Bearer x", "Bearer x, Bearer y", "Basic x", "\xff"])
def test_authorization_header_is_ignored_where_the_body_counts(client, endpoint, header) -> None:
    plain = send(client, endpoint)
    response = send(client, endpoint, HTTP_AUTHORIZATION=header)
    assert (response.status_code, response.json()) == (plain.status_code, plain.json())


@pytest.mark.parametrize("endpoint", OPEN[1:], ids=str)
def test_refused_token_is_401_with_a_challenge_that_says_so(client, endpoint) -> None:
    (field,) = endpoint.fields
    response = client.post(endpoint.url, {field: FORGED})
    assert_contract(response, 401, "token_not_valid")
    assert response.json() == {
        "detail": "Token is invalid or expired",
        "code": "token_not_valid",
        "reason": "invalid",
    }
    assert response["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'


def test_refused_password_is_401_with_a_plain_challenge(client, db) -> None:
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
def test_protected_endpoint_with_a_bad_token_is_401_with_messages(client, endpoint) -> None:
    response = send(client, endpoint, HTTP_AUTHORIZATION=f"Bearer {FORGED}")
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


@on_all
def test_handler_of_the_project_keeps_its_shape(client, endpoint, settings) -> None:
    _with_handler(settings, "enveloped")
    response = send(client, endpoint)
    assert response.json().keys() == {"error"}
    assert response["Cache-Control"] == "no-store"


def test_handler_of_the_project_sees_the_errors_of_drf(client, settings) -> None:
    _with_handler(settings, "enveloped")
    response = client.post(REFRESH.url, {"refresh": FORGED})
    assert response.json() == {"error": {"status": 401, "is": "TokenNotValid"}}
    assert response["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'


def test_handler_that_adds_to_drfs_answer_gets_code_too(client, settings) -> None:
    _with_handler(settings, "numbered")
    assert send(client, REFRESH).json() == {
        "refresh": ["This field is required."],
        "detail": "Invalid input.",
        "code": "invalid",
        "status_code": 400,
    }
    assert send(client, REFRESH, body=b"{").json()["code"] == "parse_error"


def test_handler_with_a_detail_of_its_own_keeps_its_shape(client, settings) -> None:
    _with_handler(settings, "explained")
    assert send(client, REFRESH).json() == {"detail": "see the documentation"}


def test_handler_that_answers_without_drf_keeps_its_answer(client, settings) -> None:
    _with_handler(settings, "frameless")
    response = send(client, REFRESH)
    assert (response.status_code, response.json()) == (418, {"oops": True})
    assert response["Cache-Control"] == "no-store"


class Raising(BasePermission):
    """Refuses with what it is told to."""

    error: Exception = Http404()

    def has_permission(self, request: Any, view: Any) -> bool:
        raise self.error


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
def test_refusal_by_a_projects_permission_has_detail_and_code(rf, error, status, code) -> None:
    permission = type("Refusing", (Raising,), {"error": error})
    view = views.TokenVerifyView.as_view(permission_classes=[permission])
    response = view(rf.post("/"))
    response.render()
    assert response.status_code == status
    assert response.data["code"] == code
    assert response["Cache-Control"] == "no-store"
    assert response.headers.get("Retry-After") == ("7" if status == 429 else None)


def test_list_of_errors_by_a_subclass_has_detail_and_code() -> None:
    class Refusing(views.TokenVerifyView):
        def answer(self, request, data):
            raise exceptions.ValidationError("not today")

    response = Refusing.as_view()(APIRequestFactory().post("/", {"token": "x"}))
    assert response.data == {
        "non_field_errors": ["not today"],
        "detail": "Invalid input.",
        "code": "invalid",
    }


def test_mistake_of_the_configuration_is_not_the_clients(client, user, settings) -> None:
    settings.SIGNET = {"SIGNING_KEY": "too short"}
    with pytest.raises(UnusableKey):
        client.post(REFRESH.url, {"refresh": "x"})


def test_view_that_has_no_answer_says_so() -> None:
    view = views.TokenView.as_view(serializer_class=views.TokenVerifyView.serializer_class)
    with pytest.raises(NotImplementedError):
        view(APIRequestFactory().post("/", {"token": "x"}))


@on_all
def test_view_runs_outside_the_transactions_of_requests(endpoint) -> None:
    view: Any = resolve(endpoint.url).func
    assert view._non_atomic_requests == set(connections)


def test_view_of_a_subclass_runs_outside_the_transactions_of_requests() -> None:
    class Own(views.TokenRefreshView):
        pass

    assert Own.as_view()._non_atomic_requests == set(connections)


@on_all
def test_view_is_exempt_from_csrf_checks(endpoint) -> None:
    view: Any = resolve(endpoint.url).func
    assert view.csrf_exempt


@pytest.fixture
def atomic_requests():
    """Switch ATOMIC_REQUESTS on."""
    before = connection.settings_dict["ATOMIC_REQUESTS"]
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    yield
    connection.settings_dict["ATOMIC_REQUESTS"] = before


@pytest.mark.usefixtures("transactional_db", "atomic_requests")
def test_login_and_refresh_hold_no_transaction_under_atomic_requests(
    client, make_user, settings
) -> None:
    held = []

    def claims(user, session):
        held.append(connection.in_atomic_block)
        return {}

    settings.SIGNET = {"CLAIMS": claims, "ROTATE_REFRESH_TOKENS": True}
    make_user(username="vitor")
    pair = client.post(OBTAIN.url, {"username": "vitor", "password": PASSWORD}).json()
    assert client.post(REFRESH.url, {"refresh": pair["refresh"]}).status_code == 200
    assert held == [False, False]


@pytest.mark.usefixtures("db", "atomic_requests")
def test_error_inside_somebody_elses_transaction_undoes_it_as_drf_does(client) -> None:
    with transaction.atomic():
        client.post(LOGOUT_ALL.url)
        assert connection.needs_rollback
        transaction.set_rollback(False)
