"""Run the commands of the migration guide in the guide's order, on a database of simplejwt alone.

The commands, the settings and the SQL are read from the guide.
"""

from __future__ import annotations

import re
import shlex
import sqlite3
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, Block, blocks
from tests.swap.project_copy import Site

GUIDE = DOCS / "howto" / "migrate-from-simplejwt.md"
SETTINGS = "mysite/settings.py"

#: A script that logs two users in, one of them twice, and blacklists one of the tokens.
LOG_IN = """
from django.contrib.auth.models import User
from rest_framework_simplejwt.tokens import RefreshToken

tokens = [RefreshToken.for_user(User.objects.create_user(name)) for name in ("ada", "ben")]
RefreshToken.for_user(User.objects.get(username="ben")).blacklist()
"""


def steps() -> list[Block]:
    """Return the blocks of the section with the steps, from top to bottom."""
    text = GUIDE.read_text(encoding="utf-8")
    start, end = (text.count("\n", 0, text.index(f"\n## {each}")) for each in TITLES)
    return [block for block in blocks(GUIDE) if start < block.line < end]


TITLES = ("In five steps", "A rolling deploy")


def commands() -> list[list[str]]:
    """Return the arguments of the guide's commands."""
    shown = [block.text for block in steps() if block.language == "console"]
    return [shlex.split(line[2:]) for text in shown for line in text.splitlines()]


@pytest.fixture
def site(tmp_path: Path, old_python: Path) -> Site:
    """Return a project whose database was made, and filled, by simplejwt."""
    site = Site.copied(tmp_path / "site")
    site.manage(old_python, "migrate", "--verbosity=0")
    site.manage(old_python, "shell", "-c", LOG_IN)
    return site


def test_commands_of_the_guide_run_in_its_order(site: Site, new_python: Path) -> None:
    install, *rest = commands()
    assert install == ["python", "-m", "pip", "install", "drf-signet"]
    assert all(command[:2] == ["python", "manage.py"] for command in rest)
    (settings,) = (block.file for block in steps() if block.file)
    assert settings.path == SETTINGS
    site.append(settings.text)
    outputs = [site.manage(new_python, *command[2:]) for command in rest]
    dry_run, migrate, imported = outputs
    assert "2 live tokens would become sessions" in dry_run
    assert "There is no table of sessions yet" in dry_run
    assert "1 blacklisted" in dry_run
    assert "What will change for your users and your tests" in dry_run
    assert "Applying drf_signet.0001_initial... OK" in migrate
    assert "2 live tokens became sessions" in imported
    assert "1 blacklisted tokens kept as ended sessions" in imported
    (statements,) = (block.text for block in steps() if block.language == "sql")
    app = re.search(
        r'`("rest_framework_simplejwt\.token_blacklist")` from `INSTALLED_APPS`', page()
    )
    assert app is not None
    site.append(f"INSTALLED_APPS.remove({app[1]})")
    with sqlite3.connect(site.directory / "db.sqlite3") as database:
        database.executescript(statements)
    site.manage(new_python, "check", "--fail-level=WARNING", "--database=default")
    assert "There are no tables" in site.manage(new_python, *rest[0][2:])
    assert "No changes detected" in site.manage(new_python, "makemigrations", "--check")


def page() -> str:
    """Return the text of the guide, with line breaks replaced by spaces."""
    return " ".join(GUIDE.read_text(encoding="utf-8").split())


def test_import_before_migrate_is_refused(site: Site, new_python: Path) -> None:
    (settings,) = (block.file for block in steps() if block.file)
    site.append(settings.text)
    output = site.manage(new_python, "signet_migrate_from_simplejwt", fails=True)
    assert "Run `manage.py migrate` first" in output
