"""Test that dj-rest-auth, djoser and drf-spectacular work with the alias, without changes.

djoser requires simplejwt, so simplejwt is also installed. The alias must take precedence over the
installed package.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.swap.project_copy import Client, Site

PARTIES = Path(__file__).with_name("parties")
PASSWORD = "correct horse battery"
ADA = {"username": "ada", "password": PASSWORD}
PAIR = ("access", "refresh")
SIGN_UP = {"password1": PASSWORD, "password2": PASSWORD}


#: The lines of INSTALLED_APPS for the alias, and the line that they replace in the guide.
ALIAS = '    "drf_signet",\n    "drf_signet.compat.simplejwt",\n'
SIMPLEJWT = '    "rest_framework_simplejwt",\n'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, old_python: Path) -> Site:
    """Return a project that uses the alias and has one user."""
    return make_site(tmp_path_factory.mktemp("parties"), old_python, ALIAS)


def make_site(directory: Path, old_python: Path, apps: str) -> Site:
    site = Site.copied(directory / "site", source=PARTIES)
    site.edit(ALIAS, apps)
    site.manage(old_python, "check", "--fail-level=ERROR")
    site.manage(old_python, "migrate", "--verbosity=0")
    create = f"User.objects.create_user('ada', 'ada@example.com', {PASSWORD!r})"
    site.manage(old_python, "shell", "-c", f"from django.contrib.auth.models import User; {create}")
    return site


@pytest.fixture(scope="module")
def _served(site: Site, old_python: Path) -> Iterator[Client]:
    """Run a server that sends tokens in response bodies."""
    with site.served(old_python) as client:
        yield client


@pytest.fixture(scope="module")
def _served_with_cookies(site: Site, old_python: Path) -> Iterator[Client]:
    """Run a server that sends tokens in dj-rest-auth's cookies."""
    (site.directory / "cookies").touch()
    with site.served(old_python) as client:
        (site.directory / "cookies").unlink()  # settings.py has already checked for this file
        yield client


@pytest.fixture
def client(_served: Client) -> Client:
    """Return a new client of the server that sends tokens in response bodies."""
    return Client(base=_served.base)


@pytest.fixture
def browser(_served_with_cookies: Client) -> Client:
    """Return a new client of the server that sends tokens in cookies."""
    return Client(base=_served_with_cookies.base)


@pytest.fixture(scope="module")
def schema(site: Site, old_python: Path) -> Any:
    """Return the OpenAPI schema; assert that drf-spectacular knows the authentication classes."""
    target = site.directory / "schema.json"
    options = ("--format=openapi-json", f"--file={target}")
    printed = site.manage(old_python, "spectacular", *options)
    assert "could not resolve authenticator" not in printed
    return json.loads(target.read_text(encoding="utf-8"))


def test_no_module_of_the_installed_simplejwt_is_imported(site: Site, old_python: Path) -> None:
    code = (
        "import importlib.metadata, rest_framework_simplejwt.tokens as old, djoser.urls.jwt, sys;"
        "assert importlib.metadata.version('djangorestframework-simplejwt');"
        "modules = [m for name, m in sys.modules.items() if 'simplejwt' in name and m.__file__];"
        "files = {one.__file__ for one in modules};"
        "print({'drf_signet' in one or 'drf_spectacular' in one for one in files})"
    )
    assert site.manage(old_python, "shell", "-c", code).strip().endswith("{True}")


def test_alias_and_simplejwt_give_clients_the_same_answers(
    client: Client, tmp_path: Path, old_python: Path
) -> None:
    on_simplejwt = make_site(tmp_path, old_python, SIMPLEJWT)
    with on_simplejwt.served(old_python) as simplejwt_client:
        assert answers(client) == answers(simplejwt_client)


def answers(client: Client) -> list[tuple[int, set[str]]]:
    """Send requests to dj-rest-auth and djoser; return (status, body keys) for each response."""
    ben = {"username": "ben-b", "password": PASSWORD}
    responses = [
        client.post("rest-auth/login/", **ADA),
        client.post("rest-auth/registration/", username="ben-a", **SIGN_UP),
        client.post("djoser/users/", **ben),
        client.post("djoser/jwt/create/", **ben),
    ]
    pairs = responses[0].data, responses[3].data
    for package, pair in zip(("rest-auth/token", "djoser/jwt"), pairs, strict=True):
        responses.append(client.get("hello/", pair["access"]))
        responses.append(rotated := client.post(f"{package}/refresh/", refresh=pair["refresh"]))
        responses += [client.post(f"{package}/verify/", token=rotated.data[name]) for name in PAIR]
        responses += [client.post(f"{package}/{path}/") for path in ("refresh", "verify")]
        responses.append(client.post("rest-auth/logout/", refresh=rotated.data["refresh"]))
        responses.append(client.post(f"{package}/refresh/", refresh=rotated.data["refresh"]))
    return [(response.status, response.names - {"code"}) for response in responses]


class TestDjRestAuth:
    def test_login_refresh_verify_and_logout_work(self, client: Client) -> None:
        pair = client.post("rest-auth/login/", **ADA)
        assert (pair.status, pair.names) == (200, {"access", "refresh", "user"})
        assert client.get("hello/", pair.data["access"]).data == {"message": "Hello, ada!"}
        assert client.get("rest-auth/user/", pair.data["access"]).data["username"] == "ada"
        rotated = client.post("rest-auth/token/refresh/", refresh=pair.data["refresh"])
        assert rotated.status == 200
        assert {"access", "refresh"} <= rotated.names
        for token in (rotated.data["access"], rotated.data["refresh"]):
            assert client.post("rest-auth/token/verify/", token=token).status == 200
        assert client.post("rest-auth/logout/", refresh=rotated.data["refresh"]).status == 200
        for token in (rotated.data["refresh"], pair.data["refresh"]):
            assert client.post("rest-auth/token/refresh/", refresh=token).status == 401
        assert client.get("hello/", rotated.data["access"]).status == 401

    def test_wrong_credentials_and_invalid_tokens_are_rejected(self, client: Client) -> None:
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

    def test_password_change_ends_the_session(self, client: Client) -> None:
        pair = client.post("rest-auth/registration/", username="cyn", **SIGN_UP).data
        new = {"new_password1": "another horse battery", "new_password2": "another horse battery"}
        headers = {"Authorization": f"Bearer {pair['access']}"}
        assert client.send("POST", "rest-auth/password/change/", new, **headers).status == 200
        assert client.post("rest-auth/token/refresh/", refresh=pair["refresh"]).status == 401


class TestDjRestAuthCookies:
    def test_login_refresh_and_logout_work_with_cookies_only(self, browser: Client) -> None:
        answer = browser.post("rest-auth/login/", **ADA)
        assert (answer.status, answer.data["refresh"]) == (200, "")
        first = dict(browser.cookies)
        assert first.keys() >= {"jwt", "jwt-refresh"}
        assert browser.get("hello/").data == {"message": "Hello, ada!"}
        assert browser.post("rest-auth/token/refresh/").status == 200
        assert all(browser.cookies[name] != first[name] for name in ("jwt", "jwt-refresh"))
        assert browser.get("hello/").status == 200
        stolen_cookies = dict(browser.cookies)
        assert browser.post("rest-auth/logout/").status == 200
        assert not browser.cookies.keys() & {"jwt", "jwt-refresh"}
        assert browser.get("hello/").status == 401
        thief = Client(base=browser.base, cookies=stolen_cookies)
        assert thief.get("hello/").status == 401
        assert thief.post("rest-auth/token/refresh/").status == 401

    def test_authorization_header_takes_precedence_over_the_cookie(self, browser: Client) -> None:
        access = browser.post("rest-auth/login/", **ADA).data["access"]
        assert browser.get("hello/", "x").status == 401
        assert Client(base=browser.base).get("hello/", access).status == 200


class TestDjoser:
    def test_registration_login_refresh_and_verify_work(self, client: Client) -> None:
        assert client.post("djoser/users/", username="dan", password=PASSWORD).status == 201
        pair = client.post("djoser/jwt/create/", username="dan", password=PASSWORD)
        assert (pair.status, pair.names) == (200, {"access", "refresh"})
        assert client.get("djoser/users/me/", pair.data["access"]).data["username"] == "dan"
        rotated = client.post("djoser/jwt/refresh/", refresh=pair.data["refresh"])
        assert (rotated.status, rotated.names) == (200, {"access", "refresh"})
        assert client.post("djoser/jwt/verify/", token=rotated.data["access"]).status == 200
        assert client.get("hello/", rotated.data["access"]).data == {"message": "Hello, dan!"}

    def test_wrong_credentials_and_invalid_tokens_are_rejected(self, client: Client) -> None:
        assert client.post("djoser/jwt/create/", username="ada", password="no").status == 401
        assert client.post("djoser/jwt/refresh/", refresh="x").status == 401
        assert client.post("djoser/jwt/verify/", token="x").status == 401

    def test_password_change_ends_the_session(self, client: Client) -> None:
        client.post("djoser/users/", username="eve", password=PASSWORD)
        pair = client.post("djoser/jwt/create/", username="eve", password=PASSWORD).data
        new = {"current_password": PASSWORD, "new_password": "another horse battery"}
        headers = {"Authorization": f"Bearer {pair['access']}"}
        assert client.send("POST", "djoser/users/set_password/", new, **headers).status == 204
        assert client.post("djoser/jwt/refresh/", refresh=pair["refresh"]).status == 401


class TestSpectacular:
    def test_spectacular_s_simplejwt_extension_describes_the_scheme(self, schema: Any) -> None:
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
    def test_spectacular_s_simplejwt_extensions_describe_the_bodies(
        self, schema: Any, path: str, names: set[str]
    ) -> None:
        operation = schema["paths"][path]
        body = operation["post"]["requestBody"]["content"]["application/json"]["schema"]
        described = schema["components"]["schemas"][body["$ref"].rpartition("/")[2]]
        assert names <= described["properties"].keys()

    @pytest.mark.parametrize(
        ("path", "description"),
        [
            ("/api/token/", "Exchange a username and password for an access token and a refresh"),
            ("/api/token/refresh/", "Exchange a refresh token for a new access token."),
            ("/api/token/verify/", "Check whether a token is valid. It may be of any type."),
            ("/api/token/blacklist/", "Log out: end the session of a refresh token."),
            ("/api/sliding/", "Exchange a username and password for a sliding token."),
            ("/api/sliding/refresh/", "Exchange a sliding token for a sliding token that expires"),
            ("/djoser/jwt/create/", "Exchange a username and password for an access token and a"),
            ("/djoser/jwt/refresh/", "Exchange a refresh token for a new access token."),
            ("/djoser/jwt/verify/", "Check whether a token is valid. It may be of any type."),
            ("/rest-auth/token/refresh/", "Exchange a refresh token for a new access token."),
            ("/rest-auth/token/verify/", "Check whether a token is valid. It may be of any type."),
        ],
    )
    def test_descriptions_speak_to_users_of_the_api(
        self, schema: Any, path: str, description: str
    ) -> None:
        operation = schema["paths"][path]["post"]
        assert operation["description"].startswith(description)
        for internal in ("serializer", "Raises:", "setting", "LOGIN_THROTTLE"):
            assert internal not in operation["description"]
