"""Test minting and verifying tokens with the project's settings."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User

from drf_signet import flows, tokens
from drf_signet.errors import (
    BadSignature,
    InvalidClaim,
    SessionEnded,
    TokenError,
    TokenExpired,
    UnusableKey,
    UserInactive,
    WrongTokenType,
)
from drf_signet.jose.claims import ACCESS, REFRESH, Claims
from drf_signet.models import EndReason, Session
from drf_signet.sessions import store
from drf_signet.tokens import TokenPair
from drf_signet.users import loading
from tests.support.token_forge import NOW, Signer, decode, encode, signer
from tests.support.vector_files import HEADER, ClaimSet, fill_times, load

CLAIM_SETS = load(ClaimSet, "claims")
#: All values of `SIGNET` that the vectors use, without duplicates.
SETTINGS = list({repr(vector.settings): vector.settings for vector in CLAIM_SETS}.values())
VERIFY: dict[str, Callable[..., Claims]] = {
    "access": tokens.verify_access,
    "refresh": partial(tokens.verify, token_type="refresh"),
    "either": tokens.verify,
}

#: The header and payload of the token that the tutorial prints.
TUTORIAL_HEADER = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"
TUTORIAL_PAYLOAD = (
    '{"token_type":"access","exp":1543828431,"jti":"7f5997b7150d46579dc2b49167097e7b","user_id":1}'
)


@pytest.fixture
def project(settings: Any) -> Signer:
    """Return a signer that uses the project's SECRET_KEY."""
    return Signer(alg="HS256", jwk={"kty": "oct", "k": encode(settings.SECRET_KEY)})


def session_of(
    user: Any, *, opened: float = NOW, lifetime: timedelta = timedelta(days=1)
) -> Session:
    """Return an unsaved session. Minting tokens runs no SQL, so the session needs no row."""
    return store.draft(id=store.new_id(opened), user=user, now=opened, lifetime=lifetime)


def unsaved_user() -> User:
    return User(pk=5, username="vitor", password="!")


def pair(generation: int = 0, *, now: float = NOW, **options: Any) -> TokenPair:
    return tokens.mint_pair(session_of(unsaved_user()), generation, now=now, **options)


# Test vectors. These tests do not use the `db` fixture, so they fail if a SQL statement runs.


def outcome(vector: ClaimSet, by: Signer) -> str:
    """Return the code and claim of the error that a vector causes, or "" for a valid token."""
    token = by.token(HEADER.replace("$alg", by.alg), vector.payload())
    try:
        claims = VERIFY[vector.read_as or vector.token](token, now=NOW)
    except TokenError as error:
        return f"{error.code} {getattr(error, 'claim', '')}".strip()
    assert claims.token_type == vector.token
    return ""


def expected(vector: ClaimSet) -> str:
    return f"{vector.code} {vector.claim}".strip()


@pytest.mark.parametrize(
    "signet", SETTINGS, ids=lambda signet: "-".join(map(str, signet.values())) or "default"
)
def test_every_claim_set_is_accepted_or_refused_as_its_vector_says(
    signet: dict[str, Any], project: Signer, settings: Any
) -> None:
    settings.SIGNET = signet
    vectors = [vector for vector in CLAIM_SETS if vector.settings == signet]
    outcomes = {vector.name: outcome(vector, project) for vector in vectors}
    assert outcomes == {vector.name: expected(vector) for vector in vectors}


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_every_claim_set_has_the_same_outcome_with_asymmetric_algorithms(
    alg: str, settings: Any
) -> None:
    settings.SIGNET = {"ALGORITHM": alg, "VERIFYING_KEY": signer(alg).public_jwk}
    vectors = [vector for vector in CLAIM_SETS if not vector.settings]
    outcomes = {vector.name: outcome(vector, signer(alg)) for vector in vectors}
    assert outcomes == {vector.name: expected(vector) for vector in vectors}


def test_every_claim_set_has_a_unique_name() -> None:
    names = [vector.name for vector in CLAIM_SETS]
    assert len(names) == len(set(names)) > 190


def test_every_validated_claim_has_vectors() -> None:
    read = {"exp", "iat", "nbf", "iss", "aud", "token_type", "jti", "user_id", "sid", "gen"}
    read |= {"tid"}
    assert {vector.claim for vector in CLAIM_SETS} >= read


class TestTutorialToken:
    """Test the token that the tutorial prints, which has neither `sid` nor `iat`."""

    def test_header_equals_the_header_of_minted_tokens(self) -> None:
        assert pair().access.split(".")[0] == TUTORIAL_HEADER
        assert decode(TUTORIAL_HEADER) == b'{"typ":"JWT","alg":"HS256"}'

    def test_expired_tutorial_token_is_refused(self, project: Signer) -> None:
        token = project.complete(f"{TUTORIAL_HEADER}.{encode(TUTORIAL_PAYLOAD)}")
        with pytest.raises(TokenExpired):
            tokens.verify_access(token, now=NOW)

    @pytest.mark.parametrize("now", [1543828430, NOW])
    def test_valid_tutorial_token_is_accepted_only_during_adoption(
        self, project: Signer, settings: Any, now: int
    ) -> None:
        payload = TUTORIAL_PAYLOAD.replace("1543828431", str(now + 1))
        token = project.complete(f"{TUTORIAL_HEADER}.{encode(payload)}")
        with pytest.raises(InvalidClaim, match="sid"):
            tokens.verify_access(token, now=now)
        settings.SIGNET = {"ADOPT_TOKENS_UNTIL": "2030-01-01T00:00:00Z"}
        claims = tokens.verify_access(token, now=now)
        assert (claims.user_key, claims.session_id) == (1, None)
        assert claims.jti == "7f5997b7150d46579dc2b49167097e7b"

    def test_tutorial_token_signed_with_another_key_is_refused(self, project: Signer) -> None:
        token = signer("HS256").complete(f"{TUTORIAL_HEADER}.{encode(TUTORIAL_PAYLOAD)}")
        with pytest.raises(BadSignature):
            tokens.verify_access(token, now=NOW)


class TestMintPair:
    def test_access_and_refresh_token_verify_as_their_own_type(self) -> None:
        minted = pair(3)
        access = tokens.verify_access(minted.access, now=NOW)
        refresh = tokens.verify(minted.refresh, "refresh", now=NOW)
        assert (access.token_type, access.generation) == (ACCESS, 0)
        assert (refresh.token_type, refresh.generation) == (REFRESH, 3)
        assert access.session_id == refresh.session_id == minted.session.pk
        assert access.user_key == refresh.user_key == 5
        for token, claims in ((minted.access, access), (minted.refresh, refresh)):
            assert dict(tokens.verify(token, now=NOW)) == dict(claims)

    def test_token_of_one_type_is_refused_as_the_other_type(self) -> None:
        minted = pair()
        with pytest.raises(WrongTokenType):
            tokens.verify(minted.access, "refresh", now=NOW)
        with pytest.raises(WrongTokenType):
            tokens.verify_access(minted.refresh, now=NOW)

    def test_every_token_has_a_unique_jti_of_32_hex_digits(self) -> None:
        minted_tokens = [token for _ in range(3) for token in _tokens(pair())]
        jtis = [tokens.verify(token, now=NOW).jti for token in minted_tokens]
        assert len(set(jtis)) == 6
        assert all(uuid.UUID(jti).hex == jti for jti in jtis)

    def test_lifetimes_of_the_tokens_come_from_the_settings(self, settings: Any) -> None:
        settings.SIGNET = {
            "ACCESS_TOKEN_LIFETIME": timedelta(seconds=90),
            "REFRESH_TOKEN_LIFETIME": timedelta(hours=2),
        }
        minted = pair()
        assert tokens.verify_access(minted.access, now=NOW).expires_at == NOW + 90
        assert tokens.verify(minted.refresh, "refresh", now=NOW).expires_at == NOW + 7200
        assert minted.expires_in == 90

    def test_tokens_expire_with_their_session_at_the_latest(self) -> None:
        session = session_of(unsaved_user(), lifetime=timedelta(seconds=100))
        minted = tokens.mint_pair(session, 0, now=NOW + 40)
        assert tokens.verify_access(minted.access, now=NOW + 40).expires_at == NOW + 100
        assert tokens.verify(minted.refresh, "refresh", now=NOW + 40).expires_at == NOW + 100
        assert minted.expires_in == 60

    def test_fraction_of_a_second_does_not_shorten_expires_in(self) -> None:
        minted = pair(now=NOW + 0.75)
        assert tokens.verify_access(minted.access, now=NOW + 1).expires_at == NOW + 300
        assert minted.expires_in == 300

    def test_auth_time_is_the_time_of_the_login_after_a_refresh(self) -> None:
        session = session_of(unsaved_user(), opened=NOW - 3600)
        minted = tokens.mint_pair(session, 1, now=NOW)
        claims = tokens.verify_access(minted.access, now=NOW)
        assert (claims["auth_time"], claims["iat"]) == (NOW - 3600, NOW)
        assert datetime.fromtimestamp(claims["auth_time"], UTC) == session.auth_time

    def test_refresh_token_is_omitted_if_not_requested(self) -> None:
        assert pair(refresh=False).refresh is None

    def test_user_claim_comes_from_user_id_field_and_user_id_claim(self, settings: Any) -> None:
        settings.SIGNET = {"USER_ID_FIELD": "username", "USER_ID_CLAIM": "sub"}
        claims = tokens.verify_access(pair().access, now=NOW)
        assert (claims["sub"], claims.user_key) == ("vitor", "vitor")

    def test_user_claim_sub_is_a_string_although_the_key_is_a_number(self, settings: Any) -> None:
        settings.SIGNET = {"USER_ID_CLAIM": "sub"}
        minted = pair()
        claims = tokens.verify_access(minted.access, now=NOW)
        assert (claims["sub"], claims.user_key) == (str(claims.user_key), minted.session.user_id)

    def test_claims_of_the_hook_and_extra_claims_are_in_both_tokens(self, settings: Any) -> None:
        settings.SIGNET = {"CLAIMS": lambda user, session: {"name": user.username, "a": 1}}
        for token in _tokens(pair(extra={"a": 2, "b": [3]})):
            claims = tokens.verify(token, now=NOW)
            assert (claims["name"], claims["a"], claims["b"]) == ("vitor", 2, (3,))

    def test_claims_hook_receives_the_session(self, settings: Any) -> None:
        settings.SIGNET = {"CLAIMS": lambda user, session: {"via": session.transport}}
        assert tokens.verify_access(pair().access, now=NOW)["via"] == "token"

    @pytest.mark.parametrize("name", ["exp", "sid", "user_id", "token_type", "gen"])
    def test_own_claim_with_a_reserved_name_is_refused(self, settings: Any, name: str) -> None:
        with pytest.raises(ValueError, match=f"reserved .* {name}"):
            pair(extra={name: 1})
        settings.SIGNET = {"CLAIMS": lambda user, session: {name: 1}}
        with pytest.raises(ValueError, match=f"reserved .* {name}"):
            pair()

    @pytest.mark.parametrize("value", [2**63, float("nan"), "\ud800"])
    def test_own_claim_that_the_reader_would_reject_is_refused(self, value: object) -> None:
        with pytest.raises(ValueError, match=r"."):
            pair(extra={"a": value})

    def test_own_claim_that_is_too_long_is_refused(self) -> None:
        with pytest.raises(ValueError, match="longer than"):
            pair(extra={"a": "a" * 8000})

    def test_service_without_a_signing_key_cannot_mint_tokens(self, settings: Any) -> None:
        settings.SIGNET = {"ALGORITHM": "ES256", "VERIFYING_KEY": signer("ES256").public_jwk}
        with pytest.raises(UnusableKey, match="only verifies"):
            pair()

    def test_service_without_a_signing_key_opens_no_session(self, user: Any, settings: Any) -> None:
        settings.SIGNET = {"ALGORITHM": "ES256", "VERIFYING_KEY": signer("ES256").public_jwk}
        with pytest.raises(UnusableKey, match="only verifies"):
            flows.issue(user)
        assert not Session.objects.exists()

    def test_repr_of_a_token_pair_hides_the_tokens(self) -> None:
        minted = pair()
        assert not [token for token in _tokens(minted) if token in repr(minted)]
        assert "expires_in=300" in repr(minted)


class TestVerify:
    @pytest.mark.parametrize("verify", VERIFY.values(), ids=VERIFY)
    @pytest.mark.parametrize("token", [None, 1, b"", "", "a.b.c", ["a"], {"token": 1}], ids=repr)
    def test_value_that_is_not_a_token_is_refused_as_malformed(
        self, verify: Callable[..., Claims], token: object
    ) -> None:
        with pytest.raises(TokenError) as caught:
            verify(token, now=NOW)
        assert caught.value.code == "malformed"

    def test_token_expires_at_the_instant_given_as_now(self) -> None:
        minted = pair()
        tokens.verify_access(minted.access, now=NOW + 299)
        with pytest.raises(TokenExpired):
            tokens.verify_access(minted.access, now=NOW + 300)

    def test_token_with_a_long_lifetime_stays_valid_after_lifetimes_were_shortened(
        self, settings: Any
    ) -> None:
        settings.SIGNET = {"REFRESH_TOKEN_LIFETIME": timedelta(days=400)}
        session = session_of(unsaved_user(), lifetime=timedelta(days=400))
        minted = tokens.mint_pair(session, 0, now=NOW)
        settings.SIGNET = {"REFRESH_TOKEN_LIFETIME": timedelta(minutes=10)}
        claims = tokens.verify(minted.refresh, "refresh", now=NOW)
        assert claims.expires_at == NOW + 400 * 86400


class TestUserAndSessionOfAToken:
    """Test tokens with a valid signature that are refused because of their user or session."""

    def test_access_token_of_a_deleted_user_is_refused(self, user: Any) -> None:
        claims = tokens.verify_access(_pair_of(user).access, now=NOW)
        user.delete()
        with pytest.raises(SessionEnded):
            loading.load(claims, loading.all_users())

    def test_access_token_of_an_inactive_user_is_refused(self, user: Any) -> None:
        claims = tokens.verify_access(_pair_of(user).access, now=NOW)
        assert loading.load(claims, loading.all_users()) == user
        User.objects.update(is_active=False)
        with pytest.raises(UserInactive):
            loading.load(claims, loading.all_users())

    @pytest.mark.parametrize("state", ["deleted", "inactive"])
    def test_refresh_token_of_a_deleted_or_inactive_user_is_refused(
        self, user: Any, token_for: Callable[..., str], state: str
    ) -> None:
        token = token_for(user, token_type="refresh")
        if state == "deleted":
            user.delete()
        else:
            User.objects.update(is_active=False)
        refused = flows.refresh(token)
        assert isinstance(refused, SessionEnded if state == "deleted" else UserInactive)

    def test_refresh_token_of_an_unknown_session_is_refused(self, user: Any) -> None:
        minted = tokens.mint_pair(session_of(user, opened=_now()), 0, now=_now())
        assert isinstance(flows.refresh(minted.refresh), SessionEnded)
        assert not Session.objects.exists()

    @pytest.mark.parametrize("reason", [EndReason.LOGOUT, EndReason.REUSE])
    def test_refresh_token_of_an_ended_session_is_refused(
        self, user: Any, token_for: Callable[..., str], reason: str
    ) -> None:
        token = token_for(user, token_type="refresh")
        Session.objects.update(end_reason=reason)
        assert isinstance(flows.refresh(token), SessionEnded)

    def test_refresh_token_with_the_session_of_another_user_is_refused(
        self, user: Any, make_user: Callable[..., Any], project: Signer
    ) -> None:
        other_session = flows.issue(make_user(), None).session
        payload = {
            "token_type": "refresh",
            "exp": int(_now()) + 300,
            "jti": "j",
            "user_id": user.pk,
            "iat": int(_now()),
            "sid": str(other_session.pk),
            "gen": 0,
        }
        assert isinstance(flows.refresh(project.sign_claims(payload)), InvalidClaim)
        assert Session.objects.get().end_reason == ""
        payload["user_id"] = other_session.user_id
        assert isinstance(flows.refresh(project.sign_claims(payload)), TokenPair)


def _pair_of(user: Any) -> TokenPair:
    return tokens.mint_pair(session_of(user), 0, now=NOW)


def _now() -> float:
    """Return the current time of the application's clock."""
    from drf_signet import runtime

    return runtime.now()


def _tokens(minted: TokenPair) -> list[str]:
    assert minted.refresh is not None
    return [minted.access, minted.refresh]


def test_instants_of_vectors_are_relative_to_now() -> None:
    assert fill_times("[$now,$now+5,$now-5]") == f"[{NOW},{NOW + 5},{NOW - 5}]"
