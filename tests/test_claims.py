"""Claims: what is written, and what a payload must say to be believed."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_signet import claims
from drf_signet.claims import ACCESS, MAX_GENERATION, REFRESH, Claims, Grant, Rules
from drf_signet.errors import InvalidClaim, TokenError, TokenExpired, WrongTokenType
from tests.forge import NOW
from tests.test_strictjson import VALUES, half_as_many

SID = uuid.UUID("01980a3c-7d1e-7000-8000-00000000002a")
JTI = "7f5997b7150d46579dc2b49167097e7b"


def any_key(value: object) -> str:
    """Take any text for a user."""
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


RULES = Rules(user_key=any_key)


def grant(**fields: Any) -> Grant:
    return Grant(
        **{"session_id": SID, "generation": 7, "user_id": "u", "auth_time": NOW - 60, **fields}
    )


def written(
    token_type: str = ACCESS,
    *,
    rules: Rules = RULES,
    now: float = NOW,
    expires_at: float = NOW + 300,
    **fields: Any,
) -> dict[str, Any]:
    return claims.write(
        token_type, grant(**fields), rules=rules, jti=JTI, now=now, expires_at=expires_at
    )


def read(
    payload: dict[str, Any],
    token_type: str | None = ACCESS,
    *,
    rules: Rules = RULES,
    now: float = NOW,
) -> Claims:
    return claims.read(payload, token_type=token_type, rules=rules, now=now)


class TestWrite:
    def test_the_claims_of_an_access_token_stand_in_the_order_of_the_tutorial(self) -> None:
        assert list(written().items()) == [
            ("token_type", "access"),
            ("exp", NOW + 300),
            ("jti", JTI),
            ("user_id", "u"),
            ("iat", NOW),
            ("sid", str(SID)),
            ("auth_time", NOW - 60),
        ]

    def test_a_refresh_token_says_its_generation_too(self) -> None:
        payload = written(REFRESH)
        assert payload.pop("gen") == 7
        assert payload == {**written(), "token_type": "refresh"}

    def test_instants_are_whole_seconds_and_never_later_than_they_are(self) -> None:
        payload = written(now=NOW + 0.9, expires_at=NOW + 300.9)
        assert (payload["iat"], payload["exp"]) == (NOW, NOW + 300)
        assert type(payload["iat"]) is type(payload["exp"]) is int

    def test_issuer_and_audience_are_written_where_they_are_configured(self) -> None:
        rules = dataclasses.replace(RULES, issuer="me", audience=("api",))
        assert {"iss": "me", "aud": "api"}.items() <= written(rules=rules).items()
        several = dataclasses.replace(RULES, audience=("api", "web"))
        assert written(rules=several)["aud"] == ["api", "web"]
        assert not {"iss", "aud"} & written().keys()

    def test_the_user_claim_has_the_configured_name(self) -> None:
        rules = dataclasses.replace(RULES, user_id_claim="sub")
        payload = written(rules=rules, user_id=5)
        assert payload["sub"] == 5
        assert "user_id" not in payload

    def test_own_claims_stand_last(self) -> None:
        payload = written(REFRESH, extra={"role": "admin", "a": [1]})
        assert list(payload)[-2:] == ["role", "a"]
        assert (payload["role"], payload["a"]) == ("admin", [1])

    @pytest.mark.parametrize("name", sorted(RULES.reserved))
    @pytest.mark.parametrize("token_type", [ACCESS, REFRESH])
    def test_an_own_claim_of_a_reserved_name_is_refused(self, name: str, token_type: str) -> None:
        with pytest.raises(ValueError, match=f"reserved claims cannot be set: {name}"):
            written(token_type, extra={name: None})

    def test_all_reserved_names_are_told_at_once(self) -> None:
        with pytest.raises(ValueError, match="aud, exp"):
            written(extra={"exp": 1, "x": 1, "aud": 1})

    def test_every_claim_that_is_written_is_reserved(self) -> None:
        rules = dataclasses.replace(RULES, issuer="me", audience=("api",), user_id_claim="sub")
        assert written(REFRESH, rules=rules).keys() <= rules.reserved
        assert {"nbf", "sub"} <= rules.reserved

    def test_what_was_given_is_left_as_it_was(self) -> None:
        extra = {"a": 1}
        written(extra=extra)
        assert extra == {"a": 1}


class TestRead:
    @pytest.mark.parametrize("token_type", [ACCESS, REFRESH])
    @pytest.mark.parametrize("asked", [True, False])
    def test_what_is_written_is_believed(self, token_type: str, asked: bool) -> None:
        rules = dataclasses.replace(RULES, issuer="me", audience=("api", "web"))
        payload = written(token_type, rules=rules, extra={"roles": ["a"]})
        found = read(payload, token_type if asked else None, rules=rules)
        assert (found.token_type, found.jti, found.expires_at) == (token_type, JTI, NOW + 300)
        assert (found.user_key, found.session_id) == ("u", SID)
        assert found.generation == (7 if token_type == REFRESH else 0)
        assert found["roles"] == ("a",)

    def test_it_is_believed_until_the_second_of_its_expiry(self) -> None:
        payload = written()
        assert read(payload, now=NOW + 299.999).expires_at == NOW + 300
        for now in (NOW + 300, NOW + 300.001, NOW + 10**6):
            with pytest.raises(TokenExpired):
                read(payload, now=now)

    def test_it_is_believed_from_the_second_of_its_issue(self) -> None:
        payload = written()
        with pytest.raises(InvalidClaim, match="iat"):
            read(payload, now=NOW - 0.001)

    @pytest.mark.parametrize("leeway", [0, 0.5, 10])
    def test_the_leeway_widens_both_ends_and_no_more(self, leeway: float) -> None:
        rules = dataclasses.replace(RULES, leeway=leeway)
        payload = {**written(), "nbf": NOW}
        for now in (NOW - leeway, NOW + 300 + leeway - 0.001):
            assert read(payload, rules=rules, now=now)["exp"] == NOW + 300
        with pytest.raises(TokenExpired):
            read(payload, rules=rules, now=NOW + 300 + leeway)
        with pytest.raises(InvalidClaim):
            read(payload, rules=rules, now=NOW - leeway - 0.001)

    def test_a_token_of_the_other_type_is_told_from_one_of_no_type(self) -> None:
        for one, other in ((ACCESS, REFRESH), (REFRESH, ACCESS)):
            with pytest.raises(WrongTokenType):
                read(written(one), other)
            with pytest.raises(InvalidClaim, match="token_type"):
                read({**written(one), "token_type": "sliding"}, other)

    def test_the_generation_of_an_access_token_means_nothing(self) -> None:
        assert read({**written(), "gen": "x"}).generation == 0

    def test_the_largest_generation_leaves_room_for_its_successor(self) -> None:
        payload = written(REFRESH, generation=MAX_GENERATION)
        assert read(payload, REFRESH).generation + 1 == 2**31 - 1

    def test_the_reason_why_a_user_claim_is_refused_is_kept(self) -> None:
        with pytest.raises(InvalidClaim, match="user_id") as caught:
            read({**written(), "user_id": 1})
        assert str(caught.value.__cause__) == "no text"

    def test_a_token_of_old_has_no_session(self) -> None:
        rules = dataclasses.replace(RULES, adopt_until=NOW + 1)
        payload = {"token_type": "refresh", "exp": NOW + 300, "jti": JTI, "user_id": "1"}
        found = read(payload, REFRESH, rules=rules)
        assert (found.session_id, found.generation, found.user_key) == (None, 0, "1")
        for now in (NOW + 1, NOW + 2):
            with pytest.raises(InvalidClaim, match="sid"):
                read(payload, REFRESH, rules=rules, now=now)

    @half_as_many
    @given(VALUES, st.sampled_from(sorted(written(REFRESH))))
    def test_no_value_of_any_claim_raises_anything_but_a_token_error(
        self, value: Any, name: str
    ) -> None:
        rules = dataclasses.replace(RULES, issuer="me", audience=("api",))
        payload = {**written(REFRESH, rules=rules), name: value}
        try:
            read(payload, None, rules=rules)
        except TokenError:
            return
        good = written(REFRESH, rules=rules)
        # Whatever else is believed in place of a value is of the same type.
        assert name == "auth_time" or type(value) is type(good[name])

    @half_as_many
    @given(st.dictionaries(st.sampled_from(sorted(claims.RESERVED)), VALUES, max_size=3))
    def test_no_payload_raises_anything_but_a_token_error(self, payload: dict[str, Any]) -> None:
        rules = dataclasses.replace(RULES, issuer="me", audience=("api",), adopt_until=NOW + 1)
        with pytest.raises(TokenError):
            read(payload, None, rules=rules)


class TestClaims:
    def test_they_are_a_mapping_of_what_the_token_says(self) -> None:
        payload = written(extra={"role": "admin"})
        found = read(payload)
        assert isinstance(found, Mapping)
        assert dict(found) == payload
        assert len(found) == len(payload)
        assert list(found) == list(payload)
        assert found.get("role") == "admin"
        assert "gen" not in found
        with pytest.raises(KeyError):
            found["gen"]

    def test_they_cannot_be_changed_at_any_depth(self) -> None:
        found: Any = read(written(extra={"a": {"b": [{"c": 1}]}}))
        assert found["a"]["b"][0]["c"] == 1
        for target in (found, found["a"], found["a"]["b"], found["a"]["b"][0]):
            with pytest.raises(TypeError):
                target["a"] = 1
        for name in ("jti", "expires_at", "anything"):
            with pytest.raises(AttributeError):
                setattr(found, name, "other")

    def test_they_do_not_follow_the_payload_that_they_were_read_from(self) -> None:
        payload = written(extra={"a": [1]})
        found = read(payload)
        payload["a"].append(2)
        payload["user_id"] = "other"
        assert (found["a"], found["user_id"]) == ((1,), "u")

    def test_their_representation_leaves_the_application_s_claims_out(self) -> None:
        assert "admin" not in repr(read(written(extra={"role": "admin"})))


@pytest.mark.parametrize("value", [0, -1, 2**70])
def test_an_integer_is_an_integer(value: object) -> None:
    assert claims.is_integer(value)


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, [1]])
def test_what_only_looks_like_an_integer_is_none(value: object) -> None:
    assert not claims.is_integer(value)
