"""simplejwt 5.5.1 with rotation and blacklist → drf-signet, under live users, with real processes.

The project is `tests/swap/project`; not a line of its code is changed, only its settings.
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
from tests.swap.site import Answer, Client, Site

GUIDE = DOCS / "howto" / "migrate-from-simplejwt.md"
PASSWORD = "correct horse"
#: How many present one token at once.
CLIENTS = 12
#: The project's users, whom the answers name.
NAMES = ("ada", "ben", "cyn", "dan", "eve", "fay")

#: Dan is deactivated, Eve deleted.
LEAVING = """
from django.contrib.auth.models import User

User.objects.filter(username="dan").update(is_active=False)
User.objects.get(username="eve").delete()
"""

#: What is changed in the settings.
ALIAS = (
    '    "rest_framework_simplejwt",\n',
    '    "drf_signet",\n    "drf_signet.compat.simplejwt",\n',
)
OLD_APP = ('    "rest_framework_simplejwt.token_blacklist",\n', "")
ADOPTION = 'SIGNET = {"ADOPT_TOKENS_UNTIL": "2100-01-01T00:00:00Z"}'


@dataclass(kw_only=True)
class Tokens:
    """What clients hold when the server is restarted."""

    access: dict[str, str] = field(default_factory=dict)
    live: dict[str, str] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)


def log_in(client: Client, name: str) -> Any:
    answer = client.post("api/token/", username=name, password=PASSWORD)
    assert answer.status == 200, answer
    return answer.data


def refreshed(client: Client, refresh: str) -> Any:
    answer = client.post("api/token/refresh/", refresh=refresh)
    assert answer.status == 200, answer
    return answer.data


def live_on(client: Client) -> Tokens:
    """Let users do what users do; return the tokens that their clients are left with."""
    tokens = Tokens()
    for name in NAMES:
        answer = client.post("register/", username=name, password=PASSWORD)
        assert answer.status == 200
        tokens.access[name], tokens.live[name] = answer.data["access"], answer.data["refresh"]
    # Ben has rotated: his last token is live, those before are not.
    for number in range(3):
        tokens.dead[f"ben's {number}"] = tokens.live["ben"]
        pair = refreshed(client, tokens.live["ben"])
        tokens.access["ben"], tokens.live["ben"] = pair["access"], pair["refresh"]
    # Cyn has logged out on one of her two devices.
    tokens.dead["cyn's phone"] = log_in(client, "cyn")["refresh"]
    assert client.post("api/token/blacklist/", refresh=tokens.dead["cyn's phone"]).status == 200
    return tokens


def answers(client: Client, refresh: str, access: str, dead: str) -> dict[str, Answer]:
    """Ask everything that a client may ask; return the answers."""
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
    """Return the interpreter after the move: djoser keeps simplejwt installed."""
    return old_python if request.param == "simplejwt still installed" else new_python


@dataclass(kw_only=True)
class Before:
    """The site as simplejwt left it, and what clients have seen of it."""

    site: Site
    tokens: Tokens
    answers: dict[str, Answer]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, old_python: Path) -> Before:
    """Make the site, and let it live on simplejwt for a while."""
    site = Site.copied(tmp_path_factory.mktemp("lived") / "site")
    site.manage(old_python, "migrate", "--verbosity=0")
    with site.served(old_python) as client:
        tokens = live_on(client)
        fay = log_in(client, "fay")
        seen = answers(client, fay["refresh"], fay["access"], tokens.dead["ben's 0"])
    site.manage(old_python, "shell", "-c", LEAVING)
    for name in ("dan", "eve"):
        del tokens.access[name]
        tokens.dead[name] = tokens.live.pop(name)
    return Before(site=site, tokens=tokens, answers=seen)


@pytest.fixture
def before(tmp_path: Path, lived: Before) -> Before:
    """Return a copy of it, down to its database, for one test."""
    site = Site.copied(tmp_path / "site", source=lived.site.directory)
    return Before(site=site, tokens=copy.deepcopy(lived.tokens), answers=lived.answers)


def swap(site: Site, python: Path) -> None:
    """Do what the guide says: one line of INSTALLED_APPS, one setting, `migrate`."""
    site.edit(*ALIAS)
    site.append(ADOPTION)
    site.manage(python, "migrate", "--verbosity=0")
    site.manage(python, "check", "--fail-level=ERROR")


def check_tokens(client: Client, tokens: Tokens) -> None:
    """Use each token as its client would: the live ones work, the dead ones do not."""
    for name, access in tokens.access.items():
        assert client.get("hello/", access).data["message"] == f"Hello, {name}!"
        stateless = client.get("stateless/", access).data
        assert (stateless["name"], stateless["roles"]) == (name, ["customer"])
        assert client.post("api/token/verify/", token=access).status == 200
    for name, dead in tokens.dead.items():
        assert client.post("api/token/refresh/", refresh=dead).status == 401, name
        if name not in NAMES:  # on the blacklist; of users simplejwt's verify knows nothing
            assert client.post("api/token/verify/", token=dead).status in (400, 401), name
    for name, refresh in tokens.live.items():
        assert client.post("api/token/verify/", token=refresh).status == 200
        pair = refreshed(client, refresh)
        assert set(pair) == {"access", "refresh"}
        tokens.access[name], tokens.live[name] = pair["access"], pair["refresh"]
        assert client.get("hello/", pair["access"]).data["message"] == f"Hello, {name}!"
        assert client.get("stateless/", pair["access"]).data["roles"] == ["customer"]


def test_every_live_token_works_and_every_dead_one_does_not(before: Before, python: Path) -> None:
    site, tokens = before.site, before.tokens
    swap(site, python)
    with site.served(python) as client:
        check_tokens(client, tokens)
        check_tokens(client, tokens)  # and once more, with the successors


def test_one_old_token_that_many_present_at_once_is_one_session(
    before: Before, python: Path
) -> None:
    site, old = before.site, before.tokens.live["ada"]
    swap(site, python)
    with site.served(python) as client, ThreadPoolExecutor(CLIENTS) as pool:
        got = list(pool.map(lambda _: refreshed(client, old), range(CLIENTS)))
        assert len({claims(pair["refresh"])["sid"] for pair in got}) == 1
        assert {claims(pair["refresh"])["gen"] for pair in got} == {1}
        assert all(client.get("hello/", pair["access"]).status == 200 for pair in got)


def test_no_client_notices(before: Before, python: Path) -> None:
    """Same statuses, and every name of old in the bodies; what is new stands beside it."""
    site, tokens = before.site, before.tokens
    swap(site, python)
    with site.served(python) as client:
        seen = answers(client, tokens.live["fay"], tokens.access["fay"], tokens.dead["ben's 0"])
    assert seen.keys() == before.answers.keys()
    for what, old in before.answers.items():
        new = seen[what]
        assert (new.status, old.names - new.names) == (old.status, set()), what
        if old.status == 200:
            assert new.names == old.names, what
        else:
            assert (
                new.headers.get("WWW-Authenticate", "").split(" ")[0]
                == (old.headers.get("WWW-Authenticate", "").split(" ")[0])
            ), what


def test_the_tables_of_old_are_imported_and_dropped(before: Before, python: Path) -> None:
    site, tokens = before.site, before.tokens
    swap(site, python)
    command = "signet_migrate_from_simplejwt"
    tried = site.manage(python, command, "--dry-run")
    assert "live tokens would become sessions" in tried
    assert "shop/views.py:5 rest_framework_simplejwt.authentication" in tried
    assert 'unsafe    SIMPLE_JWT["BLACKLIST' not in tried
    done = site.manage(python, command, "--with-blacklisted")
    assert "live tokens became sessions" in done
    assert "The old tables may be dropped once nothing runs simplejwt any more." in done
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


#: Without the alias, in one process with simplejwt itself and its own app of tables.
BESIDE = """
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
print("all of it works")
"""


def test_beside_simplejwt_itself_its_tables_are_heeded(tmp_path: Path, old_python: Path) -> None:
    site = Site.copied(tmp_path / "site")
    site.edit(
        '    "rest_framework_simplejwt",\n', '    "drf_signet",\n    "rest_framework_simplejwt",\n'
    )
    site.append(ADOPTION)
    site.manage(old_python, "check", "--fail-level=ERROR")
    site.manage(old_python, "migrate", "--verbosity=0")
    assert "all of it works" in site.manage(old_python, "shell", "-c", BESIDE)
    reported = site.manage(old_python, "signet_migrate_from_simplejwt")
    assert "1 refused: invalid_claim" in reported  # the sliding one


def claims(token: str) -> Any:
    """Read a token's payload."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def sql(site: Site, python: Path, statement: str) -> None:
    code = f"from django.db import connection; connection.cursor().execute({statement!r})"
    site.manage(python, "shell", "-c", code)


def tables_of(site: Site, python: Path) -> str:
    code = "from django.db import connection; print(connection.introspection.table_names())"
    return site.manage(python, "shell", "-c", code)
