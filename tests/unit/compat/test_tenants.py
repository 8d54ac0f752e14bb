"""Test that the simplejwt alias refuses the tokens of another tenant.

The tests cover the endpoints and the token classes of the alias.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import path
from rest_framework.test import APIClient

from drf_signet import Session, runtime, tenants
from drf_signet.compat.simplejwt import blacklist, state
from drf_signet.compat.simplejwt.authentication import JWTStatelessUserAuthentication
from drf_signet.compat.simplejwt.backends import TokenBackend
from drf_signet.compat.simplejwt.exceptions import TokenBackendError, TokenError
from drf_signet.compat.simplejwt.tokens import (
    AccessToken,
    RefreshToken,
    SlidingToken,
    Token,
    UntypedToken,
)
from tests.conftest import PASSWORD
from tests.support import simplejwt_alias
from tests.support.session_states import ADOPTING, legacy_token
from tests.support.simplejwt_alias import OLD, alias, alias_tables
from tests.support.tenant_hosts import ALLOWED_HOSTS, SETTINGS, request_to
from tests.urls import HelloView

__all__ = ["alias", "alias_tables"]  # fixtures, imported so that pytest finds them


class StatelessView(HelloView):
    authentication_classes = (JWTStatelessUserAuthentication,)


urlpatterns = [*simplejwt_alias.urlpatterns, path("stateless/", StatelessView.as_view())]


@pytest.fixture(autouse=True)
def _hosts(alias: Any, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ALLOWED_HOSTS
    settings.SIGNET = SETTINGS
    settings.SIMPLE_JWT = {
        "AUTH_TOKEN_CLASSES": [f"{OLD}.tokens.AccessToken", f"{OLD}.tokens.SlidingToken"],
        "ROTATE_REFRESH_TOKENS": True,
        "BLACKLIST_AFTER_ROTATION": True,
    }
    settings.ROOT_URLCONF = __name__


def post(tenant: str, url: str, **data: str) -> Any:
    return APIClient().post(f"/api/{url}", data, headers={"host": f"{tenant}.example.com"})


def get(tenant: str, url: str, token: object) -> Any:
    headers = {"host": f"{tenant}.example.com", "authorization": f"Bearer {token}"}
    return APIClient().get(url, headers=headers)


@pytest.fixture
def issued(user: Any) -> dict[str, str]:
    """Log in twice at the host of tenant a; return the tokens, keyed by type."""
    credentials = {"username": user.username, "password": PASSWORD}
    pair = post("a", "token/", **credentials).json()
    return {**pair, "sliding": post("a", "sliding/", **credentials).json()["token"]}


#: Functions that send one of the tokens to the host of a tenant, keyed by name.
WAYS: dict[str, Callable[[str, dict[str, str]], Any]] = {
    "view": lambda tenant, issued: get(tenant, "/hello/", issued["access"]),
    "view, sliding": lambda tenant, issued: get(tenant, "/hello/", issued["sliding"]),
    "view, stateless": lambda tenant, issued: get(tenant, "/stateless/", issued["access"]),
    "refresh": lambda tenant, issued: post(tenant, "token/refresh/", refresh=issued["refresh"]),
    "sliding": lambda tenant, issued: post(tenant, "sliding/refresh/", token=issued["sliding"]),
    "verification": lambda tenant, issued: post(tenant, "token/verify/", token=issued["access"]),
    "verification of a refresh token": lambda tenant, issued: post(
        tenant, "token/verify/", token=issued["refresh"]
    ),
    "verification of a sliding token": lambda tenant, issued: post(
        tenant, "token/verify/", token=issued["sliding"]
    ),
    "blacklist": lambda tenant, issued: post(tenant, "token/blacklist/", refresh=issued["refresh"]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("warm", [False, True], ids=["new", "used"])
def test_token_is_refused_for_another_tenant_without_sql(
    issued: dict[str, str], way: str, warm: bool
) -> None:
    if warm:
        assert get("a", "/hello/", issued["access"]).status_code == 200
    with CaptureQueriesContext(connection) as queries:
        answer = WAYS[way]("b", issued)
    assert len(queries) == 0
    assert answer.status_code == 401
    assert answer.json()["code"] == "token_not_valid"
    assert set(Session.objects.values_list("end_reason", flat=True)) == {""}


@pytest.mark.parametrize("way", WAYS)
def test_token_is_accepted_for_its_own_tenant(issued: dict[str, str], way: str) -> None:
    assert WAYS[way]("a", issued).status_code == 200


@pytest.mark.parametrize("way", WAYS)
def test_token_of_a_tenant_is_refused_if_there_are_no_tenants(
    issued: dict[str, str], settings: Any, way: str
) -> None:
    settings.SIGNET = {}
    assert WAYS[way]("a", issued).status_code == 401


def test_refreshed_tokens_contain_the_tenant(issued: dict[str, str]) -> None:
    answer = WAYS["refresh"]("a", issued).json()
    for token in answer.values():
        assert UntypedToken(token, verify=False)["tid"] == "a"


TYPES = {"access": AccessToken, "refresh": RefreshToken, "sliding": SlidingToken}


@pytest.mark.parametrize("cls", [*TYPES.values(), UntypedToken])
@pytest.mark.parametrize("kind", TYPES)
def test_token_class_refuses_a_token_of_another_tenant(
    issued: dict[str, str], cls: type[Token], kind: str
) -> None:
    with tenants.serving(request_to("b")), pytest.raises(TokenError):
        cls(issued[kind])
    if cls in (TYPES[kind], UntypedToken):
        with tenants.serving(request_to("a")):
            assert cls(issued[kind])["tid"] == "a"


def test_backend_of_the_project_refuses_a_token_of_another_tenant(issued: dict[str, str]) -> None:
    with tenants.serving(request_to("b")), pytest.raises(TokenBackendError):
        state.token_backend.decode(issued["access"])


def test_unverified_token_of_another_tenant_cannot_end_its_session(
    issued: dict[str, str],
) -> None:
    with tenants.serving(request_to("b")):
        token = RefreshToken(issued["refresh"], verify=False)
        for act in (token.blacklist, token.outstand):
            with pytest.raises(TokenError):
                act()
    assert set(Session.objects.values_list("end_reason", flat=True)) == {""}


class TestKeptStrings:
    """Test the logout-only strings that OutstandingToken rows store."""

    @pytest.fixture
    def kept(self, issued: dict[str, str], alias: Any) -> str:
        text = str(alias.OutstandingToken.objects.earliest("pk").token)
        assert text.startswith("logout-only:")
        return text

    def test_string_ends_no_session_for_another_tenant(self, kept: str) -> None:
        with tenants.serving(request_to("b")):
            with pytest.raises(TokenError):
                RefreshToken(kept)
            with pytest.raises(TokenError):
                RefreshToken(kept, verify=False)
        assert post("b", "token/blacklist/", refresh=kept).status_code == 401
        assert not Session.objects.exclude(end_reason="").exists()

    @pytest.mark.parametrize("verify", [True, False])
    def test_string_ends_the_session_of_its_own_tenant(self, kept: str, verify: bool) -> None:
        with tenants.serving(request_to("a")):
            RefreshToken(kept, verify=verify).blacklist()
        assert Session.objects.exclude(end_reason="").count() == 1

    def test_string_of_a_former_version_keeps_its_tenant(self, issued: dict[str, str]) -> None:
        payload = runtime.current().codec.decode(issued["refresh"])
        del payload["gen"]
        former = runtime.current().codec.encode(payload)
        with tenants.serving(request_to("b")), pytest.raises(TokenError):
            RefreshToken(former)
        with tenants.serving(request_to("a")):
            RefreshToken(former).blacklist()
        assert Session.objects.exclude(end_reason="").count() == 1

    @pytest.mark.parametrize("own", [True, False])
    def test_string_from_before_the_setting_needs_a_table_of_its_own(
        self, user: Any, settings: Any, alias: Any, request: pytest.FixtureRequest, own: bool
    ) -> None:
        settings.SIGNET = {}
        str(RefreshToken.for_user(user))
        settings.SIGNET = SETTINGS
        if own:
            request.getfixturevalue("own_schema")
        kept = alias.OutstandingToken.objects.get().token
        with tenants.serving(request_to("a")):
            if own:
                RefreshToken(kept).blacklist()
            else:
                with pytest.raises(TokenError):
                    RefreshToken(kept)
        assert Session.objects.exclude(end_reason="").exists() is own


class KeyedToken(AccessToken):
    """A token class with its own signing key."""

    _token_backend = TokenBackend("HS256", "k" * 64)


def test_token_with_its_own_backend_belongs_to_a_tenant(user: Any, settings: Any) -> None:
    with tenants.serving(request_to("a")):
        token = str(KeyedToken())
        assert KeyedToken(token)["tid"] == "a"
    with tenants.serving(request_to("b")), pytest.raises(TokenError):
        KeyedToken(token)
    settings.SIGNET = {}
    assert KeyedToken(token)["jti"]  # without tenants, a custom backend checks no `tid`


@pytest.mark.parametrize("cls", TYPES.values())
def test_for_user_without_a_tenant_is_refused_before_anything_is_written(
    user: Any, cls: type[Token]
) -> None:
    with CaptureQueriesContext(connection) as queries, pytest.raises(LookupError):
        cls.for_user(user)
    assert len(queries) == 0


def test_for_user_takes_the_tenant_from_the_context(user: Any, settings: Any) -> None:
    settings.SIGNET = {"TENANT": lambda request: "context"}
    token = RefreshToken.for_user(user)
    assert token["tid"] == token.access_token["tid"] == "context"
    assert RefreshToken(str(token))["tid"] == "context"


def test_token_made_for_one_tenant_is_not_signed_for_another(user: Any, settings: Any) -> None:
    names = ["a"]
    settings.SIGNET = {"TENANT": lambda request: names[0]}
    token = RefreshToken.for_user(user)
    names[0] = "b"
    with pytest.raises(TokenError):
        str(token)
    assert not Session.objects.exists()


def test_project_cannot_set_the_tenant_of_a_token(user: Any) -> None:
    with tenants.serving(request_to("a")):
        token = AccessToken.for_user(user)
    with pytest.raises(ValueError, match="reserved"):
        token["tid"] = "b"


@pytest.fixture
def own_schema(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pretend that tenant a has its own schema, with its own tables."""
    monkeypatch.setattr(connection, "schema_name", "a", raising=False)
    before = tenants.register(lambda request: "a")
    yield
    tenants.register(before)


class TestTokensFromBeforeTheSetting:
    """Test tokens without `tid`, and legacy tokens."""

    @pytest.fixture
    def old(self, user: Any, settings: Any) -> dict[str, str]:
        settings.SIGNET = {}
        credentials = {"username": user.username, "password": PASSWORD}
        pair = post("a", "token/", **credentials).json()
        sliding = post("a", "sliding/", **credentials).json()["token"]
        settings.SIGNET = SETTINGS
        return {**pair, "sliding": sliding}

    @pytest.mark.parametrize("way", WAYS)
    def test_all_are_refused_with_a_shared_table(self, old: dict[str, str], way: str) -> None:
        assert WAYS[way]("a", old).status_code == 401

    @pytest.mark.parametrize("way", ["refresh", "verification of a refresh token", "blacklist"])
    def test_refresh_token_is_accepted_with_a_table_of_its_own(
        self, old: dict[str, str], own_schema: None, way: str
    ) -> None:
        answer = WAYS[way]("a", old)
        assert answer.status_code == 200
        for token in answer.json().values():
            assert UntypedToken(token, verify=False)["tid"] == "a"

    @pytest.mark.parametrize("way", ["view", "view, sliding", "view, stateless", "verification"])
    def test_access_token_is_refused_with_a_table_of_its_own(
        self, old: dict[str, str], own_schema: None, way: str
    ) -> None:
        assert WAYS[way]("a", old).status_code == 401

    def test_signing_it_again_adds_the_tenant(self, old: dict[str, str], own_schema: None) -> None:
        with tenants.serving(request_to("a")):
            again = str(RefreshToken(old["refresh"]))
        assert UntypedToken(again, verify=False)["tid"] == "a"

    @pytest.mark.parametrize("way", ["refresh", "verification of a refresh token"])
    def test_legacy_token_is_refused_with_a_shared_table(
        self, user: Any, settings: Any, alias: Any, way: str
    ) -> None:
        settings.SIGNET = {**SETTINGS, **ADOPTING}
        self._outstanding(alias, token := legacy_token(user))
        assert WAYS[way]("a", {"refresh": token}).status_code == 401
        assert not Session.objects.exists()

    @pytest.mark.parametrize("way", ["refresh", "verification of a refresh token", "native"])
    def test_legacy_token_is_adopted_if_the_tenants_own_table_knows_it(
        self, user: Any, settings: Any, alias: Any, own_schema: None, way: str
    ) -> None:
        settings.SIGNET = {**SETTINGS, **ADOPTING}
        known, unknown = legacy_token(user), legacy_token(user)
        self._outstanding(alias, known)
        send = WAYS.get(way, self._refresh_natively)
        assert send("a", {"refresh": unknown}).status_code in (400, 401)
        with tenants.serving(request_to("a")), pytest.raises(TokenError):
            RefreshToken(unknown, verify=False).blacklist()
        assert not Session.objects.exists()
        assert send("a", {"refresh": known}).status_code == 200
        access = legacy_token(user, token_type="access")
        assert WAYS["view"]("a", {"access": access}).status_code == 401

    def test_token_is_unknown_if_its_table_is_in_another_database_or_schema(
        self, user: Any, alias: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = legacy_token(user)
        jti = self._outstanding(alias, token)
        assert blacklist.knows(jti)
        assert not blacklist.knows(f"{jti}\0")
        monkeypatch.setattr(connection.introspection, "table_names", list)
        assert not blacklist.knows(jti)

    def _refresh_natively(self, tenant: str, issued: dict[str, str]) -> Any:
        headers = {"host": f"{tenant}.example.com"}
        return APIClient().post("/native/refresh/", {"refresh": issued["refresh"]}, headers=headers)

    def _outstanding(self, alias: Any, token: str) -> str:
        payload = runtime.current().codec.decode(token)
        times = {"created_at": "2026-01-01T00:00:00Z", "expires_at": "2100-01-01T00:00:00Z"}
        alias.OutstandingToken.objects.create(jti=payload["jti"], token=token, **times)
        return str(payload["jti"])


def test_blacklisting_a_row_ends_a_legacy_session_without_a_request(
    user: Any, settings: Any, alias: Any, django_capture_on_commit_callbacks: Any
) -> None:
    """Test that the signal receiver for blacklist rows does not call the `TENANT` hook."""
    settings.SIGNET = {**SETTINGS, **ADOPTING}
    token = legacy_token(user)
    payload = runtime.current().codec.decode(token)
    times = {"created_at": "2026-01-01T00:00:00Z", "expires_at": "2100-01-01T00:00:00Z"}
    row = alias.OutstandingToken.objects.create(jti=payload["jti"], token=token, **times)
    with django_capture_on_commit_callbacks(execute=True):
        alias.BlacklistedToken.objects.create(token=row)
    assert alias.BlacklistedToken.objects.count() == 1
