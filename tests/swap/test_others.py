"""Moving from other packages, as its page shows it: before, meanwhile and after, each run.

A section's blocks in `py` are written for the other package, those in `python` for this one. A
file that comes twice in `py` is first the one of before and then the one of meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, Block, blocks
from tests.swap.site import Site

GUIDE = DOCS / "howto" / "migrate-from-others.md"
OTHERS = Path(__file__).with_name("others")
SETTINGS = "mysite/settings.py"
EXCHANGE = "Change the old token for a pair"
DONE = "all of it works"

#: What comes before each of the scripts, which are run in the project's shell.
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
kept, kept_refresh = Path("token"), Path("refresh")


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
kept.write_text(obtain())
assert hello(kept.read_text(), SCHEME) == 200
"""

MEANWHILE = """
token = kept.read_text()


def exchange(**headers):
    return client.post("/api/token/exchange/", **headers)


header = {"HTTP_AUTHORIZATION": f"{SCHEME} {token}"}
assert (hello(token, SCHEME), exchange().status_code) == (200, 401)
pair = exchange(**header).json()
assert hello(pair["access"]) == 200
assert [exchange(**header).status_code, hello(token, SCHEME)] == [AGAIN, AGAIN]
assert client.post("/api/token/refresh/", {"refresh": pair["refresh"]}).status_code == 200
assert hello(client.post("/api/token/", credentials).json()["access"]) == 200
kept_refresh.write_text(pair["refresh"])
"""

AFTER = """
assert not {"knox", "rest_framework_jwt", "rest_framework.authtoken"} & set(sys.modules)
held = kept_refresh.read_text()
access = client.post("/api/refresh/", {"refresh": held}).json()["access"]
assert (hello(access), hello(kept.read_text(), SCHEME)) == (200, 401)
assert client.post("/api/logout/", {"refresh": held}).status_code == 204
assert hello(access) == 401

user = User.objects.get()
access = client.post("/api/login/", credentials).json()["access"]
by_hand = tokens.token_for(user)["access"]
assert hello(access) == hello(by_hand) == 200
if hasattr(tokens, "log_out"):
    tokens.log_out(user)
    assert hello(access) == hello(by_hand) == 401
"""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package that the page moves from.

    Args:
        heading: of its section.
        authentication: its class.
        scheme: of its header.
        obtain: code of a function that logs in with it, and returns a token.
        again: the status for a token that was changed for a pair already.
    """

    heading: str
    authentication: str
    scheme: str
    obtain: str
    again: int


DRF = Package(
    heading="DRF's TokenAuthentication",
    authentication="rest_framework.authentication.TokenAuthentication",
    scheme="Token",
    obtain="""
def obtain():
    return client.post("/api/login/", credentials).json()["token"]
""",
    again=401,
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
    again=401,
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
    again=200,  # it is in no table
)


@pytest.mark.parametrize("package", [DRF, KNOX, DRF_JWT], ids=lambda one: one.heading)
def test_a_token_of_another_package_is_changed_for_a_pair_while_its_project_moves(
    package: Package, tmp_path: Path, old_python: Path
) -> None:
    site = Site.copied(tmp_path / "site", source=OTHERS)
    of_theirs, of_ours = of_language("py", package.heading), of_language("python", package.heading)
    before, meanwhile = split(of_theirs)

    write(site, before)
    run(site, old_python, package, BEFORE)

    site.append('INSTALLED_APPS += ["drf_signet"]')
    shared = of_language("python", EXCHANGE)
    (both,) = (block.text for block in shared if is_of_settings(block))
    site.append(both.replace(DRF.authentication, package.authentication))
    write(site, [block for block in shared if not is_of_settings(block)])
    write(site, meanwhile)
    run(site, old_python, package, MEANWHILE)

    write(site, of_ours)
    run(site, old_python, package, AFTER)


def section(heading: str) -> list[Block]:
    """Return the blocks below a heading of the second level, in order."""
    lines = GUIDE.read_text(encoding="utf-8").splitlines()
    start = lines.index(f"## {heading}") + 1
    ends = (number for number, line in enumerate(lines, 1) if line.startswith("## "))
    end = next(number for number in ends if number > start)
    return [block for block in blocks(GUIDE) if start < block.line < end]


def of_language(language: str, heading: str) -> list[Block]:
    return [block for block in section(heading) if block.language == language]


def split(written: Iterable[Block]) -> tuple[list[Block], list[Block]]:
    """Return the files of before, and those that take their place meanwhile."""
    first: dict[str, Block] = {}
    later = [block for block in written if first.setdefault(path_of(block), block) is not block]
    return list(first.values()), later


def path_of(block: Block) -> str:
    assert block.file is not None, f"{block.where}: the first line names no file"
    return block.file.path


def is_of_settings(block: Block) -> bool:
    return path_of(block) == SETTINGS


def write(site: Site, written: Iterable[Block]) -> None:
    """Write the files; the settings are added to those that are there."""
    for block in written:
        if is_of_settings(block):
            site.append(block.text)
        elif block.file is not None:
            block.file.write(site.directory)


def run(site: Site, python: Path, package: Package, script: str) -> None:
    names = f"SCHEME, AGAIN = {package.scheme!r}, {package.again!r}\n"
    code = f"{names}{PRELUDE}{package.obtain}{script}\nprint({DONE!r})"
    site.manage(python, "check", "--fail-level=ERROR")
    assert DONE in site.manage(python, "shell", "-c", code)
