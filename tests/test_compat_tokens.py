"""Tokens as objects, and the sessions behind them."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError

from drf_signet import Session, end, runtime
from drf_signet.compat.simplejwt import logins, tables
from drf_signet.compat.simplejwt.backends import TokenBackend
from drf_signet.compat.simplejwt.exceptions import (
    EndedError,
    ExpiredTokenError,
    TokenBackendError,
    TokenError,
)
from drf_signet.compat.simplejwt.models import TokenUser
from drf_signet.compat.simplejwt.sessiontokens import BlacklistMixin
from drf_signet.compat.simplejwt.state import token_backend
from drf_signet.compat.simplejwt.tokens import (
    AccessToken,
    RefreshToken,
    SlidingToken,
    Token,
    UntypedToken,
)
from drf_signet.tokens import verify_access, verify_refresh
from tests.aliased import alias, alias_tables
from tests.situations import token_of_old

__all__ = ["alias", "alias_tables"]  # fixtures, here by their import

ROTATING = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}


def in_an_hour() -> datetime:
    return datetime.fromtimestamp(runtime.now() + 3600, UTC)


@pytest.fixture
def adopting(settings: Any) -> None:
    settings.SIGNET = {"ADOPT_TOKENS_UNTIL": in_an_hour()}


class TestWriting:
    def test_nothing_is_written_before_a_token_is_signed(self, user, django_assert_num_queries):
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

    @pytest.mark.parametrize("kind", [AccessToken, RefreshToken, SlidingToken])
    def test_what_it_writes_is_a_token_of_ours(self, user, kind):
        token = kind.for_user(user)
        text = str(token)
        assert kind(text).payload == token.payload
        if kind is AccessToken:
            assert verify_access(text, now=runtime.now()).session_id == token.session_id
        if kind is RefreshToken:
            claims = verify_refresh(text, now=runtime.now())
            assert (claims.session_id, claims.generation) == (token.session_id, 0)
            assert claims["user_id"] == user.pk

    def test_copies_that_were_made_before_are_of_one_session(self, user):
        token = RefreshToken.for_user(user)
        for one in (token, copy.copy(token), copy.deepcopy(token)):
            assert RefreshToken(str(one)).session_id == token.session_id
        assert Session.objects.count() == 1

    def test_a_write_that_fails_is_tried_again(self, user):
        token = RefreshToken.for_user(user)
        failing = mock.patch("drf_signet.sessions.open", side_effect=IntegrityError)
        with failing, pytest.raises(IntegrityError):
            str(token)
        str(token)
        assert Session.objects.count() == 1

    def test_a_session_lasts_as_long_as_its_longest_token(self, user):
        token = RefreshToken.for_user(user)
        token.set_exp(lifetime=timedelta(days=40))
        str(token)
        assert Session.objects.get().expires_at.timestamp() == token["exp"]
        access = token.access_token
        access["exp"] = in_an_hour() + timedelta(days=50)
        assert str(access)
        assert Session.objects.get().expires_at.timestamp() == int(access["exp"].timestamp())

    def test_a_user_who_is_named_by_hand_gets_a_session(self, user):
        token = RefreshToken()
        token["user_id"] = str(user.pk)
        access = token.access_token
        assert "sid" in access
        assert str(access)
        assert Session.objects.get().user == user

    def test_a_user_without_a_row_is_looked_up(self, user):
        stateless = TokenUser(AccessToken.for_user(user))
        str(AccessToken.for_user(stateless))
        assert Session.objects.get().user == user

    def test_a_row_of_another_model_is_not_taken_for_the_user_of_its_key(self, user):
        group = Group.objects.create(pk=user.pk, name="editors")
        for kind in (AccessToken, RefreshToken, SlidingToken):
            with pytest.raises(TypeError, match="a session is of a User, not of <Group: editors>"):
                kind.for_user(group)

    @pytest.mark.parametrize("named", ["4711", "abc", None])
    def test_a_user_who_is_not_there_gets_a_token_that_nobody_takes(self, db, named):
        token = AccessToken()
        token["user_id"] = named
        with pytest.raises(TokenError, match="Token is invalid"):
            AccessToken(str(token))

    def test_a_token_for_an_inactive_user_is_logged(self, user, caplog):
        user.is_active = False
        AccessToken.for_user(user)
        assert "inactive" in caplog.text

    def test_claims_of_the_hook_are_in_it(self, user, settings):
        settings.SIGNET = {"CLAIMS": lambda user, session: {"name": user.username}}
        token = RefreshToken.for_user(user)
        assert token["name"] == token.access_token["name"] == "vitor"
        settings.SIGNET = {"CLAIMS": lambda user, session: {"exp": 1}}
        with pytest.raises(ValueError, match="reserved claims cannot be set: exp"):
            RefreshToken.for_user(user)

    def test_claims_that_tie_it_to_its_session_cannot_be_set(self, user):
        token = RefreshToken.for_user(user)
        for name in ("sid", "gen"):
            with pytest.raises(ValueError, match=name):
                token[name] = 1

    def test_a_token_that_is_not_about_a_user_has_no_session(self, db):
        token = AccessToken()
        token["mail"] = "vitor@example.com"
        again = AccessToken(str(token))
        assert (again["mail"], again.session_id) == ("vitor@example.com", None)
        refresh = RefreshToken()
        assert RefreshToken(str(refresh)).access_token.payload.keys() == {
            "token_type",
            "exp",
            "iat",
            "jti",
        }
        assert Session.objects.count() == 0

    def test_another_json_encoder_is_used(self, user, settings):
        settings.SIMPLE_JWT = {"JSON_ENCODER": "rest_framework.utils.encoders.JSONEncoder"}
        token = AccessToken.for_user(user)
        token["at"] = datetime(2026, 11, 25, tzinfo=UTC)
        assert AccessToken(str(token))["at"] == "2026-11-25T00:00:00Z"


class TestReading:
    @pytest.mark.parametrize("kind", [AccessToken, RefreshToken, SlidingToken])
    def test_verified_and_unverified_tell_themselves_apart(self, user, kind):
        text = str(kind.for_user(user))
        forged = text[:-8] + "AAAAAAAA"
        assert kind(text).verified
        unverified = kind(forged.encode(), verify=False)
        assert not unverified.verified
        unverified["is_admin"] = True
        assert str(unverified) == forged
        assert unverified.session_id is None

    def test_an_unverified_refresh_token_gives_no_access_token(self, user):
        text = str(RefreshToken.for_user(user))
        with pytest.raises(TokenError, match="invalid"):
            _ = RefreshToken(text, verify=False).access_token

    @pytest.mark.parametrize(
        "payload", [b"[]", b"{", b"{}", b"[" * 10000], ids=["list", "broken", "empty", "deep"]
    )
    def test_what_is_read_unverified_is_an_object(self, payload):
        from drf_signet.strictjson import b64url_encode

        text = f"e30.{b64url_encode(payload)}.AAAA"
        if payload == b"{}":
            assert UntypedToken(text, verify=False).payload == {}
        else:
            with pytest.raises(TokenError, match="invalid"):
                UntypedToken(text, verify=False)
        with pytest.raises(TokenError, match="invalid"):
            UntypedToken("x", verify=False)

    @pytest.mark.parametrize(
        ("claims", "text"),
        [
            ({"sid": 5}, "invalid"),
            ({"sid": "abc"}, "invalid"),
            ({"iat": None}, "invalid"),
            ({"exp": "soon"}, "invalid"),
            ({"exp": 1}, "expired"),
            ({"nbf": 2**40}, "invalid"),
        ],
    )
    def test_a_signed_mistake_is_a_token_error(self, user, claims, text):
        token = AccessToken.for_user(user)
        str(token)
        payload = {k: v for k, v in (token.payload | claims).items() if v is not None}
        with pytest.raises(TokenError, match=text):
            UntypedToken(token_backend.encode(payload))

    def test_an_instant_beyond_all_calendars_is_a_token_error(self):
        token = AccessToken()
        token["exp"] = 10**30
        with pytest.raises(TokenError, match="invalid"):
            token.check_exp()

    def test_a_token_of_an_ended_session_is_refused(self, user):
        token = RefreshToken.for_user(user)
        texts = [str(token), str(token.access_token)]
        end(token["sid"])
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(texts[0])
        with pytest.raises(EndedError, match="blacklisted"):
            AccessToken(texts[1])
        with pytest.raises(EndedError, match="blacklisted"):
            UntypedToken(texts[0])

    def test_a_token_that_outlives_the_feed_is_asked_for_in_the_table(
        self, user, django_assert_num_queries
    ):
        token = AccessToken.for_user(user)
        token.set_exp(lifetime=timedelta(days=300))
        text = str(token)
        with django_assert_num_queries(1):
            AccessToken(text)
        Session.objects.update(end_reason="logout")
        with pytest.raises(EndedError):
            AccessToken(text)

    def test_a_rotated_refresh_token_is_refused_after_the_grace(self, user, settings):
        settings.SIMPLE_JWT = ROTATING
        settings.SIGNET = {"ROTATION_GRACE_PERIOD": timedelta(0)}
        text = str(RefreshToken.for_user(user))
        Session.objects.update(generation=1)
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(text)
        assert Session.objects.get().end_reason == ""

    def test_a_class_with_a_backend_of_its_own_reads_what_others_sign(self):
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


class TestEnding:
    def test_blacklist_ends_the_session(self, user):
        token = RefreshToken.for_user(user)
        text = str(token)
        assert RefreshToken(text).blacklist() == (None, False)
        assert Session.objects.get().end_reason == "logout"
        assert token.blacklist() == (None, False)

    def test_a_token_that_was_never_signed_is_never_written(self, user):
        token = RefreshToken.for_user(user)
        token.blacklist()
        with pytest.raises(TokenError, match="blacklisted"):
            str(token)
        assert Session.objects.count() == 0

    def test_a_token_that_has_expired_can_still_end_its_session(self, user):
        token = RefreshToken.for_user(user)
        token.set_exp(lifetime=-timedelta(seconds=1))
        text = str(token)
        with pytest.raises(ExpiredTokenError):
            RefreshToken(text)
        RefreshToken(text, verify=False).blacklist()
        assert Session.objects.get().end_reason == "logout"

    def test_a_forged_token_ends_nothing(self, user):
        text = str(RefreshToken.for_user(user))
        with pytest.raises(TokenError, match="invalid"):
            RefreshToken(text[:-8] + "AAAAAAAA", verify=False).blacklist()
        assert Session.objects.get().end_reason == ""

    def test_nothing_is_signed_for_what_was_merely_read(self, user, alias):
        text = str(RefreshToken.for_user(user))
        alias.OutstandingToken.objects.all().delete()
        forged = RefreshToken(text[:-8] + "AAAAAAAA", verify=False)
        with pytest.raises(TokenError, match="invalid"):
            forged.outstand()
        changed = RefreshToken(text, verify=False)
        changed["user_id"] = "4711"
        changed.outstand()
        row = alias.OutstandingToken.objects.get()
        assert (row.user, RefreshToken(row.token)["user_id"]) == (user, str(user.pk))

    def test_a_rotation_by_hand_uses_up_the_token_alone(self, user, settings):
        settings.SIMPLE_JWT = ROTATING
        text = str(RefreshToken.for_user(user))
        refresh = RefreshToken(text)
        access = str(refresh.access_token)
        refresh.blacklist()
        refresh.set_jti()
        assert RefreshToken(str(refresh))["gen"] == 1
        assert AccessToken(access).session_id == refresh.session_id
        late = copy.copy(refresh)
        late.payload = late.payload | {"gen": 0}
        Session.objects.update(generation=5)
        with pytest.raises(TokenError, match="blacklisted"):
            late.blacklist()

    def test_what_stands_in_the_table_can_end_and_nothing_else(self, user, alias):
        token = RefreshToken.for_user(user)
        text = str(token)
        row = alias.OutstandingToken.objects.get()
        assert row.token != text
        handle = RefreshToken(row.token)
        with pytest.raises(TokenError, match="invalid"):
            _ = handle.access_token
        handle.blacklist()
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(text)

    def test_a_row_is_made_for_every_login_when_its_first_token_is_signed(self, user, alias):
        token = RefreshToken.for_user(user)
        str(token.access_token)
        row = alias.OutstandingToken.objects.get()
        assert (row.jti, row.user) == (token["jti"], user)
        assert token.outstand() == (row, False)
        assert RefreshToken(str(token)).outstand() == (row, False)

    def test_outstand_writes_the_session_too(self, user, alias):
        RefreshToken.for_user(user).outstand()
        assert Session.objects.count() == alias.OutstandingToken.objects.count() == 1

    def test_a_token_without_a_session_can_be_listed(self, alias):
        token = RefreshToken()
        text = str(token)
        assert (token.outstand() or (None, False))[1]
        token.blacklist()
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(text)

    def test_a_session_that_ends_is_listed(self, user, alias, django_capture_on_commit_callbacks):
        token = RefreshToken.for_user(user)
        str(token)
        with django_capture_on_commit_callbacks(execute=True):
            end(token["sid"])
        assert alias.BlacklistedToken.objects.get().token.jti == token["jti"]
        with django_capture_on_commit_callbacks(execute=True):
            str(access := AccessToken.for_user(user))
            end(access["sid"])  # has no row
        assert alias.BlacklistedToken.objects.count() == 1

    def test_what_a_fixture_loads_ends_nothing(self, user, alias):
        str(RefreshToken.for_user(user))
        row = alias.OutstandingToken.objects.get()
        listed = alias.BlacklistedToken(token=row, blacklisted_at=row.created_at)
        listed.save_base(raw=True)
        assert Session.objects.get().end_reason == ""

    def test_a_stateless_user_can_be_given_a_refresh_token(self, user, alias):
        stateless = TokenUser(AccessToken.for_user(user))
        token = RefreshToken(str(RefreshToken.for_user(stateless)))
        row, created = token.outstand() or (None, False)
        assert row is not None
        assert (row.user, row.jti, created) == (user, token["jti"], True)

    def test_rows_of_before_name_no_session(self, alias):
        assert tables.as_session_id("no id of a session") is None
        tables.end_logins(["no id of a session"])

    def test_rows_say_what_they_are(self, user, alias):
        str(RefreshToken.for_user(user))
        row = alias.OutstandingToken.objects.get()
        listed = alias.BlacklistedToken.objects.create(token=row)
        assert str(row) == f"Token for vitor ({row.jti})"
        assert str(listed) == "Blacklisted token for vitor"


class TestTokensOfOld:
    def test_they_are_refused_unless_they_are_adopted(self, user):
        with pytest.raises(TokenError, match="invalid"):
            AccessToken(token_of_old(user, token_type="access"))
        with pytest.raises(TokenError, match="invalid"):
            RefreshToken(token_of_old(user))

    def test_an_access_token_is_read_and_has_no_session_yet(self, user, adopting):
        assert AccessToken(token_of_old(user, token_type="access"))["user_id"] == str(user.pk)

    def test_a_refresh_token_becomes_a_session_when_something_is_made_of_it(self, user, adopting):
        text = token_of_old(user)
        old = RefreshToken(text)
        assert Session.objects.count() == 0
        access = old.access_token
        assert AccessToken(str(access)).session_id == old.session_id == Session.objects.get().pk
        renewed = RefreshToken(str(old))
        assert (renewed.session_id, renewed["gen"]) == (old.session_id, 0)
        RefreshToken(text).blacklist()
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(text)

    def test_a_pickled_one_becomes_the_same_session(self, user, adopting):
        old = RefreshToken(token_of_old(user))
        for one in (pickle.loads(pickle.dumps(old)), old):
            assert RefreshToken(str(one)).session_id == old.session_id
        assert Session.objects.count() == 1

    def test_one_that_is_blacklisted_first_stays_dead(self, user, adopting):
        text = token_of_old(user)
        RefreshToken(text).blacklist()
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(text)

    def test_one_on_the_blacklist_stays_dead(self, user, adopting, alias):
        text = token_of_old(user)
        RefreshToken(text).blacklist()
        Session.objects.all().delete()
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(text)

    @pytest.mark.parametrize("leave", ["delete", "deactivate"])
    def test_one_whose_user_left_is_refused_by_the_error_that_code_expects(
        self, user, adopting, leave
    ):
        held = RefreshToken(text := token_of_old(user))
        access = held.access_token
        if leave == "delete":
            user.delete()
        else:
            type(user).objects.update(is_active=False)
        for use in (lambda: RefreshToken(text), lambda: str(held), lambda: str(access)):
            with pytest.raises(TokenError, match="blacklisted"):
                use()
        assert held.blacklist() == (None, False)
        assert Session.objects.count() == 0

    def test_one_whose_user_nobody_could_name_is_invalid(self, user, adopting):
        text = token_of_old(user, user_id="abc")
        with pytest.raises(TokenError, match="invalid"):
            RefreshToken(text)
        with pytest.raises(TokenError, match="invalid"):
            SlidingToken(token_of_old(user, user_id="abc", token_type="sliding"))


class TestBackends:
    def test_a_public_key_reads_what_the_private_key_signs(self):
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
        both = TokenBackend(
            "EdDSA", private, public.decode(), ["a", "b"], "me", leeway=timedelta(1)
        )
        reads = TokenBackend("EdDSA", None, public.decode(), "a")
        payload = reads.read_signed(both.encode({"nbf": datetime(2000, 1, 1, tzinfo=UTC)}))
        assert payload == {"nbf": 946684800, "aud": ["a", "b"], "iss": "me"}

    def test_what_it_cannot_use_is_an_error(self):
        with pytest.raises(TokenBackendError, match="Unrecognized algorithm type 'oi'"):
            TokenBackend("oi")
        with pytest.raises(TokenBackendError, match="'leeway' must be of type"):
            TokenBackend("HS256", leeway="x").get_leeway()
        assert TokenBackend("HS256", leeway=timedelta(1)).get_leeway() == timedelta(1)

    def test_what_was_signed_by_nobody_here_is_not_read(self):
        with pytest.raises(TokenBackendError, match="invalid"):
            token_backend.read_signed("x")
        text = token_backend.encode({"exp": int(runtime.now()) + 60})
        assert TokenBackend("HS256", "a key of 32 bytes or more: 0123456789").decode(
            text, verify=False
        )

    def test_a_key_set_that_is_fetched_is_refused(self):
        with pytest.raises(TokenBackendError, match="JWK_URL"):
            TokenBackend("RS256", jwk_url="https://example.com/jwks")

    def test_the_project_s_follows_the_settings(self, settings):
        settings.SIGNET = {"LEEWAY": 3, "ISSUER": "me", "AUDIENCE": "you", "ALGORITHM": "HS512"}
        assert token_backend.get_leeway() == timedelta(seconds=3)
        assert token_backend.decode(token_backend.encode({})) == {"iss": "me", "aud": "you"}
        assert (token_backend.algorithm, token_backend.issuer) == ("HS512", "me")
        assert token_backend.audience == ("you",)
        assert token_backend.signing_key is token_backend.verifying_key is None


class Mail(Token):
    token_type = "mail"
    lifetime = timedelta(minutes=1)


class Device(BlacklistMixin["Device"], Token):  # type: ignore[type-arg]  # as it was written
    token_type = "device"
    lifetime = timedelta(minutes=1)


class TestTheirOwn:
    def test_a_token_of_another_type_can_have_a_session(self, user):
        text = str(Device.for_user(user))
        Device(text).blacklist()
        with pytest.raises(TokenError, match="blacklisted"):
            Device(text)

    def test_a_token_of_another_type_has_no_session(self, user):
        token = Mail.for_user(user)
        assert Mail(str(token))["user_id"] == str(user.pk)
        assert (token.session_id, token.outstand()) == (None, None)
        assert Session.objects.count() == 0

    def test_claims_are_items(self):
        token = Mail()
        token["a"] = 1
        assert ("a" in token, token["a"], token.get("b", 2)) == (True, 1, 2)
        del token["a"]
        assert "a" not in token
        assert repr(token) == repr(token.payload)
        before = token["jti"]
        token.set_jti()
        assert token["jti"] != before

    def test_a_claim_that_is_missing_is_said(self):
        token = Mail()
        with pytest.raises(TokenError, match="Token has no 'other' claim"):
            token.check_exp("other")
        token.set_exp(lifetime=-timedelta(seconds=1))
        with pytest.raises(TokenError, match="Token 'exp' claim has expired"):
            token.check_exp()

    @pytest.mark.parametrize(("name", "text"), [("jti", "no id"), ("token_type", "no type")])
    def test_a_claim_that_is_missing_is_refused(self, name, text):
        token = Mail()
        del token[name]
        with pytest.raises(TokenError, match=text):
            Mail(str(token))

    def test_a_token_of_another_type_is_refused(self):
        with pytest.raises(TokenError, match="wrong type"):
            AccessToken(str(Mail()))

    def test_a_type_and_a_lifetime_are_needed(self):
        with pytest.raises(TokenError, match="no type or lifetime"):
            Token()


def test_token_users_are_only_what_the_token_says(user):
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


def test_rotation_follows_either_setting(settings):
    assert not logins.rotates()
    settings.SIMPLE_JWT = {"ROTATE_REFRESH_TOKENS": True}
    assert not logins.rotates()
    settings.SIMPLE_JWT = ROTATING
    assert logins.rotates()
    settings.SIMPLE_JWT = {}
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True}
    assert logins.rotates()


def test_instants_follow_the_project(settings):
    from drf_signet.compat.simplejwt import utils

    naive = datetime(2026, 11, 25)  # noqa: DTZ001 - that is the point
    assert utils.make_utc(naive) == naive.replace(tzinfo=UTC)
    settings.USE_TZ = False
    assert utils.make_utc(naive) == naive
    assert utils.aware_utcnow().tzinfo is None
    assert str(utils.format_lazy("{} {}", 1, 2)) == "1 2"
    assert utils.datetime_from_epoch(0) == datetime(1970, 1, 1)  # noqa: DTZ001 - as above
