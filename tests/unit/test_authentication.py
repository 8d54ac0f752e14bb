"""Test `JWTAuthentication` in a project's own views."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

import drf_signet
from drf_signet import Session
from drf_signet.authentication import JWTAuthentication
from drf_signet.jose.claims import Claims

INVALID = 'Bearer realm="api", error="invalid_token"'


class WhoView(APIView):
    """View that returns the username and the type of `request.auth`."""

    authentication_classes: Any = (JWTAuthentication,)
    permission_classes: Any = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"user": request.user.get_username(), "auth": type(request.auth).__name__})


@pytest.fixture
def pair(user):
    """Open a session for the user; return its first pair of tokens."""
    return drf_signet.issue(user)


def hello(client, header: str | None = None, **extra: Any) -> Any:
    if header is not None:
        extra["HTTP_AUTHORIZATION"] = header
    return client.get("/hello/", **extra)


def ask(view: type[APIView], header: str | None = None) -> Any:
    extra: Any = {} if header is None else {"HTTP_AUTHORIZATION": header}
    return view.as_view()(APIRequestFactory().get("/", **extra))


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def authenticate(header: str) -> Any:
    return JWTAuthentication().authenticate(
        Request(APIRequestFactory().get("/", HTTP_AUTHORIZATION=header))
    )


def test_request_with_a_valid_access_token_is_authenticated(client, pair) -> None:
    response = hello(client, f"Bearer {pair.access}")
    assert (response.status_code, response.json()) == (200, {"message": "Hello, World!"})


def test_authentication_returns_the_user_and_the_verified_claims(pair, user) -> None:
    authenticated_user, claims = authenticate(f"Bearer {pair.access}")
    assert isinstance(authenticated_user, get_user_model())
    assert authenticated_user == user
    assert isinstance(claims, Claims)
    assert claims.session_id == pair.session.pk
    assert claims["user_id"] == user.pk


def test_claims_of_a_request_are_read_only(pair) -> None:
    _, claims = authenticate(f"Bearer {pair.access}")
    with pytest.raises(TypeError):
        claims["user_id"] = 2
    with pytest.raises(AttributeError):
        claims.user_key = 2


def test_a_view_cannot_change_the_claims_of_the_next_request(user) -> None:
    pair = drf_signet.issue(user, claims={"role": {"of": ["a"]}})
    _, claims = authenticate(f"Bearer {pair.access}")
    with pytest.raises(TypeError):
        claims["role"]["of"] = ["b"]
    changed = copy.deepcopy(claims["role"])
    changed["of"] = ["b"]
    _, next_claims = authenticate(f"Bearer {pair.access}")
    assert next_claims["role"] == {"of": ("a",)}


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_claims_of_a_request_can_be_given_to_a_task(user, copied) -> None:
    pair = drf_signet.issue(user, claims={"role": {"of": ["a"]}})
    _, claims = authenticate(f"Bearer {pair.access}")
    assert copied(claims) == claims
    assert copied(claims).session_id == pair.session.pk


@pytest.mark.parametrize(("loading", "statements"), [("lazy", 0), ("fresh", 1)])
def test_authentication_reads_one_row_only_for_fresh_users_and_never_writes(
    pair, settings, django_assert_num_queries, loading, statements
) -> None:
    settings.SIGNET = {"USER_LOADING": loading}
    before = list(Session.objects.values())
    with django_assert_num_queries(statements) as captured:
        authenticate(f"Bearer {pair.access}")
    assert all(query["sql"].startswith("SELECT") for query in captured.captured_queries)
    assert list(Session.objects.values()) == before


@pytest.mark.parametrize("header", [None, "", "Basic dml0b3I6MTIz", "Token abc", "Bearers abc"])
def test_request_without_a_bearer_token_is_401_with_a_plain_challenge(client, header) -> None:
    response = hello(client, header)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


def test_request_without_a_token_goes_to_the_next_authentication_class(client, user) -> None:
    class View(WhoView):
        authentication_classes = (JWTAuthentication, SessionAuthentication)

    request = APIRequestFactory().get("/")
    request.user = user
    assert View.as_view()(request).data == {"user": "vitor", "auth": "NoneType"}


def test_request_with_another_scheme_goes_to_the_next_authentication_class(make_user) -> None:
    class View(WhoView):
        authentication_classes = (JWTAuthentication, BasicAuthentication)

    make_user(username="vitor", password="123")
    assert ask(View, "Basic dml0b3I6MTIz").data["user"] == "vitor"


def test_invalid_token_is_refused_before_the_next_authentication_class() -> None:
    class View(WhoView):
        authentication_classes = (JWTAuthentication, BasicAuthentication)

    assert ask(View, "Bearer x").data["code"] == "token_not_valid"


def test_401_has_the_challenge_of_the_first_authentication_class() -> None:
    class View(WhoView):
        authentication_classes = (BasicAuthentication, JWTAuthentication)

    assert ask(View, "Bearer x").headers["WWW-Authenticate"] == 'Basic realm="api"'


def test_public_view_refuses_an_invalid_token() -> None:
    class View(WhoView):
        permission_classes = ()

    assert ask(View, "Bearer x").status_code == 401


@pytest.mark.parametrize(
    ("kind", "reason", "message"),
    [
        ("expired", "expired", "Token is expired"),
        ("refresh", "wrong_type", "Token is invalid"),
        ("forged", "invalid", "Token is invalid"),
        ("empty", "invalid", "Token is invalid"),
    ],
)
def test_invalid_token_is_401_with_the_body_of_simplejwt(
    client, user, token_for, django_assert_num_queries, kind, reason, message
) -> None:
    token = {
        "expired": lambda: token_for(user, expired=True),
        "refresh": lambda: token_for(user, token_type="refresh"),
        "forged": lambda: token_for(user)[:-4] + "AAAA",
        "empty": lambda: "",
    }[kind]()
    with django_assert_num_queries(0):
        response = hello(client, f"Bearer {token}")
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == INVALID
    assert response.json() == {
        "detail": "Given token not valid for any token type",
        "code": "token_not_valid",
        "reason": reason,
        "messages": [{"token_class": "AccessToken", "token_type": "access", "message": message}],
    }


def test_token_of_a_deleted_user_is_401(client, pair, user) -> None:
    user.delete()
    response = hello(client, f"Bearer {pair.access}")
    assert (response.status_code, response.json()["reason"]) == (401, "ended")
    assert response["WWW-Authenticate"] == INVALID


def test_token_of_an_inactive_user_is_401_with_code_user_inactive(
    client, pair, user, settings
) -> None:
    settings.SIGNET = {"USER_LOADING": "fresh"}
    type(user).objects.update(is_active=False)
    response = hello(client, f"Bearer {pair.access}")
    assert response.status_code == 401
    assert response.json() == {"detail": "User is inactive", "code": "user_inactive"}
    assert response["WWW-Authenticate"] == INVALID


def test_user_authentication_rule_decides_whose_tokens_are_accepted(client, pair, settings) -> None:
    settings.SIGNET = {
        "USER_AUTHENTICATION_RULE": lambda user: user.username != "vitor",
        "USER_LOADING": "fresh",
    }
    assert hello(client, f"Bearer {pair.access}").json()["code"] == "user_inactive"


@pytest.mark.parametrize("header", ["Bearer {}, Bearer {}", "Bearer {} {}", "Basic a, Bearer {}"])
def test_more_than_one_token_is_400(client, pair, django_assert_num_queries, header) -> None:
    with django_assert_num_queries(0):
        response = hello(client, header.format(pair.access, pair.access))
    assert response.status_code == 400
    assert response.json() == {
        "detail": "The request carries more than one token",
        "code": "bad_authorization_header",
    }
    assert response["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_request"'


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEARER"])
def test_scheme_is_case_insensitive(client, pair, scheme) -> None:
    assert hello(client, f"{scheme} {pair.access}").status_code == 200


@pytest.mark.parametrize("name", ["access_token", "token", "jwt", "Authorization"])
def test_token_in_the_query_string_is_ignored(client, pair, name) -> None:
    response = client.get("/hello/", {name: pair.access})
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("name", ["access_token", "Authorization", "__Host-signet-refresh-token"])
def test_token_in_a_cookie_is_ignored(client, pair, name) -> None:
    client.cookies[name] = pair.access
    assert hello(client).status_code == 401
    assert hello(client, f"Bearer {pair.access}").status_code == 200


def test_token_in_the_body_is_ignored(pair) -> None:
    class View(WhoView):
        post = WhoView.get

    request = APIRequestFactory().post("/", {"access_token": pair.access, "token": pair.access})
    assert View.as_view()(request).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "Bearer \xff\xfe",
        "Bearer " + "x" * 65_536,
        "Bearer " + "." * 65_536,
        "Bearer" + " " * 65_536,
        "\xe4" * 65_536,
        "Bearer %00",
        "Bearer =?utf-8?q?x?=",
        "Bearer null",
        "Bearer undefined",
        'Bearer "x"',
        "Bearer ..",
        "Bearer a.b.c.d.e",
    ],
    ids=lambda header: header[:12],
)
def test_hostile_header_is_401(client, header) -> None:
    assert hello(client, header).status_code == 401


def test_scheme_of_auth_header_types_is_accepted_and_named_in_the_challenge(
    client, pair, settings
) -> None:
    settings.SIGNET = {"AUTH_HEADER_TYPES": ("JWT",)}
    assert hello(client, f"JWT {pair.access}").status_code == 200
    refused = hello(client, f"Bearer {pair.access}")
    assert refused.status_code == 401
    assert refused["WWW-Authenticate"] == 'JWT realm="api"'
    assert hello(client, "JWT x")["WWW-Authenticate"] == 'JWT realm="api", error="invalid_token"'


def test_every_scheme_of_auth_header_types_is_accepted(client, pair, settings) -> None:
    settings.SIGNET = {"AUTH_HEADER_TYPES": ("JWT", "Bearer")}
    assert hello(client, f"jwt {pair.access}").status_code == 200
    assert hello(client, f"Bearer {pair.access}").status_code == 200
    assert hello(client)["WWW-Authenticate"] == 'JWT realm="api"'


def test_token_is_read_only_from_the_header_of_auth_header_name(client, pair, settings) -> None:
    settings.SIGNET = {"AUTH_HEADER_NAME": "HTTP_X_ACCESS_TOKEN"}
    assert hello(client, HTTP_X_ACCESS_TOKEN=f"Bearer {pair.access}").status_code == 200
    assert hello(client, f"Bearer {pair.access}").status_code == 401


def test_token_signed_with_a_fallback_secret_is_accepted(client, pair, settings) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key for tests, long enough too: 0123456789abcdef"
    assert hello(client, f"Bearer {pair.access}").status_code == 200


def test_token_signed_with_a_replaced_secret_is_refused(client, pair, settings) -> None:
    settings.SECRET_KEY = "another key for tests, long enough too: 0123456789abcdef"
    assert hello(client, f"Bearer {pair.access}").status_code == 401


def test_user_outside_get_user_queryset_is_refused(pair) -> None:
    class Nobody(JWTAuthentication):
        def get_user_queryset(self):
            return super().get_user_queryset().none()

    class View(WhoView):
        authentication_classes = (Nobody,)

    response = ask(View, f"Bearer {pair.access}")
    assert (response.status_code, response.data["reason"]) == (401, "ended")


def test_user_outside_get_user_queryset_cannot_enter_a_view_that_ignores_the_user(pair) -> None:
    class Nobody(JWTAuthentication):
        def get_user_queryset(self):
            return super().get_user_queryset().none()

    class View(APIView):
        authentication_classes = (Nobody,)
        permission_classes = (IsAuthenticated,)

        def get(self, request):
            return Response("in")

    assert ask(View, f"Bearer {pair.access}").status_code == 401


def test_get_user_queryset_may_prefetch_relations(pair, django_assert_num_queries) -> None:
    class WithGroups(JWTAuthentication):
        def get_user_queryset(self):
            return super().get_user_queryset().prefetch_related("groups")

    request = Request(APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {pair.access}"))
    result = WithGroups().authenticate(request)
    assert result is not None
    assert result[0].username == "vitor"
    with django_assert_num_queries(0):
        assert list(result[0].groups.all()) == []


def test_authenticate_raises_drf_exceptions(pair) -> None:
    with pytest.raises(AuthenticationFailed, match="token_not_valid"):
        authenticate("Bearer x")
    with pytest.raises(APIException) as malformed:
        authenticate("Bearer a, Bearer b")
    assert malformed.value.status_code == 400


def test_exception_handler_of_the_project_renders_refusals(client, settings) -> None:
    def handler(error, context):
        return Response({"oops": error.get_codes()["code"]}, status=error.status_code)

    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "EXCEPTION_HANDLER": handler}
    response = hello(client, "Bearer x")
    assert (response.status_code, response.json()) == (401, {"oops": "token_not_valid"})


def test_refusal_of_a_protected_view_is_html_in_the_web_interface(client) -> None:
    for header, status in ((None, 401), ("Bearer x", 401), ("Bearer a, Bearer b", 400)):
        response = hello(client, header, HTTP_ACCEPT="text/html")
        assert response.status_code == status
        assert response["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("loading", ["lazy", "fresh"])
def test_authenticate_accepts_a_plain_django_request(pair, user, settings, loading) -> None:
    settings.SIGNET = {"USER_LOADING": loading}
    request: Any = APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    result = JWTAuthentication().authenticate(request)
    assert result is not None
    assert result[0].username == "vitor"
    assert JWTAuthentication().authenticate(APIRequestFactory().get("/")) is None


def test_lazy_user_of_a_plain_django_request_raises_401_if_the_user_is_inactive(pair, user) -> None:
    request: Any = APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    result = JWTAuthentication().authenticate(request)
    assert result is not None
    type(user).objects.update(is_active=False)
    with pytest.raises(AuthenticationFailed, match="user_inactive"):
        _ = result[0].username
