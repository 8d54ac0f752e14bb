"""Tokens of the project as it is configured: minted for a session, and verified again."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from drf_signet import flows, sessions, tokens, users
from drf_signet.claims import ACCESS, REFRESH, Claims
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
from drf_signet.models import EndReason, Session
from drf_signet.tokens import TokenPair
from tests.forge import NOW, Signer, decode, encode, signer
from tests.vector_files import HEADER, ClaimSet, instants, load

CLAIM_SETS = load(ClaimSet, "claims")
#: Each project for which there are sets of claims.
SETTINGS = list({repr(one.settings): one.settings for one in CLAIM_SETS}.values())
VERIFY: dict[str, Callable[..., Claims]] = {
    "access": tokens.verify_access,
    "refresh": tokens.verify_refresh,
    "either": tokens.verify_either,
}

#: The tutorial's own token: its header and payload as printed there, and what they say.
TUTORIAL_HEADER = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"
TUTORIAL_PAYLOAD = (
    '{"token_type":"access","exp":1543828431,"jti":"7f5997b7150d46579dc2b49167097e7b","user_id":1}'
)


@pytest.fixture
def project(settings: Any) -> Signer:
    """Return who signs with the project's SECRET_KEY, by hand."""
    return Signer(alg="HS256", jwk={"kty": "oct", "k": encode(settings.SECRET_KEY)})


def session_of(
    user: Any, *, opened: float = NOW, lifetime: timedelta = timedelta(days=1)
) -> Session:
    """Return a session that is not in the database: minting reads nothing."""
    return sessions.draft(id=sessions.new_id(opened), user=user, now=opened, lifetime=lifetime)


def somebody() -> User:
    return User(pk=5, username="vitor", password="!")


def pair(generation: int = 0, *, now: float = NOW, **options: Any) -> TokenPair:
    return tokens.mint_pair(session_of(somebody()), generation, now=now, **options)


# Vectors. No test here may use the database: none of these costs a statement.


def answer(vector: ClaimSet, by: Signer) -> str:
    """Return the code and the claim of the error that a vector gets, empty if it is accepted."""
    token = by.token(HEADER.replace("$alg", by.alg), vector.payload())
    try:
        found = VERIFY[vector.read_as or vector.token](token, now=NOW)
    except TokenError as error:
        return f"{error.code} {getattr(error, 'claim', '')}".strip()
    assert found.token_type == vector.token
    return ""


def expected(vector: ClaimSet) -> str:
    return f"{vector.code} {vector.claim}".strip()


@pytest.mark.parametrize(
    "chosen", SETTINGS, ids=lambda chosen: "-".join(map(str, chosen.values())) or "default"
)
def test_every_set_of_claims_gets_its_answer(
    chosen: dict[str, Any], project: Signer, settings: Any
) -> None:
    settings.SIGNET = chosen
    vectors = [vector for vector in CLAIM_SETS if vector.settings == chosen]
    answers = {vector.name: answer(vector, project) for vector in vectors}
    assert answers == {vector.name: expected(vector) for vector in vectors}


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_every_set_of_claims_gets_the_same_answer_whatever_signed_it(
    alg: str, settings: Any
) -> None:
    settings.SIGNET = {"ALGORITHM": alg, "VERIFYING_KEY": signer(alg).public_jwk}
    vectors = [vector for vector in CLAIM_SETS if not vector.settings]
    answers = {vector.name: answer(vector, signer(alg)) for vector in vectors}
    assert answers == {vector.name: expected(vector) for vector in vectors}


def test_every_set_of_claims_has_a_name_of_its_own() -> None:
    names = [vector.name for vector in CLAIM_SETS]
    assert len(names) == len(set(names)) > 190


def test_every_claim_that_is_read_has_vectors() -> None:
    read = {"exp", "iat", "nbf", "iss", "aud", "token_type", "jti", "user_id", "sid", "gen"}
    assert {vector.claim for vector in CLAIM_SETS} >= read


class TestTheTutorialsToken:
    """It has neither `sid` nor `iat`."""

    def test_its_header_is_the_one_that_is_written_here(self) -> None:
        assert pair().access.split(".")[0] == TUTORIAL_HEADER
        assert decode(TUTORIAL_HEADER) == b'{"typ":"JWT","alg":"HS256"}'

    def test_it_is_refused_as_expired(self, project: Signer) -> None:
        token = project.complete(f"{TUTORIAL_HEADER}.{encode(TUTORIAL_PAYLOAD)}")
        with pytest.raises(TokenExpired):
            tokens.verify_access(token, now=NOW)

    @pytest.mark.parametrize("now", [1543828430, NOW])
    def test_it_is_believed_while_adoption_is_on_and_it_has_not_expired(
        self, project: Signer, settings: Any, now: int
    ) -> None:
        payload = TUTORIAL_PAYLOAD.replace("1543828431", str(now + 1))
        token = project.complete(f"{TUTORIAL_HEADER}.{encode(payload)}")
        with pytest.raises(InvalidClaim, match="sid"):
            tokens.verify_access(token, now=now)
        settings.SIGNET = {"ADOPT_TOKENS_UNTIL": "2030-01-01T00:00:00Z"}
        found = tokens.verify_access(token, now=now)
        assert (found.user_key, found.session_id) == (1, None)
        assert found.jti == "7f5997b7150d46579dc2b49167097e7b"

    def test_another_key_is_refused(self, project: Signer) -> None:
        token = signer("HS256").complete(f"{TUTORIAL_HEADER}.{encode(TUTORIAL_PAYLOAD)}")
        with pytest.raises(BadSignature):
            tokens.verify_access(token, now=NOW)


class TestMintPair:
    def test_both_tokens_are_believed_as_what_they_are(self) -> None:
        made = pair(3)
        access = tokens.verify_access(made.access, now=NOW)
        refresh = tokens.verify_refresh(made.refresh, now=NOW)
        assert (access.token_type, access.generation) == (ACCESS, 0)
        assert (refresh.token_type, refresh.generation) == (REFRESH, 3)
        assert access.session_id == refresh.session_id == made.session.pk
        assert access.user_key == refresh.user_key == 5
        for raw, found in ((made.access, access), (made.refresh, refresh)):
            assert dict(tokens.verify_either(raw, now=NOW)) == dict(found)

    def test_neither_is_believed_as_the_other(self) -> None:
        made = pair()
        with pytest.raises(WrongTokenType):
            tokens.verify_refresh(made.access, now=NOW)
        with pytest.raises(WrongTokenType):
            tokens.verify_access(made.refresh, now=NOW)

    def test_each_has_a_jti_of_its_own_of_32_hex_digits(self) -> None:
        found = [tokens.verify_either(raw, now=NOW).jti for _ in range(3) for raw in _raw(pair())]
        assert len(set(found)) == 6
        assert all(uuid.UUID(jti).hex == jti for jti in found)

    def test_each_lives_as_long_as_is_configured(self, settings: Any) -> None:
        settings.SIGNET = {
            "ACCESS_TOKEN_LIFETIME": timedelta(seconds=90),
            "REFRESH_TOKEN_LIFETIME": timedelta(hours=2),
        }
        made = pair()
        assert tokens.verify_access(made.access, now=NOW).expires_at == NOW + 90
        assert tokens.verify_refresh(made.refresh, now=NOW).expires_at == NOW + 7200
        assert made.expires_in == 90

    def test_neither_outlives_its_session(self) -> None:
        session = session_of(somebody(), lifetime=timedelta(seconds=100))
        made = tokens.mint_pair(session, 0, now=NOW + 40)
        assert tokens.verify_access(made.access, now=NOW + 40).expires_at == NOW + 100
        assert tokens.verify_refresh(made.refresh, now=NOW + 40).expires_at == NOW + 100
        assert made.expires_in == 60

    def test_a_part_of_a_second_is_not_promised(self) -> None:
        made = pair(now=NOW + 0.75)
        assert tokens.verify_access(made.access, now=NOW + 1).expires_at == NOW + 300
        assert made.expires_in == 300

    def test_the_time_of_the_login_is_told_at_every_refresh(self) -> None:
        session = session_of(somebody(), opened=NOW - 3600)
        made = tokens.mint_pair(session, 1, now=NOW)
        found = tokens.verify_access(made.access, now=NOW)
        assert (found["auth_time"], found["iat"]) == (NOW - 3600, NOW)
        assert datetime.fromtimestamp(found["auth_time"], UTC) == session.auth_time

    def test_the_refresh_token_is_left_out_where_the_client_keeps_its_own(self) -> None:
        assert pair(refresh=False).refresh is None

    def test_the_user_claim_is_the_configured_field(self, settings: Any) -> None:
        settings.SIGNET = {"USER_ID_FIELD": "username", "USER_ID_CLAIM": "sub"}
        found = tokens.verify_access(pair().access, now=NOW)
        assert (found["sub"], found.user_key) == ("vitor", "vitor")

    def test_own_claims_are_in_both(self, settings: Any) -> None:
        settings.SIGNET = {"CLAIMS": lambda user, session: {"name": user.username, "a": 1}}
        for raw in _raw(pair(extra={"a": 2, "b": [3]})):
            found = tokens.verify_either(raw, now=NOW)
            assert (found["name"], found["a"], found["b"]) == ("vitor", 2, (3,))

    def test_the_hook_is_given_the_session(self, settings: Any) -> None:
        settings.SIGNET = {"CLAIMS": lambda user, session: {"via": session.transport}}
        assert tokens.verify_access(pair().access, now=NOW)["via"] == "token"

    @pytest.mark.parametrize("name", ["exp", "sid", "user_id", "token_type", "gen"])
    def test_an_own_claim_of_a_reserved_name_is_refused(self, settings: Any, name: str) -> None:
        with pytest.raises(ValueError, match=f"reserved .* {name}"):
            pair(extra={name: 1})
        settings.SIGNET = {"CLAIMS": lambda user, session: {name: 1}}
        with pytest.raises(ValueError, match=f"reserved .* {name}"):
            pair()

    @pytest.mark.parametrize("value", [2**63, float("nan"), "\ud800"])
    def test_a_claim_that_would_not_be_read_is_refused(self, value: object) -> None:
        with pytest.raises(ValueError, match=r"."):
            pair(extra={"a": value})

    def test_a_claim_that_is_too_long_is_refused(self) -> None:
        with pytest.raises(ValueError, match="longer than"):
            pair(extra={"a": "a" * 8000})

    def test_a_service_that_only_verifies_mints_nothing(self, settings: Any) -> None:
        settings.SIGNET = {"ALGORITHM": "ES256", "VERIFYING_KEY": signer("ES256").public_jwk}
        with pytest.raises(UnusableKey, match="only verifies"):
            pair()

    def test_such_a_service_opens_no_session_either(self, user: Any, settings: Any) -> None:
        settings.SIGNET = {"ALGORITHM": "ES256", "VERIFYING_KEY": signer("ES256").public_jwk}
        with pytest.raises(UnusableKey, match="only verifies"):
            flows.issue(user)
        assert not Session.objects.exists()

    def test_its_representation_hides_the_tokens(self) -> None:
        made = pair()
        assert not [raw for raw in _raw(made) if raw in repr(made)]
        assert "expires_in=300" in repr(made)


class TestVerify:
    @pytest.mark.parametrize("verify", VERIFY.values(), ids=VERIFY)
    @pytest.mark.parametrize("raw", [None, 1, b"", "", "a.b.c", ["a"], {"token": 1}], ids=repr)
    def test_what_is_no_token_is_a_token_error(
        self, verify: Callable[..., Claims], raw: object
    ) -> None:
        with pytest.raises(TokenError) as caught:
            verify(raw, now=NOW)
        assert caught.value.code == "malformed"

    def test_the_time_is_an_argument(self) -> None:
        made = pair()
        tokens.verify_access(made.access, now=NOW + 299)
        with pytest.raises(TokenExpired):
            tokens.verify_access(made.access, now=NOW + 300)

    def test_shorter_lifetimes_log_nobody_out(self, settings: Any) -> None:
        settings.SIGNET = {"REFRESH_TOKEN_LIFETIME": timedelta(days=400)}
        session = session_of(somebody(), lifetime=timedelta(days=400))
        made = tokens.mint_pair(session, 0, now=NOW)
        settings.SIGNET = {"REFRESH_TOKEN_LIFETIME": timedelta(minutes=10)}
        found = tokens.verify_refresh(made.refresh, now=NOW)
        assert found.expires_at == NOW + 400 * 86400


class TestWhoIsNamed:
    """The rows of THREATS.md that only the database can answer."""

    def test_a_deleted_user_is_refused(self, user: Any) -> None:
        found = tokens.verify_access(_of(user).access, now=NOW)
        user.delete()
        with pytest.raises(SessionEnded):
            users.load(found, users.all_users())

    def test_an_inactive_user_is_refused(self, user: Any) -> None:
        found = tokens.verify_access(_of(user).access, now=NOW)
        assert users.load(found, users.all_users()) == user
        User.objects.update(is_active=False)
        with pytest.raises(UserInactive):
            users.load(found, users.all_users())

    @pytest.mark.parametrize("named", ["deleted", "inactive"])
    def test_a_refresh_token_of_such_a_user_is_refused(
        self, user: Any, token_for: Callable[..., str], named: str
    ) -> None:
        raw = token_for(user, token_type="refresh")
        if named == "deleted":
            user.delete()
        else:
            User.objects.update(is_active=False)
        refused = flows.refresh(raw)
        assert isinstance(refused, SessionEnded if named == "deleted" else UserInactive)

    def test_a_refresh_token_of_an_unknown_session_is_refused(self, user: Any) -> None:
        made = tokens.mint_pair(session_of(user, opened=_now()), 0, now=_now())
        assert isinstance(flows.refresh(made.refresh), SessionEnded)
        assert not Session.objects.exists()

    @pytest.mark.parametrize("reason", [EndReason.LOGOUT, EndReason.REUSE])
    def test_a_refresh_token_of_an_ended_session_is_refused(
        self, user: Any, token_for: Callable[..., str], reason: str
    ) -> None:
        raw = token_for(user, token_type="refresh")
        Session.objects.update(end_reason=reason)
        assert isinstance(flows.refresh(raw), SessionEnded)

    def test_a_refresh_token_with_another_user_s_session_is_refused(
        self, user: Any, make_user: Callable[..., Any], project: Signer
    ) -> None:
        theirs = flows.issue(make_user(), None).session
        payload = {
            "token_type": "refresh",
            "exp": int(_now()) + 300,
            "jti": "j",
            "user_id": user.pk,
            "iat": int(_now()),
            "sid": str(theirs.pk),
            "gen": 0,
        }
        assert isinstance(flows.refresh(project.ours(payload)), InvalidClaim)
        assert Session.objects.get().end_reason == ""
        payload["user_id"] = theirs.user_id
        assert isinstance(flows.refresh(project.ours(payload)), TokenPair)


def _of(user: Any) -> TokenPair:
    return tokens.mint_pair(session_of(user), 0, now=NOW)


def _now() -> float:
    """Return the application's clock: what the flows compare with."""
    from drf_signet import runtime

    return runtime.now()


def _raw(made: TokenPair) -> list[str]:
    assert made.refresh is not None
    return [made.access, made.refresh]


def test_the_times_of_vectors_are_relative_to_now() -> None:
    assert instants("[$now,$now+5,$now-5]") == f"[{NOW},{NOW + 5},{NOW - 5}]"
