"""Test the management commands for signing keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from drf_signet.keys import changes
from drf_signet.keys.models import SigningKey
from tests.support.signing_keys import pass_time, states

pytestmark = pytest.mark.usefixtures("keys_in_database")


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def kid(number: int) -> str:
    return str(SigningKey.objects.get(pk=number).kid)


class TestSignetKeys:
    def test_table_without_keys_says_who_signs(self) -> None:
        assert "the keys of the settings sign" in run("signet_keys")
        assert run("signet_keys", "--json") == "[]\n"

    def test_each_key_is_listed_with_its_state_and_no_secret(self) -> None:
        changes.rotate()
        pass_time(3600)
        changes.rotate()
        changes.retire("settings", now=True)
        lines = run("signet_keys").splitlines()
        assert [line.split()[:3] for line in lines] == [
            [kid(2), "ES256", "standby"],
            [kid(1), "ES256", "signing"],
            ["settings", "-", "retired"],
        ]
        assert "signs from" in lines[0]
        assert "verifies until" in lines[1]
        assert "since" in lines[2]
        assert "gAAAA" not in run("signet_keys") + run("signet_keys", "--json")

    def test_json_contains_the_times_of_each_key(self) -> None:
        changes.rotate()
        new, configured = json.loads(run("signet_keys", "--json"))
        assert new.keys() == {
            *("kid", "algorithm", "state", "created_at", "not_before", "signs_until"),
            *("verifies_until", "retired_at"),
        }
        assert (new["state"], new["signs_until"], new["verifies_until"]) == ("standby", None, None)
        assert configured["kid"] == "settings"
        assert configured["verifies_until"] > configured["signs_until"]


class TestSignetRotateKey:
    def test_command_publishes_a_key_and_says_when_it_signs(self) -> None:
        assert "A new key is published, and signs in 1:00:00." in run(
            "signet_rotate_key", "--dry-run"
        )
        assert states() == {}
        out = run("signet_rotate_key")
        assert out == f"The key '{kid(1)}' is published, and signs in 1:00:00.\n"

    def test_command_lets_a_former_key_sign_again(self) -> None:
        changes.rotate()
        pass_time(3600)
        changes.rotate()
        pass_time(3600)
        out = run("signet_rotate_key", "--to", kid(1), "--dry-run")
        assert out.startswith("Dry run, nothing is changed: ")
        assert states()["2"] == "signing"
        assert f"The key '{kid(1)}' is published, and signs now." in run(
            "signet_rotate_key", "--to", kid(1)
        )
        assert states()["1"] == "signing"

    def test_command_encrypts_the_keys_again(self, settings: Any) -> None:
        changes.rotate()
        before = SigningKey.objects.get(pk=1).private_key
        assert "1 private keys" in run("signet_rotate_key", "--reencrypt", "--dry-run")
        assert SigningKey.objects.get(pk=1).private_key == before
        run("signet_rotate_key", "--reencrypt")
        assert SigningKey.objects.get(pk=1).private_key != before

    def test_command_says_why_it_cannot_rotate(self, settings: Any, monkeypatch: Any) -> None:
        changes.rotate()
        with pytest.raises(CommandError, match="already published"):
            run("signet_rotate_key")
        monkeypatch.setattr(changes, "rotate", lambda **options: None)
        with pytest.raises(CommandError, match="Another process"):
            run("signet_rotate_key")
        settings.SIGNET = {}
        with pytest.raises(CommandError, match="KEY_PROVIDER"):
            run("signet_rotate_key")

    def test_command_reports_a_busy_or_broken_database(
        self, busy_database: Callable[[], AbstractContextManager[None]], monkeypatch: Any
    ) -> None:
        with busy_database(), pytest.raises(CommandError):
            run("signet_rotate_key")

        def fail(**options: Any) -> None:
            raise OperationalError("no such host")

        monkeypatch.setattr(changes, "rotate", fail)
        with pytest.raises(CommandError, match="no such host"):
            run("signet_rotate_key")


class TestSignetRetireKey:
    def test_command_cancels_a_key_that_has_not_signed(self) -> None:
        changes.rotate()
        assert "Dry run" in run("signet_retire_key", kid(1), "--dry-run")
        assert states()["1"] == "standby"
        assert run("signet_retire_key", kid(1)) == (
            f"The key '{kid(1)}' is retired: its tokens are refused.\n"
        )
        assert "already retired" in run("signet_retire_key", kid(1))

    def test_command_refuses_the_tokens_of_the_key_that_signs_only_with_now(self) -> None:
        changes.rotate()
        pass_time(3600)
        with pytest.raises(CommandError, match="With --now"):
            run("signet_retire_key", kid(1))
        assert "A new key signs in 2 s" in run("signet_retire_key", kid(1), "--now", "--dry-run")
        out = run("signet_retire_key", kid(1), "--now")
        assert f"The key '{kid(2)}' signs in 2 s; until then, logins get a 503." in out

    def test_command_says_that_the_published_key_signs_now(self) -> None:
        changes.rotate()
        pass_time(3600)
        changes.rotate()
        out = run("signet_retire_key", kid(1), "--now")
        assert f"The key '{kid(2)}' signs now." in out
