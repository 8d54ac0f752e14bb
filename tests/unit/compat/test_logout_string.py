"""Test that the string in an `OutstandingToken` row can only end the session of the token."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings

from drf_signet import Session, end, flows, runtime
from drf_signet.compat.simplejwt import adoption, logout_string
from drf_signet.compat.simplejwt.authentication import (
    JWTAuthentication,
    JWTStatelessUserAuthentication,
)
from drf_signet.compat.simplejwt.backends import TokenBackend
from drf_signet.compat.simplejwt.exceptions import (
    ExpiredTokenError,
    InvalidToken,
    TokenBackendError,
    TokenError,
)
from drf_signet.compat.simplejwt.moving import tokens as moving
from drf_signet.compat.simplejwt.serializers import (
    TokenBlacklistSerializer,
    TokenRefreshSerializer,
    TokenVerifySerializer,
)
from drf_signet.compat.simplejwt.state import token_backend
from drf_signet.compat.simplejwt.tokens import (
    AccessToken,
    BlacklistMixin,
    RefreshToken,
    SlidingToken,
    Token,
    UntypedToken,
)
from drf_signet.errors import SignetError
from drf_signet.testing import browser_client
from drf_signet.tokens import verify, verify_access
from tests.conftest import PASSWORD
from tests.support.page_requests import REFRESH_COOKIE, send
from tests.support.session_states import ADOPTING, legacy_token
from tests.support.simplejwt_alias import alias, alias_tables

__all__ = ["alias", "alias_tables"]  # imported so that pytest finds these fixtures

pytestmark = pytest.mark.django_db

CREDENTIALS = {"username": "vitor", "password": PASSWORD}


class Device(BlacklistMixin["Device"], Token):  # type: ignore[type-arg]  # as projects write it
    token_type = "device"
    lifetime = timedelta(minutes=1)


class OtherRefresh(Token):
    token_type = "refresh"
    lifetime = timedelta(minutes=1)


class Mobile(RefreshToken):
    token_type = "mobile"


def from_row(models: Any, token: RefreshToken) -> str:
    """Sign a token; return the string that is stored in the token's row."""
    str(token)
    return str(models.OutstandingToken.objects.get(jti=token["jti"]).token)


def from_former_version(models: Any, token: RefreshToken) -> str:
    """Sign a token. Store and return the string that an earlier version would have stored."""
    str(token)
    claims = {name: value for name, value in token.payload.items() if name != "gen"}
    kept = token_backend.encode(claims)
    assert models.OutstandingToken.objects.filter(jti=token["jti"]).update(token=kept) == 1
    return kept


@pytest.fixture(params=[from_row, from_former_version])
def keep(request: pytest.FixtureRequest, alias: Any) -> Callable[[RefreshToken], str]:
    """Return a function that signs a refresh token and returns the string stored in its row."""
    return lambda token: str(request.param(alias, token))


@pytest.fixture
def token(user: Any) -> RefreshToken:
    """Return an unsigned refresh token for the user."""
    return RefreshToken.for_user(user)


@pytest.fixture
def kept(keep: Callable[[RefreshToken], str], token: RefreshToken) -> str:
    """Return the string that is stored in the token's row."""
    return keep(token)


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def is_alive(token: Any) -> bool:
    return Session.objects.filter(pk=token.session_id, end_reason="").exists()


class TestForm:
    def test_row_keeps_no_token(self, alias, token):
        raw_token = str(token)
        (row,) = alias.OutstandingToken.objects.all()
        assert row.token.startswith("logout-only:")
        assert "." not in row.token
        for segment in raw_token.split(".")[1:]:
            assert segment not in row.token

    @pytest.mark.parametrize("path", ["/api/token/", "/api/sliding/"])
    def test_login_keeps_no_token(self, client, alias, user, path):
        assert client.post(path, CREDENTIALS).status_code == 200
        for row in alias.OutstandingToken.objects.all():
            assert logout_string.is_logout_only(row.token)

    def test_claims_do_not_identify_the_user(self, alias, token):
        kept = from_row(alias, token)
        assert token_backend.read_signed(kept) == {
            "jti": token["jti"],
            "exp": token["exp"],
            "sid": token["sid"],
        }

    def test_string_rewritten_as_a_token_has_an_invalid_signature(self, alias, token):
        segments = from_row(alias, token).split(":")
        for rewritten in (
            ".".join(segments[1:]),
            ".".join([":".join(segments[:2]), *segments[2:]]),
        ):
            for read in READERS.values():
                with pytest.raises(REFUSALS):
                    read(rewritten)

    def test_token_rewritten_as_a_string_has_an_invalid_signature(self, alias, token):
        rewritten = "logout-only:" + str(token).replace(".", ":")
        for verified in (True, False):
            with pytest.raises(TokenError, match="invalid"):
                RefreshToken(rewritten, verify=verified)
        assert is_alive(token)


def _own_backend() -> TokenBackend:
    """Return a token backend like one that a project creates itself, with its SECRET_KEY."""
    return TokenBackend("HS256", django_settings.SECRET_KEY)


REFUSALS = (TokenError, TokenBackendError, SignetError, InvalidToken)
READERS: dict[str, Callable[[str], object]] = {
    "UntypedToken": UntypedToken,
    "AccessToken": AccessToken,
    "SlidingToken": SlidingToken,
    "custom class of type refresh": OtherRefresh,
    "custom class with BlacklistMixin": Device,
    "AccessToken from bytes": lambda kept: AccessToken(kept.encode()),
    "token_backend.decode": token_backend.decode,
    "TokenBackend with SECRET_KEY": lambda kept: _own_backend().decode(kept),
    "verify": lambda kept: verify(kept, now=runtime.now()),
    "verify_access": lambda kept: verify_access(kept, now=runtime.now()),
    "flows.verify": flows.verify,
    "flows.refresh": flows.refresh,
    "flows.logout": flows.logout,
    "flows.identify": lambda kept: flows.identify(kept, transport="token"),
    "JWTAuthentication": lambda kept: JWTAuthentication().get_validated_token(kept),
    "TokenRefreshSerializer": lambda kept: TokenRefreshSerializer().validate({"refresh": kept}),
    "TokenVerifySerializer": lambda kept: TokenVerifySerializer().validate({"token": kept}),
    "TokenBlacklistSerializer": lambda kept: TokenBlacklistSerializer().validate({"refresh": kept}),
}


class TestOtherUses:
    @pytest.mark.parametrize("name", READERS)
    def test_reader_of_tokens_refuses_it(self, kept, token, name):
        with pytest.raises(REFUSALS):
            READERS[name](kept)
        assert is_alive(token)

    @pytest.mark.parametrize(
        ("path", "field"),
        [
            ("/api/token/refresh/", "refresh"),
            ("/api/token/verify/", "token"),
            ("/api/token/blacklist/", "refresh"),
            ("/api/sliding/refresh/", "token"),
            ("/native/refresh/", "refresh"),
            ("/native/verify/", "token"),
            ("/native/logout/", "refresh"),
        ],
    )
    def test_endpoint_refuses_it(self, client, kept, token, path, field):
        answer = client.post(path, {field: kept})
        assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")
        assert is_alive(token)

    @pytest.mark.parametrize("path", ["/hello/", "/native/sessions/"])
    def test_header_with_it_is_refused(self, client, kept, token, path):
        answer = client.get(path, HTTP_AUTHORIZATION=f"Bearer {kept}")
        assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")
        assert is_alive(token)

    def test_token_class_in_the_settings_does_not_authenticate_it(self, client, kept, settings):
        name = f"{RefreshToken.__module__}.RefreshToken"
        settings.SIMPLE_JWT = {"AUTH_TOKEN_CLASSES": [name]}
        answer = client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {kept}")
        assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")

    @pytest.mark.parametrize("copied", [None, copy.copy, copy.deepcopy, pickled])
    def test_refresh_token_made_of_it_issues_and_signs_nothing(self, kept, copied):
        read = RefreshToken(kept)
        if copied is not None:
            read = copied(read)
        assert not read.verified
        with pytest.raises(TokenError, match="invalid"):
            _ = read.access_token
        read["user_id"] = "1"
        read.set_jti()
        read.set_exp(lifetime=timedelta(days=300))
        read.set_iat()
        assert str(read) == kept

    def test_refresh_token_made_of_it_identifies_nobody(self, kept, user):
        read = RefreshToken(kept)
        assert "user_id" not in read
        assert read.get("user_id") is None
        assert str(user.pk) not in map(str, read.payload.values())
        for authentication_class in (JWTAuthentication, JWTStatelessUserAuthentication):
            with pytest.raises(InvalidToken):
                authentication_class().get_user(read)

    def test_cookie_with_it_is_refused(self, kept, token, settings):
        settings.ROOT_URLCONF = "tests.urls"
        client = browser_client()
        client.cookies[REFRESH_COOKIE] = kept
        answer = send(client, "refresh")
        assert (answer.status_code, answer.json()["reason"]) == (401, "invalid")
        for name in ("logout", "logout_all"):
            send(client, name)
        assert is_alive(token)

    def test_claims_signed_again_as_a_token_are_refused(self, kept):
        signed = token_backend.encode(RefreshToken(kept).payload)
        for name in READERS.keys() - {"token_backend.decode", "TokenBackend with SECRET_KEY"}:
            with pytest.raises(REFUSALS):
                READERS[name](signed)

    def test_read_without_verification_it_is_refused_by_all_but_refresh_tokens(self, alias, token):
        kept = from_row(alias, token)
        for token_class in (UntypedToken, AccessToken, SlidingToken, OtherRefresh, Device):
            with pytest.raises(TokenError, match="invalid"):
                token_class(kept, verify=False)


class TestEnding:
    @pytest.mark.parametrize("verified", [True, False])
    def test_blacklist_ends_the_session(self, alias, kept, token, verified):
        entry, created = RefreshToken(kept, verify=verified).blacklist()
        assert (entry.token.jti, created) == (token["jti"], True)
        assert Session.objects.get().end_reason == "logout"
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(str(token))
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(kept)
        assert RefreshToken(kept, verify=False).blacklist() == (entry, False)

    def test_blacklist_from_bytes_ends_the_session(self, kept):
        RefreshToken(kept.encode()).blacklist()
        assert Session.objects.get().end_reason == "logout"

    def test_check_blacklist_accepts_it_while_the_session_is_alive(self, kept, token):
        read = RefreshToken(kept)
        read.check_blacklist()
        end(token["sid"])
        with pytest.raises(TokenError, match="blacklisted"):
            read.check_blacklist()

    def test_outstand_returns_the_row(self, alias, kept, token):
        row = alias.OutstandingToken.objects.get()
        read = RefreshToken(kept)
        assert read.outstand() == (row, False)
        assert (read.session_id, str(read)) == (token.session_id, kept)

    def test_claims_assigned_to_the_string_do_not_choose_another_session(self, keep, token, user):
        other = RefreshToken.for_user(user)
        read = RefreshToken(keep(token))
        str(other)
        read.payload |= {"sid": other["sid"], "jti": other["jti"]}
        read.blacklist()
        assert (is_alive(token), is_alive(other)) == (False, True)

    def test_string_expires_with_the_refresh_token_and_can_still_end_the_session(self, keep, token):
        token.set_exp(lifetime=-timedelta(seconds=1))
        kept = keep(token)
        with pytest.raises(ExpiredTokenError):
            RefreshToken(kept)
        RefreshToken(kept, verify=False).blacklist()
        assert not is_alive(token)

    def test_forged_string_is_refused(self, kept, token):
        for verified in (True, False):
            with pytest.raises(TokenError, match="invalid"):
                RefreshToken(kept[:-8] + "AAAAAAAA", verify=verified).blacklist()
        assert is_alive(token)

    @pytest.mark.parametrize("keep", [from_row], indirect=True)
    def test_each_part_of_the_string_is_signed(self, kept, token):
        for position, character in enumerate(kept):
            changed = kept[:position] + ("B" if character == "A" else "A") + kept[position + 1 :]
            with pytest.raises(TokenError):
                RefreshToken(changed)
        assert is_alive(token)

    @pytest.mark.parametrize("token_class", [RefreshToken, Mobile])
    def test_class_with_a_type_of_its_own_ends_the_session(self, alias, user, token_class):
        token = Mobile.for_user(user)
        token_class(from_row(alias, token)).blacklist()
        assert not is_alive(token)

    @pytest.mark.parametrize("login_class", [SlidingToken, Device])
    def test_session_of_a_token_without_access_tokens_is_ended(self, alias, user, login_class):
        token = login_class.for_user(user)
        RefreshToken(from_row(alias, token)).blacklist()
        assert not is_alive(token)
        with pytest.raises(TokenError, match="blacklisted"):
            login_class(str(token))

    def test_key_that_was_replaced_still_reads_it(self, kept, token, settings):
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "the next key of the project: 0123456789abcdef0123456789abcdef"
        RefreshToken(kept).blacklist()
        assert not is_alive(token)

    def test_key_ring_reads_it(self, keep, user, settings):
        key = {"alg": "HS256", "key": "a key of a ring: 0123456789abcdef0123456789abcdef"}
        settings.SIGNET = {"KEYS": [{"kid": "a", **key}]}
        token = RefreshToken.for_user(user)
        kept = keep(token)
        settings.SIGNET = {"KEYS": [{"kid": "b", **key, "key": key["key"][::-1]}]}
        with pytest.raises(TokenError, match="invalid"):
            RefreshToken(kept)
        settings.SIGNET = {"KEYS": [{"kid": "b", **key}, {"kid": "a", **key}]}
        RefreshToken(kept).blacklist()
        assert not is_alive(token)

    def test_class_with_its_own_key_signs_and_reads_it_with_this_key(self, alias, user):
        class Foreign(RefreshToken):
            _token_backend = TokenBackend("HS256", "another key, of 32 bytes or more: 0123456789")

        token = Foreign.for_user(user)
        kept = from_row(alias, token)
        with pytest.raises(TokenError, match="invalid"):
            RefreshToken(kept)
        Foreign(kept).blacklist()
        assert not is_alive(token)

    def test_token_without_a_session_is_blacklisted_by_it(self, alias):
        token = RefreshToken()
        token.outstand()
        read = RefreshToken(from_row(alias, token))
        with pytest.raises(TokenError, match="invalid"):
            _ = read.access_token
        read.blacklist()
        for raw_token in (str(token), str(read)):
            with pytest.raises(TokenError, match="blacklisted"):
                RefreshToken(raw_token)


class TestLegacyTokens:
    @pytest.fixture(autouse=True)
    def _adopting(self, settings: Any) -> None:
        settings.SIGNET = ADOPTING

    @pytest.mark.parametrize("write", [RefreshToken.outstand, RefreshToken.blacklist])
    def test_row_of_a_legacy_token_keeps_no_token(self, alias, user, write):
        """This token has no row from simplejwt, so `outstand` and `blacklist` write one."""
        legacy = RefreshToken(legacy_token(user))
        write(legacy)
        row = alias.OutstandingToken.objects.get(jti=legacy["jti"])
        session_id = str(adoption.session_id_of(legacy["jti"]))
        claims = {"jti": legacy["jti"], "exp": legacy["exp"], "sid": session_id}
        assert token_backend.read_signed(row.token) == claims

    def test_row_of_an_adopted_token_ends_its_session(self, alias, user):
        legacy = RefreshToken(legacy_token(user))
        legacy.outstand()
        RefreshToken(alias.OutstandingToken.objects.get().token).blacklist()
        assert Session.objects.get().end_reason == "logout"
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(str(legacy.token))

    def test_outstand_leaves_the_token_refreshable(self, alias, user):
        legacy = RefreshToken(legacy_token(user))
        legacy.outstand()
        assert RefreshToken(str(legacy))["gen"] == 0

    def test_blacklist_row_of_an_inactive_user_prevents_the_adoption(self, alias, make_user):
        legacy = RefreshToken(legacy_token(make_user(is_active=False)), verify=False)
        assert legacy.blacklist()[1]
        with pytest.raises(TokenError, match="blacklisted"):
            RefreshToken(alias.OutstandingToken.objects.get().token)

    def test_import_takes_it_for_a_row_of_this_package(self, kept):
        tally = moving.Tally()
        assert moving._read(kept, runtime.now(), tally) is None
        assert (tally.known, tally.refused) == (1, {})

    def test_import_of_the_blacklist_ignores_it(self, alias, kept):
        RefreshToken(kept).blacklist()
        assert moving.import_blacklisted(now=runtime.now()) == 0
        assert Session.objects.count() == 1


def test_token_without_gen_exp_or_jti_is_not_one_of_a_former_version() -> None:
    claims = {"token_type": "refresh", "jti": "a", "exp": 1, "sid": "b"}
    assert logout_string.from_former_version(claims) == {"jti": "a", "exp": 1, "sid": "b"}
    for name in ("jti", "exp", "sid", "token_type"):
        others = {key: value for key, value in claims.items() if key != name}
        assert logout_string.from_former_version(others) is None
    changes: list[dict[str, Any]] = [{"token_type": "access"}, {"token_type": []}, {"gen": 0}]
    for changed in changes:
        assert logout_string.from_former_version(claims | changed) is None
