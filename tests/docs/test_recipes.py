"""Test what the how-to pages promise about logins of a project's own."""

from __future__ import annotations

import re
from functools import partial
from urllib.error import HTTPError
from urllib.parse import parse_qsl

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import cache
from django.test import Client, override_settings
from drf_spectacular.generators import SchemaGenerator

from drf_signet import Session, end, issue
from drf_signet.testing import token_for
from tests.conftest import PASSWORD
from tests.docs.pages import DOCS, table
from tests.docs.projects import Project


def test_user_model_of_the_page_logs_in_by_the_email_address(tmp_path):
    project = Project(tmp_path, "howto/email-login.md", "accounts/models.py", "mysite/settings.py")
    project.run_tests("email_login.py", "accounts")


def test_user_model_of_the_page_logs_in_by_the_phone_number(tmp_path):
    project = Project(tmp_path, "howto/email-login.md", "customers/", "mysite/urls.py")
    settings = """
INSTALLED_APPS = [name for name in INSTALLED_APPS if name != "django.contrib.admin"]
INSTALLED_APPS += ["rest_framework", "drf_signet", "customers"]
AUTH_USER_MODEL = "customers.Customer"
"""
    project.run_tests("phone_login.py", "customers", settings=settings)


def test_comparison_of_packages_agrees_with_the_benchmarks():
    rows = {next(iter(row.values())): row for row in table(DOCS / "benchmarks.md", "The table")}
    cells = {name: cell.strip("*") for name, cell in rows["request"].items()}
    statements = {name: int(cell) for name, cell in cells.items() if cell.isdigit()}
    assert statements["drf-signet"] == 0
    assert [name for name in statements if statements[name] >= 2] == ["knox"]
    assert statements["knox"] == 2
    text = (DOCS / "concepts" / "which-package.md").read_text(encoding="utf-8")
    assert "each request runs two SQL statements" in text
    ahead = (DOCS / "benchmarks.md").read_text(encoding="utf-8").partition("a peer is ahead")[2]
    assert re.search(r"logins, 4 clients; loopback \(ahead: simplejwt", ahead)
    assert re.search(r"Memory .* \(ahead: simplejwt", ahead)
    assert re.search(r"Logout until every process .* \(ahead: knox", ahead)


def test_comparison_of_packages_has_a_source_for_each_other_package():
    text = (DOCS / "concepts" / "which-package.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert len(sections) == 9
    assert [section.splitlines()[0] for section in sections if "(https://" not in section] == [
        "drf-signet"
    ]


class CountingHasher(MD5PasswordHasher):
    """A password hasher that counts how often it hashes."""

    algorithm = "md5"
    count = 0

    def encode(self, password, salt):
        type(self).count += 1
        return super().encode(password, salt)


@pytest.fixture
def log_in(run_page):
    """Return a function that logs in with the backend of the page, and returns the status."""
    run_page("howto/email-login.md")

    def log_in(username, password=PASSWORD):
        body = {"username": username, "password": password}
        return Client().post("/api/token/", body).status_code

    return log_in


def test_backend_of_the_page_accepts_username_and_email_address(log_in, make_user):
    user = make_user(email="Ada@example.com")
    assert log_in(user.username) == log_in("ada@EXAMPLE.com") == 200
    assert log_in("ada@example.com", "wrong") == log_in("bob@example.com") == 401
    user.is_active = False
    user.save()
    assert log_in("ada@example.com") == 401


def test_backend_of_the_page_rejects_the_address_of_two_users(log_in, make_user):
    users = [make_user(email="ada@example.com") for _ in range(2)]
    assert log_in("ada@example.com") == 401
    assert [log_in(user.username) for user in users] == [200, 200]


def test_backend_of_the_page_hashes_once_for_every_failed_login(log_in, make_user):
    name = f"{__name__}.{CountingHasher.__name__}"
    with override_settings(PASSWORD_HASHERS=[name]):
        user = make_user(email="ada@example.com")
        inactive = make_user(email="bob@example.com", is_active=False)
        make_user(email="ada2@example.com"), make_user(email="ada2@example.com")
        attempts = [
            (user.username, "wrong"),
            ("ada@example.com", "wrong"),
            ("nobody", PASSWORD),
            ("nobody@example.com", PASSWORD),
            ("ada2@example.com", PASSWORD),
            (inactive.username, PASSWORD),
            ("bob@example.com", PASSWORD),
        ]
        hashed = []
        for attempt in attempts:
            CountingHasher.count = 0
            assert log_in(*attempt) == 401
            hashed.append(CountingHasher.count)
    assert hashed == [1] * len(attempts)


@pytest.fixture
def answers(run_page):
    return run_page("howto/login-answer.md")


def test_login_of_the_page_returns_the_user_beside_the_tokens(answers, make_user, client):
    user = make_user(first_name="Ada")
    body = {"username": user.username, "password": PASSWORD}
    answer = client.post("/api/token/", body)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    data = answer.json()
    assert data.keys() == {"access", "refresh", "user"}
    assert (data["user"]["id"], data["user"]["first_name"]) == (user.pk, "Ada")
    assert client.post("/api/token/refresh/", {"refresh": data["refresh"]}).status_code == 200
    answer = client.post("/api/token/", {**body, "password": "wrong"})
    assert (answer.status_code, answer.json()["code"]) == (401, "no_active_account")


def test_me_view_of_the_page_shows_and_changes_only_the_own_user(answers, make_user, client):
    user = make_user(email="ada@example.com")
    assert client.get("/api/me/").status_code == 401
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue(user).access}")
    change = {"first_name": "Ada", "is_staff": True, "email": "eve@example.com", "id": 0}
    shown = client.patch("/api/me/", change).json()
    assert shown == client.get("/api/me/").json()
    assert (shown["first_name"], shown["is_staff"]) == ("Ada", False)
    assert (shown["id"], shown["email"]) == (user.pk, "ada@example.com")
    assert "password" not in shown


def test_openapi_has_the_user_in_the_answer_of_the_login(answers):
    schema = SchemaGenerator(urlconf="mysite.urls").get_schema(public=True)
    answer = schema["paths"]["/api/token/"]["post"]["responses"]
    assert {"200", "400", "401", "429"} <= answer.keys()
    properties = schema["components"]["schemas"]["LoginAnswer"]["properties"]
    assert properties.keys() == {"access", "refresh", "user"}
    assert schema["paths"]["/api/me/"].keys() == {"get", "put", "patch"}


@pytest.fixture
def reset(run_page, client, mailoutbox):
    """Return a function that asks for a link, and returns the uid and the token in the mail."""
    cache.clear()
    run_page("howto/password-reset.md")

    def ask(email):
        mailoutbox.clear()
        with override_settings(RESET_PAGE="https://app.example.com/reset"):
            answer = client.post("/api/password/forgotten/", {"email": email})
        assert (answer.status_code, answer.content) == (204, b"")
        if not mailoutbox:
            return None
        [mail] = mailoutbox
        page, fragment = mail.body.split()[-1].split("#")
        assert page == "https://app.example.com/reset"
        return dict(parse_qsl(fragment))

    return ask


def test_reset_of_the_page_changes_the_password_and_ends_all_sessions(reset, make_user, client):
    user = make_user(email="ada@example.com")
    pair = issue(user)
    link = reset("ADA@example.com")
    body = {**link, "password": "battery staple"}
    validators = [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}]
    with override_settings(AUTH_PASSWORD_VALIDATORS=validators):
        answer = client.post("/api/password/reset/", {**body, "password": "1234"})
    assert (answer.status_code, answer.json().keys()) == (400, {"password"})
    assert client.post("/api/password/reset/", body).status_code == 204
    assert client.post("/api/password/reset/", body).status_code == 400
    assert not Session.objects.live().exists()
    assert client.post("/api/token/refresh/", {"refresh": pair.refresh}).status_code == 401
    for password, status in ((PASSWORD, 401), ("battery staple", 200)):
        body = {"username": user.username, "password": password}
        assert client.post("/api/token/", body).status_code == status


def test_reset_of_the_page_sends_no_mail_to_unknown_inactive_and_passwordless_users(
    reset, make_user
):
    make_user(email="bob@example.com", is_active=False)
    make_user(email="eve@example.com", password=None)
    emails = ("nobody@example.com", "bob@example.com", "eve@example.com")
    assert [reset(email) for email in emails] == [None, None, None]


def test_login_makes_a_link_of_the_page_invalid(reset, make_user, client):
    user = make_user(email="ada@example.com")
    link = reset(user.email)
    client.post("/api/token/", {"username": user.username, "password": PASSWORD})
    answer = client.post("/api/password/reset/", {**link, "password": "battery staple"})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "uid", ["", "x", "MQ", "\x00", "x" * 10_000, "OTk5OTk5OTk5OTk5OTk5OTk5OTk5"]
)
def test_reset_of_the_page_rejects_an_invalid_link(reset, db, client, uid):
    body = {"uid": uid, "token": "x-y", "password": "battery staple"}
    assert client.post("/api/password/reset/", body).status_code == 400


def test_reset_of_the_page_is_limited(reset, db, client):
    for _ in range(10):
        reset("nobody@example.com")
    answer = client.post("/api/password/forgotten/", {"email": "nobody@example.com"})
    assert answer.status_code == 429


@pytest.fixture
def front_ends(run_page):
    return run_page("howto/several-front-ends.md").modules


def test_each_front_end_of_the_page_has_its_lifetime(front_ends, make_user):
    lifetimes = front_ends["accounts.policies"].lifetimes
    user, staff = make_user(), make_user(is_staff=True)
    assert lifetimes(user, None, "token") > lifetimes(staff, None, "token")
    assert lifetimes(staff, None, "token") == lifetimes(staff, None, "cookie")
    assert lifetimes(user, None, "cookie") is None
    assert issue(user).refresh_expires_in == 30 * 24 * 3600


@pytest.mark.parametrize("name", ["app", "panel"])
def test_pages_on_both_subdomains_may_use_the_cookie(front_ends, make_user, name):
    user, client = make_user(), Client()
    page = {"origin": f"https://{name}.example.com", "sec-fetch-site": "same-site"}
    headers = {**page, "x-requested-with": "x"}
    body = {"username": user.username, "password": PASSWORD}
    answer = client.post("/auth/login/", body, "application/json", headers=headers)
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == page["origin"]
    headers["origin"] = "https://blog.example.com"
    refused = client.post("/auth/refresh/", {}, "application/json", headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (403, "origin_untrusted")


def test_tokens_of_one_transport_are_refused_by_the_other(front_ends, user, client):
    pair = issue(user, transport="cookie")
    answer = client.post("/api/token/refresh/", {"refresh": pair.refresh})
    assert answer.status_code == 401
    for access in (pair.access, issue(user).access):
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
        assert client.get("/api/token/sessions/").status_code == 200


def test_label_of_the_page_names_the_client(
    front_ends, user, rf, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        pairs = [issue(user, rf.post("/", headers={"X-Client": name})) for name in ("cli", "x")]
        pairs.append(issue(user))
    labels = [Session.objects.get(pk=pair.session.pk).label for pair in pairs]
    assert labels == ["cli", "", ""]


def test_command_line_tool_of_the_page_stays_logged_in(front_ends, live_server, user, tmp_path):
    make = partial(front_ends["cli.client"].Client, f"{live_server.url}/", tmp_path / "token")
    make().log_in(user.username, PASSWORD)
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    for _ in range(2):
        [session] = make().get("api/token/sessions/")
        assert session["current"]
    assert Session.objects.get().generation == 2
    end(Session.objects.get())
    with pytest.raises(HTTPError):
        make().get("api/token/sessions/")


class TestWebSocket:
    """Test the middleware of docs/howto/websockets.md with an application that echoes messages."""

    @pytest.fixture
    def connection(self, run_page):
        """Return a function that opens a connection with these subprotocols."""
        middleware = run_page("howto/websockets.md").modules["mysite.sockets"].TokenMiddleware

        def connection(*subprotocols):
            scope = {"type": "websocket", "subprotocols": list(subprotocols)}
            return ApplicationCommunicator(middleware(echo), scope)

        return connection

    def test_connection_knows_the_user_until_the_session_ends(self, connection, user):
        pair = issue(user)

        async def talk():
            socket = connection("bearer", pair.access)
            accepted = await exchange(socket, type="websocket.connect")
            assert accepted == {"type": "websocket.accept", "subprotocol": "bearer"}
            hello = await exchange(socket, type="websocket.receive", text="hello")
            assert hello["text"] == f"{user.username} {pair.session.pk} hello"
            await sync_to_async(end)(pair.session)
            closed = await exchange(socket, type="websocket.receive", text="again")
            assert closed == {"type": "websocket.close", "code": 4401}
            await socket.wait()
            assert await socket.receive_nothing()

        async_to_sync(talk)()

    def test_connection_without_a_valid_access_token_is_rejected(self, connection, user):
        pair = issue(user)
        expired = token_for(user, expired=True)
        cases = [(), ("bearer",), ("bearer", "x"), ("bearer", pair.refresh), ("bearer", expired)]
        cases += [("chat", pair.access), (pair.access,), ("bearer", "")]

        async def talk():
            for case in cases:
                answer = await exchange(connection(*case), type="websocket.connect")
                assert answer == {"type": "websocket.close", "code": 4401}

        async_to_sync(talk)()

    def test_connection_closes_when_its_token_expires(self, connection, user):
        expired = token_for(user, expired=True)
        with override_settings(SIGNET={"LEEWAY": 600}):

            async def talk():
                socket = connection("bearer", expired)
                answer = await exchange(socket, type="websocket.connect")
                assert answer["type"] == "websocket.accept"
                assert await socket.receive_output() == {"type": "websocket.close", "code": 4408}

            async_to_sync(talk)()

    def test_message_is_checked_without_a_query(self, connection, user, django_assert_num_queries):
        pair = issue(user)

        async def talk():
            socket = connection("bearer", pair.access)
            await exchange(socket, type="websocket.connect")
            for _ in range(3):
                await exchange(socket, type="websocket.receive", text="hello")
            await socket.send_input({"type": "websocket.disconnect"})
            await socket.wait()

        with django_assert_num_queries(1):
            async_to_sync(talk)()


async def echo(scope, receive, send):
    """Accept a WebSocket, and send each message back, with the names of user and session."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = f"{scope['user'].username} {scope['auth']['sid']} {message['text']}"
        await send({"type": "websocket.send", "text": text})


async def exchange(socket, **message):
    await socket.send_input(message)
    return await socket.receive_output()
