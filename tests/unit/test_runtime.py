"""Test the key ring and the validation rules that result from the settings."""

from __future__ import annotations

import dataclasses
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import BaseUserManager, User, UserManager
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models import QuerySet
from django.test import override_settings

from drf_signet import runtime
from drf_signet.conf.subjects import Subject
from drf_signet.errors import BadSignature, TokenError, UnknownKey, UnusableKey, WrongAlgorithm
from tests.support.token_forge import SIGNERS, Signer, decode, encode, signer

CLAIMS = {"token_type": "access", "user_id": 1}
OLD_SECRET = "the secret of last year, long enough: 0123456789abcdef0123456789abcdef"
NEW_SECRET = "the secret of this year, long enough: 0123456789abcdef0123456789abcdef"

ASYMMETRIC_SIGNERS = [by for by in SIGNERS if by.alg != "HS256"]


def signer_with(secret: str, alg: str = "HS256") -> Signer:
    """Return a signer that signs with the given secret."""
    return Signer(alg=alg, jwk={"kty": "oct", "k": encode(secret)})


def accepted(token: str) -> bool:
    """Return whether the project accepts the signature of a token."""
    return refusal(token) is None


def refusal(token: str) -> type[TokenError] | None:
    try:
        runtime.current().codec.decode(token)
    except TokenError as error:
        return type(error)
    return None


def sign_token() -> str:
    return runtime.current().codec.encode(CLAIMS)


class TestSecretKey:
    """Test the default: tokens are signed with Django's SECRET_KEY."""

    def test_secret_key_signs_tokens(self, settings: Any) -> None:
        assert sign_token() == signer_with(settings.SECRET_KEY).sign_claims(CLAIMS)

    def test_token_signed_with_another_secret_is_refused(self, settings: Any) -> None:
        settings.SECRET_KEY = NEW_SECRET
        assert refusal(signer_with(OLD_SECRET).sign_claims(CLAIMS)) is BadSignature

    def test_token_signed_with_an_old_secret_is_accepted_while_it_is_a_fallback(
        self, settings: Any
    ) -> None:
        settings.SECRET_KEY = OLD_SECRET
        token = sign_token()
        settings.SECRET_KEY = NEW_SECRET
        assert not accepted(token)
        settings.SECRET_KEY_FALLBACKS = ["in between " * 4, OLD_SECRET]
        assert accepted(token)
        settings.SECRET_KEY_FALLBACKS = []
        assert not accepted(token)

    def test_fallback_never_signs(self, settings: Any) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_SECRET, [OLD_SECRET]
        assert sign_token() == signer_with(NEW_SECRET).sign_claims(CLAIMS)

    def test_short_secret_key_and_fallback_are_accepted(self, settings: Any) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "short", ["shorter"]
        assert sign_token() == signer_with("short").sign_claims(CLAIMS)
        assert accepted(signer_with("shorter").sign_claims(CLAIMS))

    def test_secret_key_signs_with_hs512(self, settings: Any) -> None:
        settings.SIGNET = {"ALGORITHM": "HS512"}
        assert sign_token() == signer_with(settings.SECRET_KEY, "HS512").sign_claims(CLAIMS)
        assert refusal(signer_with(settings.SECRET_KEY).sign_claims(CLAIMS)) is WrongAlgorithm

    def test_fallbacks_verify_if_signing_key_equals_secret_key(self, settings: Any) -> None:
        """Test a project that uses its SECRET_KEY as the SIGNING_KEY in SIMPLE_JWT."""
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new but short", [OLD_SECRET]
        settings.SIMPLE_JWT = {"SIGNING_KEY": settings.SECRET_KEY}
        assert sign_token() == signer_with("new but short").sign_claims(CLAIMS)
        assert accepted(signer_with(OLD_SECRET).sign_claims(CLAIMS))


class TestSigningKey:
    def test_signing_key_replaces_secret_key_and_its_fallbacks(self, settings: Any) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "django's", [OLD_SECRET]
        settings.SIGNET = {"SIGNING_KEY": NEW_SECRET}
        assert sign_token() == signer_with(NEW_SECRET).sign_claims(CLAIMS)
        assert refusal(signer_with("django's").sign_claims(CLAIMS)) is BadSignature
        assert refusal(signer_with(OLD_SECRET).sign_claims(CLAIMS)) is BadSignature

    def test_short_signing_key_is_refused(self, settings: Any) -> None:
        settings.SIGNET = {"SIGNING_KEY": "short"}
        with pytest.raises(UnusableKey, match="at least 32 bytes"):
            runtime.current()

    @pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
    def test_private_key_signs_and_verifies(self, settings: Any, alg: str) -> None:
        settings.SIGNET = {"ALGORITHM": alg, "SIGNING_KEY": signer(alg).jwk}
        assert accepted(sign_token())
        assert accepted(signer(alg).sign_claims(CLAIMS))
        assert refusal(signer_with(settings.SECRET_KEY).sign_claims(CLAIMS)) is WrongAlgorithm

    def test_verifying_key_beside_a_signing_key_verifies_too(self, settings: Any) -> None:
        settings.SIGNET = {
            "ALGORITHM": "ES256",
            "SIGNING_KEY": signer("ES256").jwk,
            "VERIFYING_KEY": signer("ES256", "other").public_jwk,
        }
        assert accepted(sign_token())
        assert accepted(signer("ES256", "other").sign_claims(CLAIMS))

    @pytest.mark.parametrize("alg", ["RS256", "PS512", "ES256", "EdDSA", "Ed25519"])
    def test_asymmetric_algorithm_without_a_key_is_refused(self, settings: Any, alg: str) -> None:
        settings.SIGNET = {"ALGORITHM": alg}
        with pytest.raises(UnusableKey, match=f"{alg} needs SIGNING_KEY, VERIFYING_KEY or KEYS"):
            runtime.current()


@pytest.mark.parametrize("by", ASYMMETRIC_SIGNERS, ids=str)
class TestVerifyingKeyAlone:
    """Test a service that verifies tokens, but issues no tokens."""

    def test_token_of_the_issuer_is_accepted(self, settings: Any, by: Signer) -> None:
        settings.SIGNET = {"ALGORITHM": by.alg, "VERIFYING_KEY": by.public_jwk}
        assert accepted(by.sign_claims(CLAIMS))
        assert refusal(signer(by.alg, "other").sign_claims(CLAIMS)) is BadSignature

    def test_verifying_key_may_be_a_pem_string(self, settings: Any, by: Signer) -> None:
        pem = by.public_forms()["pem"].decode()
        settings.SIGNET = {"ALGORITHM": by.alg, "VERIFYING_KEY": pem}
        assert accepted(by.sign_claims(CLAIMS))

    def test_service_without_a_signing_key_cannot_sign(self, settings: Any, by: Signer) -> None:
        settings.SIGNET = {"ALGORITHM": by.alg, "VERIFYING_KEY": by.public_jwk}
        assert not runtime.current().codec.can_sign
        with pytest.raises(UnusableKey, match="only verifies"):
            sign_token()


class TestKeys:
    """Test the KEYS setting, which defines the key ring."""

    @pytest.fixture
    def _ring(self, settings: Any) -> None:
        settings.SIGNET = {
            "KEYS": [
                {"kid": "2026", "alg": "EdDSA", "key": signer("EdDSA").jwk},
                {"kid": "2025", "alg": "ES256", "key": signer("ES256").public_jwk},
            ]
        }

    @pytest.mark.usefixtures("_ring")
    def test_first_key_signs_with_its_kid(self) -> None:
        token = sign_token()
        assert decode(token.split(".")[0]) == b'{"typ":"JWT","alg":"EdDSA","kid":"2026"}'
        assert token == signer("EdDSA").sign_claims(CLAIMS, kid="2026")

    @pytest.mark.usefixtures("_ring")
    def test_passive_key_verifies(self) -> None:
        assert accepted(signer("ES256").sign_claims(CLAIMS, kid="2025"))

    @pytest.mark.usefixtures("_ring")
    def test_unknown_kid_is_refused(self) -> None:
        assert refusal(signer("EdDSA").sign_claims(CLAIMS, kid="2024")) is UnknownKey

    @pytest.mark.usefixtures("_ring")
    def test_missing_kid_is_refused_if_every_key_has_a_kid(self) -> None:
        assert refusal(signer("EdDSA").sign_claims(CLAIMS)) is UnknownKey

    @pytest.mark.usefixtures("_ring")
    def test_secret_key_does_not_verify_beside_a_key_ring(self, settings: Any) -> None:
        assert refusal(signer_with(settings.SECRET_KEY).sign_claims(CLAIMS)) is UnknownKey

    def test_entry_without_alg_uses_the_setting_algorithm(self, settings: Any) -> None:
        settings.SIGNET = {"ALGORITHM": "HS384", "KEYS": [{"key": OLD_SECRET}]}
        assert sign_token() == signer_with(OLD_SECRET, "HS384").sign_claims(CLAIMS)

    def test_next_key_verifies_at_once_and_signs_from_its_not_before(self, settings: Any) -> None:
        begins = datetime.now(tz=UTC) + timedelta(days=1)
        settings.SIGNET = {
            "KEYS": [
                {"kid": "2026", "alg": "EdDSA", "key": signer("EdDSA").jwk, "not_before": begins},
                {"kid": "2025", "alg": "ES256", "key": signer("ES256").jwk},
            ]
        }
        assert accepted(signer("EdDSA").sign_claims(CLAIMS, kid="2026"))
        assert '"2025"' in decode(sign_token().split(".")[0]).decode()
        later = runtime.current().keys.profiles.plain.at(begins.timestamp()).encode(CLAIMS)
        assert '"2026"' in decode(later.split(".")[0]).decode()

    def test_key_verifies_until_its_not_after(self, settings: Any) -> None:
        key = {"kid": "1", "alg": "ES256", "key": signer("ES256").jwk}
        settings.SIGNET = {"KEYS": [key | {"not_after": "2020-01-01T00:00:00+00:00"}]}
        assert refusal(signer("ES256").sign_claims(CLAIMS, kid="1")) is UnknownKey
        with pytest.raises(UnusableKey, match="no key signs now"):
            sign_token()

    def test_secret_key_may_stay_in_the_ring_without_a_kid(self, settings: Any) -> None:
        """Test a project that starts to use KEYS without logging out its users."""
        earlier_token = sign_token()
        settings.SIGNET = {
            "KEYS": [
                {"kid": "1", "alg": "EdDSA", "key": signer("EdDSA").jwk},
                {"key": settings.SECRET_KEY},
            ]
        }
        assert accepted(earlier_token)
        assert accepted(sign_token())

    def test_kid_may_be_left_out_until_all_processes_know_the_thumbprint(
        self, settings: Any
    ) -> None:
        """An earlier version gave no kid to such a key, and refuses tokens with one."""
        key = {"alg": "ES256", "key": signer("ES256").jwk}
        settings.SIGNET = {"KEYS": [{**key, "kid": None}]}
        without_kid = sign_token()
        assert "kid" not in decode(without_kid.split(".")[0]).decode()
        settings.SIGNET = {"KEYS": [key]}
        with_kid = sign_token()
        assert "kid" in decode(with_kid.split(".")[0]).decode()
        assert accepted(without_kid)
        settings.SIGNET = {"KEYS": [{**key, "kid": None}]}
        assert accepted(with_kid)

    def test_keys_override_signing_key(self, settings: Any) -> None:
        settings.SIGNET = {"SIGNING_KEY": NEW_SECRET, "KEYS": [{"kid": "1", "key": OLD_SECRET}]}
        assert sign_token() == signer_with(OLD_SECRET).sign_claims(CLAIMS, kid="1")
        assert refusal(signer_with(NEW_SECRET).sign_claims(CLAIMS)) is BadSignature

    @pytest.mark.parametrize(
        ("keys", "text"),
        [
            ([{"kid": "1", "key": "short"}], "at least 32 bytes"),
            ([{"kid": "1", "key": OLD_SECRET}, {"kid": "1", "key": NEW_SECRET}], "share a kid"),
            ([{"kid": "1", "alg": "RS256", "key": OLD_SECRET}], "not a key for RS256"),
        ],
        ids=["short", "same kid", "not a PEM"],
    )
    def test_unusable_key_is_refused(self, settings: Any, keys: Any, text: str) -> None:
        settings.SIGNET = {"KEYS": keys}
        with pytest.raises(UnusableKey, match=text):
            runtime.current()


class TestCurrent:
    def test_current_is_cached_until_a_setting_changes(self, settings: Any) -> None:
        first = runtime.current()
        assert runtime.current() is first
        settings.SIGNET = {"ISSUER": "me"}
        assert runtime.current().rules.issuer == "me"
        settings.SIMPLE_JWT = {"AUDIENCE": "api"}
        assert runtime.current().rules.audience == ("api",)

    def test_rules_come_from_the_settings(self, settings: Any) -> None:
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

    def test_subject_is_the_user_field_of_user_id_field(self, settings: Any) -> None:
        from django.contrib.auth.models import User

        assert runtime.current().subject == Subject.of(User, "pk")
        settings.SIGNET = {"USER_ID_FIELD": "username"}
        subject = runtime.current().subject
        assert (subject.name, subject.claim(User(pk=5, username="vitor"))) == ("username", "vitor")

    def test_subject_follows_a_change_of_auth_user_model(self) -> None:
        before = runtime.current()
        with override_settings(AUTH_USER_MODEL="drf_signet.Session"):
            assert runtime.current().subject.key(str(uuid.UUID(int=1))) == uuid.UUID(int=1)
        assert runtime.current().subject == before.subject

    def test_user_id_field_that_is_not_unique_is_refused(self, settings: Any) -> None:
        settings.SIGNET = {"USER_ID_FIELD": "first_name"}
        with pytest.raises(ImproperlyConfigured, match="not unique"):
            runtime.current()

    def test_current_is_frozen(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            runtime.current().settings = None  # type: ignore[misc, assignment]

    def test_repr_of_current_contains_no_secret(self, settings: Any) -> None:
        settings.SIGNET = {"SIGNING_KEY": NEW_SECRET}
        assert NEW_SECRET not in repr(runtime.current())
        assert settings.SECRET_KEY not in repr(runtime.current())


def test_now_is_the_clock_of_the_system() -> None:
    before = time.time()
    assert before <= runtime.now() <= time.time()


class Members(QuerySet[Any]):
    """A custom queryset class of a project."""


class Filtering(UserManager[Any]):
    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(is_staff=True)


class FilteringAll(UserManager[Any]):
    def all(self) -> QuerySet[Any]:
        return super().all().filter(is_staff=True)


#: Default manager of the user model → whether the manager may hide users.
MANAGERS = {
    UserManager: False,
    BaseUserManager: False,
    models.Manager: False,
    Filtering: True,
    FilteringAll: True,
    UserManager.from_queryset(Members): True,
}


@pytest.mark.parametrize(
    ("manager", "may_hide"), MANAGERS.items(), ids=lambda value: getattr(value, "__name__", None)
)
def test_only_a_custom_manager_or_queryset_may_hide_users(
    manager: Any, may_hide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = manager()
    default.model = User
    monkeypatch.setattr(User._meta, "default_manager", default)
    runtime.current.cache_clear()
    assert runtime.current().users_may_be_hidden is may_hide
    runtime.current.cache_clear()
