"""Run the `python` blocks of the documentation, and test the examples that they define."""

from __future__ import annotations

import sys
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.management import get_commands
from django.dispatch import Signal
from django.http import JsonResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from rest_framework.authentication import BaseAuthentication
from rest_framework.test import APIRequestFactory

from drf_signet import (
    Session,
    end,
    flows,
    issue,
    refresh_reused,
    signals,
)
from tests.conftest import PASSWORD
from tests.docs.pages import DOCS, blocks
from tests.docs.snippets import ALIASED, PAGES, SIGNALS
from tests.support.session_states import legacy_token
from tests.support.signing_keys import kid_of


@pytest.mark.parametrize("name", [name for name in PAGES if name not in ALIASED])
def test_python_of_a_page_runs(run_page, name):
    run_page(name)


def test_claims_example_returns_name_and_groups(run_page, make_user):
    page = run_page("howto/own-claims.md")
    with override_settings(SIGNET={"CLAIMS": "accounts.tokens.claims"}):
        user = make_user()
        group = user.groups.create(name="editors")
        claims = page.modules["accounts.tokens"].claims(user, None)
        assert claims == {"name": user.username, "groups": [group.name]}


def test_policy_example_limits_only_the_sessions_of_staff(run_page, make_user):
    page = run_page("howto/lifetimes.md")
    assert page.modules["accounts.policies"].lifetimes(make_user(), None, "token") is None
    with override_settings(SIGNET={"LIFETIMES": "accounts.policies.lifetimes"}):
        pair = issue(make_user(is_staff=True), transport="cookie")
        assert pair.refresh_expires_in == 30 * 60
        assert pair.session.expires_at - pair.session.created_at == timedelta(hours=8)


def test_registration_activation_and_social_login_examples_issue_tokens(
    run_page, client, django_user_model
):
    page = run_page("howto/issue-tokens.md")
    answer = client.post("/api/register/", {"username": "ada", "password": "correct horse battery"})
    assert answer.status_code == 201
    assert set(answer.json()) == {"access", "refresh"}
    assert answer["Cache-Control"] == "no-store"

    from django.contrib.auth.tokens import default_token_generator

    ada = django_user_model.objects.create_user("ada lovelace", is_active=False)
    body = {"token": default_token_generator.make_token(ada)}
    assert client.post(f"/api/activate/{ada.pk}/", body).status_code == 200
    assert client.post(f"/api/activate/{ada.pk}/", body).status_code == 400
    assert client.post("/api/activate/4711/", body).status_code == 400

    identity = {"issuer": "https://id.example", "subject": "4711"}
    first = page.modules["accounts.social"].log_in(None, identity)
    again = page.modules["accounts.social"].log_in(None, identity)
    assert first.session.user == again.session.user


def test_login_serializer_example_has_its_additional_field(run_page):
    page = run_page("howto/issue-tokens.md")
    serializer = page.modules["accounts.login"].LoginSerializer(data={})
    assert list(serializer.fields) == ["username", "password", "code"]


def test_login_with_a_one_time_code_needs_the_password_and_the_code(
    run_page, make_user, monkeypatch
):
    page = run_page("howto/issue-tokens.md")
    view = page.modules["accounts.login"].LoginView.as_view()
    good = {"username": make_user().username, "password": PASSWORD, "code": "123456"}

    def log_in(**fields):
        return view(APIRequestFactory().post("/", good | fields)).status_code

    with override_settings(AUTHENTICATION_BACKENDS=["accounts.backends.OneTimeCodeBackend"]):
        assert log_in() == 401
        monkeypatch.setattr(
            page.modules["accounts.backends"], "code_is_valid", lambda _, code: code == "123456"
        )
        assert log_in() == 200
        assert log_in(code="000000") == log_in(password="wrong") == 401
        assert log_in(code="") == 400


def test_receivers_of_the_pages_send_mail_label_sessions_and_log_reuse(
    run_page, user, caplog, mailoutbox, django_capture_on_commit_callbacks
):
    user.email = "vitor@example.com"
    user.save()
    # Keep the modules of the receivers, because signals hold only weak references to receivers.
    receivers = []
    for name in ("howto/issue-tokens.md", "howto/mobile.md"):
        receivers.append(run_page(name).modules.pop("accounts.receivers"))
        del sys.modules["accounts.receivers"]
    request = RequestFactory().post("/", headers={"X-Device-Name": "Vitor's phone"})
    with django_capture_on_commit_callbacks(execute=True):
        pair = issue(user, request)
    assert [mail.subject for mail in mailoutbox] == ["A new login"]
    assert Session.objects.get(pk=pair.session.pk).label == "Vitor's phone"
    assert len(receivers) == 2

    run_page("howto/production.md")
    refresh_reused.send_robust(
        Session, session=pair.session, user=user, request=None, generations_behind=1
    )
    assert caplog.records == []
    refresh_reused.send_robust(
        Session, session=pair.session, user=user, request=None, generations_behind=2
    )
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_plain_django_views_authenticate_by_token(run_page, user):
    page = run_page("howto/plain-django.md")
    pair = issue(user)
    headers = {"Authorization": f"Bearer {pair.access}"}
    greeting = {"message": f"Hello, {user.username}!"}
    get = async_to_sync(AsyncClient().get)
    assert Client().get("/plain/", headers=headers).json() == greeting
    assert get("/plain/", headers=headers).json() == greeting
    assert Client().get("/async/", headers=headers).json() == greeting
    assert get("/async/", headers=headers).json() == greeting
    assert Client().get("/plain/").status_code == 302
    assert get("/async/").status_code == 401

    end(pair.session)
    assert Client().get("/plain/", headers=headers).status_code == 401
    refresh = {"refresh": issue(user).refresh}
    assert Client().post("/api/token/refresh/", refresh, headers=headers).status_code == 200
    assert page.modules["mysite.urls"]


def test_token_required_decorator_accepts_a_token_but_no_session_cookie(run_page, user):
    page = run_page("howto/plain-django.md")

    def who(request):
        return JsonResponse({"pk": request.user.pk})

    view = page.modules["mysite.tokens"].token_required(who)
    page.overrides.enter_context(override_settings(ROOT_URLCONF=(path("who/", view),)))
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    rejected = client.post("/who/")
    assert (rejected.status_code, rejected["WWW-Authenticate"]) == (401, 'Bearer realm="api"')
    headers = {"Authorization": f"Bearer {issue(user).access}"}
    assert client.post("/who/", headers=headers).json() == {"pk": user.pk}


class TestMigration:
    """Test that code in the migration guide behaves like the simplejwt code that it replaces."""

    @pytest.fixture
    def shop(self, run_page):
        modules = run_page("howto/migrate-from-simplejwt.md").modules
        return SimpleNamespace(**{name.split(".")[1]: one for name, one in modules.items()})

    def test_issued_tokens_have_the_custom_claims(self, shop, user):
        pair = shop.registration.tokens_for(user)
        assert flows.verify(pair["access"])["name"] == user.get_username()
        assert set(pair) == {"refresh", "access"}

    def test_routes_of_the_tutorial_work(self, shop, user, client):
        with override_settings(ROOT_URLCONF="mysite.urls"):
            body = {"username": user.username, "password": PASSWORD}
            pair = client.post("/api/token/", body).json()
            assert flows.verify(pair["access"])["name"] == user.get_username()
            refresh = {"refresh": pair["refresh"]}
            assert client.post("/api/token/refresh/", refresh).json().keys() == {"access"}
            assert client.post("/api/token/blacklist/", refresh).status_code == 204
            assert client.post("/api/token/refresh/", refresh).status_code == 401

    def test_login_view_adds_the_name_to_the_response(self, shop, user, client):
        view = shop.logins.NamedView.as_view()
        body = {"username": user.username, "password": PASSWORD}
        answer = view(APIRequestFactory().post("/", body))
        assert answer.data["name"] == user.username
        assert "access" in answer.data

    def test_log_out_ends_one_session_and_log_out_everywhere_ends_all(self, shop, user):
        first, *others = (shop.registration.tokens_for(user) for _ in range(3))
        shop.logout.log_out(first["refresh"])
        assert [session.user for session in Session.objects.live()] == [user, user]
        shop.logout.log_out_everywhere(user)
        assert not Session.objects.live().exists()
        assert len(others) == 2

    def test_stateless_view_authentication_class_and_socket_identify_the_user(
        self, shop, user, client, django_assert_num_queries
    ):
        pair = shop.registration.tokens_for(user)
        request: Any = RequestFactory().get(
            "/", headers={"Authorization": f"Bearer {pair['access']}"}
        )
        with django_assert_num_queries(0):
            answer = shop.stateless.WhoView.as_view()(request)
        assert answer.data == {"id": user.pk}
        assert shop.authentication.ShopAuthentication().authenticate(request)[0] == user
        assert request.shop is None
        assert (
            shop.authentication.ShopAuthentication().authenticate(RequestFactory().get("/")) is None
        )
        assert shop.sockets.user_of(pair["access"]) == user
        for invalid_token in (pair["refresh"], "x", None):
            assert shop.sockets.user_of(invalid_token) is None

    @pytest.mark.parametrize("access", [True, False], ids=["access cookie", "header"])
    def test_legacy_cookies_are_exchanged_once_for_those_of_the_browser_endpoints(
        self, shop, user, access
    ):
        page = Client(headers={"x-requested-with": "x", "sec-fetch-site": "same-origin"})

        def post(path):
            return page.post(f"/auth/{path}/", {}, "application/json")

        assert post("refresh").status_code == 204
        page.cookies["refresh"], page.cookies["access"] = legacy_token(user), "legacy"
        exchanged = post("refresh")
        assert (exchanged.status_code, set(exchanged.json())) == (200, {"access", "expires_in"})
        assert [page.cookies[name].value for name in ("refresh", "access")] == ["", ""]
        assert "signet" in " ".join(page.cookies)
        page.cookies.pop("access")
        cookies = page.cookies.output(attrs=[], header="", sep=";")
        header = {"Authorization": f"Bearer {exchanged.json()['access']}"}
        request = RequestFactory().get("/", headers={"Cookie": cookies} if access else header)
        assert shop.stateless.WhoView.as_view()(request).data == {"id": user.pk}
        assert post("refresh").status_code == 200
        assert [session.transport for session in Session.objects.live()] == ["cookie"]
        assert post("logout").status_code == 204
        assert post("refresh").status_code == 204
        assert not Session.objects.live().exists()

    def test_invalid_legacy_cookie_is_deleted_and_cross_site_requests_are_rejected(
        self, shop, user
    ):
        page = Client(headers={"x-requested-with": "x", "sec-fetch-site": "same-origin"})
        page.cookies["refresh"] = "x"
        assert page.post("/auth/refresh/", {}, "application/json").status_code == 204
        assert page.cookies["refresh"].value == ""
        page.cookies["refresh"] = legacy_token(user)
        cross_site = Client(headers={"x-requested-with": "x", "sec-fetch-site": "cross-site"})
        cross_site.cookies = page.cookies
        assert cross_site.post("/auth/refresh/", {}, "application/json").status_code == 403
        assert not Session.objects.exists()

    def test_token_of_another_package_is_exchanged_for_a_pair_and_deleted(self, run_page, user):
        page = run_page("howto/migrate-from-others.md")
        view = page.modules["accounts.exchange"].ExchangeView
        deleted = []

        class OldAuthentication(BaseAuthentication):
            def authenticate(self, request):
                return user, SimpleNamespace(delete=lambda: deleted.append(user))

        request = APIRequestFactory().post("/")
        assert view.as_view()(request).status_code == 401
        answer = view.as_view(authentication_classes=(OldAuthentication,))(request)
        assert flows.verify(answer.data["access"])["user_id"] == user.pk
        assert answer["Cache-Control"] == "no-store"
        assert deleted == [user]


def test_cors_settings_of_the_page_allow_exactly_the_listed_origin(run_page, make_user):
    user = make_user(password="123")
    run_page("howto/browser.md")
    page = {"origin": "http://localhost:5173", "sec-fetch-site": "same-site"}
    requested = "content-type,x-requested-with"
    preflight = Client().options(
        "/auth/login/",
        headers={
            **page,
            "access-control-request-method": "POST",
            "access-control-request-headers": requested,
        },
    )
    assert preflight["Access-Control-Allow-Origin"] == page["origin"]
    assert preflight["Access-Control-Allow-Credentials"] == "true"
    allowed = preflight["Access-Control-Allow-Headers"].replace(" ", "").split(",")
    assert {"content-type", "x-requested-with", "authorization"} <= set(allowed)

    client = Client()
    headers_of_page = {**page, "x-requested-with": "XMLHttpRequest"}

    def post(path, headers=headers_of_page, **data):
        return client.post(f"/auth/{path}/", data, "application/json", headers=headers)

    login = post("login", username=user.username, password="123")
    assert (login.status_code, login["Access-Control-Allow-Credentials"]) == (200, "true")
    assert login["Access-Control-Allow-Origin"] == page["origin"]
    assert post("refresh").status_code == 200
    for other in ("http://localhost:5174", "http://127.0.0.1:5173"):
        rejected = post("refresh", {**headers_of_page, "origin": other})
        assert (rejected.status_code, rejected.json()["reason"]) == (403, "origin_untrusted")
        assert "Access-Control-Allow-Origin" not in rejected.headers
    assert post("logout").status_code == 204


def test_custom_login_view_sets_the_refresh_cookie(run_page, make_user, rf):
    page, user = run_page("howto/browser.md"), make_user()
    response = page.modules["accounts.views"].log_in(rf.get("/callback/"), user)
    assert (response.status_code, response["Location"]) == (302, "/")
    client = Client()
    client.cookies.update(response.cookies)
    headers = {"x-requested-with": "x", "sec-fetch-site": "same-origin"}
    answer = client.post("/auth/refresh/", {}, "application/json", headers=headers)
    assert answer.status_code == 200


def test_openapi_of_the_pages_views_has_their_answers(run_page, user):
    page = run_page("howto/openapi.md")
    login, hello = page.names["NamedPairView"], page.names["HelloView"]
    answer = login.as_view()(
        APIRequestFactory().post("/", {"username": user.username, "password": PASSWORD})
    )
    assert answer.data["username"] == user.username
    generator = SchemaGenerator(
        patterns=[path("login/", login.as_view()), path("hello/", hello.as_view())]
    )
    schema = generator.get_schema(public=True)
    answers = schema["paths"]["/login/"]["post"]["responses"]
    assert {"200", "401", "429"} <= answers.keys()
    assert "username" in schema["components"]["schemas"]["NamedPair"]["properties"]
    answers = schema["paths"]["/hello/"]["get"]["responses"]
    assert answers.keys() == {"200", "400", "401", "403", "503"}
    assert Client().get("/api/docs/").status_code == 200


def test_exception_handler_of_the_page_answers_503_for_an_unavailable_database(run_page):
    from django.db import OperationalError

    page = run_page("howto/production.md")
    answer = page.modules["mysite.errors"].handle(OperationalError(), {})
    assert (answer.status_code, answer.data["code"]) == (503, "database_down")
    assert answer["Retry-After"] == "5"


def test_commands_of_the_pages_exist():
    lines = [
        line
        for page in DOCS.rglob("*.md")
        for block in blocks(page)
        for line in block.text.splitlines()
        if "manage.py " in line
    ]
    mentioned = {line.split("manage.py ", 1)[1].split()[0] for line in lines}
    signet_commands = {"signet_clear_expired", "signet_migrate_from_simplejwt"}
    assert {*signet_commands, "migrate"} <= mentioned <= get_commands().keys()


def test_run_page_restores_all_signals_of_the_package():
    assert [value for value in vars(signals).values() if isinstance(value, Signal)] == [*SIGNALS]


def test_kms_example_signs_tokens_and_accepts_those_of_the_settings(run_page, user, client):
    before = issue(user).access
    run_page("howto/key-rotation.md")
    with override_settings(SIGNET={"KEY_PROVIDER": "mysite.keys.KmsKeys"}):
        token = issue(user).access
        assert kid_of(token) == "kms-1"
        for valid in (token, before):
            answer = client.post("/api/token/verify/", {"token": valid})
            assert answer.status_code == 200
        (published,) = client.get("/.well-known/jwks.json").json()["keys"]
        assert published["kid"] == "kms-1"
