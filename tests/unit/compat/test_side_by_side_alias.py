"""Test the alias while processes of simplejwt use the same database, as in a rolling deploy."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from drf_signet import runtime
from drf_signet.compat.simplejwt import blacklist
from drf_signet.compat.simplejwt.tokens import RefreshToken
from drf_signet.models import Session
from tests.support.session_states import ADOPTING, legacy_token
from tests.support.simplejwt_alias import alias, alias_tables
from tests.support.simplejwt_process import (
    is_blacklisted,
    log_out_at_simplejwt,
    rotate_at_simplejwt,
)

__all__ = ["alias", "alias_tables"]

pytestmark = pytest.mark.django_db


class TestAlias:
    @pytest.fixture(autouse=True)
    def _settings(self, alias: Any, settings: Any) -> None:
        settings.SIGNET = ADOPTING
        settings.SIMPLE_JWT = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}

    @pytest.fixture(params=["drf-signet", "simplejwt"])
    def token(self, request: pytest.FixtureRequest, user: Any) -> str:
        """Return a refresh token that one of the packages has issued."""
        of_simplejwt = request.param == "simplejwt"
        return legacy_token(user) if of_simplejwt else str(RefreshToken.for_user(user))

    def refresh(self, client: APIClient, token: str) -> Any:
        return client.post("/api/token/refresh/", {"refresh": token})

    def test_simplejwt_never_refuses_a_token_after_rotations_at_both(
        self, client: APIClient, token: str
    ) -> None:
        for _ in range(3):
            token = self.refresh(client, token).json()["refresh"]
            assert not is_blacklisted(token)
            token = rotate_at_simplejwt(token)
        assert Session.objects.count() == 1

    def test_token_is_refused_after_a_logout_at_simplejwt(
        self, client: APIClient, token: str
    ) -> None:
        self.refresh(client, token)
        log_out_at_simplejwt(token)
        answer = self.refresh(client, token)
        assert (answer.status_code, answer.json()["detail"]) == (401, "Token is blacklisted")

    def test_simplejwt_refuses_a_token_after_a_logout(self, client: APIClient, token: str) -> None:
        rotated = rotate_at_simplejwt(self.refresh(client, token).json()["refresh"])
        answer = client.post("/api/token/blacklist/", {"refresh": rotated})
        assert answer.status_code == 200
        assert is_blacklisted(rotated)

    def test_expired_token_is_not_added_to_the_blacklist_by_a_logout(self, user: Any) -> None:
        token = RefreshToken.for_user(user)
        raw = rotate_at_simplejwt(str(token))
        payload = runtime.current().codec.decode(raw)
        expired = runtime.current().codec.encode({**payload, "exp": 1, "jti": "x"})
        RefreshToken(expired, verify=False).blacklist()
        assert not blacklist.holds("x")
        assert Session.objects.get().end_reason == "logout"

    def test_user_claim_sub_is_a_string_because_simplejwt_refuses_a_number(
        self, user: Any, settings: Any
    ) -> None:
        settings.SIMPLE_JWT = {"USER_ID_CLAIM": "sub"}
        token = RefreshToken.for_user(user)
        for raw in (token, token.access_token):
            assert runtime.current().codec.decode(str(raw))["sub"] == str(user.pk)
