"""The pages on simplejwt's API: the table against the code, and the examples run."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser
from rest_framework.test import APIRequestFactory

from drf_signet import Session, end
from drf_signet.compat.simplejwt.exceptions import AuthenticationFailed
from drf_signet.compat.simplejwt.settings import DEFAULTS
from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken
from drf_signet.shared import READ_UNDER_THE_ALIAS, SHARED_WITH_SIMPLE_JWT
from tests.aliased import OLD, alias, alias_tables
from tests.conftest import PASSWORD
from tests.docs.pages import DOCS, table
from tests.docs.test_snippets import run_page

__all__ = ["alias", "alias_tables", "run_page"]  # fixtures, here by their import

REFERENCE = DOCS / "reference" / "compat.md"
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
