"""From settings to the key ring and the rules: which tokens a project signs and believes."""

from __future__ import annotations

import dataclasses
import time
import uuid
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from drf_signet import runtime
from drf_signet.errors import BadSignature, TokenError, UnknownKey, UnusableKey, WrongAlgorithm
from drf_signet.subjects import Subject
from tests.forge import SIGNERS, Signer, decode, encode, signer

CLAIMS = {"token_type": "access", "user_id": 1}
OLD_SECRET = "the secret of last year, long enough: 0123456789abcdef0123456789abcdef"
NEW_SECRET = "the secret of this year, long enough: 0123456789abcdef0123456789abcdef"

PUBLIC = [by for by in SIGNERS if by.alg != "HS256"]


def by_secret(secret: str, alg: str = "HS256") -> Signer:
    """Return who signs with a project's secret."""
    return Signer(alg=alg, jwk={"kty": "oct", "k": encode(secret)})


def believed(token: str) -> bool:
    """Whether the project believes a token's signature."""
    return refusal(token) is None


def refusal(token: str) -> type[TokenError] | None:
    try:
        runtime.current().codec.decode(token)
    except TokenError as error:
        return type(error)
    return None


def signed() -> str:
    return runtime.current().codec.encode(CLAIMS)


class TestSecretKey:
    """The default: Django's SECRET_KEY."""

    def test_it_signs(self, settings: Any) -> None:
        assert signed() == by_secret(settings.SECRET_KEY).ours(CLAIMS)

    def test_a_token_of_another_secret_is_refused(self, settings: Any) -> None:
        settings.SECRET_KEY = NEW_SECRET
        assert refusal(by_secret(OLD_SECRET).ours(CLAIMS)) is BadSignature

    def test_a_token_of_the_old_secret_is_believed_while_that_is_a_fallback(
        self, settings: Any
    ) -> None:
        settings.SECRET_KEY = OLD_SECRET
        token = signed()
        settings.SECRET_KEY = NEW_SECRET
        assert not believed(token)
        settings.SECRET_KEY_FALLBACKS = ["in between " * 4, OLD_SECRET]
        assert believed(token)
        settings.SECRET_KEY_FALLBACKS = []
        assert not believed(token)

    def test_a_fallback_never_signs(self, settings: Any) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_SECRET, [OLD_SECRET]
        assert signed() == by_secret(NEW_SECRET).ours(CLAIMS)

    def test_it_may_be_short(self, settings: Any) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "short", ["shorter"]
        assert signed() == by_secret("short").ours(CLAIMS)
        assert believed(by_secret("shorter").ours(CLAIMS))

    def test_it_signs_by_a_longer_hash_too(self, settings: Any) -> None:
        settings.SIGNET = {"ALGORITHM": "HS512"}
        assert signed() == by_secret(settings.SECRET_KEY, "HS512").ours(CLAIMS)
        assert refusal(by_secret(settings.SECRET_KEY).ours(CLAIMS)) is WrongAlgorithm

    def test_it_is_the_same_when_it_is_spelled_out(self, settings: Any) -> None:
        """As in many a SIMPLE_JWT: the fallbacks count all the same."""
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new but short", [OLD_SECRET]
        settings.SIMPLE_JWT = {"SIGNING_KEY": settings.SECRET_KEY}
        assert signed() == by_secret("new but short").ours(CLAIMS)
        assert believed(by_secret(OLD_SECRET).ours(CLAIMS))


class TestSigningKey:
    def test_a_secret_of_its_own_signs_alone(self, settings: Any) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "django's", [OLD_SECRET]
        settings.SIGNET = {"SIGNING_KEY": NEW_SECRET}
        assert signed() == by_secret(NEW_SECRET).ours(CLAIMS)
        assert refusal(by_secret("django's").ours(CLAIMS)) is BadSignature
        assert refusal(by_secret(OLD_SECRET).ours(CLAIMS)) is BadSignature

    def test_a_short_secret_of_its_own_is_refused(self, settings: Any) -> None:
        settings.SIGNET = {"SIGNING_KEY": "short"}
        with pytest.raises(UnusableKey, match="at least 32 bytes"):
            runtime.current()

    @pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
    def test_a_private_key_signs_and_verifies(self, settings: Any, alg: str) -> None:
        settings.SIGNET = {"ALGORITHM": alg, "SIGNING_KEY": signer(alg).jwk}
        assert believed(signed())
        assert believed(signer(alg).ours(CLAIMS))
        assert refusal(by_secret(settings.SECRET_KEY).ours(CLAIMS)) is WrongAlgorithm

    def test_a_verifying_key_beside_it_is_believed_too(self, settings: Any) -> None:
        settings.SIGNET = {
            "ALGORITHM": "ES256",
            "SIGNING_KEY": signer("ES256").jwk,
            "VERIFYING_KEY": signer("ES256", "other").public_jwk,
        }
        assert believed(signed())
        assert believed(signer("ES256", "other").ours(CLAIMS))

    @pytest.mark.parametrize("alg", ["RS256", "PS512", "ES256", "EdDSA", "Ed25519"])
    def test_an_algorithm_of_public_keys_needs_one(self, settings: Any, alg: str) -> None:
        settings.SIGNET = {"ALGORITHM": alg}
        with pytest.raises(UnusableKey, match=f"{alg} needs SIGNING_KEY, VERIFYING_KEY or KEYS"):
            runtime.current()


@pytest.mark.parametrize("by", PUBLIC, ids=str)
class TestVerifyingKeyAlone:
    """A service that issues nothing."""

    def test_it_believes_what_the_issuer_signs(self, settings: Any, by: Signer) -> None:
        settings.SIGNET = {"ALGORITHM": by.alg, "VERIFYING_KEY": by.public_jwk}
        assert believed(by.ours(CLAIMS))
        assert refusal(signer(by.alg, "other").ours(CLAIMS)) is BadSignature

    def test_it_takes_a_pem_text(self, settings: Any, by: Signer) -> None:
        pem = by.public_forms()["pem"].decode()
        settings.SIGNET = {"ALGORITHM": by.alg, "VERIFYING_KEY": pem}
        assert believed(by.ours(CLAIMS))

    def test_it_issues_nothing(self, settings: Any, by: Signer) -> None:
        settings.SIGNET = {"ALGORITHM": by.alg, "VERIFYING_KEY": by.public_jwk}
        assert not runtime.current().codec.can_sign
        with pytest.raises(UnusableKey, match="only verifies"):
            signed()


class TestKeys:
    """The key ring."""

    @pytest.fixture
    def _ring(self, settings: Any) -> None:
        settings.SIGNET = {
            "KEYS": [
                {"kid": "2026", "alg": "EdDSA", "key": signer("EdDSA").jwk},
                {"kid": "2025", "alg": "ES256", "key": signer("ES256").public_jwk},
            ]
        }

    @pytest.mark.usefixtures("_ring")
    def test_the_first_signs_and_names_itself(self) -> None:
        token = signed()
        assert decode(token.split(".")[0]) == b'{"typ":"JWT","alg":"EdDSA","kid":"2026"}'
        assert token == signer("EdDSA").ours(CLAIMS, kid="2026")

    @pytest.mark.usefixtures("_ring")
    def test_a_passive_key_is_believed(self) -> None:
        assert believed(signer("ES256").ours(CLAIMS, kid="2025"))

    @pytest.mark.usefixtures("_ring")
    def test_an_unknown_kid_is_refused(self) -> None:
        assert refusal(signer("EdDSA").ours(CLAIMS, kid="2024")) is UnknownKey

    @pytest.mark.usefixtures("_ring")
    def test_a_missing_kid_is_refused_where_there_are_several(self) -> None:
        assert refusal(signer("EdDSA").ours(CLAIMS)) is UnknownKey

    @pytest.mark.usefixtures("_ring")
    def test_the_project_s_secret_is_no_key_of_it(self, settings: Any) -> None:
        assert refusal(by_secret(settings.SECRET_KEY).ours(CLAIMS)) is UnknownKey

    def test_an_entry_without_alg_is_for_the_algorithm(self, settings: Any) -> None:
        settings.SIGNET = {"ALGORITHM": "HS384", "KEYS": [{"key": OLD_SECRET}]}
        assert signed() == by_secret(OLD_SECRET, "HS384").ours(CLAIMS)

    def test_the_old_secret_may_stay_in_it_without_a_kid(self, settings: Any) -> None:
        """The way from the default to a ring, on which nobody is logged out."""
        before = signed()
        settings.SIGNET = {
            "KEYS": [
                {"kid": "1", "alg": "EdDSA", "key": signer("EdDSA").jwk},
                {"key": settings.SECRET_KEY},
            ]
        }
        assert believed(before)
        assert believed(signed())

    def test_it_goes_before_the_other_settings(self, settings: Any) -> None:
        settings.SIGNET = {"SIGNING_KEY": NEW_SECRET, "KEYS": [{"kid": "1", "key": OLD_SECRET}]}
        assert signed() == by_secret(OLD_SECRET).ours(CLAIMS, kid="1")
        assert refusal(by_secret(NEW_SECRET).ours(CLAIMS)) is BadSignature

    @pytest.mark.parametrize(
        ("keys", "text"),
        [
            ([{"kid": "1", "key": "short"}], "at least 32 bytes"),
            ([{"kid": "1", "key": OLD_SECRET}, {"kid": "1", "key": NEW_SECRET}], "share a kid"),
            ([{"kid": "1", "alg": "RS256", "key": OLD_SECRET}], "not a key for RS256"),
        ],
        ids=["short", "one kid", "no PEM"],
    )
    def test_a_bad_key_is_refused(self, settings: Any, keys: Any, text: str) -> None:
        settings.SIGNET = {"KEYS": keys}
        with pytest.raises(UnusableKey, match=text):
            runtime.current()


class TestCurrent:
    def test_it_is_made_once_until_a_setting_changes(self, settings: Any) -> None:
        first = runtime.current()
        assert runtime.current() is first
        settings.SIGNET = {"ISSUER": "me"}
        assert runtime.current().rules.issuer == "me"
        settings.SIMPLE_JWT = {"AUDIENCE": "api"}
        assert runtime.current().rules.audience == ("api",)

    def test_the_rules_are_those_of_the_settings(self, settings: Any) -> None:
        settings.SIGNET = {
            "USER_ID_CLAIM": "sub",
            "ISSUER": "me",
            "AUDIENCE": ["a", "b"],
            "LEEWAY": 7,
            "ADOPT_TOKENS_UNTIL": "2030-01-01T00:00:00Z",
        }
        rules = runtime.current().rules
        assert dataclasses.replace(rules, user_key=str) == dataclasses.replace(
            rules,
            user_key=str,
            user_id_claim="sub",
            issuer="me",
            audience=("a", "b"),
            leeway=7.0,
            adopt_until=1893456000.0,
        )
        assert rules.user_key("5") == 5

    def test_the_subject_is_a_field_of_the_user_model(self, settings: Any) -> None:
        from django.contrib.auth.models import User

        assert runtime.current().subject == Subject.of(User, "pk")
        settings.SIGNET = {"USER_ID_FIELD": "username"}
        subject = runtime.current().subject
        assert (subject.name, subject.claim(User(pk=5, username="vitor"))) == ("username", "vitor")

    def test_another_user_model_is_seen(self) -> None:
        before = runtime.current()
        with override_settings(AUTH_USER_MODEL="drf_signet.Session"):
            assert runtime.current().subject.key(str(uuid.UUID(int=1))) == uuid.UUID(int=1)
        assert runtime.current().subject == before.subject

    def test_a_user_id_field_that_is_not_unique_is_a_mistake(self, settings: Any) -> None:
        settings.SIGNET = {"USER_ID_FIELD": "first_name"}
        with pytest.raises(ImproperlyConfigured, match="not unique"):
            runtime.current()

    def test_it_is_frozen(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            runtime.current().settings = None  # type: ignore[misc, assignment]

    def test_no_secret_is_in_its_representation(self, settings: Any) -> None:
        settings.SIGNET = {"SIGNING_KEY": NEW_SECRET}
        assert NEW_SECRET not in repr(runtime.current())
        assert settings.SECRET_KEY not in repr(runtime.current())


def test_the_clock_is_that_of_the_system() -> None:
    before = time.time()
    assert before <= runtime.now() <= time.time()
