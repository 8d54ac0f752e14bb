"""What code on simplejwt sees, as JSON: run once for each package that answers to the name.

Each function below is a scenario; what it returns is compared between the packages. Tokens, ids
and instants differ from run to run and are left out or turned into what they have in common.
"""

# ruff: noqa: E402

from __future__ import annotations

import copy
import json
import os
import pickle
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from unittest import mock

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.compat.project.settings"
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import transaction
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework_simplejwt import (
    authentication,
    exceptions,
    models,
    serializers,
    tokens,
    utils,
    views,
)
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.state import token_backend
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import (
    AccessToken,
    RefreshToken,
    SlidingToken,
    Token,
    UntypedToken,
)

SCENARIOS: dict[str, Callable[[], Any]] = {}
OURS = {"sid", "gen", "auth_time"}
PASSWORD = "correct horse"


def scenario_of(settings: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Register a scenario of a project with these settings, see `tests.compat.project.settings`."""

    def register(function: Callable[[], Any]) -> Callable[[], Any]:
        if os.environ["COMPAT_SETTINGS"] == settings:
            SCENARIOS[function.__name__] = function
        return function

    return register


scenario = scenario_of("plain")


def vitor(**fields: Any) -> Any:
    return User.objects.create_user("vitor", password=PASSWORD, **fields)


def post(path: str, **data: Any) -> Any:
    return APIClient().post(path, data, format="json")


def login() -> dict[str, str]:
    found: dict[str, str] = post("/api/token/", username="vitor", password=PASSWORD).json()
    return found


def get(path: str, token: object, scheme: str = "Bearer") -> Any:
    return APIClient().get(path, HTTP_AUTHORIZATION=f"{scheme} {token}")


def seen(answer: Any) -> Any:
    """Status, challenge and body, with every token replaced by a word.

    `code` is left out of bodies in which simplejwt has none.
    """
    body = {name: _shown(value) for name, value in answer.json().items()}
    if "detail" in body and "messages" not in body:
        body.pop("code", None) if body.get("code") in EXTRA_CODES else None
    return [answer.status_code, answer.headers.get("WWW-Authenticate"), body]


EXTRA_CODES = {"no_active_account", "parse_error", "method_not_allowed", "unsupported_media_type"}


def _shown(value: Any) -> Any:
    return "<token>" if isinstance(value, str) and value.count(".") == 2 else value


def names(token: Any) -> list[str]:
    """The claims of a token, less those that tie it to its session."""
    return sorted(set(token.payload) - OURS)


def error(call: Callable[[], Any]) -> Any:
    try:
        value = call()
    except Exception as raised:
        return [type(raised).__name__, [str(one) for one in raised.args]]
    return ["no error", str(type(value).__name__)]


def detail(call: Callable[[], Any]) -> Any:
    try:
        call()
    except exceptions.AuthenticationFailed as raised:
        return [raised.status_code, raised.detail]
    return "no error"


# Endpoints


@scenario
def obtain() -> Any:
    vitor()
    return seen(post("/api/token/", username="vitor", password=PASSWORD))


@scenario
def obtain_by_form() -> Any:
    vitor()
    data = {"username": "vitor", "password": PASSWORD}
    return seen(APIClient().post("/api/token/", data, format="multipart"))


@scenario
def obtain_refused() -> Any:
    vitor()
    User.objects.create_user("gone", password=PASSWORD, is_active=False)
    return [
        seen(post("/api/token/", username="vitor", password="no")),
        seen(post("/api/token/", username="nobody", password="no")),
        seen(post("/api/token/", username="gone", password=PASSWORD)),
        seen(post("/api/token/")),
        seen(post("/api/token/", username="vitor")),
        seen(post("/api/token/", username="", password=None)),
        seen(APIClient().post("/api/token/", "{", content_type="application/json")),
        seen(APIClient().get("/api/token/")),
    ]


@scenario
def many_failures_are_not_throttled() -> Any:
    vitor()
    answers = [post("/api/token/", username="vitor", password="no") for _ in range(15)]
    return [answer.status_code for answer in answers]


@scenario
def hello() -> Any:
    vitor()
    pair = login()
    return [
        seen(get("/hello/", pair["access"])),
        seen(APIClient().get("/hello/")),
        seen(get("/hello/", pair["access"], scheme="Token")),
        seen(get("/hello/", pair["refresh"])),
        seen(get("/hello/", "x")),
        seen(get("/hello/", "a b")),
        seen(get("/hello/", "")),
        seen(get("/hello/", pair["access"][:-4])),
    ]


@scenario
def hello_of_an_inactive_user() -> Any:
    user, pair = vitor(), login()
    user.is_active = False
    user.save()
    return seen(get("/hello/", pair["access"]))


@scenario
def hello_of_a_bulk_deactivated_user() -> Any:
    vitor()
    pair = login()
    User.objects.update(is_active=False)
    return seen(get("/hello/", pair["access"]))


@scenario
def hello_of_a_deleted_user() -> Any:
    user, pair = vitor(), login()
    user.delete()
    return seen(get("/hello/", pair["access"]))


@scenario
def an_expired_token() -> Any:
    token = AccessToken.for_user(vitor())
    token.set_exp(lifetime=-timedelta(seconds=5))
    return [seen(get("/hello/", token)), error(lambda: AccessToken(str(token)))]


@scenario
def refresh() -> Any:
    vitor()
    pair = login()
    answer = post("/api/token/refresh/", refresh=pair["refresh"])
    return [
        seen(answer),
        seen(get("/hello/", answer.json()["access"])),
        seen(post("/api/token/refresh/", refresh=pair["refresh"])),
        seen(post("/api/token/refresh/", refresh=pair["access"])),
        seen(post("/api/token/refresh/", refresh="x")),
        seen(post("/api/token/refresh/", refresh="")),
        seen(post("/api/token/refresh/", refresh=None)),
        seen(post("/api/token/refresh/", refresh=5)),
        seen(post("/api/token/refresh/")),
        seen(APIClient().get("/api/token/refresh/")),
    ]


@scenario
def refresh_of_an_inactive_user() -> Any:
    user, pair = vitor(), login()
    user.is_active = False
    user.save()
    return seen(post("/api/token/refresh/", refresh=pair["refresh"]))


@scenario
def refresh_of_a_bulk_deactivated_user() -> Any:
    vitor()
    pair = login()
    User.objects.update(is_active=False)
    return seen(post("/api/token/refresh/", refresh=pair["refresh"]))


@scenario_of("rotating")
def rotation() -> Any:
    vitor()
    pair = login()
    answer = post("/api/token/refresh/", refresh=pair["refresh"])
    successor = answer.json()["refresh"]
    return [
        seen(answer),
        successor != pair["refresh"],
        seen(get("/hello/", answer.json()["access"])),
        seen(post("/api/token/refresh/", refresh=successor)),
    ]


@scenario_of("rotating, unlisted")
def rotation_without_blacklisting() -> Any:
    vitor()
    pair = login()
    answers = [post("/api/token/refresh/", refresh=pair["refresh"]) for _ in range(3)]
    return [seen(one) for one in answers]


@scenario
def logout() -> Any:
    vitor()
    pair = login()
    return [
        seen(post("/api/token/blacklist/", refresh=pair["refresh"])),
        seen(post("/api/token/blacklist/", refresh=pair["refresh"])),
        seen(post("/api/token/refresh/", refresh=pair["refresh"])),
        seen(post("/api/token/blacklist/", refresh="x")),
        seen(post("/api/token/blacklist/")),
        BlacklistedToken.objects.count(),
    ]


@scenario_of("rotating")
def verify() -> Any:
    vitor()
    pair = login()
    answers = [seen(post("/api/token/verify/", token=one)) for one in (*pair.values(), "x", "")]
    post("/api/token/blacklist/", refresh=pair["refresh"])
    return [*answers, seen(post("/api/token/verify/", token=pair["refresh"]))]


@scenario_of("sliding")
def sliding() -> Any:
    vitor()
    answer = post("/api/sliding/", username="vitor", password=PASSWORD)
    token = answer.json()["token"]
    return [
        seen(answer),
        names(SlidingToken(token)),
        seen(get("/hello/", token)),
        seen(get("/hello/", AccessToken.for_user(User.objects.get()))),
        seen(post("/api/sliding/refresh/", token=token)),
        seen(post("/api/sliding/refresh/", token="x")),
        seen(post("/api/sliding/", username="vitor", password="no")),
    ]


@scenario
def sliding_too_late() -> Any:
    token = SlidingToken.for_user(vitor())
    token.set_exp("refresh_exp", lifetime=-timedelta(seconds=1))
    return seen(post("/api/sliding/refresh/", token=str(token)))


@scenario
def stateless() -> Any:
    token = AccessToken.for_user(vitor())
    token["username"] = "VITOR"
    return [seen(get("/stateless/", token)), seen(APIClient().get("/stateless/"))]


# Tokens


@scenario
def a_new_token() -> Any:
    made = [AccessToken(), RefreshToken(), SlidingToken(), UntypedToken()]
    return [[names(one), one.token_type, one["token_type"], len(one["jti"])] for one in made]


@scenario
def lifetimes() -> Any:
    seconds = [kind.lifetime.total_seconds() for kind in (AccessToken, RefreshToken, SlidingToken)]
    made = [AccessToken(), RefreshToken(), SlidingToken()]
    return [seconds, [one["exp"] - one["iat"] for one in made]]


@scenario
def claims_by_hand() -> Any:
    token = RefreshToken.for_user(vitor())
    token["role"] = "editor"
    token["gone"] = 1
    del token["gone"]
    access = token.access_token
    again = RefreshToken(str(token))
    return [
        names(token),
        names(access),
        access["role"],
        again["role"],
        again["user_id"] == str(User.objects.get().pk),
        token["user_id"] == again["user_id"] == AccessToken(str(access))["user_id"],
        type(token["user_id"]).__name__,
        "role" in again,
        "other" in again,
        again.get("other"),
        again.get("other", 5),
        error(lambda: again["other"]),
        repr(again) == repr(again.payload),
        again.token == str(token),
        seen(get("/hello/", access)),
    ]


@scenario
def claims_survive_refreshes() -> Any:
    token = RefreshToken.for_user(vitor())
    token["role"] = {"name": "editor", "of": [1, 2]}
    answer = post("/api/token/refresh/", refresh=str(token)).json()
    return AccessToken(answer["access"])["role"]


@scenario_of("rotating")
def claims_survive_rotations() -> Any:
    token = RefreshToken.for_user(vitor())
    token["role"] = "editor"
    text = str(token)
    answers = []
    for _ in range(3):
        answers.append(post("/api/token/refresh/", refresh=text).json())
        text = answers[-1]["refresh"]
    return [RefreshToken(text)["role"], AccessToken(answers[-1]["access"])["role"]]


@scenario
def wrong_tokens() -> Any:
    refresh = RefreshToken.for_user(vitor())
    foreign = TokenBackend("HS256", "another key, which nobody here knows: 0123456789").encode(
        refresh.payload
    )
    bare = token_backend.encode({"token_type": "access", "exp": refresh["exp"]})
    untyped = token_backend.encode({"jti": "a", "exp": refresh["exp"]})
    timeless = token_backend.encode({"token_type": "access", "jti": "a"})
    return [
        error(lambda: AccessToken("x")),
        error(lambda: AccessToken(str(refresh))),
        error(lambda: RefreshToken(str(refresh.access_token))),
        error(lambda: AccessToken(foreign)),
        error(lambda: AccessToken(bare)),
        error(lambda: AccessToken(untyped)),
        error(lambda: AccessToken(timeless)),
        error(lambda: UntypedToken(str(refresh))),
        error(lambda: UntypedToken("x")),
        error(Token),
        isinstance(exceptions.ExpiredTokenError(), exceptions.TokenError),
    ]


@scenario
def unverified() -> Any:
    access = AccessToken.for_user(vitor())
    text = str(access)[:-6] + "AAAAAA"
    token = AccessToken(text, verify=False)
    return [token["token_type"], names(token), token.token == text]


@scenario
def instants() -> Any:
    token = AccessToken()
    now = token.current_time
    token.set_exp(from_time=now, lifetime=timedelta(seconds=7))
    token.set_exp("other", lifetime=timedelta(seconds=9))
    token.set_iat(at_time=now - timedelta(seconds=2))
    before = token["jti"]
    token.set_jti()
    base = utils.datetime_to_epoch(now)
    late = now + timedelta(seconds=20)
    return [
        [token["exp"] - base, token["other"] - base, token["iat"] - base],
        token["jti"] != before,
        token.check_exp(),
        error(lambda: token.check_exp(current_time=late)),
        error(lambda: token.check_exp("other", current_time=late)),
        error(lambda: token.check_exp("missing")),
        utils.datetime_from_epoch(base) == now.replace(microsecond=0),
        str(utils.format_lazy("{} {}", 1, 2)),
        utils.get_md5_hash_password("md5$salt$0123"),
    ]


@scenario
def own_classes() -> Any:
    class Mail(Token):
        token_type = "mail"
        lifetime = timedelta(hours=1)

    class ShortAccess(AccessToken):
        lifetime = timedelta(seconds=30)

    class Mine(RefreshToken):
        access_token_class = ShortAccess
        no_copy_claims = (*RefreshToken.no_copy_claims, "secret")

    user = vitor()
    mail = Mail.for_user(user)
    mine = Mine.for_user(user)
    mine["secret"] = 1
    access = mine.access_token
    return [
        names(Mail(str(mail))),
        error(lambda: AccessToken(str(mail))),
        [names(mine), names(access), access["exp"] - access["iat"]],
        type(access).__name__,
        seen(get("/hello/", access)),
    ]


@scenario
def blacklist_by_hand() -> Any:
    token = RefreshToken.for_user(vitor())
    text = str(token)
    RefreshToken(text).check_blacklist()
    first, created = token.blacklist()
    second, again = token.blacklist()
    return [
        [type(first).__name__, created, again, first == second],
        str(first),
        error(lambda: RefreshToken(text)),
        error(token.check_blacklist),
        BlacklistedToken.objects.filter(token__jti=token["jti"]).exists(),
    ]


@scenario
def log_out_everywhere_by_hand() -> Any:
    user = vitor()
    texts = [str(RefreshToken.for_user(user)) for _ in range(3)]
    for row in OutstandingToken.objects.filter(user=user):
        BlacklistedToken.objects.get_or_create(token=row)
    return [error(partial(RefreshToken, text)) for text in texts]


@scenario
def log_out_everywhere_in_bulk() -> Any:
    user = vitor()
    text = str(RefreshToken.for_user(user))
    rows = OutstandingToken.objects.filter(user=user)
    BlacklistedToken.objects.bulk_create([BlacklistedToken(token=row) for row in rows])
    return [error(lambda: RefreshToken(text)), BlacklistedToken.objects.count()]


@scenario
def outstanding_rows() -> Any:
    user = vitor()
    token = RefreshToken.for_user(user)
    text = str(token)
    row = OutstandingToken.objects.get(jti=token["jti"])
    _, created = token.outstand()
    return [
        row.user == user,
        utils.datetime_to_epoch(row.expires_at) == token["exp"],
        created,
        RefreshToken(row.token).token_type,
        str(row) == f"Token for vitor ({token['jti']})",
        OutstandingToken.objects.filter(user=user, blacklistedtoken__isnull=True).count(),
        AccessToken().outstand(),
        len(text.split(".")),
    ]


@scenario
def a_row_by_hand() -> Any:
    user = vitor()
    token = RefreshToken()
    token["user_id"] = str(user.pk)
    row = OutstandingToken.objects.create(
        user=user,
        jti=token["jti"],
        token=str(token),
        created_at=token.current_time,
        expires_at=utils.datetime_from_epoch(token["exp"]),
    )
    BlacklistedToken.objects.create(token=row)
    return error(lambda: RefreshToken(str(row.token)))


@scenario
def blacklist_what_is_outstanding() -> Any:
    text = str(RefreshToken.for_user(vitor()))
    RefreshToken(OutstandingToken.objects.get().token).blacklist()
    return error(lambda: RefreshToken(text))


@scenario_of("rotating")
def rotation_by_hand() -> Any:
    text = str(RefreshToken.for_user(vitor()))
    refresh = RefreshToken(text)
    access = str(refresh.access_token)
    refresh.blacklist()
    refresh.set_jti()
    refresh.set_exp()
    refresh.set_iat()
    refresh.outstand()
    successor = str(refresh)
    return [
        seen(get("/hello/", access)),
        seen(post("/api/token/refresh/", refresh=successor)),
        successor != text,
    ]


@scenario
def long_lives() -> Any:
    refresh = RefreshToken.for_user(vitor())
    refresh.set_exp(lifetime=timedelta(days=30))
    access = refresh.access_token
    access.set_exp(lifetime=timedelta(days=20))
    return [seen(get("/hello/", access)), seen(post("/api/token/refresh/", refresh=str(refresh)))]


@scenario
def a_user_by_hand() -> Any:
    token = AccessToken()
    token["user_id"] = vitor().pk
    return seen(get("/hello/", token))


@scenario
def flush() -> Any:
    token = RefreshToken.for_user(vitor())
    str(token)
    OutstandingToken.objects.update(expires_at=token.current_time - timedelta(days=1))
    call_command("flushexpiredtokens", verbosity=0, stdout=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    return OutstandingToken.objects.count()


# The rest of the API


@scenario
def hooks_of_authentication() -> Any:
    token = AccessToken.for_user(vitor())
    own = JWTAuthentication()
    request = APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {token}")
    user, found = own.authenticate(request)
    header = own.get_header(request)
    raw = own.get_raw_token(header)
    return [
        [type(header).__name__, type(raw).__name__, raw.decode() == str(token)],
        own.get_user(own.get_validated_token(raw)).username,
        [user.username, type(found).__name__, found["token_type"]],
        own.authenticate(APIRequestFactory().get("/")),
        own.get_raw_token(b""),
        own.get_raw_token(b"Token x"),
        detail(lambda: own.get_raw_token(b"Bearer x y")),
        detail(lambda: own.get_validated_token(b"x")),
        detail(lambda: own.get_user(AccessToken())),
        own.authenticate_header(request),
        authentication.AUTH_HEADER_TYPES,
        sorted(authentication.AUTH_HEADER_TYPE_BYTES),
        authentication.JWTTokenUserAuthentication.__name__,
        authentication.default_user_authentication_rule(None),
        authentication.default_user_authentication_rule(user),
    ]


@scenario
def token_users() -> Any:
    token = AccessToken.for_user(vitor())
    token["is_staff"] = True
    one, other = models.TokenUser(token), models.TokenUser(AccessToken(str(token)))
    return [
        [
            one == other,
            hash(one) == hash(other),
            one.pk == one.id,
            str(one) == f"TokenUser {one.id}",
        ],
        [one.username, one.get_username(), one.is_staff, one.is_superuser, one.is_active],
        [one.is_authenticated, one.is_anonymous, one.has_perm("x"), one.has_module_perms("x")],
        [one.groups.count(), one.user_permissions.count(), len(one.get_all_permissions())],
        [one.whatever, one.has_perms(["x"]), len(one.get_group_permissions()), one == 5],
        [error(one.save), error(one.delete), error(lambda: one.set_password("x"))],
    ]


@scenario
def serializers_by_hand() -> Any:
    user = vitor()
    data = {"username": "vitor", "password": PASSWORD}
    pair = serializers.TokenObtainPairSerializer(data=data)
    valid = pair.is_valid()
    refreshed = serializers.TokenRefreshSerializer(data={"refresh": pair.validated_data["refresh"]})
    refreshed.is_valid(raise_exception=True)
    return [
        valid,
        sorted(pair.validated_data),
        pair.user == user,
        sorted(refreshed.validated_data),
        type(serializers.TokenObtainPairSerializer.get_token(user)).__name__,
        serializers.TokenObtainPairSerializer.username_field,
        list(serializers.TokenObtainPairSerializer().fields),
        list(serializers.TokenRefreshSerializer().fields),
        serializers.TokenRefreshSerializer.token_class.__name__,
        error(lambda: serializers.TokenRefreshSerializer().validate({"refresh": "x"})),
        serializers.TokenVerifySerializer().validate({"token": str(AccessToken())}),
    ]


@scenario
def own_serializers() -> Any:
    class Mine(serializers.TokenObtainPairSerializer):
        default_error_messages = {"no_active_account": "who are you?"}  # noqa: RUF012

        @classmethod
        def get_token(cls, user: Any) -> Any:
            token = super().get_token(user)
            token["name"] = user.username
            return token

        def validate(self, attrs: Any) -> Any:
            return {**super().validate(attrs), "name": self.user.username}

    class View(views.TokenObtainPairView):
        serializer_class = Mine

    vitor()
    factory = APIRequestFactory()

    def ask(password: str) -> Any:
        request = factory.post("/", {"username": "vitor", "password": password}, format="json")
        return View.as_view()(request)

    answer, refused = ask(PASSWORD), ask("no")
    return [
        sorted(answer.data),
        AccessToken(answer.data["access"])["name"],
        RefreshToken(answer.data["refresh"])["name"],
        [refused.status_code, refused.data["detail"]],
    ]


@scenario
def settings() -> Any:
    public = [name for name in sorted(api_settings.defaults) if name != "SIGNING_KEY"]
    values = {name: str(getattr(api_settings, name)) for name in public}
    said = {
        name: value.replace("drf_signet.compat.simplejwt", "rest_framework_simplejwt")
        for name, value in values.items()
        if " at 0x" not in value
    }
    return [said, error(lambda: api_settings.NOTHING)]


@scenario
def defaults_of_settings() -> Any:
    return {
        name: repr(value) for name, value in api_settings.defaults.items() if name != "SIGNING_KEY"
    }


@scenario
def patched_settings() -> Any:
    with mock.patch.object(api_settings, "USER_ID_CLAIM", "uid"):
        inside = names(AccessToken.for_user(vitor()))
    return [inside, api_settings.USER_ID_CLAIM]


@scenario_of("customised")
def settings_of_the_project() -> Any:
    user = vitor()
    answer = post("/api/token/", username="vitor", password=PASSWORD)
    access = AccessToken(answer.json()["access"])
    user.refresh_from_db()
    return [
        seen(answer),
        names(access),
        access["sub"],
        [access["iss"], access["aud"], access["exp"] - access["iat"]],
        user.last_login is not None,
        seen(get("/hello/", access, scheme="JWT")),
        seen(get("/hello/", access, scheme="Bearer")),
        seen(APIClient().get("/hello/")),
        authentication.AUTH_HEADER_TYPES,
    ]


@scenario
def backends() -> Any:
    own = TokenBackend("HS256", "a key of the test's own: 0123456789abcdef", "", "me", "you")
    text = own.encode({"a": 1})
    other = TokenBackend("HS256", "a key of the test's own: 0123456789abcdef", "", "he", "you")
    past = own.encode({"exp": 1})
    return [
        own.decode(text),
        own.decode(text.encode()),
        error(lambda: other.decode(text)),
        error(lambda: own.decode(past)),
        error(lambda: own.decode("x")),
        own.decode(text[:-4] + "AAAA", verify=False),
        error(lambda: TokenBackend("oi")),
        [own.get_leeway().total_seconds(), own.algorithm],
        error(lambda: TokenBackend("HS256", leeway="x").get_leeway()),
        token_backend.decode(token_backend.encode({"b": 2})),
    ]


@scenario
def names_that_are_imported_from_elsewhere() -> Any:
    """What annotations and habit have projects import, beside what a module is for."""
    places = {
        tokens: ["AuthUser", "BlacklistedToken", "OutstandingToken", "TokenError", "api_settings"],
        serializers: ["AuthUser", "RefreshToken", "Token", "TokenUser", "update_last_login"],
        authentication: ["AuthUser", "InvalidToken", "Token", "TokenError", "TokenUser"],
        views: ["InvalidToken", "TokenError"],
    }
    found = [type(getattr(module, name)).__name__ for module in places for name in places[module]]
    return [found, error(lambda: tokens.NOTHING)[0]]


@scenario
def a_refresh_of_ones_own_type() -> Any:
    class Mobile(RefreshToken):
        token_type = "mobile"

    class Mine(serializers.TokenRefreshSerializer):
        token_class = Mobile

    class View(views.TokenRefreshView):
        serializer_class = Mine

    def ask(text: object) -> Any:
        return View.as_view()(APIRequestFactory().post("/", {"refresh": str(text)}))

    user = vitor()
    token = Mobile.for_user(user)
    token["role"] = "editor"
    answer, refused = ask(token), ask(RefreshToken.for_user(user))
    return [
        [answer.status_code, sorted(answer.data), AccessToken(answer.data["access"])["role"]],
        [refused.status_code, refused.data["detail"]],
    ]


@scenario
def a_view_without_a_serializer() -> Any:
    class View(views.TokenViewBase):
        pass

    return error(lambda: View().get_serializer_class())


@scenario
def pickled_and_copied() -> Any:
    token = RefreshToken.for_user(vitor())
    read = RefreshToken(str(token))
    made = [pickle.loads(pickle.dumps(read)), copy.deepcopy(read), copy.copy(token)]
    return [[one["user_id"] == token["user_id"], RefreshToken(str(one)).token_type] for one in made]


@scenario
def errors() -> Any:
    made = [
        exceptions.InvalidToken(),
        exceptions.InvalidToken("x"),
        exceptions.InvalidToken({"detail": "y", "messages": [1]}),
        exceptions.AuthenticationFailed("z", code="c"),
    ]
    return [[one.status_code, json.loads(json.dumps(one.detail))] for one in made]


def main() -> None:
    """Run all scenarios, each in a transaction that is rolled back; print what they saw."""
    call_command("migrate", verbosity=0)
    found = {}
    for name, function in SCENARIOS.items():
        with transaction.atomic():
            try:
                found[name] = function()
            except Exception as raised:
                found[name] = f"{type(raised).__name__}: {raised}"
            transaction.set_rollback(True)
    json.dump(found, sys.stdout, default=str)


main()
