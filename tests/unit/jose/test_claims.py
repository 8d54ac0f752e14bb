"""Tests of `drf_signet.jose.claims`: building and validating payloads."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_signet.errors import InvalidClaim, TokenError, TokenExpired, WrongTokenType
from drf_signet.jose import claims
from drf_signet.jose.claims import ACCESS, MAX_GENERATION, REFRESH, Claims, Rules, SessionClaims
from tests.support.token_forge import NOW
from tests.unit.jose.test_strictjson import VALUES, half_as_many

SID = uuid.UUID("01980a3c-7d1e-7000-8000-00000000002a")
JTI = "7f5997b7150d46579dc2b49167097e7b"


def any_key(value: object) -> str:
    """Return the value as the key of a user if it is a string; otherwise raise ValueError."""
    if not isinstance(value, str):
        raise ValueError("not a string")
    return value


RULES = Rules(user_key=any_key)


def pickled(value: Any, *, protocol: int) -> Any:
    return pickle.loads(pickle.dumps(value, protocol))


#: Calls that would change the dict `{"b": 1}`, keyed by the name of the dict method.
CHANGES: dict[str, Callable[[Any], Any]] = {
    "setitem": lambda inner: inner.__setitem__("b", 2),
    "delitem": lambda inner: inner.__delitem__("b"),
    "ior": lambda inner: inner.__ior__({"b": 2}),
    "clear": lambda inner: inner.clear(),
    "pop": lambda inner: inner.pop("b"),
    "popitem": lambda inner: inner.popitem(),
    "setdefault": lambda inner: inner.setdefault("c", 2),
    "update": lambda inner: inner.update(b=2),
}
#: Functions that copy an object, keyed by name.
COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": partial(pickled, protocol=protocol)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


def session_claims(**fields: Any) -> SessionClaims:
    return SessionClaims(
        **{"session_id": SID, "generation": 7, "user_id": "u", "auth_time": NOW - 60, **fields}
    )


def example_payload(
    token_type: str = ACCESS,
    *,
    rules: Rules = RULES,
    now: float = NOW,
    expires_at: float = NOW + 300,
    **fields: Any,
) -> dict[str, Any]:
    return claims.build_payload(
        token_type, session_claims(**fields), rules=rules, jti=JTI, now=now, expires_at=expires_at
    )


def validate(
    payload: dict[str, Any],
    token_type: str | None = ACCESS,
    *,
    rules: Rules = RULES,
    now: float = NOW,
) -> Claims:
    return claims.validate(payload, token_type=token_type, rules=rules, now=now)


class TestBuildPayload:
    def test_claims_of_an_access_token_have_the_order_of_the_tutorial(self) -> None:
        assert list(example_payload().items()) == [
            ("token_type", "access"),
            ("exp", NOW + 300),
            ("jti", JTI),
            ("user_id", "u"),
            ("iat", NOW),
            ("sid", str(SID)),
            ("auth_time", NOW - 60),
        ]

    def test_a_refresh_token_also_contains_its_generation(self) -> None:
        payload = example_payload(REFRESH)
        assert payload.pop("gen") == 7
        assert payload == {**example_payload(), "token_type": "refresh"}

    def test_times_are_rounded_down_to_whole_seconds(self) -> None:
        payload = example_payload(now=NOW + 0.9, expires_at=NOW + 300.9)
        assert (payload["iat"], payload["exp"]) == (NOW, NOW + 300)
        assert type(payload["iat"]) is type(payload["exp"]) is int

    def test_issuer_and_audience_are_written_if_they_are_configured(self) -> None:
        rules = dataclasses.replace(RULES, issuer="me", audience=("api",))
        assert {"iss": "me", "aud": "api"}.items() <= example_payload(rules=rules).items()
        several = dataclasses.replace(RULES, audience=("api", "web"))
        assert example_payload(rules=several)["aud"] == ["api", "web"]
        assert not {"iss", "aud"} & example_payload().keys()

    def test_the_user_claim_has_the_configured_name(self) -> None:
        rules = dataclasses.replace(RULES, user_id_claim="sub")
        payload = example_payload(rules=rules, user_id=5)
        assert payload["sub"] == 5
        assert "user_id" not in payload

    def test_custom_claims_come_last(self) -> None:
        payload = example_payload(REFRESH, extra={"role": "admin", "a": [1]})
        assert list(payload)[-2:] == ["role", "a"]
        assert (payload["role"], payload["a"]) == ("admin", [1])

    @pytest.mark.parametrize("name", sorted(RULES.reserved))
    def test_a_custom_claim_with_a_reserved_name_is_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match=f"reserved claims cannot be set: {name}"):
            RULES.check_custom_claims({name: None})

    def test_one_error_lists_all_reserved_names(self) -> None:
        with pytest.raises(ValueError, match="aud, exp"):
            RULES.check_custom_claims({"exp": 1, "x": 1, "aud": 1})

    def test_every_claim_that_is_written_is_reserved(self) -> None:
        rules = dataclasses.replace(RULES, issuer="me", audience=("api",), user_id_claim="sub")
        assert example_payload(REFRESH, rules=rules).keys() <= rules.reserved
        assert {"nbf", "sub"} <= rules.reserved

    def test_the_callers_dict_is_not_changed(self) -> None:
        extra = {"a": 1}
        example_payload(extra=extra)
        assert extra == {"a": 1}


class TestValidate:
    @pytest.mark.parametrize("token_type", [ACCESS, REFRESH])
    @pytest.mark.parametrize("expects_type", [True, False])
    def test_a_payload_that_was_built_is_valid(self, token_type: str, expects_type: bool) -> None:
        rules = dataclasses.replace(RULES, issuer="me", audience=("api", "web"))
        payload = example_payload(token_type, rules=rules, extra={"roles": ["a"]})
        validated = validate(payload, token_type if expects_type else None, rules=rules)
        assert (validated.token_type, validated.jti) == (token_type, JTI)
        assert validated.expires_at == NOW + 300
        assert (validated.user_key, validated.session_id) == ("u", SID)
        assert validated.generation == (7 if token_type == REFRESH else 0)
        assert validated["roles"] == ("a",)

    def test_a_payload_is_valid_until_it_expires(self) -> None:
        payload = example_payload()
        assert validate(payload, now=NOW + 299.999).expires_at == NOW + 300
        for now in (NOW + 300, NOW + 300.001, NOW + 10**6):
            with pytest.raises(TokenExpired):
                validate(payload, now=now)

    def test_a_payload_is_not_valid_before_its_iat(self) -> None:
        payload = example_payload()
        with pytest.raises(InvalidClaim, match="iat"):
            validate(payload, now=NOW - 0.001)

    @pytest.mark.parametrize("leeway", [0, 0.5, 10])
    def test_the_leeway_extends_both_limits_by_exactly_its_length(self, leeway: float) -> None:
        rules = dataclasses.replace(RULES, leeway=leeway)
        payload = {**example_payload(), "nbf": NOW}
        for now in (NOW - leeway, NOW + 300 + leeway - 0.001):
            assert validate(payload, rules=rules, now=now)["exp"] == NOW + 300
        with pytest.raises(TokenExpired):
            validate(payload, rules=rules, now=NOW + 300 + leeway)
        with pytest.raises(InvalidClaim):
            validate(payload, rules=rules, now=NOW - leeway - 0.001)

    def test_a_wrong_token_type_is_distinguished_from_an_unknown_type(self) -> None:
        for actual, expected in ((ACCESS, REFRESH), (REFRESH, ACCESS)):
            with pytest.raises(WrongTokenType):
                validate(example_payload(actual), expected)
            with pytest.raises(InvalidClaim, match="token_type"):
                validate({**example_payload(actual), "token_type": "sliding"}, expected)

    def test_the_generation_of_an_access_token_is_ignored(self) -> None:
        assert validate({**example_payload(), "gen": "x"}).generation == 0

    def test_the_successor_of_the_largest_generation_fits_the_column(self) -> None:
        payload = example_payload(REFRESH, generation=MAX_GENERATION)
        assert validate(payload, REFRESH).generation + 1 == 2**31 - 1

    def test_the_error_of_a_user_claim_has_its_cause(self) -> None:
        with pytest.raises(InvalidClaim, match="user_id") as caught:
            validate({**example_payload(), "user_id": 1})
        assert str(caught.value.__cause__) == "not a string"

    def test_a_legacy_token_is_valid_without_a_session_until_adopt_until(self) -> None:
        rules = dataclasses.replace(RULES, adopt_until=NOW + 1)
        payload = {"token_type": "refresh", "exp": NOW + 300, "jti": JTI, "user_id": "1"}
        validated = validate(payload, REFRESH, rules=rules)
        assert (validated.session_id, validated.generation, validated.user_key) == (None, 0, "1")
        for now in (NOW + 1, NOW + 2):
            with pytest.raises(InvalidClaim, match="sid"):
                validate(payload, REFRESH, rules=rules, now=now)

    @half_as_many
    @given(VALUES, st.sampled_from(sorted(example_payload(REFRESH))))
    def test_any_value_of_a_claim_is_valid_or_a_token_error(self, value: Any, name: str) -> None:
        rules = dataclasses.replace(RULES, issuer="me", audience=("api",))
        payload = {**example_payload(REFRESH, rules=rules), name: value}
        try:
            validate(payload, None, rules=rules)
        except TokenError:
            return
        valid = example_payload(REFRESH, rules=rules)
        # Except for `auth_time`, a valid value has the type of the original value.
        assert name == "auth_time" or type(value) is type(valid[name])

    @half_as_many
    @given(st.dictionaries(st.sampled_from(sorted(claims.RESERVED)), VALUES, max_size=3))
    def test_any_incomplete_payload_is_a_token_error(self, payload: dict[str, Any]) -> None:
        rules = dataclasses.replace(RULES, issuer="me", audience=("api",), adopt_until=NOW + 1)
        with pytest.raises(TokenError):
            validate(payload, None, rules=rules)


class TestClaims:
    def test_claims_are_a_mapping_of_the_payload(self) -> None:
        payload = example_payload(extra={"role": "admin"})
        validated = validate(payload)
        assert isinstance(validated, Mapping)
        assert dict(validated) == payload
        assert len(validated) == len(payload)
        assert list(validated) == list(payload)
        assert validated.get("role") == "admin"
        assert "gen" not in validated
        with pytest.raises(KeyError):
            validated["gen"]

    def test_claims_are_immutable_at_any_depth(self) -> None:
        validated: Any = validate(example_payload(extra={"a": {"b": [{"c": 1}]}}))
        assert validated["a"]["b"][0]["c"] == 1
        for target in (validated, validated["a"], validated["a"]["b"], validated["a"]["b"][0]):
            with pytest.raises(TypeError):
                target["a"] = 1
        for name in ("jti", "expires_at", "anything"):
            with pytest.raises(AttributeError):
                setattr(validated, name, "other")

    def test_claims_do_not_change_with_the_payload(self) -> None:
        payload = example_payload(extra={"a": [1]})
        validated = validate(payload)
        payload["a"].append(2)
        payload["user_id"] = "other"
        assert (validated["a"], validated["user_id"]) == ((1,), "u")

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
    def test_inner_object_refuses_every_change(self, change: Callable[[Any], Any]) -> None:
        validated = validate(example_payload(extra={"a": {"b": 1}}))
        with pytest.raises(TypeError, match="read-only"):
            change(validated["a"])
        assert validated["a"] == {"b": 1}

    @pytest.mark.parametrize(
        ("token_type", "lifetime", "key"),
        [("access", 300, SID.int), ("access", 301, None), ("refresh", 300, None)],
    )
    def test_only_an_access_token_with_a_remembered_lifetime_has_a_session_key(
        self, token_type: str, lifetime: int, key: int | None
    ) -> None:
        rules = dataclasses.replace(RULES, remembered_lifetime=300)
        payload = {**example_payload(token_type), "exp": NOW - 5 + lifetime, "iat": NOW - 5}
        assert validate(payload, None, rules=rules).session_key == key

    @pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES.keys())
    @pytest.mark.parametrize("sid", [str(SID), None])
    def test_copies_of_claims_are_equal_and_immutable(
        self, copied: Callable[[Any], Any], sid: str | None
    ) -> None:
        payload = example_payload(extra={"a": {"b": [{"c": 1}]}, "d": [{"e": 1}]})
        if sid is None:
            del payload["sid"]
        original = validate(payload, rules=dataclasses.replace(RULES, adopt_until=NOW + 1))
        copy_of = copied(original)
        assert isinstance(copy_of, Claims)
        assert dict(copy_of) == dict(original)
        for name in ("expires_at", "user_key", "sid", "session_id", "jti", "token_type"):
            assert getattr(copy_of, name) == getattr(original, name)
        for inner in (copy_of["a"], copy_of["a"]["b"][0], copy_of["d"][0]):
            with pytest.raises(TypeError):
                inner["c"] = 2

    def test_user_key_keeps_its_type_in_a_pickle(self) -> None:
        rules = Rules(user_key=lambda value: uuid.UUID(str(value)))
        validated = validate(example_payload(user_id=str(SID)), rules=rules)
        assert pickle.loads(pickle.dumps(validated)).user_key == SID

    @pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES.keys())
    def test_copies_of_a_claim_can_be_changed_without_changing_the_claim(
        self, copied: Callable[[Any], Any]
    ) -> None:
        validated = validate(example_payload(extra={"a": {"b": 1}}))
        changed = copied(validated["a"])
        changed["b"] = 2
        assert (changed, validated["a"]) == ({"b": 2}, {"b": 1})

    def test_claims_are_json_after_conversion_to_a_dict(self) -> None:
        payload = example_payload(extra={"a": {"b": [{"c": 1}]}})
        assert json.loads(json.dumps(dict(validate(payload)))) == payload

    def test_repr_does_not_contain_custom_claims(self) -> None:
        assert "admin" not in repr(validate(example_payload(extra={"role": "admin"})))


@pytest.mark.parametrize("value", [0, -1, 2**70])
def test_an_integer_of_any_size_is_an_integer(value: object) -> None:
    assert claims.is_integer(value)


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, [1]])
def test_a_value_of_another_type_is_not_an_integer(value: object) -> None:
    assert not claims.is_integer(value)
