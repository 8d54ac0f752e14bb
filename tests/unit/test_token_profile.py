"""Test the profile of RFC 9068 (TOKEN_PROFILE), and a change to it and back.

A change has three steps: accept both forms, write the other form, accept only that form.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.test import APIClient

import drf_signet
from drf_signet import flows, runtime, tokens
from drf_signet.compat.simplejwt.exceptions import TokenError as AliasError
from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken, SlidingToken
from drf_signet.errors import InvalidClaim, TokenError, WrongTokenType, WrongTyp
from drf_signet.jose.claims import ACCESS, REFRESH
from tests.support.simplejwt_alias import alias, alias_tables
from tests.support.token_forge import decode, signer

__all__ = ["alias", "alias_tables"]  # fixtures, imported so that pytest finds them

ISSUER, AUDIENCE = "https://api.example.com", "https://api.example.com/"
PROFILE = {"TOKEN_PROFILE": "at+jwt", "ISSUER": ISSUER, "AUDIENCE": AUDIENCE}
KEYS = {"KEYS": [{"kid": "1", "alg": "EdDSA", "key": signer("EdDSA").jwk}]}
FORMER = {**KEYS}
LATER = {**KEYS, **PROFILE}
SOON = datetime.now(tz=UTC) + timedelta(hours=1)
BOTH = {"BOTH_PROFILES_UNTIL": SOON}


def header_of(token: str | None) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(decode(str(token).split(".")[0]))
    return header


def payload_of(token: str | None) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(decode(str(token).split(".")[1]))
    return payload


def changed(token: str, claims: dict[str, Any] | None = None, *, typ: str = "at+jwt") -> str:
    """Return a token with another `typ` or other claims, signed with the project's key."""
    payload = {**payload_of(token), **(claims or {})}
    present = {name: value for name, value in payload.items() if value is not None}
    codec = runtime.current().codec
    return (codec if typ == "JWT" else codec.with_typ(typ)).encode(present)


def hello(token: str | None) -> int:
    status: int = APIClient().get("/hello/", HTTP_AUTHORIZATION=f"Bearer {token}").status_code
    return status


def refused(token: str, token_type: str | None = ACCESS) -> TokenError:
    with pytest.raises(TokenError) as caught:
        tokens.verify(token, token_type, now=runtime.now())
    return caught.value


@pytest.fixture
def in_profile(settings: Any) -> None:
    settings.SIGNET = LATER


@pytest.mark.django_db
@pytest.mark.usefixtures("in_profile")
class TestTokens:
    def test_access_token_has_the_header_and_claims_of_the_rfc(self, user: Any) -> None:
        token = drf_signet.issue(user).access
        assert header_of(token) == {"typ": "at+jwt", "alg": "EdDSA", "kid": "1"}
        payload = payload_of(token)
        expected = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(user.pk), "client_id": ISSUER}
        assert expected.items() <= payload.items()
        assert {"exp", "iat", "jti", "auth_time", "sid"} <= payload.keys()
        assert payload["user_id"] == user.pk

    def test_access_token_authenticates_its_user(self, user: Any) -> None:
        token = drf_signet.issue(user).access
        assert hello(token) == 200
        assert tokens.verify_access(token, now=runtime.now())["sub"] == str(user.pk)

    def test_refresh_token_keeps_its_form(self, user: Any, client: APIClient) -> None:
        pair = drf_signet.issue(user)
        assert header_of(pair.refresh)["typ"] == "JWT"
        assert not {"sub", "client_id"} & payload_of(pair.refresh).keys()
        response = client.post("/api/token/refresh/", {"refresh": pair.refresh})
        assert header_of(response.json()["access"])["typ"] == "at+jwt"

    def test_verify_endpoint_accepts_both_types_of_tokens(self, user: Any) -> None:
        pair = drf_signet.issue(user)
        for token in (pair.access, pair.refresh):
            response = APIClient().post("/api/token/verify/", {"token": token})
            assert response.status_code == 200

    def test_client_id_and_sub_as_user_claim_come_from_the_settings(
        self, user: Any, settings: Any
    ) -> None:
        settings.SIGNET = {**LATER, "CLIENT_ID": "shop", "USER_ID_CLAIM": "sub"}
        token = drf_signet.issue(user).access
        assert payload_of(token)["client_id"] == "shop"
        assert payload_of(token)["sub"] == str(user.pk)
        assert hello(token) == 200

    def test_names_of_the_profile_are_reserved(self, user: Any) -> None:
        for name in ("sub", "client_id"):
            with pytest.raises(ValueError, match=f"reserved claims cannot be set: {name}"):
                drf_signet.issue(user, claims={name: "x"})

    def test_session_of_an_access_token_can_end(self, user: Any) -> None:
        pair = drf_signet.issue(user)
        assert hello(pair.access) == 200
        drf_signet.end(pair.session)
        assert hello(pair.access) == 401

    @pytest.mark.parametrize("typ", ["JWT", "AT+JWT", "application/at+jwt", "at+jwt ", ""])
    def test_access_token_with_another_typ_is_refused(self, user: Any, typ: str) -> None:
        token = changed(drf_signet.issue(user).access, typ=typ)
        assert isinstance(refused(token), WrongTyp)
        assert isinstance(refused(token, None), WrongTyp)
        assert hello(token) == 401

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *((name, None) for name in ("iss", "aud", "sub", "client_id")),
            *((name, 1) for name in ("iss", "aud", "sub", "client_id")),
            ("iss", "https://other.example.com"),
            ("aud", "https://other.example.com"),
            ("sub", "another user"),
            ("sub", ""),
            ("client_id", ""),
            ("client_id", ["a"]),
        ],
    )
    def test_access_token_with_a_wrong_claim_of_the_profile_is_refused(
        self, user: Any, name: str, value: object
    ) -> None:
        error = refused(changed(drf_signet.issue(user).access, claims={name: value}))
        assert isinstance(error, InvalidClaim)
        assert error.claim == name

    def test_refresh_token_with_the_typ_of_an_access_token_is_refused(self, user: Any) -> None:
        refresh = str(drf_signet.issue(user).refresh)
        token = changed(refresh, {"sub": str(user.pk), "client_id": "x"})
        assert isinstance(refused(token, REFRESH), WrongTyp)
        assert isinstance(refused(token, None), InvalidClaim)
        assert isinstance(refused(token, ACCESS), InvalidClaim)

    def test_access_token_is_refused_as_a_refresh_token(self, user: Any) -> None:
        access = drf_signet.issue(user).access
        assert isinstance(refused(access, REFRESH), WrongTyp)
        assert isinstance(refused(changed(access, typ="JWT"), REFRESH), WrongTokenType)


def test_legacy_access_token_is_accepted_until_adopt_tokens_until(settings: Any) -> None:
    settings.SIGNET = {**LATER, "ADOPT_TOKENS_UNTIL": SOON}
    claims = {"token_type": "access", "exp": int(SOON.timestamp()) + 60, "jti": "1", "user_id": 1}
    token = runtime.current().codec.encode({**claims, "iss": ISSUER, "aud": AUDIENCE})
    now = SOON.timestamp()
    assert tokens.verify_access(token, now=now - 1).sid is None
    with pytest.raises(TokenError):
        tokens.verify_access(token, now=now)


@pytest.mark.parametrize("missing", ["ISSUER", "AUDIENCE"])
def test_profile_needs_an_issuer_and_an_audience(settings: Any, missing: str) -> None:
    settings.SIGNET = {name: value for name, value in PROFILE.items() if name != missing}
    with pytest.raises(ImproperlyConfigured, match="needs ISSUER and AUDIENCE"):
        runtime.current()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("before", "after"), [(FORMER, LATER), (LATER, FORMER)], ids=["to the profile", "back"]
)
class TestChange:
    def test_tokens_of_both_forms_are_accepted_during_the_change(
        self, user: Any, settings: Any, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        """Some processes already have the settings of the next step."""
        settings.SIGNET = before
        former = drf_signet.issue(user)
        settings.SIGNET = {**after, **BOTH}
        later = drf_signet.issue(user)
        assert header_of(former.access)["typ"] != header_of(later.access)["typ"]
        for signet in ({**before, **BOTH}, {**after, **BOTH}):
            settings.SIGNET = signet
            for pair in (former, later):
                assert hello(pair.access) == 200
                assert flows.verify(pair.access)
                assert flows.verify(pair.refresh)
                assert not isinstance(flows.refresh(pair.refresh), Exception)

    def test_only_the_own_form_of_access_tokens_is_accepted_after_the_change(
        self, user: Any, settings: Any, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        settings.SIGNET = before
        former = drf_signet.issue(user).access
        settings.SIGNET = {**after, **BOTH}
        assert hello(former) == 200  # and is cached, unless it outlives the change
        now = SOON.timestamp()
        late = changed(former, {"exp": int(now) + 60}, typ=header_of(former)["typ"])
        assert tokens.verify_access(late, now=now - 1)
        assert runtime.current().verified.get(late, now=now - 1) is None
        with pytest.raises(TokenError):
            tokens.verify_access(late, now=now)

    @pytest.mark.usefixtures("alias_tables", "alias")
    def test_alias_accepts_both_forms_during_the_change(
        self, user: Any, settings: Any, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        settings.SIGNET = before
        refresh = RefreshToken.for_user(user)
        former = (str(refresh.access_token), str(refresh))
        settings.SIGNET = {**after, **BOTH}
        assert AccessToken(former[0])["user_id"] == str(user.pk)
        assert RefreshToken(former[1])["user_id"] == str(user.pk)
        assert hello(former[0]) == 200


@pytest.mark.django_db
@pytest.mark.usefixtures("alias_tables", "alias", "in_profile")
class TestAlias:
    def test_access_token_of_the_alias_is_in_the_profile(self, user: Any) -> None:
        refresh = RefreshToken.for_user(user)
        access = str(refresh.access_token)
        assert header_of(access)["typ"] == "at+jwt"
        assert header_of(str(refresh))["typ"] == "JWT"
        assert payload_of(access)["sub"] == str(user.pk)
        assert AccessToken(access)["client_id"] == ISSUER
        assert hello(access) == 200

    def test_sliding_token_of_the_alias_keeps_its_form(self, user: Any) -> None:
        token = str(SlidingToken.for_user(user))
        assert header_of(token)["typ"] == "JWT"
        assert SlidingToken(token)["user_id"] == str(user.pk)

    def test_alias_refuses_a_plain_access_token(self, user: Any) -> None:
        access = str(RefreshToken.for_user(user).access_token)
        with pytest.raises(AliasError):
            AccessToken(changed(access, typ="JWT"))
