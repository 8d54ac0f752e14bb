"""Test the settings, the Dockerfile and the compose file of docs/howto/deploying.md.

`tests/e2e/test_deploying.py` runs what this page shows. A Docker engine is not needed here.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs import deploying
from tests.docs.pages import DOCS, Block, blocks

CHANGES = [
    block
    for block in blocks(DOCS / "howto" / "production.md")
    if block.file and block.file.path == "mysite/settings.py"
]
FILES = deploying.files()
COMPOSE: dict[str, Any] = yaml.safe_load(FILES[f"{deploying.PROJECT}/compose.yaml"])
VARIABLES = {
    "ALLOWED_HOSTS": "api.example.com",
    "SECRET_KEY": "0123456789abcdef" * 4,
    "SIGNET_SIGNING_KEY": "fedcba9876543210" * 4,
}


def project(directory: Path, changes: list[Block]) -> str:
    """Write the project of the page, and add blocks of production.md. Return what checks print."""
    for path, text in FILES.items():
        if path.startswith(deploying.PROJECT):
            target = directory / Path(path).relative_to(deploying.PROJECT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    for block in changes:
        assert block.file
        block.file.write(directory)
    done = subprocess.run(
        [sys.executable, "-m", "django", "check", "--deploy"],
        cwd=directory,
        env={
            **os.environ,
            **VARIABLES,
            "DJANGO_SETTINGS_MODULE": "mysite.settings",
            "PYTHONPATH": os.pathsep.join([str(directory), *sys.path]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("changes", [[], CHANGES], ids=["alone", "with those of production.md"])
def test_checks_for_deployment_find_nothing_in_the_settings(
    changes: list[Block], tmp_path: Path, openssl_keys: None
) -> None:
    assert project(tmp_path, changes) == "System check identified no issues (2 silenced).\n"


@pytest.fixture
def openssl_keys(tmp_path: Path) -> None:
    """Create the key files of production.md, by the command of that page."""
    (tmp_path / "keys").mkdir()
    for name in ("2026-11", "2026-05"):
        command = f"openssl genpkey -algorithm ed25519 -out keys/{name}.pem"
        subprocess.run(command.split(), cwd=tmp_path, check=True)


def test_settings_of_the_production_page_add_to_the_file_and_replace_nothing() -> None:
    assert len(CHANGES) > 1
    assert [block.where for block in CHANGES if not (block.file and block.file.appended)] == []
    keys = [
        key
        for text in [FILES[f"{deploying.PROJECT}/mysite/settings.py"], *_texts(CHANGES)]
        for key in re.findall(r'^    "([A-Z_]+)":', text, re.MULTILINE)
        + re.findall(r'^[A-Z_]+ \|= \{"([A-Z_]+)":', text, re.MULTILINE)
    ]
    assert sorted(set(keys)) == sorted(keys)
    assert {"LEEWAY", "KEYS", "ROTATE_REFRESH_TOKENS"} <= set(keys)


def _texts(page: list[Block]) -> list[str]:
    return [block.text for block in page]


def test_compose_file_follows_the_schema_of_the_compose_specification(tmp_path: Path) -> None:
    """The schema comes with check-jsonschema, so this needs neither Docker nor the network."""
    file = tmp_path / "compose.yaml"
    file.write_text(FILES[f"{deploying.PROJECT}/compose.yaml"], encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_file_sets_the_variables_that_differ_from_a_single_server() -> None:
    """The other variables come from `mysite.env`, a copy of `/etc/mysite.env`."""
    settings = FILES[f"{deploying.PROJECT}/mysite/settings.py"]
    read = set(re.findall(r'os\.environ(?:\.get\(|\[)"(\w+)"', settings))
    environment = COMPOSE["services"]["app"]["environment"]
    assert read >= VARIABLES.keys() | {"REDIS_URL"}
    assert environment.keys() - read == {"PGHOST", "PGUSER"}  # read by the driver
    assert environment["PGHOST"] in COMPOSE["services"]
    assert environment["REDIS_URL"].split("/")[2].split(":")[0] in COMPOSE["services"]
    assert COMPOSE["services"]["db"]["environment"]["POSTGRES_USER"] == environment["PGUSER"]


def test_dockerfile_runs_the_command_of_the_unit_on_the_port_of_the_page() -> None:
    dockerfile = FILES[f"{deploying.PROJECT}/Dockerfile"]
    (words,) = re.findall(r"^CMD (.+)$", dockerfile, re.MULTILINE)
    program, *options = deploying.command(FILES[deploying.UNIT])
    unit = [Path(program).name, *options]
    image = yaml.safe_load(words)
    bind = "0.0.0.0:8000"
    assert image == [bind if word.startswith("unix:") else word for word in unit]
    page = deploying.PAGE.read_text("utf-8")
    assert f"server app:{bind.split(':')[1]};" in page
    assert "app" in COMPOSE["services"]


def test_nginx_serves_the_static_files_of_the_settings_in_both_deployments() -> None:
    static = "/srv/mysite/static"
    assert f"alias {static}/;" in FILES[deploying.NGINX]
    assert f"static:{static}:ro" in COMPOSE["services"]["nginx"]["volumes"]
    assert f"static:{static}" in COMPOSE["services"]["migrate"]["volumes"]
    assert "WORKDIR /srv/mysite/app\n" in FILES[f"{deploying.PROJECT}/Dockerfile"]
    assert shlex.split(COMPOSE["services"]["migrate"]["command"])[:2] == ["sh", "-c"]
