"""Test the alias's token classes, and the sessions that their tokens belong to."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from rest_framework.exceptions import AuthenticationFailed

from drf_signet import Session, end, runtime
from drf_signet.compat.simplejwt import backends, refreshing, tables
from drf_signet.compat.simplejwt.backends import TokenBackend
from drf_signet.compat.simplejwt.exceptions import (
    EndedError,
    ExpiredTokenError,
    TokenBackendError,
    TokenError,
)
from drf_signet.compat.simplejwt.models import TokenUser
from drf_signet.compat.simplejwt.settings import api_settings
from drf_signet.compat.simplejwt.state import token_backend
from drf_signet.compat.simplejwt.tokens import (
    AccessToken,
    BlacklistMixin,
    RefreshToken,
    SlidingToken,
    Token,
    UntypedToken,
)
from drf_signet.conf import settings as conf
from drf_signet.sessions.ended import ended_sessions
from drf_signet.tokens import verify, verify_access
from tests.support.session_states import legacy_token
from tests.support.simplejwt_alias import alias, alias_tables

__all__ = ["alias", "alias_tables"]  # fixtures, imported so that pytest finds them

ROTATING = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}


def in_an_hour() -> datetime:
    return datetime.fromtimestamp(runtime.now() + 3600, UTC)


@pytest.fixture
def adopting(settings: Any) -> None:
    settings.SIGNET = {"ADOPT_TOKENS_UNTIL": in_an_hour()}


class TestSigning:
    def test_session_is_written_when_its_first_token_is_signed(
        self, user, django_assert_num_queries
    ):
        with django_assert_num_queries(0):
            token = RefreshToken.for_user(user)
            token["role"] = "editor"
            access = token.access_token
            assert token.session_id == access.session_id
        with django_assert_num_queries(1):
            str(access)
        with django_assert_num_queries(0):
            str(token)
        session = Session.objects.get()
        assert (session.pk, session.user) == (token.session_id, user)

    @pytest.mark.parametrize("token_class", [AccessToken, RefreshToken, SlidingToken])
    def test_signed_token_is_valid_for_drf_signet(self, user, token_class):
        token = token_class.for_user(user)
        raw_token = str(token)
        assert token_class(raw_token).payload == token.payload
        if token_class is AccessToken:
            assert verify_access(raw_token, now=runtime.now()).session_id == token.session_id
        if token_class is RefreshToken:
            claims = verify(raw_token, "refresh", now=runtime.now())
            assert (claims.session_id, claims.generation) == (token.session_id, 0)
            assert claims["user_id"] == user.pk

    def test_copies_of_an_unsigned_token_share_one_session(self, user):
        token = RefreshToken.for_user(user)
        for each in (token, copy.copy(token), copy.deepcopy(token)):
            assert RefreshToken(str(each)).session_id == token.session_id
        assert Session.objects.count() == 1

    def test_failed_write_of_the_session_is_repeated_by_the_next_signing(self, user):
        def fail(*query: Any) -> None:
            raise IntegrityError

        token = RefreshToken.for_user(user)
        failing = connection.execute_wrapper(fail)
        with pytest.raises(IntegrityError), transaction.atomic(), failing:
            str(token)
        assert not Session.objects.exists()
        str(token)
        assert Session.objects.count() == 1

    def test_session_lasts_as_long_as_its_longest_token(self, user):
        token = RefreshToken.for_user(user)
        token.set_exp(lifetime=timedelta(days=40))
        str(token)
        assert Session.objects.get().expires_at.timestamp() == token["exp"]
        access = token.access_token
        access["exp"] = in_an_hour() + timedelta(days=50)
        assert str(access)
        assert Session.objects.get().expires_at.timestamp() == int(access["exp"].timestamp())

    def test_token_with_user_id_set_by_hand_gets_a_session(self, user):
        token = RefreshToken()
        token["user_id"] = str(user.pk)
        access = token.access_token
        assert "sid" in access
        assert str(access)
        assert Session.objects.get().user == user

    def test_token_for_a_stateless_user_gets_a_session_of_the_real_user(self, user):
        stateless = TokenUser(AccessToken.for_user(user))
        str(AccessToken.for_user(stateless))
        assert Session.objects.get().user == user

    def test_for_user_rejects_an_instance_of_another_model(self, user):
        group = Group.objects.create(pk=user.pk, name="editors")
        for token_class in (AccessToken, RefreshToken, SlidingToken):
            with pytest.raises(TypeError, match=r"an instance of auth\.User, not <Group: editors>"):
                token_class.for_user(group)

    @pytest.mark.parametrize("user_id", ["4711", "abc", None])
    def test_token_of_an_unknown_user_is_invalid(self, db, user_id):
        token = AccessToken()
        token["user_id"] = user_id
        with pytest.raises(TokenError, match="Token is invalid"):
            AccessToken(str(token))

    def test_token_for_an_inactive_user_is_logged(self, user, caplog):
        user.is_active = False
        AccessToken.for_user(user)
        assert "inactive" in caplog.text

    def test_claims_setting_adds_claims_and_cannot_set_reserved_claims(self, user, settings):
        settings.SIGNET = {"CLAIMS": lambda user, session: {"name": user.username}}
        token = RefreshToken.for_user(user)
        assert token["name"] == token.access_token["name"] == "vitor"
        settings.SIGNET = {"CLAIMS": lambda user, session: {"exp": 1}}
        with pytest.raises(ValueError, match="reserved claims cannot be set: exp"):
            RefreshToken.for_user(user)

    def test_sid_and_gen_cannot_be_set_by_hand(self, user):
        token = RefreshToken.for_user(user)
        for name in ("sid", "gen"):
            with pytest.raises(ValueError, match=name):
                token[name] = 1

    def test_token_without_a_user_has_no_session(self, db):
        token = AccessToken()
        token["mail"] = "vitor@example.com"
        verified = AccessToken(str(token))
        assert (verified["mail"], verified.session_id) == ("vitor@example.com", None)
        refresh = RefreshToken()
        assert RefreshToken(str(refresh)).access_token.payload.keys() == {
            "token_type",
            "exp",
            "iat",
            "jti",
        }
        assert Session.objects.count() == 0

    def test_json_encoder_setting_is_used(self, user, settings):
        settings.SIMPLE_JWT = {"JSON_ENCODER": "rest_framework.utils.encoders.JSONEncoder"}
        token = AccessToken.for_user(user)
        token["at"] = datetime(2026, 11, 25, tzinfo=UTC)
        assert AccessToken(str(token))["at"] == "2026-11-25T00:00:00Z"


class TestVerifying:
    @pytest.mark.parametrize("token_class", [AccessToken, RefreshToken, SlidingToken])
    def test_unverified_token_is_marked_as_such_and_never_signed(self, user, token_class):
        valid_token = str(token_class.for_user(user))
        forged_token = valid_token[:-8] + "AAAAAAAA"
        assert token_class(valid_token).verified
        unverified = token_class(forged_token.encode(), verify=False)
        assert not unverified.verified
        unverified["is_admin"] = True
        assert str(unverified) == forged_token
        assert unverified.session_id is None

    def test_unverified_refresh_token_issues_no_access_token(self, user):
        raw_token = str(RefreshToken.for_user(user))
        with pytest.raises(TokenError, match="invalid"):
            _ = RefreshToken(raw_token, verify=False).access_token

    @pytest.mark.parametrize(
        "payload", [b"[]", b"{", b"{}", b"[" * 10000], ids=["list", "broken", "empty", "deep"]
    )
    def test_unverified_payload_must_be_a_json_object(self, payload):
        from drf_signet.jose.strictjson import b64url_encode

        raw_token = f"e30.{b64url_encode(payload)}.AAAA"
        if payload == b"{}":
            assert UntypedToken(raw_token, verify=False).payload == {}
        else:
            with pytest.raises(TokenError, match="invalid"):
                UntypedToken(raw_token, verify=False)
        with pytest.raises(TokenError, match="invalid"):
            UntypedToken("x", verify=False)

    @pytest.mark.parametrize(
        ("claims", "error"),
        [
            ({"sid": 5}, "invalid"),
            ({"sid": "abc"}, "invalid"),
            ({"iat": None}, "invalid"),
            ({"exp": "soon"}, "invalid"),
            ({"exp": 1}, "expired"),
            ({"nbf": 2**40}, "invalid"),
        ],
    )
    def test_signed_token_with_an_invalid_claim_raises_token_error(self, user, claims, error):
        token = AccessToken.for_user(user)
        str(token)  # signing inserts the session
        payload = {k: v for k, v in (token.payload | claims).items() if v is not None}
        with pytest.raises(TokenError, match=error):
            UntypedToken(token_backend.encode(payload))

    def test_check_exp_of_a_year_out_of_range_raises_token_error(self):
        token = AccessToken()
        token["exp"] = 10**30
        with pytest.raises(TokenError, match="invalid"):
            token.check_exp()

    def test_tokens_of_an_ended_session_are_rejected(self, user):
        token = RefreshToken.for_user(user)
        refresh_token, access_token = str(token), str(token.access_token)
        end(token["sid"])
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(refresh_token)
        with pytest.raises(EndedError, match="blacklisted"):
            AccessToken(access_token)
        with pytest.raises(EndedError, match="blacklisted"):
            UntypedToken(refresh_token)

    def test_access_token_with_a_lifetime_beyond_the_feed_is_looked_up_in_the_table(
        self, user, settings, django_assert_num_queries
    ):
        # Let the feed query the database. The fixture `signet_deterministic` resets this flag.
        ended_sessions.alone = False
        settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 0}
        token = AccessToken.for_user(user)
        token.set_exp(lifetime=timedelta(days=300))
        raw_token = str(token)
        with django_assert_num_queries(1):
            AccessToken(raw_token)
        Session.objects.update(end_reason="logout")
        with pytest.raises(EndedError):
            AccessToken(raw_token)

    def test_rotated_refresh_token_is_rejected_after_the_grace_period(self, user, settings):
        settings.SIMPLE_JWT = ROTATING
        settings.SIGNET = {"ROTATION_GRACE_PERIOD": timedelta(0)}
        raw_token = str(RefreshToken.for_user(user))
        Session.objects.update(generation=1)
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(raw_token)
        assert Session.objects.get().end_reason == ""

    def test_class_with_its_own_backend_uses_its_own_key(self):
        class Foreign(Token):
            token_type = "foreign"
            lifetime = timedelta(minutes=1)
            _token_backend = TokenBackend("HS256", "another key, of 32 bytes or more: 0123456789")

        class ForeignAccess(AccessToken):
            _token_backend = Foreign._token_backend

        assert Foreign(str(Foreign())).payload["token_type"] == "foreign"
        assert ForeignAccess(str(ForeignAccess())).session_id is None
        with pytest.raises(TokenError):
            UntypedToken(str(Foreign()))


class TestBlacklist:
    def test_blacklist_ends_the_session(self, user):
        token = RefreshToken.for_user(user)
        raw_token = str(token)
        assert RefreshToken(raw_token).blacklist() == (None, False)
        assert Session.objects.get().end_reason == "logout"
        assert token.blacklist() == (None, False)

    def test_token_blacklisted_before_it_is_signed_is_signed_and_refused(self, user):
        token = RefreshToken.for_user(user)
        token.blacklist()
        raw_token = str(token)
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(raw_token)
        assert Session.objects.get().end_reason == "logout"

    def test_token_of_a_deleted_user_is_blacklisted_without_a_session(self, user):
        token = RefreshToken.for_user(user)
        user.delete()
        token.blacklist()
        with pytest.raises(AuthenticationFailed, match="No active account"):
            str(token)
        assert Session.objects.count() == 0

    def test_expired_token_can_end_its_session(self, user):
        token = RefreshToken.for_user(user)
        token.set_exp(lifetime=-timedelta(seconds=1))
        raw_token = str(token)
        with pytest.raises(ExpiredTokenError):
            RefreshToken(raw_token)
        RefreshToken(raw_token, verify=False).blacklist()
        assert Session.objects.get().end_reason == "logout"

    def test_forged_token_cannot_end_a_session(self, user):
        valid_token = str(RefreshToken.for_user(user))
        with pytest.raises(TokenError, match="invalid"):
            RefreshToken(valid_token[:-8] + "AAAAAAAA", verify=False).blacklist()
        assert Session.objects.get().end_reason == ""

    def test_outstand_of_an_unverified_token_verifies_it_and_ignores_changes(self, user, alias):
        valid_token = str(RefreshToken.for_user(user))
        alias.OutstandingToken.objects.all().delete()
        forged = RefreshToken(valid_token[:-8] + "AAAAAAAA", verify=False)
        with pytest.raises(TokenError, match="invalid"):
            forged.outstand()
        changed = RefreshToken(valid_token, verify=False)
        changed["user_id"] = "4711"
        changed.outstand()
        row = alias.OutstandingToken.objects.get()
        assert (row.user, RefreshToken(row.token)["jti"]) == (user, changed["jti"])

    def test_rotation_by_hand_keeps_the_session_and_rejects_the_old_generation(
        self, user, settings
    ):
        settings.SIMPLE_JWT = ROTATING
        refresh = RefreshToken(str(RefreshToken.for_user(user)))
        access = str(refresh.access_token)
        refresh.blacklist()
        refresh.set_jti()
        assert RefreshToken(str(refresh))["gen"] == 1
        assert AccessToken(access).session_id == refresh.session_id
        outdated = copy.copy(refresh)
        outdated.payload = outdated.payload | {"gen": 0}
        Session.objects.update(generation=5)
        with pytest.raises(TokenError, match="blacklisted"):
            outdated.blacklist()

    def test_token_stored_in_the_table_can_only_end_the_session(self, user, alias):
        token = RefreshToken.for_user(user)
        raw_token = str(token)
        row = alias.OutstandingToken.objects.get()
        assert row.token != raw_token
        stored_token = RefreshToken(row.token)
        with pytest.raises(TokenError, match="invalid"):
            _ = stored_token.access_token
        stored_token.blacklist()
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(raw_token)

    def test_outstanding_row_is_written_when_the_first_token_of_a_login_is_signed(
        self, user, alias
    ):
        token = RefreshToken.for_user(user)
        str(token.access_token)
        row = alias.OutstandingToken.objects.get()
        assert (row.jti, row.user) == (token["jti"], user)
        assert token.outstand() == (row, False)
        assert RefreshToken(str(token)).outstand() == (row, False)

    def test_outstand_also_writes_the_session(self, user, alias):
        RefreshToken.for_user(user).outstand()
        assert Session.objects.count() == alias.OutstandingToken.objects.count() == 1

    def test_token_without_a_session_can_be_blacklisted(self, alias):
        token = RefreshToken()
        raw_token = str(token)
        assert (token.outstand() or (None, False))[1]
        token.blacklist()
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(raw_token)

    def test_ended_session_is_added_to_the_blacklist(
        self, user, alias, django_capture_on_commit_callbacks
    ):
        token = RefreshToken.for_user(user)
        str(token)
        with django_capture_on_commit_callbacks(execute=True):
            end(token["sid"])
        assert alias.BlacklistedToken.objects.get().token.jti == token["jti"]
        with django_capture_on_commit_callbacks(execute=True):
            str(access := AccessToken.for_user(user))
            end(access["sid"])  # an access token has no OutstandingToken row
        assert alias.BlacklistedToken.objects.count() == 1

    def test_blacklist_row_loaded_from_a_fixture_ends_no_session(self, user, alias):
        str(RefreshToken.for_user(user))  # signing inserts the session and its OutstandingToken row
        row = alias.OutstandingToken.objects.get()
        blacklisted = alias.BlacklistedToken(token=row, blacklisted_at=row.created_at)
        blacklisted.save_base(raw=True)
        assert Session.objects.get().end_reason == ""

    def test_refresh_token_for_a_stateless_user_gets_a_row_of_the_real_user(self, user, alias):
        stateless = TokenUser(AccessToken.for_user(user))
        token = RefreshToken(str(RefreshToken.for_user(stateless)))
        row, created = token.outstand() or (None, False)
        assert row is not None
        assert (row.user, row.jti, created) == (user, token["jti"], True)

    def test_jti_that_is_not_a_session_id_ends_no_session(self, alias):
        assert tables.as_session_id("no id of a session") is None
        tables.end_logins(["no id of a session"])

    def test_rows_have_the_string_representation_of_simplejwt(self, user, alias):
        str(RefreshToken.for_user(user))  # signing inserts the session and its OutstandingToken row
        row = alias.OutstandingToken.objects.get()
        blacklisted = alias.BlacklistedToken.objects.create(token=row)
        assert str(row) == f"Token for vitor ({row.jti})"
        assert str(blacklisted) == "Blacklisted token for vitor"


class TestLegacyTokens:
    def test_legacy_tokens_are_rejected_while_adoption_is_off(self, user):
        with pytest.raises(TokenError, match="invalid"):
            AccessToken(legacy_token(user, token_type="access"))
        with pytest.raises(TokenError, match="invalid"):
            RefreshToken(legacy_token(user))

    def test_legacy_access_token_is_accepted(self, user, adopting):
        assert AccessToken(legacy_token(user, token_type="access"))["user_id"] == str(user.pk)

    def test_legacy_refresh_token_becomes_a_session_when_a_token_is_issued_from_it(
        self, user, adopting
    ):
        raw_token = legacy_token(user)
        legacy = RefreshToken(raw_token)
        assert Session.objects.count() == 0
        access = legacy.access_token
        assert AccessToken(str(access)).session_id == legacy.session_id == Session.objects.get().pk
        signed_again = RefreshToken(str(legacy))
        assert (signed_again.session_id, signed_again["gen"]) == (legacy.session_id, 0)
        RefreshToken(raw_token).blacklist()
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(raw_token)

    def test_pickled_legacy_token_becomes_the_same_session(self, user, adopting):
        legacy = RefreshToken(legacy_token(user))
        for token in (pickle.loads(pickle.dumps(legacy)), legacy):
            assert RefreshToken(str(token)).session_id == legacy.session_id
        assert Session.objects.count() == 1

    def test_legacy_token_blacklisted_before_its_adoption_is_rejected(self, user, adopting):
        raw_token = legacy_token(user)
        RefreshToken(raw_token).blacklist()
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(raw_token)

    def test_legacy_token_on_the_blacklist_is_rejected_without_a_session(
        self, user, adopting, alias
    ):
        raw_token = legacy_token(user)
        RefreshToken(raw_token).blacklist()
        Session.objects.all().delete()
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(raw_token)

    @pytest.mark.parametrize("change", ["delete", "deactivate"])
    def test_legacy_token_of_a_deleted_or_inactive_user_raises_token_error(
        self, user, adopting, change
    ):
        legacy = RefreshToken(raw_token := legacy_token(user))
        access = legacy.access_token
        if change == "delete":
            user.delete()
        else:
            type(user).objects.update(is_active=False)
        for use in (lambda: RefreshToken(raw_token), lambda: str(legacy), lambda: str(access)):
            with pytest.raises(TokenError, match="blacklisted"):
                use()
        assert legacy.blacklist() == (None, False)
        assert Session.objects.count() == 0

    def test_legacy_token_with_an_invalid_user_id_is_invalid(self, user, adopting):
        with pytest.raises(TokenError, match="invalid"):
            RefreshToken(legacy_token(user, user_id="abc"))
        with pytest.raises(TokenError, match="invalid"):
            SlidingToken(legacy_token(user, user_id="abc", token_type="sliding"))


class TestTokenBackend:
    def test_public_key_verifies_tokens_signed_with_the_private_key(self):
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        signing = TokenBackend(
            "EdDSA", private, public.decode(), ["a", "b"], "me", leeway=timedelta(1)
        )
        verifying = TokenBackend("EdDSA", None, public.decode(), "a")
        payload = verifying.read_signed(signing.encode({"nbf": datetime(2000, 1, 1, tzinfo=UTC)}))
        assert payload == {"nbf": 946684800, "aud": ["a", "b"], "iss": "me"}

    def test_unusable_options_raise_token_backend_error(self):
        with pytest.raises(TokenBackendError, match="Unrecognized algorithm type 'oi'"):
            TokenBackend("oi")
        with pytest.raises(TokenBackendError, match="'leeway' must be of type"):
            TokenBackend("HS256", leeway="x").get_leeway()
        assert TokenBackend("HS256", leeway=timedelta(1)).get_leeway() == timedelta(1)

    def test_signature_is_ignored_only_by_decode_with_verify_false(self):
        with pytest.raises(TokenBackendError, match="invalid"):
            token_backend.read_signed("x")
        token = token_backend.encode({"exp": int(runtime.now()) + 60})
        assert TokenBackend("HS256", "a key of 32 bytes or more: 0123456789").decode(
            token, verify=False
        )

    def test_jwk_url_raises_token_backend_error(self):
        with pytest.raises(TokenBackendError, match="JWK_URL"):
            TokenBackend("RS256", jwk_url="https://example.com/jwks")

    def test_token_backend_of_the_project_follows_the_settings(self, settings):
        settings.SIGNET = {"LEEWAY": 3, "ISSUER": "me", "AUDIENCE": "you", "ALGORITHM": "HS512"}
        assert token_backend.get_leeway() == timedelta(seconds=3)
        assert token_backend.decode(token_backend.encode({})) == {"iss": "me", "aud": "you"}
        assert (token_backend.algorithm, token_backend.issuer) == ("HS512", "me")
        assert token_backend.audience == "you"
        assert token_backend.signing_key == settings.SECRET_KEY
        assert token_backend.verifying_key == ""

    def test_value_assigned_to_the_token_backend_of_the_project_applies_everywhere(self, user):
        raw_token = str(AccessToken.for_user(user))
        with mock.patch.object(token_backend, "issuer", "me"):
            assert conf.current().ISSUER == api_settings.ISSUER == "me"
            with pytest.raises(TokenError):
                AccessToken(raw_token)
        assert AccessToken(raw_token).verified

    @pytest.mark.parametrize(
        "name", ["prepared_signing_key", "prepared_verifying_key", "get_verifying_key"]
    )
    def test_keys_that_are_not_handed_out_raise_the_reason(self, name):
        with pytest.raises(AttributeError, match="hands out no loaded keys"):
            getattr(token_backend, name)

    def test_key_set_cannot_be_assigned_to_a_token_backend(self):
        assert not backends.JWK_CLIENT_AVAILABLE
        assert token_backend.jwks_client is None
        with pytest.raises(AttributeError, match="JWK_URL is not supported"):
            token_backend.jwks_client = object()

    def test_short_secret_of_a_token_backend_causes_a_warning(self):
        backend = TokenBackend("HS256", "short")
        with pytest.warns(UserWarning, match="a secret for HS256 is short"):
            raw_token = backend.encode({"name": "ada"})
        assert backend.decode(raw_token) == {"name": "ada"}

    def test_token_with_another_algorithm_is_refused_by_name(self):
        raw_token = TokenBackend("HS512", "s" * 64).encode({})
        with pytest.raises(TokenBackendError, match="Invalid algorithm specified"):
            TokenBackend("HS256", "s" * 64).decode(raw_token)


class Mail(Token):
    token_type = "mail"
    lifetime = timedelta(minutes=1)


class Device(BlacklistMixin["Device"], Token):  # type: ignore[type-arg]  # as projects write it
    token_type = "device"
    lifetime = timedelta(minutes=1)


class TestCustomTokenClass:
    def test_token_with_the_blacklist_mixin_has_a_session(self, user):
        raw_token = str(Device.for_user(user))
        Device(raw_token).blacklist()
        with pytest.raises(TokenError, match="blacklisted"):
            Device(raw_token)

    def test_token_without_the_blacklist_mixin_has_no_session(self, user):
        token = Mail.for_user(user)
        assert Mail(str(token))["user_id"] == str(user.pk)
        assert (token.session_id, token.outstand()) == (None, None)
        assert Session.objects.count() == 0

    def test_claims_are_accessed_like_dict_items(self):
        token = Mail()
        token["a"] = 1
        assert ("a" in token, token["a"], token.get("b", 2)) == (True, 1, 2)
        del token["a"]
        assert "a" not in token
        assert repr(token) == repr(token.payload)
        old_jti = token["jti"]
        token.set_jti()
        assert token["jti"] != old_jti

    def test_check_exp_names_a_missing_or_expired_claim(self):
        token = Mail()
        with pytest.raises(TokenError, match="Token has no 'other' claim"):
            token.check_exp("other")
        token.set_exp(lifetime=-timedelta(seconds=1))
        with pytest.raises(TokenError, match="Token 'exp' claim has expired"):
            token.check_exp()

    @pytest.mark.parametrize(("name", "error"), [("jti", "no id"), ("token_type", "no type")])
    def test_token_without_a_required_claim_is_rejected(self, name, error):
        token = Mail()
        del token[name]
        with pytest.raises(TokenError, match=error):
            Mail(str(token))

    def test_token_of_another_type_is_rejected(self):
        with pytest.raises(TokenError, match="wrong type"):
            AccessToken(str(Mail()))

    def test_token_class_needs_a_type_and_a_lifetime(self):
        with pytest.raises(TokenError, match="no type or lifetime"):
            Token()


def test_token_user_has_only_the_data_of_its_token(user):
    token_user = TokenUser(AccessToken.for_user(user))
    assert token_user.id == str(user.pk)
    assert token_user != user
    assert pickle.loads(pickle.dumps(token_user)).id == token_user.id
    assert str(token_user) == f"TokenUser {user.pk}"
    assert hash(token_user) == hash(TokenUser(token_user.token))
    assert token_user == TokenUser(token_user.token)
    assert token_user.pk == token_user.id
    assert token_user.get_username() == token_user.username == ""
    assert token_user.whatever is None
    rights = token_user.get_all_permissions() | token_user.get_group_permissions()
    assert not rights
    assert not (token_user.is_staff)
    assert not (token_user.is_superuser)
    assert not (token_user.groups.exists())
    assert not (token_user.user_permissions.exists())
    assert not (token_user.has_perm("x"))
    assert not (token_user.has_perms(["x"]))
    assert not token_user.has_module_perms("x")
    with pytest.raises(NotImplementedError):
        token_user.check_password("x")


def test_blacklisted_token_is_refused_while_simplejwt_runs_beside_the_alias(
    adopting, alias, alias_tables, user, client
):
    token = RefreshToken.for_user(user)
    raw_token = str(token)
    token.blacklist()
    with pytest.raises(TokenError, match="blacklisted"):
        RefreshToken(raw_token)
    response = client.post("/api/token/blacklist/", {"refresh": raw_token})
    assert (response.status_code, response.json()["code"]) == (401, "token_not_valid")


def test_token_blacklisted_after_it_was_read_is_not_rotated_by_hand(
    adopting, alias, alias_tables, settings, user
):
    settings.SIMPLE_JWT = ROTATING
    first = RefreshToken(str(RefreshToken.for_user(user)))
    second = RefreshToken(str(first))
    assert first.access_token
    second.blacklist()
    with pytest.raises(TokenError, match="blacklisted"):
        first.blacklist()


def test_legacy_token_of_an_inactive_user_is_not_rotated_by_hand(adopting, settings, user):
    settings.SIMPLE_JWT = ROTATING
    token = RefreshToken(legacy_token(user))
    assert token.access_token
    type(user).objects.update(is_active=False)
    with pytest.raises(TokenError, match="blacklisted"):
        token.blacklist()
    assert not Session.objects.exists()


class TestOptionalClaims:
    """TOKEN_TYPE_CLAIM and JTI_CLAIM may be None, but not for tokens with a session."""

    @pytest.fixture(autouse=True)
    def no_claims(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {"TOKEN_TYPE_CLAIM": None, "JTI_CLAIM": None}

    def test_token_without_a_session_has_neither_claim_and_is_read(self):
        mail = Mail()
        assert mail.payload.keys() == {"exp", "iat"}
        assert Mail(str(mail)).payload == mail.payload
        assert UntypedToken(str(mail)).payload == mail.payload

    @pytest.mark.parametrize("token_class", [AccessToken, RefreshToken, SlidingToken, Device])
    def test_token_with_a_session_has_both_claims_and_requires_them(self, user, token_class):
        token = token_class.for_user(user)
        assert token["token_type"] == token_class.token_type
        assert token["jti"]
        assert token_class(str(token)).payload == token.payload
        del token["token_type"]
        with pytest.raises(TokenError, match="has no type"):
            token_class(token_backend.encode(token.payload))
        del token["jti"]
        with pytest.raises(TokenError, match="has no id"):
            token_class(token_backend.encode(token.payload))

    @pytest.mark.parametrize("token_class", [AccessToken, RefreshToken, SlidingToken])
    def test_token_without_a_type_is_no_token_of_a_user(self, user, token_class):
        with pytest.raises(TokenError, match="has no"):
            token_class(str(Mail.for_user(user)))

    def test_token_with_a_type_is_not_read_as_another_type(self, user):
        with pytest.raises(TokenError, match="wrong type"):
            Mail(str(RefreshToken.for_user(user)))


def test_rotation_is_turned_on_by_signet_or_simple_jwt(settings):
    assert not refreshing.rotates()
    settings.SIMPLE_JWT = {"ROTATE_REFRESH_TOKENS": True}
    assert not refreshing.rotates()
    settings.SIMPLE_JWT = ROTATING
    assert refreshing.rotates()
    settings.SIMPLE_JWT = {}
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True}
    assert refreshing.rotates()


def test_datetimes_follow_use_tz(settings):
    from drf_signet.compat.simplejwt import utils

    naive = datetime(2026, 11, 25)  # noqa: DTZ001 - naive on purpose
    assert utils.make_utc(naive) == naive.replace(tzinfo=UTC)
    settings.USE_TZ = False
    assert utils.make_utc(naive) == naive
    assert utils.aware_utcnow().tzinfo is None
    assert str(utils.format_lazy("{} {}", 1, 2)) == "1 2"
    assert utils.datetime_from_epoch(0) == datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose
