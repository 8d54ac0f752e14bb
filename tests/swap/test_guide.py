"""Test that the simplejwt code in the migration guide works with simplejwt and with the alias.

The alias is the app `drf_signet.compat.simplejwt`, which is imported instead of simplejwt.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, Block, blocks
from tests.swap.project_copy import Site

GUIDE = DOCS / "howto" / "migrate-from-simplejwt.md"
SETTINGS = "mysite/settings.py"

#: A script that calls the guide's code. `manage.py shell` runs the script in the project.
SCRIPT = """
from django.conf import settings
from django.contrib.auth.models import User
from django.test import override_settings
from rest_framework.test import APIClient, APIRequestFactory
from shop import authentication, cookies, logins, logout, registration, serializers, sockets
from shop import stateless

user = User.objects.create_user("ada", password="correct horse")
token = serializers.ShopTokenObtainPairSerializer.get_token(user)
assert (token["name"], token.access_token["name"]) == ("ada", "ada")

body = {"username": "ada", "password": "correct horse"}
data = logins.NamedView.as_view()(APIRequestFactory().post("/", body)).data
assert data["name"] == "ada"

pair = registration.tokens_for(user)
header = {"HTTP_AUTHORIZATION": "Bearer " + pair["access"]}
answer = stateless.WhoView.as_view()(APIRequestFactory().get("/", **header))
assert str(answer.data["id"]) == str(user.pk)
request = APIRequestFactory().get("/", **header)
authenticated, _ = authentication.ShopAuthentication().authenticate(request)
assert (authenticated, authenticated.shop) == (user, None)
assert sockets.user_of(pair["access"]) == user
assert sockets.user_of(pair["refresh"]) is sockets.user_of("x") is None

client = APIClient(HTTP_HOST="127.0.0.1")
request = APIRequestFactory().get("/")
assert cookies.CookieAuthentication().authenticate(request) is None
request.COOKIES["access"] = pair["access"]
assert cookies.CookieAuthentication().authenticate(request)[0] == user

pages = APIClient(HTTP_HOST="127.0.0.1")
with override_settings(ROOT_URLCONF="shop.urls"):
    assert pages.post("/auth/refresh/").status_code == 401
    assert pages.post("/auth/login/", body).data.keys() <= {"user"}
    first = {name: morsel.value for name, morsel in pages.cookies.items()}
    assert first.keys() == {"access", "refresh"}
    assert pages.post("/auth/refresh/").data == {}
    second = {name: morsel.value for name, morsel in pages.cookies.items()}
    assert first["access"] != second["access"]
    request.COOKIES["access"] = second["access"]
    assert cookies.CookieAuthentication().authenticate(request)[0] == user
    assert pages.post("/auth/logout/").status_code == 204
    assert pages.post("/auth/logout/").status_code == 204
    pages.cookies["refresh"] = second["refresh"]
    assert pages.post("/auth/refresh/").status_code == 401

answer = client.post("/api/token/", body)
assert (answer.status_code, answer.data.keys()) == (200, {"refresh", "access"})
refresh = lambda token: client.post("/api/token/refresh/", {"refresh": token}).status_code
assert refresh(pair["refresh"]) == 200
other = registration.tokens_for(user)["refresh"]
logout.log_out(other)
assert refresh(other) == 401
others = [registration.tokens_for(user)["refresh"] for _ in range(2)]
logout.log_out_everywhere(user)
assert [refresh(one) for one in others] == [401, 401]
assert client.post("/api/token/blacklist/", {"refresh": "x"}).status_code == 401
print("all assertions passed")
"""


def simplejwt_blocks() -> list[Block]:
    """Return the guide's code blocks that are written for simplejwt."""
    return [block for block in blocks(GUIDE) if block.language == "py"]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a copy of the project that uses simplejwt, with the guide's files added."""
    site = Site.copied(tmp_path / "site")
    for block in simplejwt_blocks():
        assert block.file is not None, f"{block.where}: the first line must name a file"
        if block.file.path != SETTINGS:
            block.file.write(site.directory)
    return site


def run(site: Site, python: Path) -> None:
    site.manage(python, "check", "--fail-level=ERROR")
    site.manage(python, "migrate", "--verbosity=0")
    assert "all assertions passed" in site.manage(python, "shell", "-c", SCRIPT)


def test_simplejwt_code_of_the_guide_works_with_simplejwt(site: Site, old_python: Path) -> None:
    run(site, old_python)


def test_simplejwt_code_of_the_guide_works_unchanged_with_the_alias(
    site: Site, new_python: Path
) -> None:
    (settings,) = (
        block for block in simplejwt_blocks() if block.file and block.file.path == SETTINGS
    )
    site.append(settings.text)
    run(site, new_python)
