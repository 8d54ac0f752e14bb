"""The endpoints and the authentication under the old name, where they differ from either side."""

from __future__ import annotations

import importlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin import site
from django.core.management import call_command
from django.db import IntegrityError
from django.test import RequestFactory
from rest_framework.test import APIRequestFactory

from drf_signet import Session, end, issue, revocation, runtime
from drf_signet.compat.simplejwt import authentication, serializers, views
from drf_signet.compat.simplejwt.authentication import (
    JWTAuthentication,
    JWTStatelessUserAuthentication,
)
from drf_signet.compat.simplejwt.backends import TokenBackend
from drf_signet.compat.simplejwt.exceptions import AuthenticationFailed, InvalidToken
from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken, SlidingToken
from drf_signet.compat.simplejwt.utils import get_md5_hash_password
from drf_signet.errors import RevocationUnknown
from tests.aliased import alias, alias_tables, committing
from tests.conftest import PASSWORD
from tests.situations import token_of_old

__all__ = ["alias", "alias_tables"]  # fixtures, here by their import

ROTATING = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}
CREDENTIALS = {"username": "vitor", "password": PASSWORD}


@pytest.fixture
def pair(client: Any, alias: Any, user: Any) -> dict[str, str]:
    """Return the tokens of a login."""
    tokens: dict[str, str] = client.post("/api/token/", CREDENTIALS).json()
    return tokens


def body(answer: Any) -> tuple[int, Any]:
    return answer.status_code, answer.json()


def hello(client: Any, token: object) -> tuple[int, Any]:
    return body(client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {token}"))


def refresh(client: Any, token: object) -> Any:
    return client.post("/api/token/refresh/", {"refresh": str(token)})


BLACKLISTED = (401, {"detail": "Token is blacklisted", "code": "token_not_valid"})
NO_ACCOUNT = (
    401,
    {"detail": "No active account found for the given token.", "code": "no_active_account"},
)


class TestLogin:
    def test_the_session_knows_the_client(self, client, alias, user):
        answer = client.post("/api/token/", CREDENTIALS, HTTP_USER_AGENT="curl/8")
        assert answer.status_code == 200
        assert answer["Cache-Control"] == "no-store"
        assert Session.objects.get().user_agent == "curl/8"

    def test_native_endpoints_take_its_tokens_and_the_reverse(self, client, pair, user):
        answer = client.post("/native/refresh/", {"refresh": pair["refresh"]})
        assert answer.status_code == 200
        assert hello(client, answer.json()["access"])[0] == 200
        assert refresh(client, issue(user).refresh).status_code == 200
        header = {"HTTP_AUTHORIZATION": f"Bearer {pair['access']}"}
        assert client.get("/native/sessions/", **header).json()[1]["current"]

    @pytest.mark.parametrize("data", [[], "x", None, {"username": [], "password": {}}])
    def test_no_body_is_an_error_of_ours(self, client, alias, data):
        assert client.post("/api/token/", data, format="json").status_code == 400

    def test_refused_logins_are_counted_where_the_setting_says_so(
        self, client, alias, user, settings
    ):
        settings.SIGNET = {"LOGIN_THROTTLE": {"username": "2/day"}}
        wrong = {**CREDENTIALS, "password": "no"}
        said = [client.post("/api/token/", wrong).status_code for _ in range(3)]
        assert said == [401, 401, 429]

    def test_last_login_is_written_where_the_setting_says_so(self, client, alias, user, settings):
        client.post("/api/token/", CREDENTIALS)
        user.refresh_from_db()
        assert user.last_login is None
        settings.SIMPLE_JWT = {"UPDATE_LAST_LOGIN": True}
        client.post("/api/token/", CREDENTIALS)
        user.refresh_from_db()
        assert user.last_login is not None

    @pytest.mark.parametrize(
        ("simple_jwt", "status"), [({}, 200), ({"UPDATE_LAST_LOGIN": True}, 401)]
    )
    @pytest.mark.parametrize("path", ["/api/token/", "/api/sliding/"])
    @committing
    def test_a_user_who_is_deleted_during_a_login_is_no_error_of_ours(
        self, client, alias, user, settings, path, simple_jwt, status
    ):
        settings.AUTHENTICATION_BACKENDS = ["tests.test_flows.Deleting"]
        settings.SIMPLE_JWT = simple_jwt
        answer = client.post(path, CREDENTIALS)
        assert answer.status_code == status
        rows = list(alias.OutstandingToken.objects.all())
        assert [row.user for row in rows] == [None] * Session.objects.count()
        for token in answer.json().values() if status == 200 else ():
            assert hello(client, token)[0] == refresh(client, token).status_code == 401

    @committing
    def test_a_database_that_fails_during_a_login_is_no_refusal(
        self, client, alias, user, settings, monkeypatch
    ):
        def fail(*args: Any, **kwargs: Any) -> None:
            raise IntegrityError("out of order")

        settings.SIMPLE_JWT = {"UPDATE_LAST_LOGIN": True}
        for owner, name in (
            (type(user), "save"),
            (type(alias.OutstandingToken.objects.all()), "create"),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, fail)
                with pytest.raises(IntegrityError, match="out of order"):
                    client.post("/api/token/", CREDENTIALS)

    def test_a_serializer_whose_token_is_another_s_works(self, user):
        class Mine(serializers.TokenObtainSerializer):
            @classmethod
            def get_token(cls, user: Any) -> Any:
                return f"token of {user}"

        serializer = Mine(data=CREDENTIALS, context={"request": RequestFactory().post("/")})
        assert serializer.is_valid()
        assert serializer._issue() == "token of vitor"
        bare = Mine(data=CREDENTIALS)
        assert bare.is_valid()
        assert bare.user == user

    def test_a_serializer_that_cannot_be_imported_is_named(self, settings):
        settings.SIMPLE_JWT = {"TOKEN_OBTAIN_SERIALIZER": "nowhere.Serializer"}
        with pytest.raises(ImportError, match=r"Could not import serializer 'nowhere.Serializer'"):
            views.TokenObtainPairView().get_serializer_class()

    def test_a_view_may_name_its_serializer(self):
        class Named(views.TokenObtainPairView):
            _serializer_class = "drf_signet.compat.simplejwt.serializers.TokenVerifySerializer"

        class Given(views.TokenObtainPairView):
            serializer_class = serializers.TokenRefreshSerializer

        assert Named().get_serializer_class() is serializers.TokenVerifySerializer
        assert Given().get_serializer_class() is serializers.TokenRefreshSerializer


class TestRefresh:
    def test_own_claims_go_on_and_those_of_the_hook_are_made_anew(
        self, client, alias, user, settings
    ):
        said = iter("abc")
        settings.SIGNET = {"CLAIMS": lambda user, session: {"fresh": next(said)}}
        settings.SIMPLE_JWT = ROTATING
        token = RefreshToken.for_user(user)
        token["own"] = 1
        for fresh in "bc":
            answer = refresh(client, token).json()
            access, token = AccessToken(answer["access"]), RefreshToken(answer["refresh"])
            assert (access["own"], access["fresh"]) == (token["own"], token["fresh"]) == (1, fresh)

    def test_a_retry_gets_the_same_successor(self, client, pair, settings):
        settings.SIMPLE_JWT = ROTATING
        found = [RefreshToken(refresh(client, pair["refresh"]).json()["refresh"]) for _ in "ab"]
        assert [(one.session_id, one["gen"]) for one in found] == [(found[0].session_id, 1)] * 2
        assert Session.objects.get().generation == 1

    def test_a_replay_ends_the_session_although_it_is_refused(self, client, pair, settings):
        settings.SIMPLE_JWT = ROTATING
        settings.SIGNET = {"ROTATION_GRACE_PERIOD": timedelta(0)}
        successor = refresh(client, pair["refresh"]).json()["refresh"]
        assert body(refresh(client, pair["refresh"])) == BLACKLISTED
        assert Session.objects.get().end_reason == "reuse"
        assert body(refresh(client, successor)) == BLACKLISTED

    def test_one_whose_password_was_changed_is_blacklisted(self, client, pair, user):
        user.set_password("another")
        user.save()
        assert body(refresh(client, pair["refresh"])) == BLACKLISTED

    @pytest.mark.parametrize("remove", ["save", "update", "delete"])
    def test_one_whose_user_is_gone_finds_no_account(self, client, pair, user, remove):
        if remove == "save":
            user.is_active = False
            user.save()
        elif remove == "update":
            type(user).objects.update(is_active=False)
        else:
            user.delete()
        assert body(refresh(client, pair["refresh"])) == NO_ACCOUNT

    def test_nothing_outlives_the_session(self, client, pair, settings):
        settings.SIMPLE_JWT = ROTATING
        last = runtime.now() + 60
        Session.objects.update(expires_at=datetime.fromtimestamp(last, UTC))
        answer = refresh(client, pair["refresh"]).json()
        assert AccessToken(answer["access"])["exp"] == int(last)
        assert RefreshToken(answer["refresh"])["exp"] == int(last)

    def test_it_takes_one_select_and_one_update(
        self, client, pair, settings, django_assert_num_queries
    ):
        with django_assert_num_queries(1):
            refresh(client, pair["refresh"])
        settings.SIMPLE_JWT = ROTATING
        with django_assert_num_queries(2):
            refresh(client, pair["refresh"])

    def test_a_forged_token_costs_no_statement(self, client, pair, django_assert_num_queries):
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


class TestATypeOfOnesOwn:
    @pytest.fixture(autouse=True)
    def _settings(self, alias: Any, settings: Any) -> None:
        settings.SIMPLE_JWT = {
            **ROTATING,
            "TOKEN_REFRESH_SERIALIZER": f"{__name__}.MobileSerializer",
            "AUTH_TOKEN_CLASSES": [f"{__name__}.MobileAccess"],
        }
        settings.SIGNET = {"ROTATION_GRACE_PERIOD": timedelta(0)}

    def test_it_is_refreshed_and_replays_are_noticed(self, client, user):
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

    def test_tokens_of_other_types_are_refused(self, client, user, alias):
        token = MobileToken.for_user(user)
        others = [RefreshToken.for_user(user), token.access_token, SlidingToken.for_user(user)]
        assert [refresh(client, one).status_code for one in others] == [401] * 3
        row = alias.OutstandingToken.objects.get(jti=token["jti"])
        assert refresh(client, row.token).status_code == 401
        native = client.post("/native/refresh/", {"refresh": str(token)})
        assert native.status_code == 401

    def test_one_of_old_becomes_a_session_and_ends_as_one(self, client, user, settings):
        old = token_of_old(user, token_type="mobile")
        assert refresh(client, old).status_code == 401
        until = datetime.fromtimestamp(runtime.now() + 3600, UTC)
        settings.SIGNET = {"ADOPT_TOKENS_UNTIL": until}
        assert refresh(client, old).status_code == 200
        MobileToken(old).blacklist()
        assert Session.objects.get().end_reason == "logout"
        assert body(refresh(client, old)) == BLACKLISTED

    def test_one_with_keys_of_its_own_is_refused(self, client, user, settings):
        class Foreign(MobileToken):
            _token_backend = TokenBackend("HS256", "another key, of 32 bytes or more: 0123456789")

        serializer = type("Mine", (MobileSerializer,), {"token_class": Foreign})
        view = views.TokenRefreshView.as_view(serializer_class=serializer)
        request = APIRequestFactory().post("/", {"refresh": str(Foreign.for_user(user))})
        assert view(request).status_code == 401


class TestTokensOfOld:
    @pytest.fixture(autouse=True)
    def _adopting(self, alias: Any, settings: Any) -> None:
        until = datetime.fromtimestamp(runtime.now() + 3600, UTC)
        settings.SIGNET = {"ADOPT_TOKENS_UNTIL": until}

    def test_one_becomes_a_session(self, client, user):
        text = token_of_old(user, role="editor")
        found = {AccessToken(refresh(client, text).json()["access"]).session_id for _ in "ab"}
        assert len(found) == Session.objects.count() == 1
        assert AccessToken(refresh(client, text).json()["access"])["role"] == "editor"
        assert body(client.post("/api/token/blacklist/", {"refresh": text})) == (200, {})
        assert body(refresh(client, text)) == BLACKLISTED
        assert body(client.post("/api/token/verify/", {"token": text})) == (
            400,
            {"non_field_errors": ["Token is blacklisted"]},
        )

    def test_one_of_an_inactive_user_finds_no_account(self, client, make_user):
        user = make_user(is_active=False)
        assert body(refresh(client, token_of_old(user))) == NO_ACCOUNT

    def test_one_of_nobody_is_blacklisted(self, client, user):
        text = token_of_old(user, user_id=4711)
        assert body(refresh(client, text)) == BLACKLISTED

    def test_one_from_before_a_change_of_the_password_stays_dead(self, client, user, settings):
        settings.SIMPLE_JWT = {"CHECK_REVOKE_TOKEN": True}
        stamp = get_md5_hash_password(user.password)
        good, bad = (token_of_old(user, hash_password=one) for one in (stamp, "X"))
        access = refresh(client, good).json()["access"]
        assert "hash_password" not in AccessToken(access)
        assert body(refresh(client, bad)) == BLACKLISTED
        old: dict[str, Any] = {"token_type": "access", "hash_password": stamp}
        assert hello(client, token_of_old(user, **old))[0] == 200
        refused = hello(client, token_of_old(user, **old | {"hash_password": "X"}))
        assert (refused[0], refused[1]["code"]) == (401, "password_changed")

    def test_a_sliding_one_is_renewed_as_a_session(self, client, user):
        last = int(runtime.now()) + 7200
        text = token_of_old(user, token_type="sliding", refresh_exp=last)
        renewed = client.post("/api/sliding/refresh/", {"token": text}).json()["token"]
        assert SlidingToken(renewed).session_id == Session.objects.get().pk
        assert Session.objects.get().expires_at.timestamp() >= last


class TestSliding:
    def test_it_is_not_renewed_for_an_inactive_user(self, client, alias, user):
        text = str(SlidingToken.for_user(user))
        type(user).objects.update(is_active=False)
        assert body(client.post("/api/sliding/refresh/", {"token": text})) == BLACKLISTED

    def test_it_never_outlives_its_last_instant(self, client, alias, user):
        token = SlidingToken.for_user(user)
        token.set_exp("refresh_exp", lifetime=timedelta(seconds=60))
        renewed = client.post("/api/sliding/refresh/", {"token": str(token)}).json()["token"]
        assert SlidingToken(renewed)["exp"] == token["refresh_exp"]


class TestProtected:
    def test_a_lower_case_scheme_is_taken(self, client, pair):
        answer = client.get("/hello/", HTTP_AUTHORIZATION=f"bearer {pair['access']}")
        assert answer.status_code == 200

    @pytest.mark.parametrize("name", ["\u20ac", "abc\xff", "x" * 100_000])
    def test_no_header_is_an_error_of_ours(self, client, alias, name):
        assert hello(client, name)[0] == 401

    def test_users_who_are_gone_are_named_as_before(self, client, pair, user):
        type(user).objects.update(is_active=False)
        assert hello(client, pair["access"])[1]["code"] == "user_inactive"
        user.delete()
        assert hello(client, pair["access"])[1]["code"] == "user_not_found"

    def test_a_new_password_is_named_where_the_setting_asked_for_it(
        self, client, pair, user, settings
    ):
        user.set_password("another")
        user.save()
        assert hello(client, pair["access"])[1]["code"] == "token_not_valid"
        settings.SIMPLE_JWT = {"CHECK_REVOKE_TOKEN": True}
        said = {"detail": "The user's password has been changed.", "code": "password_changed"}
        assert hello(client, pair["access"]) == (401, said)
        Session.objects.update(end_reason="logout")
        assert hello(client, pair["access"])[1]["code"] == "token_not_valid"

    def test_a_database_that_is_away_is_no_bad_token(self, client, pair, settings, monkeypatch):
        def unknown(*args: Any, **kwargs: Any) -> bool:
            raise RevocationUnknown

        monkeypatch.setattr(revocation.Feed, "has_ended", unknown)
        assert hello(client, pair["access"])[0] == 503
        answer = client.post("/api/token/verify/", {"token": pair["access"]})
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")

    def test_nobody_is_authenticated_by_what_was_merely_read(self, user):
        token = AccessToken(str(AccessToken.for_user(user))[:-8] + "AAAAAAAA", verify=False)
        for kind in (JWTAuthentication, JWTStatelessUserAuthentication):
            with pytest.raises(InvalidToken):
                kind().get_user(token)

    def test_a_claim_that_names_nobody_is_401(self, db):
        with pytest.raises(InvalidToken):
            JWTAuthentication().get_user({"user_id": "abc"})

    def test_a_stateless_user_of_an_ended_session_is_refused(self, user):
        token = AccessToken.for_user(user)
        text = str(token)
        own = JWTStatelessUserAuthentication()
        assert own.get_user(own.get_validated_token(text)).id == str(user.pk)
        end(str(token.session_id))
        with pytest.raises(InvalidToken):
            own.get_validated_token(text)

    def test_inactive_users_pass_where_the_setting_says_so(self, user, settings):
        settings.SIMPLE_JWT = {"CHECK_USER_IS_ACTIVE": False}
        token = AccessToken.for_user(user)
        str(token)
        type(user).objects.update(is_active=False)
        assert JWTAuthentication().get_user(token) == user
        user.is_active = False
        assert authentication.default_user_authentication_rule(user)

    def test_one_scheme_may_be_a_text(self, settings):
        settings.SIMPLE_JWT = {"AUTH_HEADER_TYPES": "JWT"}
        assert authentication.AUTH_HEADER_TYPES == ("JWT",)
        assert {b"JWT"} == authentication.AUTH_HEADER_TYPE_BYTES
        request = APIRequestFactory().get("/")
        assert JWTAuthentication().authenticate_header(request) == 'JWT realm="api"'
        assert views.AUTH_HEADER_TYPES == ("JWT",)
        for module in (authentication, views):
            with pytest.raises(AttributeError, match="NOTHING"):
                _ = module.NOTHING

    def test_a_request_without_a_token_is_none_of_ours(self, client, alias):
        said = [client.get("/hello/", HTTP_AUTHORIZATION=one) for one in ("", "Token x")]
        assert [answer.status_code for answer in [*said, client.get("/hello/")]] == [401] * 3
        assert said[0].json() == {"detail": "Authentication credentials were not provided."}

    def test_two_tokens_in_a_header_are_none(self, client, pair):
        status, found = hello(client, "a b")
        assert (status, found["code"]) == (401, "bad_authorization_header")

    def test_hooks_of_a_subclass_are_called(self, user):
        class FromCookie(JWTAuthentication):
            def get_header(self, request: Any) -> bytes | None:
                return f"Bearer {request.COOKIES['access']}".encode()

        request = APIRequestFactory().get("/")
        request.COOKIES["access"] = str(AccessToken.for_user(user))
        found = FromCookie().authenticate(request)
        assert found is not None
        assert found[0] == user

    def test_errors_are_answers(self):
        error = AuthenticationFailed("no", code="none")
        assert json.loads(json.dumps(error.detail)) == {"detail": "no", "code": "none"}


def test_the_command_clears_both(alias, user, capsys):
    str(RefreshToken.for_user(user))
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
        """Return the module of its classes."""
        return importlib.import_module("rest_framework_simplejwt.token_blacklist.admin")

    def test_rows_are_shown_and_not_edited(self, alias, user, rf, admin):
        str(RefreshToken.for_user(user))
        row = alias.OutstandingToken.objects.get()
        listed = alias.BlacklistedToken.objects.create(token=row)
        request = rf.get("/")
        request.user = Reader()
        outstanding = admin.OutstandingTokenAdmin(alias.OutstandingToken, site)
        assert set(outstanding.get_readonly_fields(request)) >= {"token", "jti", "user"}
        assert not outstanding.has_add_permission(request)
        assert not outstanding.has_delete_permission(request)
        assert outstanding.has_change_permission(request)
        request.method = "POST"
        assert not outstanding.has_change_permission(request)
        blacklisted = admin.BlacklistedTokenAdmin(alias.BlacklistedToken, site)
        (found,) = blacklisted.get_queryset(request)
        shown = [getattr(blacklisted, name)(found) for name in blacklisted.list_display[:4]]
        assert shown == [row.jti, user, row.created_at, row.expires_at]
        assert listed == found


class Reader:
    is_active = True

    def has_perm(self, perm: str) -> bool:
        return perm.endswith("outstandingtoken")


class TestSlidingViews:
    def test_they_obtain_and_refuse(self, client, alias, user):
        answer = client.post("/api/sliding/", CREDENTIALS)
        assert SlidingToken(answer.json()["token"])["user_id"] == str(user.pk)
        assert client.post("/api/sliding/", {**CREDENTIALS, "password": "no"}).status_code == 401


class TestVerify:
    def test_a_token_of_a_session_that_goes_on_is_valid(self, client, pair):
        for token in pair.values():
            assert body(client.post("/api/token/verify/", {"token": token})) == (200, {})

    def test_one_of_an_ended_session_is_refused(self, client, pair):
        session = Session.objects.get()
        end(session)
        said = [body(client.post("/api/token/verify/", {"token": one})) for one in pair.values()]
        assert said == [(400, {"non_field_errors": ["Token is blacklisted"]}), BLACKLISTED]

    def test_one_whose_password_was_changed_behind_our_back_is_refused(self, client, pair, user):
        type(user).objects.update(password="other")
        found = body(client.post("/api/token/verify/", {"token": pair["refresh"]}))
        assert found == (400, {"non_field_errors": ["Token is blacklisted"]})


def test_many_logins_are_ended_at_once(alias, user):
    for _ in range(3):
        str(RefreshToken.for_user(user))
    rows = alias.OutstandingToken.objects.all()
    listed = [alias.BlacklistedToken(token=row) for row in rows]
    alias.BlacklistedToken.objects.bulk_create(listed)
    assert not Session.objects.live().exists()


ODD: list[Any] = [None, True, 1.5, [], "\0"]


@pytest.mark.parametrize("kind", [AccessToken, RefreshToken, SlidingToken])
def test_no_signed_mistake_is_an_error_of_ours(client, alias, user, settings, kind):
    settings.SIMPLE_JWT = {
        "AUTH_TOKEN_CLASSES": [f"{AccessToken.__module__}.{one}" for one in TOKENS],
        **ROTATING,
    }
    settings.SIGNET = {"ADOPT_TOKENS_UNTIL": datetime.fromtimestamp(runtime.now() + 3600, UTC)}
    token = kind.for_user(user)
    good = runtime.current().codec.decode(str(token))
    old = {name: good[name] for name in good if name not in ("sid", "gen", "iat")}
    sent = [{**base, name: odd} for base in (good, old) for name in (*good, "nbf") for odd in ODD]
    for payload in sent:
        text = runtime.current().codec.encode(payload)
        assert hello(client, text)[0] in (200, 401)
        for path, name in ENDPOINTS:
            answer = client.post(path, {name: text})
            assert answer.status_code in (200, 400, 401), (path, payload)


TOKENS = ("AccessToken", "SlidingToken")
ENDPOINTS = (
    ("/api/token/refresh/", "refresh"),
    ("/api/token/verify/", "token"),
    ("/api/token/blacklist/", "refresh"),
    ("/api/sliding/refresh/", "token"),
)
