"""Test the pages about simplejwt's API: compare their tables with the code; run the examples."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import subprocess
import sys
import time
import uuid
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from django.contrib.auth.models import AnonymousUser
from rest_framework.test import APIRequestFactory

from drf_signet import Session, end
from drf_signet.compat.simplejwt.backends import TokenBackend
from drf_signet.compat.simplejwt.exceptions import AuthenticationFailed
from drf_signet.compat.simplejwt.settings import DEFAULTS
from drf_signet.compat.simplejwt.shared_settings import READ_BY_ALIAS, SHARED
from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken
from tests.conftest import PASSWORD
from tests.docs.pages import DOCS, blocks, table
from tests.support.simplejwt_alias import OLD, alias, alias_tables
from tests.swap.suites import __main__ as suites

__all__ = ["alias", "alias_tables"]  # fixtures, imported so that pytest finds them

REFERENCE = DOCS / "reference" / "compat.md"
GUIDE = DOCS / "howto" / "migrate-from-simplejwt.md"
CODE = "howto/simplejwt-code.md"
ROWS = {
    row["module"].strip("`"): set(re.findall(r"`(\w+)`", row["names"]))
    for row in table(REFERENCE, "Modules and names")
}


@pytest.mark.parametrize("name", ROWS)
def test_table_lists_the_public_names_of_each_module(name: str) -> None:
    module = importlib.import_module(f"{OLD}.{name}")
    assert [public for public in ROWS[name] if not hasattr(module, public)] == []
    defined = {
        attribute
        for attribute, value in vars(module).items()
        if (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
        and not attribute.startswith("_")
    }
    # Internal names, which the page does not need to list.
    internal = {
        "EndedError",
        "ProjectBackend",
        "SessionToken",
        "BlacklistedTokenManager",
        "UserSettings",
    }
    internal |= {"challenge", "header_types", "user_id_of", "matches_current_password"}
    internal |= {"SessionMixin", "RefreshMixin", "LogoutOnlyError", "LoginRefused"}
    internal |= {
        "TokenUserRefused",
        "challenge_with_error",
        "build_challenge",
        "Setting",
        "UserSettings",
    }
    assert defined - internal <= ROWS[name]


def test_settings_without_effect_are_in_the_table_of_differences() -> None:
    (row,) = [row for row in table(REFERENCE, "What differs on purpose") if "W004" in row["here"]]
    names = set(re.findall(r"`(\w+)`", row["what"]))
    assert names == DEFAULTS.keys() - READ_BY_ALIAS - SHARED


SERVICE = """
import json
import sys

import django
from django.conf import settings

block, public, *tokens = json.loads(sys.stdin.read())
names = {}
exec(block, names)
chosen = {name: value for name, value in names.items() if name.isupper()}
chosen["SIMPLE_JWT"] = {"ALGORITHM": "RS256", "VERIFYING_KEY": public}
settings.configure(SECRET_KEY="s" * 50, ROOT_URLCONF="__main__", ALLOWED_HOSTS=["*"], **chosen)
django.setup()

from django.core.management import call_command
from django.urls import path
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView


class WhoView(APIView):
    def get(self, request):
        return Response({"id": request.user.id, "name": request.user.name})


urlpatterns = [path("who/", WhoView.as_view())]
call_command("check", fail_level="ERROR")
for token in tokens:
    answer = APIClient().get("/who/", headers={"Authorization": f"Bearer {token}"})
    print(json.dumps([answer.status_code, answer.json()]))
"""


def test_service_without_a_database_accepts_tokens_of_simplejwt_and_drf_signet() -> None:
    (block,) = (block.text for block in blocks(GUIDE) if "# service/settings.py" in block.text)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = pem_pair(key)
    legacy_claims: dict[str, Any] = {
        "user_id": "5",
        "name": "ada",
        "token_type": "access",
        "jti": "0" * 32,
    }
    legacy_claims |= {"iat": int(time.time()), "exp": int(time.time()) + 60}
    auth_time = legacy_claims["iat"]
    signet_claims = {**legacy_claims, "sid": str(uuid.uuid4()), "auth_time": auth_time}
    sign = TokenBackend("RS256", private).encode
    valid_tokens = [sign(legacy_claims), sign(signet_claims)]
    invalid_tokens = [sign({**legacy_claims, "exp": 1}), valid_tokens[0][:-8] + "AAAAAAAA"]
    done = subprocess.run(
        [sys.executable, "-c", SERVICE],
        input=json.dumps([block, public, *valid_tokens, *invalid_tokens]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *_, first, second, third, fourth = done.stdout.splitlines()
    assert json.loads(first) == json.loads(second) == [200, {"id": "5", "name": "ada"}]
    assert json.loads(third)[0] == json.loads(fourth)[0] == 401


def pem_pair(key: rsa.RSAPrivateKey) -> tuple[str, str]:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@pytest.fixture
def page(alias: Any, run_page: Any) -> Any:
    """Run the examples of the page CODE; return the names and modules that they define."""
    return run_page(CODE)


def test_issuing_and_blacklisting_examples_open_and_end_sessions(page, alias):
    assert RefreshToken(page.names["tokens"]["refresh"], verify=False)["user_id"]
    assert [session.end_reason for session in Session.objects.all()] == ["logout"]
    page.names["tokens"] = page.names["get_tokens_for_user"](page.names["user"])
    assert Session.objects.live().count() == 1
    page.names["log_out_everywhere"](page.names["user"])
    assert Session.objects.live().count() == 0
    page.names["get_tokens_for_user"](page.names["user"])
    page.names["log_out_by_row"](alias.OutstandingToken.objects.latest("pk"))
    assert Session.objects.live().count() == 0


def test_login_examples_add_claims_and_response_fields(page, client, user):
    credentials = {"username": "vitor", "password": PASSWORD}
    answer = client.post("/api/token/", credentials).json()
    assert AccessToken(answer["access"])["name"] == "vitor"
    refreshed = client.post("/api/token/refresh/", {"refresh": answer["refresh"]}).json()
    assert AccessToken(refreshed["access"])["name"] == "vitor"
    request = APIRequestFactory().post("/", credentials)
    data = page.modules["accounts.views"].LoginView.as_view()(request).data
    assert data["user"] == {"id": user.pk, "username": "vitor"}
    assert AccessToken(data["access"])["name"] == "vitor"


def test_custom_authentication_example_reads_the_cookie_and_rejects_banned_users(page, user):
    authentication = page.modules["accounts.authentication"].CookieAuthentication()
    request = APIRequestFactory().get("/")
    assert authentication.authenticate(request) is None
    request.COOKIES["access"] = str(AccessToken.for_user(user))
    assert authentication.authenticate(request)[0] == user
    user.groups.create(name="banned")
    with pytest.raises(AuthenticationFailed):
        authentication.authenticate(request)


def test_websocket_example_authenticates_by_the_query_string(page, user):
    async def app(scope: Any, receive: Any, send: Any) -> Any:
        return scope["user"]

    connect = async_to_sync(page.modules["accounts.sockets"].TokenMiddleware(app))
    token = AccessToken.for_user(user)
    scope = {"type": "websocket", "query_string": f"token={token}".encode()}
    assert connect(dict(scope), None, None) == user
    assert connect({"query_string": b""}, None, None) == AnonymousUser()
    end(token["sid"])
    assert connect(dict(scope), None, None) == AnonymousUser()


@pytest.mark.parametrize("expected", [suites.figures_table(), suites.misses_table()])
def test_tables_of_the_suites_agree_with_the_file_that_make_suites_compares(expected: str) -> None:
    assert expected in REFERENCE.read_text(encoding="utf-8")
