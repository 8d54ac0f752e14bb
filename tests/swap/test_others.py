"""Test the guide to moving from other packages: run its code before, during and after the move.

Each section of the guide is about one package. Its `py` blocks are code for that package, and its
`python` blocks are code for drf-signet. If two `py` blocks name the same file, the first block is
the file before the move, and the second block is the file during the move.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, Block, blocks
from tests.swap.project_copy import Site

GUIDE = DOCS / "howto" / "migrate-from-others.md"
OTHERS = Path(__file__).with_name("others")
SETTINGS = "mysite/settings.py"
EXCHANGE = "Exchange the old token for a pair"
DONE = "all assertions passed"

#: The first part of each script below. `manage.py shell` runs the scripts in the project.
PRELUDE = """
import base64
import sys
from pathlib import Path
from accounts import tokens
from django.contrib.auth.models import User
from django.core.management import call_command
from rest_framework.test import APIClient

client = APIClient()
credentials = {"username": "ada", "password": "correct horse"}
token_file, refresh_token_file = Path("token"), Path("refresh")


def hello(token, scheme="Bearer"):
    return client.get("/hello/", HTTP_AUTHORIZATION=f"{scheme} {token}").status_code


call_command("migrate", verbosity=0)
"""

BEFORE = """
user = User.objects.create_user(**credentials)
if hasattr(tokens, "log_out"):
    token = obtain()
    assert hello(token, SCHEME) == 200
    tokens.log_out(user)
    assert hello(token, SCHEME) == 401
assert hello(tokens.token_for(user)["token"], SCHEME) == 200
token_file.write_text(obtain())
assert hello(token_file.read_text(), SCHEME) == 200
"""

DURING = """
token = token_file.read_text()


def exchange(**headers):
    return client.post("/api/token/exchange/", **headers)


header = {"HTTP_AUTHORIZATION": f"{SCHEME} {token}"}
assert (hello(token, SCHEME), exchange().status_code) == (200, 401)
pair = exchange(**header).json()
assert hello(pair["access"]) == 200
assert [exchange(**header).status_code, hello(token, SCHEME)] == [STATUS, STATUS]
assert client.post("/api/token/refresh/", {"refresh": pair["refresh"]}).status_code == 200
assert hello(client.post("/api/token/", credentials).json()["access"]) == 200
refresh_token_file.write_text(pair["refresh"])
"""

AFTER = """
assert not {"knox", "rest_framework_jwt", "rest_framework.authtoken"} & set(sys.modules)
refresh_token = refresh_token_file.read_text()
access = client.post("/api/refresh/", {"refresh": refresh_token}).json()["access"]
assert (hello(access), hello(token_file.read_text(), SCHEME)) == (200, 401)
assert client.post("/api/logout/", {"refresh": refresh_token}).status_code == 204
assert hello(access) == 401

user = User.objects.get()
access = client.post("/api/login/", credentials).json()["access"]
issued = tokens.token_for(user)["access"]
assert hello(access) == hello(issued) == 200
if hasattr(tokens, "log_out"):
    tokens.log_out(user)
    assert hello(access) == hello(issued) == 401
"""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package from which a project can move to drf-signet.

    Args:
        heading: heading of the guide's section.
        authentication: path of the package's authentication class.
        scheme: scheme of the package's Authorization header.
        obtain: source code of a function that logs in with the package and returns a token.
        status_after_exchange: status of the response to a token that was already exchanged.
    """

    heading: str
    authentication: str
    scheme: str
    obtain: str
    status_after_exchange: int


DRF = Package(
    heading="DRF's TokenAuthentication",
    authentication="rest_framework.authentication.TokenAuthentication",
    scheme="Token",
    obtain="""
def obtain():
    return client.post("/api/login/", credentials).json()["token"]
""",
    status_after_exchange=401,
)
KNOX = Package(
    heading="django-rest-knox",
    authentication="knox.auth.TokenAuthentication",
    scheme="Token",
    obtain="""
def obtain():
    basic = base64.b64encode(":".join(credentials.values()).encode()).decode()
    log_in = lambda: client.post("/api/login/", HTTP_AUTHORIZATION=f"Basic {basic}").json()["token"]
    for path in ("/api/logout/", "/api/logout/all/"):
        token = log_in()
        assert client.post(path, HTTP_AUTHORIZATION=f"Token {token}").status_code == 204
        assert hello(token, "Token") == 401
    return log_in()
""",
    status_after_exchange=401,
)
DRF_JWT = Package(
    heading="drf-jwt",
    authentication="rest_framework_jwt.authentication.JSONWebTokenAuthentication",
    scheme="JWT",
    obtain="""
def obtain():
    token = client.post("/api/login/", credentials).json()["token"]
    assert client.post("/api/verify/", {"token": token}).status_code == 201
    return client.post("/api/refresh/", {"token": token}).json()["token"]
""",
    status_after_exchange=200,  # drf-jwt stores no tokens, so it cannot revoke them
)


@pytest.mark.parametrize("package", [DRF, KNOX, DRF_JWT], ids=lambda package: package.heading)
def test_token_of_another_package_is_exchanged_for_a_pair_during_the_move(
    package: Package, tmp_path: Path, old_python: Path
) -> None:
    site = Site.copied(tmp_path / "site", source=OTHERS)
    before, during = split(blocks_in("py", package.heading))
    after = blocks_in("python", package.heading)

    write(site, before)
    run(site, old_python, package, BEFORE)

    site.append('INSTALLED_APPS += ["drf_signet"]')
    shared = blocks_in("python", EXCHANGE)
    (settings,) = (block.text for block in shared if is_settings(block))
    site.append(settings.replace(DRF.authentication, package.authentication))
    write(site, [block for block in shared if not is_settings(block)])
    write(site, during)
    run(site, old_python, package, DURING)

    write(site, after)
    run(site, old_python, package, AFTER)


def section(heading: str) -> list[Block]:
    """Return the guide's code blocks below a second-level heading, in order."""
    lines = GUIDE.read_text(encoding="utf-8").splitlines()
    start = lines.index(f"## {heading}") + 1
    ends = (number for number, line in enumerate(lines, 1) if line.startswith("## "))
    end = next(number for number in ends if number > start)
    return [block for block in blocks(GUIDE) if start < block.line < end]


def blocks_in(language: str, heading: str) -> list[Block]:
    return [block for block in section(heading) if block.language == language]


def split(written: Iterable[Block]) -> tuple[list[Block], list[Block]]:
    """Split blocks into files before the move, and files that replace them during the move."""
    first: dict[str, Block] = {}
    later = [block for block in written if first.setdefault(path_of(block), block) is not block]
    return list(first.values()), later


def path_of(block: Block) -> str:
    assert block.file is not None, f"{block.where}: the first line must name a file"
    return block.file.path


def is_settings(block: Block) -> bool:
    return path_of(block) == SETTINGS


def write(site: Site, written: Iterable[Block]) -> None:
    """Write each block to its file. Append blocks with settings to the existing settings."""
    for block in written:
        if is_settings(block):
            site.append(block.text)
        elif block.file is not None:
            block.file.write(site.directory)


def run(site: Site, python: Path, package: Package, script: str) -> None:
    names = f"SCHEME, STATUS = {package.scheme!r}, {package.status_after_exchange!r}\n"
    code = f"{names}{PRELUDE}{package.obtain}{script}\nprint({DONE!r})"
    site.manage(python, "check", "--fail-level=ERROR")
    assert DONE in site.manage(python, "shell", "-c", code)
