"""Test that a project with logged-in users can move from simplejwt 5.5.1 to drf-signet.

The project, `tests/swap/project`, uses rotation and the blacklist. It runs in its own process. The
move changes only the project's settings.
"""

from __future__ import annotations

import base64
import copy
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import DOCS, blocks
from tests.swap.project_copy import Answer, Client, Site

GUIDE = DOCS / "howto" / "migrate-from-simplejwt.md"
PASSWORD = "correct horse"
#: Number of clients that send the same token at once.
CLIENTS = 12
#: The usernames of the project's users.
NAMES = ("ada", "ben", "cyn", "dan", "eve", "fay")

#: A script that deactivates the user dan and deletes the user eve.
DEACTIVATE_AND_DELETE = """
from django.contrib.auth.models import User

User.objects.filter(username="dan").update(is_active=False)
User.objects.get(username="eve").delete()
"""

#: A line of INSTALLED_APPS, and the lines that replace it.
ALIAS = (
    '    "rest_framework_simplejwt",\n',
    '    "drf_signet",\n    "drf_signet.compat.simplejwt",\n',
)
OLD_APP = ('    "rest_framework_simplejwt.token_blacklist",\n', "")
ADOPTION = 'SIGNET = {"ADOPT_TOKENS_UNTIL": "2100-01-01T00:00:00Z"}'


@dataclass(kw_only=True)
class Tokens:
    """The tokens that clients have when the project moves.

    Args:
        access: username → access token.
        live: username → refresh token that must be accepted after the move.
        dead: name of a token → refresh token that must be refused after the move.
    """

    access: dict[str, str] = field(default_factory=dict)
    live: dict[str, str] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)


def log_in(client: Client, name: str) -> Any:
    answer = client.post("api/token/", username=name, password=PASSWORD)
    assert answer.status == 200, answer
    return answer.data


def refresh_pair(client: Client, refresh: str) -> Any:
    answer = client.post("api/token/refresh/", refresh=refresh)
    assert answer.status == 200, answer
    return answer.data


def use_project(client: Client) -> Tokens:
    """Register users, refresh and log out; return the tokens that the clients then have."""
    tokens = Tokens()
    for name in NAMES:
        answer = client.post("register/", username=name, password=PASSWORD)
        assert answer.status == 200
        tokens.access[name], tokens.live[name] = answer.data["access"], answer.data["refresh"]
    # Ben refreshes three times, so only his last refresh token is live.
    for number in range(3):
        tokens.dead[f"ben's {number}"] = tokens.live["ben"]
        pair = refresh_pair(client, tokens.live["ben"])
        tokens.access["ben"], tokens.live["ben"] = pair["access"], pair["refresh"]
    # Cyn logs out on one of her two devices.
    tokens.dead["cyn's phone"] = log_in(client, "cyn")["refresh"]
    assert client.post("api/token/blacklist/", refresh=tokens.dead["cyn's phone"]).status == 200
    return tokens


def answers(client: Client, refresh: str, access: str, dead: str) -> dict[str, Answer]:
    """Send one request of each kind; return a dict: kind of request → response."""
    rotated = client.post("api/token/refresh/", refresh=refresh)
    successor = rotated.data.get("refresh", "")
    return {
        "obtain": client.post("api/token/", username="ada", password=PASSWORD),
        "obtain, wrong password": client.post("api/token/", username="ada", password="no"),
        "obtain, no password": client.post("api/token/", username="ada"),
        "refresh": rotated,
        "refresh, dead": client.post("api/token/refresh/", refresh=dead),
        "refresh, garbage": client.post("api/token/refresh/", refresh="x"),
        "refresh, nothing": client.post("api/token/refresh/"),
        "refresh, access token": client.post("api/token/refresh/", refresh=access),
        "verify": client.post("api/token/verify/", token=access),
        "verify, refresh token": client.post("api/token/verify/", token=successor),
        "verify, garbage": client.post("api/token/verify/", token="x"),
        "view": client.get("hello/", access),
        "view, no token": client.get("hello/"),
        "view, garbage": client.get("hello/", "x"),
        "view, refresh token": client.get("hello/", successor),
        "stateless view": client.get("stateless/", access),
        "stateless view, garbage": client.get("stateless/", "x"),
        "blacklist": client.post("api/token/blacklist/", refresh=successor),
        "blacklist, garbage": client.post("api/token/blacklist/", refresh="x"),
    }


@pytest.fixture(params=["simplejwt uninstalled", "simplejwt still installed"])
def python(request: pytest.FixtureRequest, old_python: Path, new_python: Path) -> Path:
    """Return the interpreter that runs the project after the move.

    The parameter determines whether simplejwt is still installed.
    """
    return old_python if request.param == "simplejwt still installed" else new_python


@dataclass(kw_only=True)
class SimplejwtSite:
    """A project before the move, its clients' tokens, and the responses to its clients."""

    site: Site
    tokens: Tokens
    answers: dict[str, Answer]


@pytest.fixture(scope="module")
def used_site(tmp_path_factory: pytest.TempPathFactory, old_python: Path) -> SimplejwtSite:
    """Create a project that uses simplejwt, and send requests to it."""
    site = Site.copied(tmp_path_factory.mktemp("used") / "site")
    site.manage(old_python, "migrate", "--verbosity=0")
    with site.served(old_python) as client:
        tokens = use_project(client)
        fay = log_in(client, "fay")
        seen = answers(client, fay["refresh"], fay["access"], tokens.dead["ben's 0"])
    site.manage(old_python, "shell", "-c", DEACTIVATE_AND_DELETE)
    for name in ("dan", "eve"):
        del tokens.access[name]
        tokens.dead[name] = tokens.live.pop(name)
    return SimplejwtSite(site=site, tokens=tokens, answers=seen)


@pytest.fixture
def before(tmp_path: Path, used_site: SimplejwtSite) -> SimplejwtSite:
    """Copy the project and its database for one test."""
    site = Site.copied(tmp_path / "site", source=used_site.site.directory)
    tokens = copy.deepcopy(used_site.tokens)
    return SimplejwtSite(site=site, tokens=tokens, answers=used_site.answers)


def swap(site: Site, python: Path) -> None:
    """Follow the guide: change one line of INSTALLED_APPS, add one setting, run `migrate`."""
    site.edit(*ALIAS)
    site.append(ADOPTION)
    site.manage(python, "migrate", "--verbosity=0")
    site.manage(python, "check", "--fail-level=ERROR")


def check_tokens(client: Client, tokens: Tokens) -> None:
    """Assert that live tokens are accepted and dead tokens are refused; store the new tokens."""
    for name, access in tokens.access.items():
        assert client.get("hello/", access).data["message"] == f"Hello, {name}!"
        stateless = client.get("stateless/", access).data
        assert (stateless["name"], stateless["roles"]) == (name, ["customer"])
        assert client.post("api/token/verify/", token=access).status == 200
    for name, dead in tokens.dead.items():
        assert client.post("api/token/refresh/", refresh=dead).status == 401, name
        if name not in NAMES:  # simplejwt's verify endpoint does not check the user
            assert client.post("api/token/verify/", token=dead).status in (400, 401), name
    for name, refresh in tokens.live.items():
        assert client.post("api/token/verify/", token=refresh).status == 200
        pair = refresh_pair(client, refresh)
        assert set(pair) == {"access", "refresh"}
        tokens.access[name], tokens.live[name] = pair["access"], pair["refresh"]
        assert client.get("hello/", pair["access"]).data["message"] == f"Hello, {name}!"
        assert client.get("stateless/", pair["access"]).data["roles"] == ["customer"]


def test_live_tokens_work_and_dead_tokens_do_not(before: SimplejwtSite, python: Path) -> None:
    site, tokens = before.site, before.tokens
    swap(site, python)
    with site.served(python) as client:
        check_tokens(client, tokens)
        check_tokens(client, tokens)  # again, with the new refresh tokens


def test_legacy_token_sent_by_many_clients_at_once_becomes_one_session(
    before: SimplejwtSite, python: Path
) -> None:
    site, token = before.site, before.tokens.live["ada"]
    swap(site, python)
    with site.served(python) as client, ThreadPoolExecutor(CLIENTS) as pool:
        pairs = list(pool.map(lambda _: refresh_pair(client, token), range(CLIENTS)))
        assert len({claims(pair["refresh"])["sid"] for pair in pairs}) == 1
        assert {claims(pair["refresh"])["gen"] for pair in pairs} == {1}
        assert all(client.get("hello/", pair["access"]).status == 200 for pair in pairs)


def test_clients_get_the_same_answers_after_the_move(before: SimplejwtSite, python: Path) -> None:
    """Statuses stay the same. Error bodies contain all keys that simplejwt's bodies contain."""
    site, tokens = before.site, before.tokens
    swap(site, python)
    with site.served(python) as client:
        seen = answers(client, tokens.live["fay"], tokens.access["fay"], tokens.dead["ben's 0"])
    assert seen.keys() == before.answers.keys()
    for request, old in before.answers.items():
        new = seen[request]
        assert (new.status, old.names - new.names) == (old.status, set()), request
        if old.status == 200:
            assert new.names == old.names, request
        else:
            assert (
                new.headers.get("WWW-Authenticate", "").split(" ")[0]
                == (old.headers.get("WWW-Authenticate", "").split(" ")[0])
            ), request


def test_simplejwt_s_tables_are_imported_and_dropped(before: SimplejwtSite, python: Path) -> None:
    site, tokens = before.site, before.tokens
    swap(site, python)
    command = "signet_migrate_from_simplejwt"
    dry_run = site.manage(python, command, "--dry-run")
    assert "live tokens would become sessions" in dry_run
    assert "shop/views.py:5 rest_framework_simplejwt.authentication" in dry_run
    assert 'unsafe    SIMPLE_JWT["BLACKLIST' not in dry_run
    imported = site.manage(python, command, "--with-blacklisted")
    assert "live tokens became sessions" in imported
    assert "The old tables may be dropped once nothing runs simplejwt any more." in imported
    assert "0 live tokens became sessions" in site.manage(python, command)

    site.edit(*OLD_APP)
    (drop,) = (block.text for block in blocks(GUIDE) if block.language == "sql")
    for statement in drop.splitlines():
        sql(site, python, statement)
    assert "token_blacklist" not in tables_of(site, python)
    with site.served(python) as client:
        check_tokens(client, tokens)
        check_tokens(client, tokens)
        fay = log_in(client, "fay")
        assert client.post("api/token/blacklist/", refresh=fay["refresh"]).status == 200
        assert client.post("api/token/refresh/", refresh=fay["refresh"]).status == 401


#: A script for a project with `drf_signet` and simplejwt's apps in INSTALLED_APPS, but without
#: `drf_signet.compat.simplejwt`.
BESIDE_SIMPLEJWT = """
from django.contrib.auth.models import User
from rest_framework_simplejwt.tokens import RefreshToken, SlidingToken
from drf_signet import Session, TokenPair, flows
from drf_signet.errors import SessionEnded, TokenError

assert "drf_signet" not in RefreshToken.__init__.__code__.co_filename
user = User.objects.create_user("ada")


def outcome(token):
    try:
        return type(flows.refresh(str(token)))
    except TokenError as error:
        return type(error)


live, dead = RefreshToken.for_user(user), RefreshToken.for_user(user)
sliding = SlidingToken.for_user(user)
dead.blacklist()
assert Session.objects.get().end_reason == "logout"
assert (outcome(live), outcome(dead)) == (TokenPair, SessionEnded)
assert outcome(sliding).__name__ == "InvalidClaim"
live.blacklist()
assert outcome(live) is SessionEnded
assert not Session.objects.live().exists()
print("all assertions passed")
"""


def test_blacklist_of_an_installed_simplejwt_is_respected_without_the_alias(
    tmp_path: Path, old_python: Path
) -> None:
    site = Site.copied(tmp_path / "site")
    site.edit(
        '    "rest_framework_simplejwt",\n', '    "drf_signet",\n    "rest_framework_simplejwt",\n'
    )
    site.append(ADOPTION)
    site.manage(old_python, "check", "--fail-level=ERROR")
    site.manage(old_python, "migrate", "--verbosity=0")
    assert "all assertions passed" in site.manage(old_python, "shell", "-c", BESIDE_SIMPLEJWT)
    reported = site.manage(old_python, "signet_migrate_from_simplejwt")
    assert "1 refused: invalid_claim" in reported  # the sliding token's row


def claims(token: str) -> Any:
    """Return a token's payload without verifying the token."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def sql(site: Site, python: Path, statement: str) -> None:
    code = f"from django.db import connection; connection.cursor().execute({statement!r})"
    site.manage(python, "shell", "-c", code)


def tables_of(site: Site, python: Path) -> str:
    code = "from django.db import connection; print(connection.introspection.table_names())"
    return site.manage(python, "shell", "-c", code)
