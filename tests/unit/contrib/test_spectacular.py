"""Test the adapter for drf-spectacular: the schema of the endpoints, and what projects change."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import Any

import drf_spectacular
import pytest
from django.apps import apps
from django.core.management import call_command
from django.urls import include, path
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import filters, serializers
from rest_framework.authentication import BasicAuthentication
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.schemas.inspectors import DefaultSchema
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView

from drf_signet import answers, urls, urls_browser, views
from drf_signet.authentication import JWTAuthentication
from drf_signet.contrib import spectacular
from drf_signet.serializers import SessionSerializer, TokenObtainPairSerializer
from drf_signet.views_browser import CookieView
from tests.support import openapi_answers
from tests.support.simplejwt_alias import alias, alias_tables

#: Fixtures of another module, which pytest finds by name.
__all__ = ["alias", "alias_tables"]

OWN_COOKIES = {"COOKIE": {"ACCESS_NAME": "access-token", "SECURE": False, "NAME": "own-token"}}
OWN_HEADER = {"AUTH_HEADER_TYPES": ("JWT", "Token"), "AUTH_HEADER_NAME": "HTTP_X_ACCESS"}
BEARER = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class Protected(APIView):
    """A project's view that answers without a body."""

    authentication_classes: Any = (JWTAuthentication,)
    permission_classes: Any = (IsAuthenticated,)

    @extend_schema(responses={204: None})
    def get(self, request: Any) -> Response:
        return Response(status=204)


def schema_of(view: Any) -> Any:
    """Return the schema of an API with one view, and assert that it has no warnings."""
    schema = SchemaGenerator(patterns=[path("view/", view.as_view())]).get_schema(public=True)
    assert dict(GENERATOR_STATS._warn_cache) == dict(GENERATOR_STATS._error_cache) == {}
    return schema


def schemes(schema: Any) -> dict[str, Any]:
    """Return the security schemes without their descriptions."""
    found = schema["components"]["securitySchemes"]
    return {
        name: {key: value for key, value in scheme.items() if key != "description"}
        for name, scheme in found.items()
    }


def operation(view: Any, method: str = "post") -> Any:
    return schema_of(view)["paths"]["/view/"][method]


def protected_by(*authentication: type[Any]) -> Any:
    return type("View", (Protected,), {"authentication_classes": authentication})


# The whole schema


urlpatterns = [
    path("api/token/", include(urls)),
    path("auth/", include(urls_browser)),
    path("hello/", Protected.as_view()),
]


@pytest.mark.parametrize("signet", [{}, OWN_COOKIES | OWN_HEADER], ids=["defaults", "variant"])
def test_schema_of_a_project_is_valid_and_has_no_warnings(settings: Any, signet: Any) -> None:
    settings.SIGNET = signet
    written = io.StringIO()
    options = {"validate": True, "fail_on_warn": True, "urlconf": __name__, "stdout": written}
    call_command("spectacular", **options)
    assert "AuthTokenPair" in written.getvalue()


@pytest.mark.parametrize("simple_jwt", [{}, OWN_HEADER], ids=["defaults", "variant"])
@pytest.mark.usefixtures("alias")
def test_schema_of_a_project_with_the_alias_is_valid_and_has_no_warnings(
    settings: Any, simple_jwt: Any
) -> None:
    from rest_framework_simplejwt import authentication as simplejwt_authentication
    from rest_framework_simplejwt import views as simplejwt_views

    settings.SIMPLE_JWT = simple_jwt
    classes = (
        simplejwt_authentication.JWTAuthentication,
        simplejwt_authentication.JWTStatelessUserAuthentication,
        type("OwnAuthentication", (simplejwt_authentication.JWTAuthentication,), {}),
    )
    names = [name for name in vars(simplejwt_views) if name.startswith("token_")]
    assert len(names) == 6
    patterns = [
        *urlpatterns,
        *(path(f"jwt/{name}/", getattr(simplejwt_views, name)) for name in names),
        *(path(f"{one.__name__}/", protected_by(one).as_view()) for one in classes),
    ]
    generated = SchemaGenerator(patterns=patterns).get_schema(public=True)
    assert dict(GENERATOR_STATS._warn_cache) == dict(GENERATOR_STATS._error_cache) == {}
    for one in classes:
        security = generated["paths"][f"/{one.__name__}/"]["get"]["security"]
        assert security == [{"jwtAuth": []}]
    if not simple_jwt:
        assert generated["components"]["securitySchemes"]["jwtAuth"]["scheme"] == "bearer"
    bodies = {"TokenObtainPair", "TokenRefresh", "TokenVerify", "AuthTokenPair", "AuthSlidingToken"}
    assert bodies <= generated["components"]["schemas"].keys()


ENDPOINTS = [route.callback.cls for route in (*urls.urlpatterns, *urls_browser.urlpatterns)]


@pytest.mark.parametrize("view", ENDPOINTS)
def test_every_method_of_an_endpoint_has_documented_answers(view: Any) -> None:
    methods = {method.upper() for method in view.http_method_names if hasattr(view, method)}
    assert view.responses.keys() == methods - {"OPTIONS"}


def test_components_of_the_package_have_a_prefix() -> None:
    schema = SchemaGenerator(patterns=urlpatterns).get_schema(public=True)
    names = schema["components"]["schemas"]
    assert [name for name in names if not name.removeprefix("Patched").startswith("Auth")] == []


def test_empty_object_and_missing_body_are_distinguished() -> None:
    verified = operation(views.TokenVerifyView)["responses"]["200"]
    assert verified["content"]["application/json"]["schema"] == {"type": "object"}
    assert "content" not in operation(views.TokenLogoutView)["responses"]["204"]


def test_headers_are_listed_for_the_answers_that_have_them() -> None:
    found = operation(views.TokenObtainPairView)["responses"]
    listed = {status: set(answer.get("headers", ())) for status, answer in found.items()}
    assert listed["429"] == listed["503"] == {"Retry-After"}
    assert listed["401"] == {"WWW-Authenticate"}
    assert listed["200"] == set()


def test_endpoints_for_pages_require_the_header_and_a_json_body() -> None:
    for view in (route.callback.cls for route in urls_browser.urlpatterns):
        for method in view.responses:
            found = operation(view, method.lower())
            required = [one["name"] for one in found["parameters"] if one.get("required")]
            assert "X-Requested-With" in required
            if method in ("POST", "PATCH"):
                assert found["requestBody"]["required"] is True
                assert list(found["requestBody"]["content"]) == ["application/json"]


# Credentials


@pytest.mark.parametrize(
    ("signet", "header"),
    [
        ({}, BEARER),
        ({"AUTH_HEADER_TYPES": ("JWT", "bearer")}, BEARER),
        (OWN_HEADER, {"type": "apiKey", "in": "header", "name": "X-access"}),
    ],
    ids=["default", "one of several", "own"],
)
def test_scheme_is_the_configured_header(settings: Any, signet: Any, header: Any) -> None:
    settings.SIGNET = signet
    schema = schema_of(Protected)
    assert schemes(schema) == {"jwtAuth": header}
    assert schema["paths"]["/view/"]["get"]["security"] == [{"jwtAuth": []}]


def test_header_and_access_cookie_are_alternatives(settings: Any) -> None:
    settings.SIGNET = OWN_COOKIES
    schema = schema_of(type("View", (Protected,), {}))
    cookie = {"type": "apiKey", "in": "cookie", "name": "access-token"}
    assert schemes(schema) == {"jwtAuth": BEARER, "accessCookie": cookie}
    security = schema["paths"]["/view/"]["get"]["security"]
    assert security == [{"jwtAuth": []}, {"accessCookie": []}]


def test_refresh_cookie_is_required_where_it_authenticates_and_optional_elsewhere(
    settings: Any,
) -> None:
    settings.SIGNET = OWN_COOKIES
    patterns = {route.name: route.callback.cls for route in urls_browser.urlpatterns}
    schema = schema_of(patterns["logout_all"])
    assert schemes(schema) == {
        "refreshCookie": {"type": "apiKey", "in": "cookie", "name": "own-token"}
    }
    refresh = operation(patterns["refresh"])
    (cookie,) = [one for one in refresh["parameters"] if one["in"] == "cookie"]
    assert cookie["name"] == "own-token"
    assert not cookie.get("required")


def test_subclass_of_the_authentication_class_has_the_scheme() -> None:
    subclass = type("OwnAuthentication", (JWTAuthentication,), {})
    assert schemes(schema_of(protected_by(subclass, BasicAuthentication))).keys() == {
        "jwtAuth",
        "basicAuth",
    }


@pytest.fixture
def registry() -> Iterator[list[Any]]:
    """Yield the list of drf-spectacular's authentication extensions, and restore it afterwards."""
    registry: list[Any] = OpenApiAuthenticationExtension._registry
    before = list(registry)
    yield registry
    registry[:] = before


def test_extension_of_the_project_for_its_own_subclass_takes_precedence(
    registry: list[Any],
) -> None:
    class OwnAuthentication(JWTAuthentication):
        pass

    class OwnScheme(OpenApiAuthenticationExtension):
        target_class = OwnAuthentication
        name = "own"

        def get_security_definition(self, auto_schema: Any) -> Any:
            return {"type": "apiKey", "in": "query", "name": "token"}

    assert OwnScheme in registry
    assert schemes(schema_of(protected_by(OwnAuthentication))).keys() == {"own"}


# Subclasses in projects


def test_serializers_of_a_subclass_are_described() -> None:
    class MailSerializer(TokenObtainPairSerializer):
        mail = serializers.EmailField()

    class ShortSessionSerializer(SessionSerializer):
        class Meta:
            model = SessionSerializer.Meta.model
            fields = ("id",)

    login = type("Login", (views.TokenObtainPairView,), {"serializer_class": MailSerializer})
    form = schema_of(login)["components"]["schemas"]["Mail"]
    assert form["required"] == ["mail", "password", "username"]
    lists = type("List", (views.SessionListView,), {"serializer_class": ShortSessionSerializer})
    (media,) = operation(lists, "get")["responses"]["200"]["content"].values()
    assert media["schema"]["items"] == {"$ref": "#/components/schemas/ShortSession"}


def test_responses_of_a_subclass_replace_one_answer() -> None:
    class MarkSerializer(serializers.Serializer[Any]):
        mark = serializers.CharField()

    class Verify(views.TokenVerifyView):
        responses = {"POST": {**answers.VERIFY["POST"], 200: MarkSerializer}}  # noqa: RUF012

    found = operation(Verify)["responses"]
    (media,) = found["200"]["content"].values()
    assert media["schema"] == {"$ref": "#/components/schemas/Mark"}
    assert "401" in found


@pytest.mark.parametrize("on", ["class", "method"])
def test_extend_schema_of_the_project_takes_precedence_and_keeps_the_rest(on: str) -> None:
    decorator = extend_schema(tags=["accounts"], summary="Log in")
    subclass: Any = type("Login", (views.TokenObtainPairView,), {})
    decorated = (decorator if on == "class" else extend_schema_view(post=decorator))(subclass)
    found = operation(decorated)
    assert (found["tags"], found["summary"]) == (["accounts"], "Log in")
    assert "429" in found["responses"]
    only = extend_schema(responses={200: None})(type("Login", (views.TokenObtainPairView,), {}))
    assert operation(only)["responses"].keys() == {"200"}


def test_endpoint_that_the_project_excludes_stays_excluded() -> None:
    class Own(CookieView):
        def post(self, request: Any) -> Response:
            raise NotImplementedError

    assert schema_of(Own)["paths"].keys() == {"/view/"}
    assert schema_of(extend_schema(exclude=True)(Own))["paths"] == {}


def test_method_that_a_subclass_adds_has_the_default_description() -> None:
    class Editable(views.SessionDetailView):
        def put(self, request: Any, session_id: str) -> Response:
            raise NotImplementedError

    assert operation(Editable, "put")["responses"].keys() == {"200"}
    assert "404" in operation(Editable, "delete")["responses"]


def test_filters_of_the_project_are_not_parameters_of_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(GenericAPIView, "filter_backends", [filters.SearchFilter])
    (parameter,) = operation(views.SessionListView, "get")["parameters"]
    assert parameter["name"] == "before"


# Versions and settings


@pytest.fixture
def disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the description of the endpoints, as in a project without drf-spectacular."""
    monkeypatch.setattr(views.SignetView, "schema", DefaultSchema())


@pytest.mark.usefixtures("disconnected")
@pytest.mark.parametrize("version", ["0.9.14", "0.26.5"])
def test_too_old_version_gives_a_warning_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(drf_spectacular, "__version__", version)
    apps.get_app_config("drf_signet").ready()
    assert isinstance(vars(views.SignetView)["schema"], DefaultSchema)
    (warning,) = spectacular.check_version()
    assert warning.id == "signet.W018"
    assert version in warning.msg


@pytest.mark.parametrize("version", ["0.27.0", "0.31.0.dev1", "1.0rc1", "1"])
def test_newer_version_gives_no_warning(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(drf_spectacular, "__version__", version)
    assert spectacular.check_version() == []


@pytest.mark.usefixtures("disconnected")
def test_version_without_the_needed_names_gives_a_warning_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(spectacular, "endpoints")
    monkeypatch.setitem(sys.modules, "drf_signet.contrib.spectacular.endpoints", None)
    apps.get_app_config("drf_signet").ready()
    assert isinstance(vars(views.SignetView)["schema"], DefaultSchema)
    (warning,) = spectacular.check_version()
    assert "cannot be used" in warning.msg


@pytest.mark.usefixtures("disconnected")
@pytest.mark.parametrize(
    "schema_class", [None, "rest_framework.schemas.openapi.AutoSchema"], ids=["none", "of DRF"]
)
def test_other_schema_class_of_the_project_is_kept(settings: Any, schema_class: Any) -> None:
    settings.REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": schema_class}
    apps.get_app_config("drf_signet").ready()
    assert isinstance(vars(views.SignetView)["schema"], DefaultSchema)


@pytest.mark.usefixtures("disconnected")
def test_app_ignores_a_package_that_is_not_in_installed_apps(settings: Any) -> None:
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if "spectacular" not in app]
    apps.get_app_config("drf_signet").ready()
    assert isinstance(vars(views.SignetView)["schema"], DefaultSchema)


@pytest.mark.usefixtures("disconnected")
def test_schema_class_of_the_project_is_extended(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OwnSchema(AutoSchema):
        def get_tags(self) -> list[str]:
            return ["own"]

    settings.REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": OwnSchema}
    apps.get_app_config("drf_signet").ready()
    found = operation(type("Login", (views.TokenObtainPairView,), {}))
    assert found["tags"] == ["own"]
    assert "429" in found["responses"]


# The check of all answers in `tests/unit/conftest.py`


class Undocumented(views.TokenVerifyView):
    """A view that does not document its 401, and documents a wrong body for 400."""

    responses = {  # noqa: RUF012
        "POST": {200: None, 400: answers.ThrottledSerializer},
    }


@pytest.mark.usefixtures("answers_of_the_project")
@pytest.mark.parametrize(
    ("data", "mistake"),
    [
        ({"token": "x"}, "the status is not documented"),
        ({}, "'invalid' is not one of ['throttled']"),
    ],
    ids=["status", "body"],
)
def test_undocumented_answer_is_found(data: Any, mistake: str) -> None:
    view = Undocumented()
    view.setup(APIRequestFactory().post("/", data))
    response = view.dispatch(view.request)
    response.render()
    (found,) = openapi_answers.mistakes(view, response)
    assert mistake in found


def test_every_code_is_documented_for_the_endpoint_that_sends_it(client: APIClient) -> None:
    answer = client.post("/api/token/verify/", {"token": "x"})
    assert answer.json()["reason"] in answers.TOKEN_REASONS
