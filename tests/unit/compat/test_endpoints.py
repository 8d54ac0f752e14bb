"""Test the alias's endpoints and authentication where they differ from simplejwt or drf-signet."""

from __future__ import annotations

import copy
import importlib
import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.contrib.admin import site
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection
from django.test import RequestFactory
from rest_framework.test import APIRequestFactory

from drf_signet import Session, end, issue, runtime
from drf_signet.compat.simplejwt import authentication, serializers, views
from drf_signet.compat.simplejwt.authentication import (
    JWTAuthentication,
    JWTStatelessUserAuthentication,
)
from drf_signet.compat.simplejwt.backends import TokenBackend
from drf_signet.compat.simplejwt.exceptions import AuthenticationFailed, InvalidToken, TokenError
from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken, SlidingToken
from drf_signet.compat.simplejwt.utils import get_md5_hash_password
from drf_signet.sessions.ended import ended_sessions
from tests.conftest import PASSWORD
from tests.support.session_states import legacy_token
from tests.support.simplejwt_alias import alias, alias_tables, committing

__all__ = ["alias", "alias_tables"]  # fixtures, imported so that pytest finds them

ROTATING = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}
CREDENTIALS = {"username": "vitor", "password": PASSWORD}


@pytest.fixture
def pair(client: Any, alias: Any, user: Any) -> dict[str, str]:
    """Log the user in; return a dict with the access token and the refresh token."""
    tokens: dict[str, str] = client.post("/api/token/", CREDENTIALS).json()
    return tokens


def body(answer: Any) -> tuple[int, Any]:
    return answer.status_code, answer.json()


def hello(client: Any, token: object) -> tuple[int, Any]:
    return body(client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {token}"))


def refresh(client: Any, token: object) -> Any:
    return client.post("/api/token/refresh/", {"refresh": str(token)})


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


BLACKLISTED = (401, {"detail": "Token is blacklisted", "code": "token_not_valid"})
NO_ACCOUNT = (
    401,
    {"detail": "No active account found for the given token.", "code": "no_active_account"},
)


class TestLogin:
    def test_login_stores_the_user_agent_in_the_session(self, client, alias, user):
        answer = client.post("/api/token/", CREDENTIALS, HTTP_USER_AGENT="curl/8")
        assert answer.status_code == 200
        assert answer["Cache-Control"] == "no-store"
        assert Session.objects.get().user_agent == "curl/8"

    def test_native_and_simplejwt_endpoints_accept_each_other_s_tokens(self, client, pair, user):
        answer = client.post("/native/refresh/", {"refresh": pair["refresh"]})
        assert answer.status_code == 200
        assert hello(client, answer.json()["access"])[0] == 200
        assert refresh(client, issue(user).refresh).status_code == 200
        header = {"HTTP_AUTHORIZATION": f"Bearer {pair['access']}"}
        assert client.get("/native/sessions/", **header).json()[1]["current"]

    @pytest.mark.parametrize("data", [[], "x", None, {"username": [], "password": {}}])
    def test_malformed_body_is_answered_with_400(self, client, alias, data):
        assert client.post("/api/token/", data, format="json").status_code == 400

    def test_failed_logins_are_throttled_if_login_throttle_is_set(
        self, client, alias, user, settings
    ):
        settings.SIGNET = {"LOGIN_THROTTLE": {"username": "2/day"}}
        wrong = {**CREDENTIALS, "password": "no"}
        statuses = [client.post("/api/token/", wrong).status_code for _ in range(3)]
        assert statuses == [401, 401, 429]

    def test_last_login_is_updated_only_if_the_setting_is_on(self, client, alias, user, settings):
        client.post("/api/token/", CREDENTIALS)
        user.refresh_from_db()
        assert user.last_login is None
        settings.SIMPLE_JWT = {"UPDATE_LAST_LOGIN": True}
        client.post("/api/token/", CREDENTIALS)
        user.refresh_from_db()
        assert user.last_login is not None

    @pytest.mark.parametrize("simple_jwt", [{}, {"UPDATE_LAST_LOGIN": True}])
    @pytest.mark.parametrize("path", ["/api/token/", "/api/sliding/"])
    @committing
    def test_login_of_a_user_deleted_meanwhile_is_refused(
        self, client, alias, user, settings, path, simple_jwt
    ):
        wrong = client.post(path, {**CREDENTIALS, "password": "wrong"})
        settings.AUTHENTICATION_BACKENDS = ["tests.unit.test_flows.Deleting"]
        settings.SIMPLE_JWT = simple_jwt
        assert body(client.post(path, CREDENTIALS)) == body(wrong)
        assert not Session.objects.exists()
        assert not alias.OutstandingToken.objects.exists()

    @pytest.mark.parametrize("path", ["/api/token/", "/api/sliding/"])
    @committing
    def test_user_deleted_right_after_the_session_was_written_gets_no_usable_token(
        self, client, alias, user, path
    ):
        table = connection.ops.quote_name(alias.OutstandingToken._meta.db_table)

        def overtake(execute: Any, sql: str, *args: Any) -> Any:
            if not overtaken and table in sql and Session.objects.exists():
                overtaken.append(sql)
                user.delete()
            return execute(sql, *args)

        overtaken: list[str] = []
        with connection.execute_wrapper(overtake):
            answer = client.post(path, CREDENTIALS)
        assert answer.status_code == 200
        assert [row.user for row in alias.OutstandingToken.objects.all()] == [None]
        for token in answer.json().values():
            assert hello(client, token)[0] == refresh(client, token).status_code == 401

    @committing
    @pytest.mark.parametrize("verb", ["UPDATE", "INSERT INTO"])
    def test_database_error_during_a_login_is_raised(self, client, alias, user, settings, verb):
        model = type(user) if verb == "UPDATE" else alias.OutstandingToken
        failing_query = f"{verb} {connection.ops.quote_name(model._meta.db_table)}"

        def fail(execute: Any, sql: str, *args: Any) -> Any:
            if sql.startswith(failing_query):
                raise IntegrityError("out of order")
            return execute(sql, *args)

        settings.SIMPLE_JWT = {"UPDATE_LAST_LOGIN": True}
        with (
            connection.execute_wrapper(fail),
            pytest.raises(IntegrityError, match="out of order"),
        ):
            client.post("/api/token/", CREDENTIALS)

    def test_login_serializer_accepts_a_context_without_a_genuine_request(self, user):
        for context in ({}, {"request": None}, mock.MagicMock()):
            serializer = serializers.TokenObtainPairSerializer(data=CREDENTIALS, context=context)
            assert serializer.is_valid()
            assert RefreshToken(serializer.validated_data["refresh"])["user_id"] == str(user.pk)

    def test_login_serializer_may_issue_tokens_of_another_kind(self, user):
        class CustomSerializer(serializers.TokenObtainSerializer):
            @classmethod
            def get_token(cls, user: Any) -> Any:
                return f"token of {user}"

        serializer = CustomSerializer(
            data=CREDENTIALS, context={"request": RequestFactory().post("/")}
        )
        assert serializer.is_valid()
        assert serializer._issue() == "token of vitor"
        without_request = CustomSerializer(data=CREDENTIALS)
        assert without_request.is_valid()
        assert without_request.user == user

    def test_serializer_that_cannot_be_imported_is_named_in_the_error(self, settings):
        settings.SIMPLE_JWT = {"TOKEN_OBTAIN_SERIALIZER": "nowhere.Serializer"}
        with pytest.raises(ImportError, match=r"Could not import serializer 'nowhere.Serializer'"):
            views.TokenObtainPairView().get_serializer_class()

    def test_view_may_set_its_serializer_by_path_or_by_class(self):
        class ByPath(views.TokenObtainPairView):
            _serializer_class = "drf_signet.compat.simplejwt.serializers.TokenVerifySerializer"

        class ByClass(views.TokenObtainPairView):
            serializer_class = serializers.TokenRefreshSerializer

        assert ByPath().get_serializer_class() is serializers.TokenVerifySerializer
        assert ByClass().get_serializer_class() is serializers.TokenRefreshSerializer


class TestRefreshWithoutUser:
    """Tokens that do not identify a user have no session. simplejwt refreshes them all the same."""

    def test_new_access_token_has_the_custom_claims_and_authenticates_nobody(self, client, alias):
        token = RefreshToken()
        token["scope"] = "import"
        answer = refresh(client, token)
        assert (answer.status_code, list(answer.json())) == (200, ["access"])
        access = AccessToken(answer.json()["access"])
        assert (access["scope"], Session.objects.count()) == ("import", 0)
        assert hello(client, access)[0] == 401

    def test_rotated_token_is_rejected_if_its_app_is_installed(self, client, alias, settings):
        settings.SIMPLE_JWT = ROTATING
        token = RefreshToken()
        first = refresh(client, token).json()
        assert RefreshToken(first["refresh"])["jti"] != token["jti"]
        assert body(refresh(client, token)) == BLACKLISTED
        assert refresh(client, first["refresh"]).status_code == 200

    def test_rotated_token_stays_valid_without_blacklisting(self, client, alias, settings):
        settings.SIMPLE_JWT = {"ROTATE_REFRESH_TOKENS": True}
        token = str(RefreshToken())
        assert {refresh(client, token).status_code for _ in range(2)} == {200}

    def test_token_that_another_request_rotates_at_the_same_time_is_rejected(self, alias, settings):
        class OvertakenToken(RefreshToken):
            @property
            def access_token(self):
                RefreshToken(str(self)).blacklist()
                return super().access_token

        class Serializer(serializers.TokenRefreshSerializer):
            token_class = OvertakenToken

        settings.SIMPLE_JWT = ROTATING
        with pytest.raises(TokenError, match="blacklisted"):
            Serializer(data={"refresh": str(RefreshToken())}).is_valid()

    def test_token_of_a_session_without_the_user_claim_is_rejected(self, client, alias, user):
        token = RefreshToken.for_user(user)
        del token["user_id"]
        assert refresh(client, token).status_code == 401


class TestRefresh:
    def test_refresh_keeps_custom_claims_and_recomputes_the_claims_setting(
        self, client, alias, user, settings
    ):
        values = iter("abc")
        settings.SIGNET = {"CLAIMS": lambda user, session: {"fresh": next(values)}}
        settings.SIMPLE_JWT = ROTATING
        token = RefreshToken.for_user(user)
        token["own"] = 1
        for fresh in "bc":
            answer = refresh(client, token).json()
            access, token = AccessToken(answer["access"]), RefreshToken(answer["refresh"])
            assert (access["own"], access["fresh"]) == (token["own"], token["fresh"]) == (1, fresh)

    def test_retried_refresh_returns_the_same_generation(self, client, pair, settings):
        settings.SIMPLE_JWT = ROTATING
        tokens = [RefreshToken(refresh(client, pair["refresh"]).json()["refresh"]) for _ in "ab"]
        session_id = tokens[0].session_id
        assert [(token.session_id, token["gen"]) for token in tokens] == [(session_id, 1)] * 2
        assert Session.objects.get().generation == 1

    def test_replayed_refresh_token_is_rejected_and_ends_the_session(self, client, pair, settings):
        settings.SIMPLE_JWT = ROTATING
        settings.SIGNET = {"ROTATION_GRACE_PERIOD": timedelta(0)}
        successor = refresh(client, pair["refresh"]).json()["refresh"]
        assert body(refresh(client, pair["refresh"])) == BLACKLISTED
        assert Session.objects.get().end_reason == "reuse"
        assert body(refresh(client, successor)) == BLACKLISTED

    def test_refresh_token_is_rejected_as_blacklisted_after_a_password_change(
        self, client, pair, user
    ):
        user.set_password("another")
        user.save()
        assert body(refresh(client, pair["refresh"])) == BLACKLISTED

    @pytest.mark.parametrize("remove", ["save", "update", "delete"])
    def test_refresh_of_a_deleted_or_inactive_user_is_rejected_with_no_active_account(
        self, client, pair, user, remove
    ):
        if remove == "save":
            user.is_active = False
            user.save()
        elif remove == "update":
            type(user).objects.update(is_active=False)
        else:
            user.delete()
        assert body(refresh(client, pair["refresh"])) == NO_ACCOUNT

    def test_refreshed_tokens_expire_no_later_than_the_session(self, client, pair, settings):
        settings.SIMPLE_JWT = ROTATING
        last = runtime.now() + 60
        Session.objects.update(expires_at=datetime.fromtimestamp(last, UTC))
        answer = refresh(client, pair["refresh"]).json()
        assert AccessToken(answer["access"])["exp"] == int(last)
        assert RefreshToken(answer["refresh"])["exp"] == int(last)

    def test_refresh_takes_one_query_and_rotation_takes_two(
        self, client, pair, settings, django_assert_num_queries
    ):
        with django_assert_num_queries(1):
            refresh(client, pair["refresh"])
        settings.SIMPLE_JWT = ROTATING
        with django_assert_num_queries(2):
            refresh(client, pair["refresh"])

    def test_forged_refresh_token_is_rejected_without_a_query(
        self, client, pair, django_assert_num_queries
    ):
        with django_assert_num_queries(0):
            assert refresh(client, pair["refresh"][:-8] + "AAAAAAAA").status_code == 401


class MobileAccess(AccessToken):
    token_type = "mobile access"


class MobileToken(RefreshToken):
    token_type = "mobile"
    lifetime = timedelta(days=30)
    access_token_class = MobileAccess


class MobileSerializer(serializers.TokenRefreshSerializer):
    token_class = MobileToken


class TestCustomTokenType:
    @pytest.fixture(autouse=True)
    def _settings(self, alias: Any, settings: Any) -> None:
        settings.SIMPLE_JWT = {
            **ROTATING,
            "TOKEN_REFRESH_SERIALIZER": f"{__name__}.MobileSerializer",
            "AUTH_TOKEN_CLASSES": [f"{__name__}.MobileAccess"],
        }
        settings.SIGNET = {"ROTATION_GRACE_PERIOD": timedelta(0)}

    def test_custom_refresh_token_is_rotated_and_replays_are_detected(self, client, user):
        token = MobileToken.for_user(user)
        token["role"] = "editor"
        answer = refresh(client, token).json()
        successor = MobileToken(answer["refresh"])
        assert (successor["gen"], successor["token_type"], successor["role"]) == (
            1,
            "mobile",
            "editor",
        )
        assert hello(client, answer["access"])[0] == 200
        assert hello(client, AccessToken.for_user(user))[0] == 401
        assert body(refresh(client, token)) == BLACKLISTED
        assert body(refresh(client, successor)) == BLACKLISTED

    def test_custom_serializer_rejects_tokens_of_other_types(self, client, user, alias):
        token = MobileToken.for_user(user)
        others = [RefreshToken.for_user(user), token.access_token, SlidingToken.for_user(user)]
        assert [refresh(client, other).status_code for other in others] == [401] * 3
        row = alias.OutstandingToken.objects.get(jti=token["jti"])
        assert refresh(client, row.token).status_code == 401
        native = client.post("/native/refresh/", {"refresh": str(token)})
        assert native.status_code == 401

    def test_legacy_token_of_a_custom_type_is_adopted_and_can_be_blacklisted(
        self, client, user, settings
    ):
        token = legacy_token(user, token_type="mobile")
        assert refresh(client, token).status_code == 401
        until = datetime.fromtimestamp(runtime.now() + 3600, UTC)
        settings.SIGNET = {"ADOPT_TOKENS_UNTIL": until}
        assert refresh(client, token).status_code == 200
        MobileToken(token).blacklist()
        assert Session.objects.get().end_reason == "logout"
        assert body(refresh(client, token)) == BLACKLISTED

    def test_token_signed_with_another_key_is_rejected(self, client, user, settings):
        class Foreign(MobileToken):
            _token_backend = TokenBackend("HS256", "another key, of 32 bytes or more: 0123456789")

        serializer = type("ForeignSerializer", (MobileSerializer,), {"token_class": Foreign})
        view = views.TokenRefreshView.as_view(serializer_class=serializer)
        request = APIRequestFactory().post("/", {"refresh": str(Foreign.for_user(user))})
        assert view(request).status_code == 401


class TestLegacyTokens:
    @pytest.fixture(autouse=True)
    def _adopting(self, alias: Any, settings: Any) -> None:
        until = datetime.fromtimestamp(runtime.now() + 3600, UTC)
        settings.SIGNET = {"ADOPT_TOKENS_UNTIL": until}

    def test_legacy_token_becomes_one_session_and_can_be_blacklisted(self, client, user):
        token = legacy_token(user, role="editor")
        ids = {AccessToken(refresh(client, token).json()["access"]).session_id for _ in "ab"}
        assert len(ids) == Session.objects.count() == 1
        assert AccessToken(refresh(client, token).json()["access"])["role"] == "editor"
        assert body(client.post("/api/token/blacklist/", {"refresh": token})) == (200, {})
        assert body(refresh(client, token)) == BLACKLISTED
        assert body(client.post("/api/token/verify/", {"token": token})) == (
            400,
            {"non_field_errors": ["Token is blacklisted"]},
        )

    def test_legacy_token_of_an_inactive_user_is_rejected_with_no_active_account(
        self, client, make_user
    ):
        user = make_user(is_active=False)
        assert body(refresh(client, legacy_token(user))) == NO_ACCOUNT

    def test_legacy_token_of_an_unknown_user_is_rejected_as_blacklisted(self, client, user):
        token = legacy_token(user, user_id=4711)
        assert body(refresh(client, token)) == BLACKLISTED

    def test_legacy_token_with_an_outdated_password_hash_is_rejected(self, client, user, settings):
        settings.SIMPLE_JWT = {"CHECK_REVOKE_TOKEN": True}
        current_hash: Any = get_md5_hash_password(user.password)
        valid_token = legacy_token(user, hash_password=current_hash)
        outdated_token = legacy_token(user, hash_password="X")
        access_token = refresh(client, valid_token).json()["access"]
        assert AccessToken(access_token)["hash_password"] == current_hash
        assert body(refresh(client, outdated_token)) == BLACKLISTED
        claims: dict[str, Any] = {"token_type": "access", "hash_password": current_hash}
        assert hello(client, legacy_token(user, **claims))[0] == 200
        claims["hash_password"] = "X"
        status, error = hello(client, legacy_token(user, **claims))
        assert (status, error["code"]) == (401, "password_changed")

    def test_legacy_sliding_token_becomes_a_session_at_its_refresh(self, client, user):
        refresh_exp = int(runtime.now()) + 7200
        token = legacy_token(user, token_type="sliding", refresh_exp=refresh_exp)
        new_token = client.post("/api/sliding/refresh/", {"token": token}).json()["token"]
        assert SlidingToken(new_token).session_id == Session.objects.get().pk
        assert Session.objects.get().expires_at.timestamp() >= refresh_exp


class TestSlidingToken:
    def test_sliding_token_is_not_refreshed_for_an_inactive_user(self, client, alias, user):
        token = str(SlidingToken.for_user(user))
        type(user).objects.update(is_active=False)
        assert body(client.post("/api/sliding/refresh/", {"token": token})) == BLACKLISTED

    def test_refreshed_token_expires_no_later_than_refresh_exp(self, client, alias, user):
        token = SlidingToken.for_user(user)
        token.set_exp("refresh_exp", lifetime=timedelta(seconds=60))
        new_token = client.post("/api/sliding/refresh/", {"token": str(token)}).json()["token"]
        assert SlidingToken(new_token)["exp"] == token["refresh_exp"]


class TestProtectedView:
    def test_lower_case_scheme_is_accepted(self, client, pair):
        answer = client.get("/hello/", HTTP_AUTHORIZATION=f"bearer {pair['access']}")
        assert answer.status_code == 200

    @pytest.mark.parametrize("token", ["\u20ac", "abc\xff", "x" * 100_000])
    def test_malformed_header_is_answered_with_401(self, client, alias, token):
        assert hello(client, token)[0] == 401

    def test_inactive_and_deleted_users_are_rejected_with_simplejwt_s_codes(
        self, client, pair, user
    ):
        type(user).objects.update(is_active=False)
        assert hello(client, pair["access"])[1]["code"] == "user_inactive"
        user.delete()
        assert hello(client, pair["access"])[1]["code"] == "user_not_found"

    def test_code_password_changed_is_sent_only_if_check_revoke_token_is_set(
        self, client, pair, user, settings
    ):
        user.set_password("another")
        user.save()
        assert hello(client, pair["access"])[1]["code"] == "token_not_valid"
        settings.SIMPLE_JWT = {"CHECK_REVOKE_TOKEN": True}
        error = {"detail": "The user's password has been changed.", "code": "password_changed"}
        assert hello(client, pair["access"]) == (401, error)
        Session.objects.update(end_reason="logout")
        assert hello(client, pair["access"])[1]["code"] == "token_not_valid"

    def test_unavailable_database_is_answered_with_503(self, client, pair):
        def fail(*query: Any) -> None:
            raise OperationalError

        ended_sessions.alone = False  # so that the feed queries the database
        runtime.current.cache_clear()
        with connection.execute_wrapper(fail):
            assert hello(client, pair["access"])[0] == 503
            answer = client.post("/api/token/verify/", {"token": pair["access"]})
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")

    def test_get_user_rejects_an_unverified_token(self, user):
        token = AccessToken(str(AccessToken.for_user(user))[:-8] + "AAAAAAAA", verify=False)
        for authentication_class in (JWTAuthentication, JWTStatelessUserAuthentication):
            with pytest.raises(InvalidToken):
                authentication_class().get_user(token)

    def test_get_user_rejects_a_claim_that_is_not_a_user_id(self, db):
        with pytest.raises(InvalidToken):
            JWTAuthentication().get_user({"user_id": "abc"})

    def test_stateless_authentication_rejects_a_token_of_an_ended_session(self, user):
        token = AccessToken.for_user(user)
        raw_token = str(token)
        stateless = JWTStatelessUserAuthentication()
        assert stateless.get_user(stateless.get_validated_token(raw_token)).id == str(user.pk)
        end(str(token.session_id))
        with pytest.raises(InvalidToken):
            stateless.get_validated_token(raw_token)

    def test_inactive_user_is_accepted_if_check_user_is_active_is_off(self, user, settings):
        settings.SIMPLE_JWT = {"CHECK_USER_IS_ACTIVE": False}
        token = AccessToken.for_user(user)
        str(token)  # signing inserts the session
        type(user).objects.update(is_active=False)
        assert JWTAuthentication().get_user(token) == user
        user.is_active = False
        assert authentication.default_user_authentication_rule(user)

    def test_auth_header_types_may_be_a_string(self, settings):
        settings.SIMPLE_JWT = {"AUTH_HEADER_TYPES": "JWT"}
        assert authentication.AUTH_HEADER_TYPES == ("JWT",)
        assert {b"JWT"} == authentication.AUTH_HEADER_TYPE_BYTES
        request = APIRequestFactory().get("/")
        assert JWTAuthentication().authenticate_header(request) == 'JWT realm="api"'
        assert views.AUTH_HEADER_TYPES == ("JWT",)
        for module in (authentication, views):
            with pytest.raises(AttributeError, match="NOTHING"):
                _ = module.NOTHING

    def test_request_without_a_bearer_token_is_not_authenticated(self, client, alias):
        answers = [client.get("/hello/", HTTP_AUTHORIZATION=header) for header in ("", "Token x")]
        assert [answer.status_code for answer in [*answers, client.get("/hello/")]] == [401] * 3
        assert answers[0].json() == {"detail": "Authentication credentials were not provided."}

    def test_header_with_two_tokens_is_rejected(self, client, pair):
        status, error = hello(client, "a b")
        assert (status, error["code"]) == (401, "bad_authorization_header")

    def test_subclass_may_override_get_header(self, user):
        class FromCookie(JWTAuthentication):
            def get_header(self, request: Any) -> bytes | None:
                return f"Bearer {request.COOKIES['access']}".encode()

        request = APIRequestFactory().get("/")
        request.COOKIES["access"] = str(AccessToken.for_user(user))
        authenticated = FromCookie().authenticate(request)
        assert authenticated is not None
        assert authenticated[0] == user

    def test_error_detail_can_be_rendered_as_json(self):
        error = AuthenticationFailed("no", code="none")
        assert json.loads(json.dumps(error.detail)) == {"detail": "no", "code": "none"}


def test_flushexpiredtokens_deletes_expired_rows_and_sessions(alias, user, capsys):
    str(RefreshToken.for_user(user))  # signing inserts the session and its OutstandingToken row
    past = datetime.fromtimestamp(runtime.now() - 86400, UTC)
    alias.OutstandingToken.objects.update(expires_at=past)
    Session.objects.update(expires_at=past)
    call_command("flushexpiredtokens")
    assert not alias.OutstandingToken.objects.exists()
    assert not Session.objects.exists()
    assert "1" in capsys.readouterr().out


class TestAdmin:
    @pytest.fixture
    def admin(self, alias: Any) -> Any:
        """Return the module that defines the admin classes."""
        return importlib.import_module("rest_framework_simplejwt.token_blacklist.admin")

    def test_rows_are_displayed_read_only(self, alias, user, rf, admin):
        str(RefreshToken.for_user(user))
        row = alias.OutstandingToken.objects.get()
        blacklisted_row = alias.BlacklistedToken.objects.create(token=row)
        request = rf.get("/")
        request.user = OutstandingTokenEditor()
        outstanding = admin.OutstandingTokenAdmin(alias.OutstandingToken, site)
        assert set(outstanding.get_readonly_fields(request)) >= {"token", "jti", "user"}
        assert not outstanding.has_add_permission(request)
        assert not outstanding.has_delete_permission(request)
        assert outstanding.has_change_permission(request)
        request.method = "POST"
        assert not outstanding.has_change_permission(request)
        blacklisted = admin.BlacklistedTokenAdmin(alias.BlacklistedToken, site)
        (displayed_row,) = blacklisted.get_queryset(request)
        columns = [getattr(blacklisted, name) for name in blacklisted.list_display[:4]]
        values = [column(displayed_row) for column in columns]
        assert values == [row.jti, user, row.created_at, row.expires_at]
        assert blacklisted_row == displayed_row


class OutstandingTokenEditor:
    """A user with all permissions on outstanding tokens, and no other permissions."""

    is_active = True

    def has_perm(self, perm: str) -> bool:
        return perm.endswith("outstandingtoken")


class TestSlidingViews:
    def test_sliding_login_issues_a_token_and_rejects_a_wrong_password(self, client, alias, user):
        answer = client.post("/api/sliding/", CREDENTIALS)
        assert SlidingToken(answer.json()["token"])["user_id"] == str(user.pk)
        assert client.post("/api/sliding/", {**CREDENTIALS, "password": "no"}).status_code == 401


class TestVerify:
    def test_tokens_of_a_live_session_are_valid(self, client, pair):
        for token in pair.values():
            assert body(client.post("/api/token/verify/", {"token": token})) == (200, {})

    def test_tokens_of_an_ended_session_are_rejected(self, client, pair):
        session = Session.objects.get()
        end(session)
        answers = [client.post("/api/token/verify/", {"token": token}) for token in pair.values()]
        assert [body(answer) for answer in answers] == [
            (400, {"non_field_errors": ["Token is blacklisted"]}),
            BLACKLISTED,
        ]

    def test_refresh_token_is_rejected_after_a_password_update_without_signals(
        self, client, pair, user
    ):
        type(user).objects.update(password="other")
        answer = client.post("/api/token/verify/", {"token": pair["refresh"]})
        assert body(answer) == (400, {"non_field_errors": ["Token is blacklisted"]})


def test_bulk_create_of_blacklisted_tokens_ends_all_their_sessions(alias, user):
    for _ in range(3):
        str(RefreshToken.for_user(user))
    rows = alias.OutstandingToken.objects.all()
    alias.BlacklistedToken.objects.bulk_create([alias.BlacklistedToken(token=row) for row in rows])
    assert not Session.objects.live().exists()


INVALID_VALUES: list[Any] = [None, True, 1.5, [], "\0"]


@pytest.mark.parametrize("token_class", [AccessToken, RefreshToken, SlidingToken])
def test_signed_token_with_an_invalid_claim_is_never_a_server_error(
    client, alias, user, settings, token_class
):
    settings.SIMPLE_JWT = {
        "AUTH_TOKEN_CLASSES": [f"{AccessToken.__module__}.{name}" for name in TOKEN_CLASSES],
        **ROTATING,
    }
    settings.SIGNET = {"ADOPT_TOKENS_UNTIL": datetime.fromtimestamp(runtime.now() + 3600, UTC)}
    token = token_class.for_user(user)
    valid = runtime.current().codec.decode(str(token))
    legacy = {name: valid[name] for name in valid if name not in ("sid", "gen", "iat")}
    payloads = [
        {**claims, name: value}
        for claims in (valid, legacy)
        for name in (*valid, "nbf")
        for value in INVALID_VALUES
    ]
    for payload in payloads:
        raw_token = runtime.current().codec.encode(payload)
        assert hello(client, raw_token)[0] in (200, 401)
        for path, field in ENDPOINTS:
            answer = client.post(path, {field: raw_token})
            assert answer.status_code in (200, 400, 401), (path, payload)


TOKEN_CLASSES = ("AccessToken", "SlidingToken")
ENDPOINTS = (
    ("/api/token/refresh/", "refresh"),
    ("/api/token/verify/", "token"),
    ("/api/token/blacklist/", "refresh"),
    ("/api/sliding/refresh/", "token"),
)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize("classes", [JWTAuthentication, JWTStatelessUserAuthentication])
def test_request_auth_and_user_can_be_passed_to_a_background_task(alias, user, copied, classes):
    token = AccessToken.for_user(user)
    token["role"] = {"of": ["a"]}
    request: Any = RequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {token}")
    backend: Any = classes()
    found_user, auth = backend.authenticate(request)
    assert copied(auth).payload == auth.payload
    assert str(copied(found_user).pk) == str(user.pk)


def test_a_view_cannot_change_the_claims_of_the_next_request(alias, user):
    token = AccessToken.for_user(user)
    token["role"] = {"of": ["a"]}
    request: Any = RequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {token}")
    backend: Any = JWTAuthentication()
    backend.authenticate(request)[1]["role"]["of"].append("b")
    assert backend.authenticate(request)[1]["role"] == {"of": ["a"]}


SPACES = ["\x85", "\xa0", "\x0b", "\x0c", "\n"]


@pytest.mark.parametrize("space", SPACES, ids=ascii)
def test_header_with_unusual_whitespace_around_its_token_is_rejected(alias, user, space):
    access = str(AccessToken.for_user(user))
    for token in (f"{space}{access}", f"{access}{space}"):
        request: Any = RequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {token}")
        with pytest.raises(InvalidToken):
            JWTAuthentication().authenticate(request)


@pytest.mark.parametrize("template", ["Bearer  {}", "Bearer\t{}", " Bearer {}\t"])
def test_header_with_spaces_or_tabs_around_its_token_is_accepted(alias, user, template):
    access = str(AccessToken.for_user(user))
    request: Any = RequestFactory().get("/", HTTP_AUTHORIZATION=template.format(access))
    backend: Any = JWTAuthentication()
    assert backend.authenticate(request)[0] == user


@pytest.mark.parametrize("space", [*SPACES, " ", "\t", "\u2003"], ids=ascii)
def test_body_with_whitespace_around_its_token_is_rejected(alias, user, space):
    requests = [
        (views.token_refresh, "refresh", str(RefreshToken.for_user(user))),
        (views.token_verify, "token", str(AccessToken.for_user(user))),
        (views.token_blacklist, "refresh", str(RefreshToken.for_user(user))),
        (views.token_refresh_sliding, "token", str(SlidingToken.for_user(user))),
    ]
    for view, field, token in requests:
        for text in (f"{space}{token}", f"{token}{space}"):
            answer = view(APIRequestFactory().post("/", {field: text}))
            assert answer.status_code == 401, view
        assert view(APIRequestFactory().post("/", {field: token})).status_code == 200


@pytest.mark.parametrize(
    "name", ["TokenObtainPair", "TokenRefresh", "TokenVerify", "TokenBlacklist"]
)
def test_web_interface_describes_an_endpoint_to_users_of_the_api(alias, rf, name):
    view: Any = getattr(views, f"{name}View")
    custom: Any = type("CustomView", (view,), {"__doc__": "Log in to the shop."})
    for cls in (view, custom):
        first_line = cls.__doc__.splitlines()[0]
        page = cls.as_view()(rf.get("/", HTTP_ACCEPT="text/html")).render().content.decode()
        assert f"<p>{first_line}" in page
        assert "serializer" not in page
