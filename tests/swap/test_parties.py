"""dj-rest-auth, djoser and drf-spectacular on the alias: current releases, unpatched.

djoser requires simplejwt, so that it is installed beside: these tests show as well that the alias
wins over it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.swap.site import Client, Site

PARTIES = Path(__file__).with_name("parties")
PASSWORD = "correct horse battery"
ADA = {"username": "ada", "password": PASSWORD}
FRESH = ("access", "refresh")
SIGN_UP = {"password1": PASSWORD, "password2": PASSWORD}


#: The line that the guide puts two in the place of.
ALIAS = '    "drf_signet",\n    "drf_signet.compat.simplejwt",\n'
ITSELF = '    "rest_framework_simplejwt",\n'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, old_python: Path) -> Site:
    """Return the project, with its tables and one user."""
    return made(tmp_path_factory.mktemp("parties"), old_python, ALIAS)


def made(directory: Path, old_python: Path, apps: str) -> Site:
    site = Site.copied(directory / "site", source=PARTIES)
    site.edit(ALIAS, apps)
    site.manage(old_python, "check", "--fail-level=ERROR")
    site.manage(old_python, "migrate", "--verbosity=0")
    create = f"User.objects.create_user('ada', 'ada@example.com', {PASSWORD!r})"
    site.manage(old_python, "shell", "-c", f"from django.contrib.auth.models import User; {create}")
    return site


@pytest.fixture(scope="module")
def _served(site: Site, old_python: Path) -> Iterator[Client]:
    """Serve it with tokens in bodies."""
    with site.served(old_python) as client:
        yield client


@pytest.fixture(scope="module")
def _served_with_cookies(site: Site, old_python: Path) -> Iterator[Client]:
    """Serve it with dj-rest-auth's cookies."""
    (site.directory / "cookies").touch()
    with site.served(old_python) as client:
        (site.directory / "cookies").unlink()  # it has been read
        yield client


@pytest.fixture
def client(_served: Client) -> Client:
    """Return a new client."""
    return Client(base=_served.base)


@pytest.fixture
def browser(_served_with_cookies: Client) -> Client:
    """Return a new client where cookies are set."""
    return Client(base=_served_with_cookies.base)


@pytest.fixture(scope="module")
def schema(site: Site, old_python: Path) -> Any:
    """Return the schema, made without a complaint about an authenticator."""
    target = site.directory / "schema.json"
    options = ("--format=openapi-json", f"--file={target}")
    printed = site.manage(old_python, "spectacular", *options)
    assert "could not resolve authenticator" not in printed
    return json.loads(target.read_text(encoding="utf-8"))


def test_no_code_of_simplejwt_itself_is_run(site: Site, old_python: Path) -> None:
    code = (
        "import importlib.metadata, rest_framework_simplejwt.tokens as old, djoser.urls.jwt, sys;"
        "assert importlib.metadata.version('djangorestframework-simplejwt');"
        "modules = [m for name, m in sys.modules.items() if 'simplejwt' in name and m.__file__];"
        "files = {one.__file__ for one in modules};"
        "print({'drf_signet' in one or 'drf_spectacular' in one for one in files})"
    )
    assert site.manage(old_python, "shell", "-c", code).strip().endswith("{True}")


def test_on_simplejwt_itself_clients_saw_the_same(
    client: Client, tmp_path: Path, old_python: Path
) -> None:
    before = made(tmp_path, old_python, ITSELF)
    with before.served(old_python) as other:
        assert answers(client) == answers(other)


def answers(client: Client) -> list[tuple[int, set[str]]]:
    """Use both packages as their clients do; return what is answered."""
    ben = {"username": "ben-b", "password": PASSWORD}
    said = [
        client.post("rest-auth/login/", **ADA),
        client.post("rest-auth/registration/", username="ben-a", **SIGN_UP),
        client.post("djoser/users/", **ben),
        client.post("djoser/jwt/create/", **ben),
    ]
    pairs = said[0].data, said[3].data
    for package, pair in zip(("rest-auth/token", "djoser/jwt"), pairs, strict=True):
        said.append(client.get("hello/", pair["access"]))
        said.append(renewed := client.post(f"{package}/refresh/", refresh=pair["refresh"]))
        said += [client.post(f"{package}/verify/", token=renewed.data[one]) for one in FRESH]
        said += [client.post(f"{package}/{one}/") for one in ("refresh", "verify")]
        said.append(client.post("rest-auth/logout/", refresh=renewed.data["refresh"]))
        said.append(client.post(f"{package}/refresh/", refresh=renewed.data["refresh"]))
    return [(one.status, one.names - {"code"}) for one in said]


class TestDjRestAuth:
    def test_login_refresh_verify_and_logout(self, client: Client) -> None:
        pair = client.post("rest-auth/login/", **ADA)
        assert (pair.status, pair.names) == (200, {"access", "refresh", "user"})
        assert client.get("hello/", pair.data["access"]).data == {"message": "Hello, ada!"}
        assert client.get("rest-auth/user/", pair.data["access"]).data["username"] == "ada"
        renewed = client.post("rest-auth/token/refresh/", refresh=pair.data["refresh"])
        assert renewed.status == 200
        assert {"access", "refresh"} <= renewed.names
        for token in (renewed.data["access"], renewed.data["refresh"]):
            assert client.post("rest-auth/token/verify/", token=token).status == 200
        assert client.post("rest-auth/logout/", refresh=renewed.data["refresh"]).status == 200
        for token in (renewed.data["refresh"], pair.data["refresh"]):
            assert client.post("rest-auth/token/refresh/", refresh=token).status == 401
        assert client.get("hello/", renewed.data["access"]).status == 401

    def test_what_is_wrong_is_refused(self, client: Client) -> None:
        assert client.post("rest-auth/login/", username="ada", password="no").status == 400
        assert client.post("rest-auth/token/refresh/", refresh="x").status == 401
        assert client.post("rest-auth/token/refresh/").status == 401
        assert client.post("rest-auth/token/verify/", token="x").status == 401
        assert client.post("rest-auth/logout/", refresh="x").status == 401
        assert client.post("rest-auth/logout/").status == 401

    def test_registration_with_allauth_logs_in(self, client: Client) -> None:
        answer = client.post("rest-auth/registration/", username="ben", **SIGN_UP)
        assert (answer.status, answer.names) == (201, {"access", "refresh", "user"})
        assert client.get("hello/", answer.data["access"]).data == {"message": "Hello, ben!"}
        assert client.post("rest-auth/token/refresh/", refresh=answer.data["refresh"]).status == 200

    def test_a_new_password_ends_what_there_was(self, client: Client) -> None:
        pair = client.post("rest-auth/registration/", username="cyn", **SIGN_UP).data
        new = {"new_password1": "another horse battery", "new_password2": "another horse battery"}
        headers = {"Authorization": f"Bearer {pair['access']}"}
        assert client.send("POST", "rest-auth/password/change/", new, **headers).status == 200
        assert client.post("rest-auth/token/refresh/", refresh=pair["refresh"]).status == 401


class TestDjRestAuthCookies:
    def test_login_refresh_and_logout_by_cookies_alone(self, browser: Client) -> None:
        answer = browser.post("rest-auth/login/", **ADA)
        assert (answer.status, answer.data["refresh"]) == (200, "")
        first = dict(browser.cookies)
        assert first.keys() >= {"jwt", "jwt-refresh"}
        assert browser.get("hello/").data == {"message": "Hello, ada!"}
        assert browser.post("rest-auth/token/refresh/").status == 200
        assert all(browser.cookies[name] != first[name] for name in ("jwt", "jwt-refresh"))
        assert browser.get("hello/").status == 200
        kept = dict(browser.cookies)
        assert browser.post("rest-auth/logout/").status == 200
        assert not browser.cookies.keys() & {"jwt", "jwt-refresh"}
        assert browser.get("hello/").status == 401
        thief = Client(base=browser.base, cookies=kept)
        assert thief.get("hello/").status == 401
        assert thief.post("rest-auth/token/refresh/").status == 401

    def test_the_header_goes_before_the_cookie(self, browser: Client) -> None:
        access = browser.post("rest-auth/login/", **ADA).data["access"]
        assert browser.get("hello/", "x").status == 401
        assert Client(base=browser.base).get("hello/", access).status == 200


class TestDjoser:
    def test_registration_login_refresh_and_verify(self, client: Client) -> None:
        assert client.post("djoser/users/", username="dan", password=PASSWORD).status == 201
        pair = client.post("djoser/jwt/create/", username="dan", password=PASSWORD)
        assert (pair.status, pair.names) == (200, {"access", "refresh"})
        assert client.get("djoser/users/me/", pair.data["access"]).data["username"] == "dan"
        renewed = client.post("djoser/jwt/refresh/", refresh=pair.data["refresh"])
        assert (renewed.status, renewed.names) == (200, {"access", "refresh"})
        assert client.post("djoser/jwt/verify/", token=renewed.data["access"]).status == 200
        assert client.get("hello/", renewed.data["access"]).data == {"message": "Hello, dan!"}

    def test_what_is_wrong_is_refused(self, client: Client) -> None:
        assert client.post("djoser/jwt/create/", username="ada", password="no").status == 401
        assert client.post("djoser/jwt/refresh/", refresh="x").status == 401
        assert client.post("djoser/jwt/verify/", token="x").status == 401

    def test_a_new_password_ends_what_there_was(self, client: Client) -> None:
        client.post("djoser/users/", username="eve", password=PASSWORD)
        pair = client.post("djoser/jwt/create/", username="eve", password=PASSWORD).data
        new = {"current_password": PASSWORD, "new_password": "another horse battery"}
        headers = {"Authorization": f"Bearer {pair['access']}"}
        assert client.send("POST", "djoser/users/set_password/", new, **headers).status == 204
        assert client.post("djoser/jwt/refresh/", refresh=pair["refresh"]).status == 401


class TestSpectacular:
    def test_its_own_extension_describes_the_scheme(self, schema: Any) -> None:
        scheme = schema["components"]["securitySchemes"]["jwtAuth"]
        assert scheme == {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        for path in ("/hello/", "/stateless/"):
            assert schema["paths"][path]["get"]["security"] == [{"jwtAuth": []}]

    @pytest.mark.parametrize(
        ("path", "names"),
        [
            ("/api/token/", {"username", "password"}),
            ("/api/token/refresh/", {"refresh"}),
            ("/djoser/jwt/create/", {"username", "password"}),
            ("/djoser/jwt/verify/", {"token"}),
            ("/rest-auth/token/verify/", {"token"}),
        ],
    )
    def test_its_own_extensions_describe_the_bodies(
        self, schema: Any, path: str, names: set[str]
    ) -> None:
        operation = schema["paths"][path]
        body = operation["post"]["requestBody"]["content"]["application/json"]["schema"]
        described = schema["components"]["schemas"][body["$ref"].rpartition("/")[2]]
        assert names <= described["properties"].keys()
