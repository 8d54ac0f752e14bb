"""The Python of the pages, run: files imported, settings read by the package, tests passed.

What the blocks mean is said in `tests.docs.pages`. Beyond that:

- `mysite/settings.py` is what the settings of the rest of the page are, until the next one. Its
  `SIGNET` has to be readable and its keys usable, and no system check may call it an error.
- A file of tests has its tests run.
- A piece of code finds `user` and `request`, and what the pieces before it have set.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
import unittest
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings as django_settings
from django.core import checks
from django.core.management import get_commands
from django.db import transaction
from django.dispatch import Signal
from django.http import JsonResponse
from django.test import AsyncClient, Client, RequestFactory, TestCase, override_settings
from django.urls import path
from django.utils.module_loading import import_string
from rest_framework.authentication import BaseAuthentication
from rest_framework.test import APIRequestFactory

from drf_signet import (
    Session,
    conf,
    end,
    flows,
    issue,
    refresh_reused,
    runtime,
    session_ended,
    session_opened,
    session_refreshed,
    signals,
)
from tests.conftest import PASSWORD
from tests.docs.pages import DOCS, Block, blocks
from tests.situations import token_of_old

PAGES = {
    page.relative_to(DOCS).as_posix(): page
    for page in sorted(DOCS.rglob("*.md"))
    if page.name != "tutorial.md" and any(block.language == "python" for block in blocks(page))
}
#: Pages that another app answers for: see `tests.docs.test_compat`.
ALIASED = frozenset({"howto/simplejwt-code.md"})
SETTINGS = "mysite/settings.py"

#: What a block of settings may set; each is in force for what follows on its page, but for those
#: of which a test process has only one.
IN_FORCE = frozenset(
    {
        "CORS_ALLOWED_ORIGINS",
        "CORS_ALLOW_CREDENTIALS",
        "CORS_EXPOSE_HEADERS",
        "CSRF_TRUSTED_ORIGINS",
        "MIDDLEWARE",
        "REST_FRAMEWORK",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
        "SIGNET",
        "SIMPLE_JWT",
    }
)
SIGNALS = (session_opened, session_refreshed, session_ended, refresh_reused)


@dataclass(kw_only=True)
class Page:
    """A page while it is run."""

    directory: Path
    fixture: Callable[[str], Any]
    names: dict[str, Any]
    overrides: contextlib.ExitStack
    modules: dict[str, Any] = field(default_factory=dict)

    def run(self, block: Block) -> None:
        if block.file is None:
            exec(compile(block.text, block.where, "exec"), self.names)
        elif block.file.path == SETTINGS:
            self._settle(block)
        else:
            self._import(block)

    def _settle(self, block: Block) -> None:
        lists = {
            name: list(getattr(django_settings, name)) for name in ("INSTALLED_APPS", "MIDDLEWARE")
        }
        names = {"BASE_DIR": self.directory, "SECRET_KEY": django_settings.SECRET_KEY, **lists}
        exec(compile(block.text, block.where, "exec"), names)
        given: dict[str, Any] = {name: value for name, value in names.items() if name.isupper()}
        if "SIGNET" in given:
            conf.parse(given["SIGNET"], {})
        chosen = {name: value for name, value in given.items() if name in IN_FORCE}
        self.overrides.enter_context(override_settings(**chosen))
        runtime.current()
        assert [m for m in checks.run_checks() if m.level >= checks.ERROR] == [], block.where
        for cache in given.get("CACHES", {}).values():
            import_string(cache["BACKEND"])

    def _import(self, block: Block) -> None:
        assert block.file is not None
        block.file.write(self.directory)
        name = block.file.path.removesuffix(".py").replace("/", ".")
        sys.modules.pop(name, None)  # a page may show one file more than once
        self.modules[name] = module = importlib.import_module(name)
        if name.endswith(".urls"):
            self.overrides.enter_context(override_settings(ROOT_URLCONF=name))
        for one in list(vars(module).values()):
            if inspect.isfunction(one) and one.__name__.startswith("test_"):
                wanted = inspect.signature(one).parameters
                _test(one, **{wish: self.fixture(wish) for wish in wanted})
            elif inspect.isclass(one) and one.__module__ == name and issubclass(one, TestCase):
                _run(one)


@pytest.fixture
def run_page(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_user: Any
) -> Iterator[Callable[[str], Page]]:
    """Return a function that runs the blocks of a page and returns what is left of it."""
    _prepare(tmp_path, monkeypatch)
    before, receivers = set(sys.modules), [list(signal.receivers) for signal in SIGNALS]
    with contextlib.ExitStack() as overrides:

        def run(name: str) -> Page:
            names = {"user": make_user(), "request": RequestFactory().post("/"), "__name__": "page"}
            page = Page(
                directory=tmp_path,
                fixture=request.getfixturevalue,
                names=names,
                overrides=overrides,
            )
            for block in blocks(PAGES[name]):
                if block.language == "python":
                    page.run(block)
            return page

        yield run
    for signal, kept in zip(SIGNALS, receivers, strict=True):
        signal.receivers = kept
        signal.sender_receivers_cache.clear()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def _prepare(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what the pages take for granted: keys, variables of the environment, a path."""
    (directory / "keys").mkdir()
    for name in ("2026-11", "2026-05"):
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (directory / "keys" / f"{name}.pem").write_bytes(pem)
    monkeypatch.setenv("SECRET_KEY", "s" * 64)
    monkeypatch.setenv("OLD_SECRET_KEY", django_settings.SECRET_KEY)
    monkeypatch.syspath_prepend(directory)


def _test(function: Callable[..., Any], **arguments: Any) -> None:
    with transaction.atomic():
        function(**arguments)
        transaction.set_rollback(True)


def _run(case: type[TestCase]) -> None:
    """Run a class of tests; Django's own way closes the connection that our test is in."""
    names = unittest.defaultTestLoader.getTestCaseNames(case)
    assert names
    for name in names:
        test = case(name)
        test.client = Client()
        try:
            _test(lambda test, name: (test.setUp(), getattr(test, name)()), test=test, name=name)
        finally:
            test.doCleanups()


@pytest.mark.parametrize("name", [name for name in PAGES if name not in ALIASED])
def test_the_python_of_a_page_runs(run_page, name):
    run_page(name)


def test_own_claims_are_in_both_tokens_and_in_request_auth(run_page, make_user):
    page = run_page("howto/own-claims.md")
    with override_settings(SIGNET={"CLAIMS": "accounts.tokens.claims"}):
        someone = make_user()
        group = someone.groups.create(name="editors")
        claims = page.modules["accounts.tokens"].claims(someone, None)
        assert claims == {"name": someone.username, "groups": [group.name]}


def test_registration_and_activation_log_in(run_page, client, django_user_model):
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


def test_the_login_serializer_hands_its_field_to_the_backend(run_page):
    page = run_page("howto/issue-tokens.md")
    serializer = page.modules["accounts.login"].LoginSerializer(data={})
    assert list(serializer.fields) == ["username", "password", "code"]


def test_receivers_of_the_pages_do_what_they_are_for(
    run_page, user, caplog, mailoutbox, django_capture_on_commit_callbacks
):

    user.email = "vitor@example.com"
    user.save()
    kept = []  # signals hold their receivers weakly
    for name in ("howto/issue-tokens.md", "howto/mobile.md"):
        kept.append(run_page(name).modules.pop("accounts.receivers"))
        del sys.modules["accounts.receivers"]
    request = RequestFactory().post("/", headers={"X-Device-Name": "Vitor's phone"})
    with django_capture_on_commit_callbacks(execute=True):
        pair = issue(user, request)
    assert [mail.subject for mail in mailoutbox] == ["A new login"]
    assert Session.objects.get(pk=pair.session.pk).label == "Vitor's phone"
    assert len(kept) == 2

    run_page("howto/production.md")
    refresh_reused.send_robust(
        Session, session=pair.session, user=user, request=None, generations_behind=1
    )
    assert caplog.records == []
    refresh_reused.send_robust(
        Session, session=pair.session, user=user, request=None, generations_behind=2
    )
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_plain_views_know_who_sends_a_token(run_page, user):
    page = run_page("howto/plain-django.md")
    pair = issue(user)
    headers = {"Authorization": f"Bearer {pair.access}"}
    hello = {"message": f"Hello, {user.username}!"}
    get = async_to_sync(AsyncClient().get)
    assert Client().get("/plain/", headers=headers).json() == hello
    assert get("/plain/", headers=headers).json() == hello
    assert Client().get("/async/", headers=headers).json() == hello
    assert get("/async/", headers=headers).json() == hello
    assert Client().get("/plain/").status_code == 302
    assert get("/async/").status_code == 401

    end(pair.session)
    assert Client().get("/plain/", headers=headers).status_code == 401
    refresh = {"refresh": issue(user).refresh}
    assert Client().post("/api/token/refresh/", refresh, headers=headers).status_code == 200
    assert page.modules["mysite.urls"]


def test_the_decorator_of_the_page_takes_nothing_but_a_token(run_page, user):
    page = run_page("howto/plain-django.md")

    def who(request):
        return JsonResponse({"pk": request.user.pk})

    view = page.modules["mysite.tokens"].token_required(who)
    page.overrides.enter_context(override_settings(ROOT_URLCONF=(path("who/", view),)))
    cautious = Client(enforce_csrf_checks=True)
    cautious.force_login(user)
    refused = cautious.post("/who/")
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, 'Bearer realm="api"')
    headers = {"Authorization": f"Bearer {issue(user).access}"}
    assert cautious.post("/who/", headers=headers).json() == {"pk": user.pk}


class TestMigration:
    """What stands in the place of simplejwt's code does the same."""

    @pytest.fixture
    def shop(self, run_page):
        modules = run_page("howto/migrate-from-simplejwt.md").modules
        return SimpleNamespace(**{name.split(".")[1]: one for name, one in modules.items()})

    def test_claims_and_tokens_by_hand(self, shop, user):
        pair = shop.registration.tokens_for(user)
        assert flows.verify(pair["access"])["name"] == user.get_username()
        assert set(pair) == {"refresh", "access"}

    def test_the_tutorial_s_routes(self, shop, user, client):
        with override_settings(ROOT_URLCONF="mysite.urls"):
            body = {"username": user.username, "password": PASSWORD}
            pair = client.post("/api/token/", body).json()
            assert flows.verify(pair["access"])["name"] == user.get_username()
            refresh = {"refresh": pair["refresh"]}
            assert client.post("/api/token/refresh/", refresh).json().keys() == {"access"}
            assert client.post("/api/token/blacklist/", refresh).status_code == 204
            assert client.post("/api/token/refresh/", refresh).status_code == 401

    def test_a_view_of_its_own(self, shop, user, client):
        view = shop.logins.NamedView.as_view()
        body = {"username": user.username, "password": PASSWORD}
        answer = view(APIRequestFactory().post("/", body))
        assert answer.data["name"] == user.username
        assert "access" in answer.data

    def test_logging_out_here_and_everywhere(self, shop, user):
        first, *others = (shop.registration.tokens_for(user) for _ in range(3))
        shop.logout.log_out(first["refresh"])
        assert [one.user for one in Session.objects.live()] == [user, user]
        shop.logout.log_out_everywhere(user)
        assert not Session.objects.live().exists()
        assert len(others) == 2

    def test_views_and_sockets_know_the_user(self, shop, user, client, django_assert_num_queries):
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
        for other in (pair["refresh"], "x", None):
            assert shop.sockets.user_of(other) is None

    @pytest.mark.parametrize("access", [True, False], ids=["access cookie", "header"])
    def test_cookies_made_by_hand_are_changed_once_for_those_of_the_browser_endpoints(
        self, shop, user, access
    ):
        page = Client(headers={"x-requested-with": "x", "sec-fetch-site": "same-origin"})

        def post(path):
            return page.post(f"/auth/{path}/", {}, "application/json")

        assert post("refresh").status_code == 204
        page.cookies["refresh"], page.cookies["access"] = token_of_old(user), "of old"
        moved = post("refresh")
        assert (moved.status_code, set(moved.json())) == (200, {"access", "expires_in"})
        assert [page.cookies[one].value for one in ("refresh", "access")] == ["", ""]
        assert "signet" in " ".join(page.cookies)
        page.cookies.pop("access")
        cookies = page.cookies.output(attrs=[], header="", sep=";")
        header = {"Authorization": f"Bearer {moved.json()['access']}"}
        request = RequestFactory().get("/", headers={"Cookie": cookies} if access else header)
        assert shop.stateless.WhoView.as_view()(request).data == {"id": user.pk}
        assert post("refresh").status_code == 200
        assert [one.transport for one in Session.objects.live()] == ["cookie"]
        assert post("logout").status_code == 204
        assert post("refresh").status_code == 204
        assert not Session.objects.live().exists()

    def test_a_cookie_made_by_hand_that_is_no_good_is_taken_away(self, shop, user):
        page = Client(headers={"x-requested-with": "x", "sec-fetch-site": "same-origin"})
        page.cookies["refresh"] = "x"
        assert page.post("/auth/refresh/", {}, "application/json").status_code == 204
        assert page.cookies["refresh"].value == ""
        page.cookies["refresh"] = token_of_old(user)
        foreign = Client(headers={"x-requested-with": "x", "sec-fetch-site": "cross-site"})
        foreign.cookies = page.cookies
        assert foreign.post("/auth/refresh/", {}, "application/json").status_code == 403
        assert not Session.objects.exists()

    def test_an_old_token_of_another_package_is_changed_for_a_pair(self, run_page, user):
        page = run_page("howto/migrate-from-others.md")
        view = page.modules["accounts.exchange"].ExchangeView
        retired = []

        class OldAuthentication(BaseAuthentication):
            def authenticate(self, request):
                return user, SimpleNamespace(delete=lambda: retired.append(user))

        request = APIRequestFactory().post("/")
        assert view.as_view()(request).status_code == 401
        answer = view.as_view(authentication_classes=(OldAuthentication,))(request)
        assert flows.verify(answer.data["access"])["user_id"] == user.pk
        assert answer["Cache-Control"] == "no-store"
        assert retired == [user]


def test_a_page_of_another_origin_is_let_in_by_the_settings_of_its_page(run_page, make_user):
    user = make_user(password="123")
    run_page("howto/browser.md")
    page = {"origin": "http://localhost:5173", "sec-fetch-site": "same-site"}
    wanted = "content-type,x-requested-with"
    preflight = Client().options(
        "/auth/login/",
        headers={
            **page,
            "access-control-request-method": "POST",
            "access-control-request-headers": wanted,
        },
    )
    assert preflight["Access-Control-Allow-Origin"] == page["origin"]
    assert preflight["Access-Control-Allow-Credentials"] == "true"
    allowed = preflight["Access-Control-Allow-Headers"].replace(" ", "").split(",")
    assert {"content-type", "x-requested-with", "authorization"} <= set(allowed)

    client = Client()
    sent = {**page, "x-requested-with": "XMLHttpRequest"}

    def post(path, headers=sent, **data):
        return client.post(f"/auth/{path}/", data, "application/json", headers=headers)

    login = post("login", username=user.username, password="123")
    assert (login.status_code, login["Access-Control-Allow-Credentials"]) == (200, "true")
    assert login["Access-Control-Allow-Origin"] == page["origin"]
    assert post("refresh").status_code == 200
    for other in ("http://localhost:5174", "http://127.0.0.1:5173"):
        refused = post("refresh", {**sent, "origin": other})
        assert (refused.status_code, refused.json()["reason"]) == (403, "origin_untrusted")
        assert "Access-Control-Allow-Origin" not in refused.headers
    assert post("logout").status_code == 204


def test_a_login_of_ones_own_sets_the_cookie(run_page, make_user, rf):
    page, user = run_page("howto/browser.md"), make_user()
    response = page.modules["accounts.views"].log_in(rf.get("/callback/"), user)
    assert (response.status_code, response["Location"]) == (302, "/")
    client = Client()
    client.cookies.update(response.cookies)
    headers = {"x-requested-with": "x", "sec-fetch-site": "same-origin"}
    answer = client.post("/auth/refresh/", {}, "application/json", headers=headers)
    assert answer.status_code == 200


def test_a_database_that_is_away_is_503_with_the_handler_of_the_page(run_page):
    from django.db import OperationalError

    page = run_page("howto/production.md")
    answer = page.modules["mysite.errors"].handle(OperationalError(), {})
    assert (answer.status_code, answer.data["code"]) == (503, "database_away")
    assert answer["Retry-After"] == "5"


def test_commands_of_the_pages_exist():
    lines = [
        line
        for page in DOCS.rglob("*.md")
        for block in blocks(page)
        for line in block.text.splitlines()
        if "manage.py " in line
    ]
    named = {line.split("manage.py ", 1)[1].split()[0] for line in lines}
    ours = {"signet_clear_expired", "signet_migrate_from_simplejwt"}
    assert {*ours, "migrate"} <= named <= get_commands().keys()


def test_the_signals_that_are_restored_are_all_there_are():
    assert [one for one in vars(signals).values() if isinstance(one, Signal)] == [*SIGNALS]
