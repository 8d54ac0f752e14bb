"""The pages on simplejwt's API: the table against the code, and the examples run."""

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
from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken
from drf_signet.shared import READ_UNDER_THE_ALIAS, SHARED_WITH_SIMPLE_JWT
from tests.aliased import OLD, alias, alias_tables
from tests.conftest import PASSWORD
from tests.docs.pages import DOCS, blocks, table
from tests.docs.test_snippets import run_page

__all__ = ["alias", "alias_tables", "run_page"]  # fixtures, here by their import

REFERENCE = DOCS / "reference" / "compat.md"
GUIDE = DOCS / "howto" / "migrate-from-simplejwt.md"
CODE = "howto/simplejwt-code.md"
ROWS = {
    row["module"].strip("`"): set(re.findall(r"`(\w+)`", row["names"]))
    for row in table(REFERENCE, "What there is")
}


@pytest.mark.parametrize("name", ROWS)
def test_the_names_of_the_table_are_those_of_a_module(name: str) -> None:
    module = importlib.import_module(f"{OLD}.{name}")
    assert [one for one in ROWS[name] if not hasattr(module, one)] == []
    own = {
        one
        for one, value in vars(module).items()
        if (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
        and not one.startswith("_")
    }
    # What only our own modules use of it.
    inner = {"EndedError", "ProjectBackend", "SessionToken", "BlacklistedTokenManager"}
    inner |= {"challenge", "header_types", "user_id_of", "is_of_todays_password"}
    assert own - inner <= ROWS[name]


def test_settings_without_effect_are_in_the_table_of_differences() -> None:
    (row,) = [row for row in table(REFERENCE, "What differs on purpose") if "W004" in row["here"]]
    named = set(re.findall(r"`(\w+)`", row["what"]))
    assert named == DEFAULTS.keys() - READ_UNDER_THE_ALIAS - SHARED_WITH_SIMPLE_JWT


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


def test_a_service_without_users_and_tables_takes_the_tokens_of_either_package() -> None:
    (block,) = (one.text for one in blocks(GUIDE) if "# service/settings.py" in one.text)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = pem(key)
    own: dict[str, Any] = {"user_id": "5", "name": "ada", "token_type": "access", "jti": "0" * 32}
    own |= {"iat": int(time.time()), "exp": int(time.time()) + 60}
    ours = {**own, "sid": str(uuid.uuid4()), "auth_time": own["iat"]}
    sign = TokenBackend("RS256", private).encode
    sent = [sign(own), sign(ours), sign({**own, "exp": 1}), sign(own)[:-8] + "AAAAAAAA"]
    done = subprocess.run(
        [sys.executable, "-c", SERVICE],
        input=json.dumps([block, public, *sent]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *_, first, second, third, fourth = done.stdout.splitlines()
    assert json.loads(first) == json.loads(second) == [200, {"id": "5", "name": "ada"}]
    assert json.loads(third)[0] == json.loads(fourth)[0] == 401


def pem(key: rsa.RSAPrivateKey) -> tuple[str, str]:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@pytest.fixture
def page(alias: Any, run_page: Any) -> Any:
    """Return the page of examples, run."""
    return run_page(CODE)


def test_the_tokens_by_hand_are_of_sessions_that_were_ended_by_hand(page):
    assert RefreshToken(page.names["tokens"]["refresh"], verify=False)["user_id"]
    assert [one.end_reason for one in Session.objects.all()] == ["logout"]
    page.names["tokens"] = page.names["get_tokens_for_user"](page.names["user"])
    assert Session.objects.live().count() == 1
    page.names["log_out_everywhere"](page.names["user"])
    assert Session.objects.live().count() == 0


def test_own_claims_and_more_in_the_answer(page, client, user):
    credentials = {"username": "vitor", "password": PASSWORD}
    answer = client.post("/api/token/", credentials).json()
    assert AccessToken(answer["access"])["name"] == "vitor"
    renewed = client.post("/api/token/refresh/", {"refresh": answer["refresh"]}).json()
    assert AccessToken(renewed["access"])["name"] == "vitor"
    request = APIRequestFactory().post("/", credentials)
    more = page.modules["accounts.views"].LoginView.as_view()(request).data
    assert more["user"] == {"id": user.pk, "username": "vitor"}
    assert AccessToken(more["access"])["name"] == "vitor"


def test_authentication_of_ones_own(page, user):
    own = page.modules["accounts.authentication"].CookieAuthentication()
    request = APIRequestFactory().get("/")
    assert own.authenticate(request) is None
    request.COOKIES["access"] = str(AccessToken.for_user(user))
    assert own.authenticate(request)[0] == user
    user.groups.create(name="banned")
    with pytest.raises(AuthenticationFailed):
        own.authenticate(request)


def test_a_token_in_a_websocket(page, user):
    async def app(scope: Any, receive: Any, send: Any) -> Any:
        return scope["user"]

    connect = async_to_sync(page.modules["accounts.sockets"].TokenMiddleware(app))
    token = AccessToken.for_user(user)
    scope = {"type": "websocket", "query_string": f"token={token}".encode()}
    assert connect(dict(scope), None, None) == user
    assert connect({"query_string": b""}, None, None) == AnonymousUser()
    end(token["sid"])
    assert connect(dict(scope), None, None) == AnonymousUser()
