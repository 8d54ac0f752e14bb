"""Run the guide's commands for a rolling deploy and for the way back, in the guide's order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import blocks
from tests.swap.project_copy import Client, Site
from tests.swap.test_swap import (
    ADOPTION,
    ALIAS,
    GUIDE,
    claims,
    log_in,
    refresh_pair,
    sql,
    tables_of,
    use_project,
)

#: The line of INSTALLED_APPS for which the way back keeps "drf_signet" until the last step.
BESIDE = (
    '    "rest_framework_simplejwt",\n',
    '    "drf_signet",\n    "rest_framework_simplejwt",\n',
)


def commands(heading: str) -> list[list[str]]:
    """Return the arguments of each `manage.py` command in a section of the guide, in order."""
    text = GUIDE.read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\$ python manage\.py (.*)$", section, flags=re.MULTILINE)
    assert found, heading
    return [line.split() for line in found]


@dataclass(kw_only=True)
class Deploy:
    """Two copies of a project with one database: one with simplejwt, one with the alias."""

    old: Site
    new: Site


@pytest.fixture
def deploy(tmp_path: Path, old_python: Path) -> Deploy:
    old = Site.copied(tmp_path / "old")
    old.manage(old_python, "migrate", "--verbosity=0")
    new = Site.copied(tmp_path / "new")
    new.edit(*ALIAS)
    new.append(f'{ADOPTION}\nDATABASES["default"]["NAME"] = {str(old.directory / "db.sqlite3")!r}')
    return Deploy(old=old, new=new)


def check_turns(first: Client, second: Client, refresh: str) -> str:
    """Refresh at both servers in turn, use each access token at both, and return the last token."""
    for server in (first, second, first, second):
        pair = refresh_pair(server, refresh)
        refresh = pair["refresh"]
        for each in (first, second):
            assert each.get("hello/", pair["access"]).status == 200
    return refresh


def check_logout(first: Client, second: Client, name: str) -> None:
    """Log in at the first server and log out at the second, and vice versa."""
    for begin, end in ((first, second), (second, first)):
        refresh: Any = log_in(begin, name)["refresh"]
        assert end.post("api/token/blacklist/", refresh=refresh).status == 200
        for each in (first, second):
            assert each.post("api/token/refresh/", refresh=refresh).status == 401


def test_rolling_deploy_and_way_back_log_nobody_out(
    deploy: Deploy, old_python: Path, new_python: Path
) -> None:
    """Drop simplejwt's tables before the way back, so that all of its commands are needed."""
    old, new = deploy.old, deploy.new
    migrate, *afterwards = commands("A rolling deploy")
    with old.served(old_python) as simplejwt:
        tokens = use_project(simplejwt)
        new.manage(new_python, *migrate)
        with new.served(new_python) as signet:
            live = {
                name: check_turns(signet, simplejwt, tokens.live[name]) for name in ("ada", "ben")
            }
            live["cyn"] = check_turns(simplejwt, signet, log_in(signet, "cyn")["refresh"])
            check_logout(simplejwt, signet, "dan")
    for command in afterwards:
        assert "are sessions already" in new.manage(new_python, *command)
    with new.served(new_python) as signet:
        live = {name: refresh_pair(signet, token)["refresh"] for name, token in live.items()}

    restore, create, remove = commands("Going back to simplejwt")
    (drop,) = (block.text for block in blocks(GUIDE) if block.language == "sql")
    for statement in drop.splitlines():
        sql(new, new_python, statement)
    old.edit(*BESIDE)
    old.manage(old_python, *restore)
    old.manage(old_python, *create)
    with old.served(old_python) as simplejwt, new.served(new_python) as signet:
        live = {name: check_turns(simplejwt, signet, token) for name, token in live.items()}
        check_logout(simplejwt, signet, "eve")
    old.manage(old_python, *remove)
    assert "drf_signet" not in tables_of(old, old_python)
    old.edit(*reversed(BESIDE))
    with old.served(old_python) as simplejwt:
        for token in live.values():
            assert "sid" in claims(token)
            assert simplejwt.get("hello/", refresh_pair(simplejwt, token)["access"]).status == 200
