"""Scenarios that use simplejwt's API. Running this module prints their results as JSON.

`test_contract` runs this module once with simplejwt and once with drf-signet's alias, which has the
same import paths. The result of a scenario must be the same with both packages. Tokens, ids and
times differ between the runs, so a scenario returns only values that must be equal.
"""

# ruff: noqa: E402

from __future__ import annotations

import copy
import json
import os
import pickle
import re
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
SESSION_CLAIMS = {"sid", "gen", "auth_time"}
PASSWORD = "correct horse"


def scenario_of(settings: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Return a decorator for scenarios that run only if COMPAT_SETTINGS has this value."""

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
    pair: dict[str, str] = post("/api/token/", username="vitor", password=PASSWORD).json()
    return pair


def get(path: str, token: object, scheme: str = "Bearer") -> Any:
    return APIClient().get(path, HTTP_AUTHORIZATION=f"{scheme} {token}")


def summary(answer: Any) -> Any:
    """Return the status, the WWW-Authenticate header and the body. Placeholders replace tokens.

    Some values are left out, because simplejwt does not send them: the `code` of some errors, and
    the `error` in the header.
    """
    body = {name: _redacted(value) for name, value in answer.json().items()}
    if "detail" in body and "messages" not in body:
        body.pop("code", None) if body.get("code") in EXTRA_CODES else None
    challenge = answer.headers.get("WWW-Authenticate")
    return [answer.status_code, challenge and without_error(challenge), body]


def without_error(challenge: str) -> str:
    return re.sub(', error="[a-z_]+"', "", challenge)


EXTRA_CODES = {"no_active_account", "parse_error", "method_not_allowed", "unsupported_media_type"}


def _redacted(value: Any) -> Any:
    return "<token>" if isinstance(value, str) and value.count(".") == 2 else value


def claim_names(token: Any) -> list[str]:
    """Return the names of a token's claims, without drf-signet's session claims."""
    return sorted(set(token.payload) - SESSION_CLAIMS)


def error(call: Callable[[], Any]) -> Any:
    """Call the function; return the type and the arguments of the exception it raises."""
    try:
        value = call()
    except Exception as raised:
        return [type(raised).__name__, [str(argument) for argument in raised.args]]
    return ["no error", str(type(value).__name__)]


def detail(call: Callable[[], Any]) -> Any:
    """Call the function; return the status and detail of the AuthenticationFailed it raises."""
    try:
        call()
    except exceptions.AuthenticationFailed as raised:
        return [raised.status_code, raised.detail]
    return "no error"


# Endpoints


@scenario
def obtain() -> Any:
    vitor()
    return summary(post("/api/token/", username="vitor", password=PASSWORD))


@scenario
def obtain_by_form() -> Any:
    vitor()
    data = {"username": "vitor", "password": PASSWORD}
    return summary(APIClient().post("/api/token/", data, format="multipart"))


@scenario
def obtain_refused() -> Any:
    vitor()
    User.objects.create_user("gone", password=PASSWORD, is_active=False)
    return [
        summary(post("/api/token/", username="vitor", password="no")),
        summary(post("/api/token/", username="nobody", password="no")),
        summary(post("/api/token/", username="gone", password=PASSWORD)),
        summary(post("/api/token/")),
        summary(post("/api/token/", username="vitor")),
        summary(post("/api/token/", username="", password=None)),
        summary(APIClient().post("/api/token/", "{", content_type="application/json")),
        summary(APIClient().get("/api/token/")),
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
        summary(get("/hello/", pair["access"])),
        summary(APIClient().get("/hello/")),
        summary(get("/hello/", pair["access"], scheme="Token")),
        summary(get("/hello/", pair["refresh"])),
        summary(get("/hello/", "x")),
        summary(get("/hello/", "a b")),
        summary(get("/hello/", "")),
        summary(get("/hello/", pair["access"][:-4])),
    ]


@scenario
def hello_of_an_inactive_user() -> Any:
    user, pair = vitor(), login()
    user.is_active = False
    user.save()
    return summary(get("/hello/", pair["access"]))


@scenario
def hello_of_a_bulk_deactivated_user() -> Any:
    vitor()
    pair = login()
    User.objects.update(is_active=False)
    return summary(get("/hello/", pair["access"]))


@scenario
def hello_of_a_deleted_user() -> Any:
    user, pair = vitor(), login()
    user.delete()
    return summary(get("/hello/", pair["access"]))


@scenario
def expired_token() -> Any:
    token = AccessToken.for_user(vitor())
    token.set_exp(lifetime=-timedelta(seconds=5))
    return [summary(get("/hello/", token)), error(lambda: AccessToken(str(token)))]


@scenario
def refresh() -> Any:
    vitor()
    pair = login()
    answer = post("/api/token/refresh/", refresh=pair["refresh"])
    return [
        summary(answer),
        summary(get("/hello/", answer.json()["access"])),
        summary(post("/api/token/refresh/", refresh=pair["refresh"])),
        summary(post("/api/token/refresh/", refresh=pair["access"])),
        summary(post("/api/token/refresh/", refresh="x")),
        summary(post("/api/token/refresh/", refresh="")),
        summary(post("/api/token/refresh/", refresh=None)),
        summary(post("/api/token/refresh/", refresh=5)),
        summary(post("/api/token/refresh/")),
        summary(APIClient().get("/api/token/refresh/")),
    ]


@scenario
def refresh_of_an_inactive_user() -> Any:
    user, pair = vitor(), login()
    user.is_active = False
    user.save()
    return summary(post("/api/token/refresh/", refresh=pair["refresh"]))


@scenario
def refresh_of_a_bulk_deactivated_user() -> Any:
    vitor()
    pair = login()
    User.objects.update(is_active=False)
    return summary(post("/api/token/refresh/", refresh=pair["refresh"]))


@scenario_of("rotating")
def rotation() -> Any:
    vitor()
    pair = login()
    answer = post("/api/token/refresh/", refresh=pair["refresh"])
    successor = answer.json()["refresh"]
    return [
        summary(answer),
        successor != pair["refresh"],
        summary(get("/hello/", answer.json()["access"])),
        summary(post("/api/token/refresh/", refresh=successor)),
    ]


@scenario_of("rotating, unlisted")
def rotation_without_blacklisting() -> Any:
    vitor()
    pair = login()
    answers = [post("/api/token/refresh/", refresh=pair["refresh"]) for _ in range(3)]
    return [summary(one) for one in answers]


@scenario
def logout() -> Any:
    vitor()
    pair = login()
    return [
        summary(post("/api/token/blacklist/", refresh=pair["refresh"])),
        summary(post("/api/token/blacklist/", refresh=pair["refresh"])),
        summary(post("/api/token/refresh/", refresh=pair["refresh"])),
        summary(post("/api/token/blacklist/", refresh="x")),
        summary(post("/api/token/blacklist/")),
        BlacklistedToken.objects.count(),
    ]


@scenario_of("rotating")
def verify() -> Any:
    vitor()
    pair = login()
    answers = [summary(post("/api/token/verify/", token=one)) for one in (*pair.values(), "x", "")]
    post("/api/token/blacklist/", refresh=pair["refresh"])
    return [*answers, summary(post("/api/token/verify/", token=pair["refresh"]))]


@scenario_of("sliding")
def sliding() -> Any:
    vitor()
    answer = post("/api/sliding/", username="vitor", password=PASSWORD)
    token = answer.json()["token"]
    return [
        summary(answer),
        claim_names(SlidingToken(token)),
        summary(get("/hello/", token)),
        summary(get("/hello/", AccessToken.for_user(User.objects.get()))),
        summary(post("/api/sliding/refresh/", token=token)),
        summary(post("/api/sliding/refresh/", token="x")),
        summary(post("/api/sliding/", username="vitor", password="no")),
    ]


@scenario
def sliding_refresh_too_late() -> Any:
    token = SlidingToken.for_user(vitor())
    token.set_exp("refresh_exp", lifetime=-timedelta(seconds=1))
    return summary(post("/api/sliding/refresh/", token=str(token)))


@scenario
def stateless() -> Any:
    token = AccessToken.for_user(vitor())
    token["username"] = "VITOR"
    return [summary(get("/stateless/", token)), summary(APIClient().get("/stateless/"))]


# Tokens


@scenario
def new_tokens() -> Any:
    made = [AccessToken(), RefreshToken(), SlidingToken(), UntypedToken()]
    return [[claim_names(one), one.token_type, one["token_type"], len(one["jti"])] for one in made]


@scenario
def lifetimes() -> Any:
    seconds = [kind.lifetime.total_seconds() for kind in (AccessToken, RefreshToken, SlidingToken)]
    made = [AccessToken(), RefreshToken(), SlidingToken()]
    return [seconds, [one["exp"] - one["iat"] for one in made]]


@scenario
def custom_claims() -> Any:
    token = RefreshToken.for_user(vitor())
    token["role"] = "editor"
    token["gone"] = 1
    del token["gone"]
    access = token.access_token
    again = RefreshToken(str(token))
    return [
        claim_names(token),
        claim_names(access),
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
        summary(get("/hello/", access)),
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
def invalid_tokens() -> Any:
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
    return [token["token_type"], claim_names(token), token.token == text]


@scenario
def timestamps() -> Any:
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
def custom_token_classes() -> Any:
    class Mail(Token):
        token_type = "mail"
        lifetime = timedelta(hours=1)

    class ShortAccess(AccessToken):
        lifetime = timedelta(seconds=30)

    class CustomRefreshToken(RefreshToken):
        access_token_class = ShortAccess
        no_copy_claims = (*RefreshToken.no_copy_claims, "secret")

    user = vitor()
    mail = Mail.for_user(user)
    mine = CustomRefreshToken.for_user(user)
    mine["secret"] = 1
    access = mine.access_token
    return [
        claim_names(Mail(str(mail))),
        error(lambda: AccessToken(str(mail))),
        [claim_names(mine), claim_names(access), round(access["exp"] - access["iat"], -1)],
        type(access).__name__,
        summary(get("/hello/", access)),
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
    raw_tokens = [str(RefreshToken.for_user(user)) for _ in range(3)]
    for row in OutstandingToken.objects.filter(user=user):
        BlacklistedToken.objects.get_or_create(token=row)
    return [error(partial(RefreshToken, token)) for token in raw_tokens]


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
def outstanding_row_of_a_token_that_is_not_signed() -> Any:
    user = vitor()
    kinds = [RefreshToken.for_user(user), SlidingToken.for_user(user), AccessToken.for_user(user)]
    rows = OutstandingToken.objects.order_by("id")
    refresh, *_ = rows
    return [
        [row.jti == token["jti"] for row, token in zip(rows, kinds, strict=False)],
        [row.user == user for row in rows],
        refresh.created_at == kinds[0].current_time,
        utils.datetime_to_epoch(refresh.expires_at) == kinds[0]["exp"],
    ]


@scenario
def outstanding_row_is_blacklisted_before_the_token_is_signed() -> Any:
    token = RefreshToken.for_user(vitor())
    BlacklistedToken.objects.create(token=OutstandingToken.objects.get())
    text = str(token)
    refreshed = summary(post("/api/token/refresh/", refresh=text))
    return [error(lambda: RefreshToken(text)), refreshed, OutstandingToken.objects.count()]


@scenario_of("revoking")
def hash_of_the_password_in_each_token() -> Any:
    user = vitor()
    refresh = RefreshToken.for_user(user)
    pair = login()
    renewed = post("/api/token/refresh/", refresh=pair["refresh"]).json()["access"]
    texts = [refresh, refresh.access_token, SlidingToken.for_user(user), AccessToken.for_user(user)]
    claims = [UntypedToken(str(text)).get("pwd") for text in [*texts, *pair.values(), renewed]]
    return [
        [claim == utils.get_md5_hash_password(user.password) for claim in claims],
        summary(get("/hello/", pair["access"])),
    ]


@scenario
def outstanding_row_by_hand() -> Any:
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
def blacklist_by_the_outstanding_row() -> Any:
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
        summary(get("/hello/", access)),
        summary(post("/api/token/refresh/", refresh=successor)),
        successor != text,
    ]


@scenario
def long_lifetimes() -> Any:
    refresh = RefreshToken.for_user(vitor())
    refresh.set_exp(lifetime=timedelta(days=30))
    access = refresh.access_token
    access.set_exp(lifetime=timedelta(days=20))
    return [
        summary(get("/hello/", access)),
        summary(post("/api/token/refresh/", refresh=str(refresh))),
    ]


@scenario
def user_id_set_by_hand() -> Any:
    token = AccessToken()
    token["user_id"] = vitor().pk
    return summary(get("/hello/", token))


@scenario
def flush() -> Any:
    token = RefreshToken.for_user(vitor())
    str(token)
    OutstandingToken.objects.update(expires_at=token.current_time - timedelta(days=1))
    call_command("flushexpiredtokens", verbosity=0, stdout=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    return OutstandingToken.objects.count()


# Other parts of the API


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
        without_error(own.authenticate_header(request)),
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
def custom_serializers() -> Any:
    class CustomSerializer(serializers.TokenObtainPairSerializer):
        default_error_messages = {"no_active_account": "who are you?"}  # noqa: RUF012

        @classmethod
        def get_token(cls, user: Any) -> Any:
            token = super().get_token(user)
            token["name"] = user.username
            return token

        def validate(self, attrs: Any) -> Any:
            return {**super().validate(attrs), "name": self.user.username}

    class View(views.TokenObtainPairView):
        serializer_class = CustomSerializer

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
    comparable = {
        name: value.replace("drf_signet.compat.simplejwt", "rest_framework_simplejwt")
        for name, value in values.items()
        if " at 0x" not in value
    }
    return [comparable, error(lambda: api_settings.NOTHING)]


@scenario
def defaults_of_settings() -> Any:
    return {
        name: repr(value) for name, value in api_settings.defaults.items() if name != "SIGNING_KEY"
    }


@scenario
def patched_settings() -> Any:
    with mock.patch.object(api_settings, "USER_ID_CLAIM", "uid"):
        inside = claim_names(AccessToken.for_user(vitor()))
    return [inside, api_settings.USER_ID_CLAIM]


@scenario_of("customised")
def settings_of_the_project() -> Any:
    user = vitor()
    answer = post("/api/token/", username="vitor", password=PASSWORD)
    access = AccessToken(answer.json()["access"])
    user.refresh_from_db()
    return [
        summary(answer),
        claim_names(access),
        access["sub"],
        [access["iss"], access["aud"], round(access["exp"] - access["iat"], -1)],
        user.last_login is not None,
        summary(get("/hello/", access, scheme="JWT")),
        summary(get("/hello/", access, scheme="Bearer")),
        summary(APIClient().get("/hello/")),
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
def names_imported_from_other_modules() -> Any:
    """Read names from modules that only re-export them, because projects import them from there."""
    places = {
        tokens: ["AuthUser", "BlacklistedToken", "OutstandingToken", "TokenError", "api_settings"],
        serializers: ["AuthUser", "RefreshToken", "Token", "TokenUser", "update_last_login"],
        authentication: ["AuthUser", "InvalidToken", "Token", "TokenError", "TokenUser"],
        views: ["InvalidToken", "TokenError"],
    }
    types = [type(getattr(module, name)).__name__ for module in places for name in places[module]]
    return [types, error(lambda: tokens.NOTHING)[0]]


@scenario
def custom_refresh_token_type() -> Any:
    class Mobile(RefreshToken):
        token_type = "mobile"

    class MobileSerializer(serializers.TokenRefreshSerializer):
        token_class = Mobile

    class View(views.TokenRefreshView):
        serializer_class = MobileSerializer

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
    """Run each scenario in a transaction, and roll it back; print the results of all scenarios."""
    call_command("migrate", verbosity=0)
    results = {}
    for name, function in SCENARIOS.items():
        with transaction.atomic():
            try:
                results[name] = function()
            except Exception as raised:
                results[name] = f"{type(raised).__name__}: {raised}"
            transaction.set_rollback(True)
    json.dump(results, sys.stdout, default=str)


main()
