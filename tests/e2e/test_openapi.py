"""Test the OpenAPI schema of the example: a generated client, random requests, and Swagger UI."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.docs.pages import DOCS, blocks
from tests.e2e.clients import Curl
from tests.e2e.example import PYTHONPATH, ROOT, VITOR, Example, StartExample, environment
from tests.e2e.node import MODULES, node, require_modules, type_errors

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

PAGE = DOCS / "howto/openapi.md"
#: How many random requests schemathesis sends to each operation, in each of its phases.
EXAMPLES = os.environ.get("SIGNET_FUZZ_EXAMPLES", "3")


@pytest.fixture
def api(start_example: StartExample) -> Example:
    """Return the example with a fast password hasher, without a limit of failed logins."""
    return start_example(
        django_settings_module="tests.e2e.quick_settings",
        pythonpath=PYTHONPATH,
        signet={"LOGIN_THROTTLE": None},
    )


def test_schema_of_the_example_is_valid_and_has_no_warnings(api: Example, tmp_path: Path) -> None:
    schema = tmp_path / "schema.yml"
    options = ["--validate", "--fail-on-warn", "--file", str(schema)]
    done = subprocess.run(
        [sys.executable, "example/manage.py", "spectacular", *options],
        cwd=ROOT,
        env=environment(**api.variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert schema.read_bytes() == urlopen(api.url("api/schema/")).read()


def test_typescript_client_of_the_page_logs_in_refreshes_and_lists_sessions(
    api: Example, tmp_path: Path
) -> None:
    require_modules()
    (tmp_path / "node_modules").symlink_to(MODULES)
    schema = tmp_path / "schema.yml"  # openapi-typescript loads a URL slowly
    schema.write_bytes(urlopen(api.url("api/schema/")).read())
    done = node(
        schema, "--output", tmp_path / "schema.d.ts", program=MODULES / ".bin/openapi-typescript"
    )
    assert done.returncode == 0, done.stderr
    (script,) = [block.text for block in blocks(PAGE) if block.language == "ts"]
    client, wrong, main = (tmp_path / f"{name}.ts" for name in ("sessions", "wrong", "main"))
    client.write_text(script, encoding="utf-8")
    wrong.write_text(script.replace("no_active_account", "no_account"), encoding="utf-8")
    # Only the client with an unknown error code must not compile.
    (error,) = type_errors(client, wrong).splitlines()
    assert "wrong.ts(" in error
    assert "have no overlap" in error
    main.write_text(
        "import { sessions } from './sessions';\n"
        f"console.log(JSON.stringify(await sessions('{api.base}', 'vitor', '123')));\n"
        f"await sessions('{api.base}', 'vitor', 'wrong').catch((e) => console.log(e.message));\n",
        encoding="utf-8",
    )
    options = ("--format=esm", "--log-level=warning", f"--outfile={main}.mjs")
    assert node(main, "--bundle", *options, program=MODULES / ".bin/esbuild").stderr == ""
    done = node(f"{main}.mjs")
    assert done.stderr == ""
    listed, refused = done.stdout.splitlines()
    assert listed.startswith('[["token",true]')
    assert refused == "Try again."


def test_random_requests_get_documented_answers(api: Example, tmp_path: Path) -> None:
    """Run schemathesis with all its checks. `make fuzz` sends over 5,000 requests."""
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", api.url("api/schema/")),
            *("--checks", "all", "--max-examples", EXAMPLES, "--workers", "2", "--no-color"),
        ],
        cwd=tmp_path,
        env=environment(
            FUZZED_SERVER=api.base, SCHEMATHESIS_HOOKS="tests.e2e.fuzz_hooks", PYTHONPATH=str(ROOT)
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)  # pytest shows it if the test fails, or with -rP
    assert done.returncode == 0, done.stdout + done.stderr
    sent = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert sent
    assert int(sent[1]) == int(sent[2]) >= 20 * int(EXAMPLES)
    statuses = set(re.findall(r'" (\d{3}) ', api.output()))
    assert statuses >= {"200", "204", "400", "401", "403", "404", "405", "415"}
    assert [status for status in statuses if status.startswith("5")] == []


def operation(page: Page, name: str) -> Locator:
    """Open an operation in Swagger UI, and press "Try it out"."""
    found = page.locator(f"#operations-{name}")
    found.locator(".opblock-summary-control").click()
    found.get_by_role("button", name="Try it out").click()
    return found


def execute(found: Locator) -> str:
    """Press "Execute", and return the body of the answer."""
    found.get_by_role("button", name="Execute").click()
    answer = found.locator(".live-responses-table .response").first
    assert answer.locator(".response-col_status").inner_text().strip().startswith("200")
    return answer.locator("pre.microlight, .highlight-code pre").first.inner_text()


def test_authorize_in_swagger_ui_gives_access_to_the_protected_view(
    api: Example, chromium: Browser
) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 1400})
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(error.message))
    page.on("request", lambda sent: None if is_local(sent.url, api) else problems.append(sent.url))
    page.goto(api.url("api/docs/"))
    login = operation(page, "api-api_token_create")
    login.locator("textarea").fill('{"username": "vitor", "password": "123"}')
    access = re.search(r'"access": "(.+?)"', execute(login))
    assert access
    page.get_by_role("button", name="Authorize").first.click()
    scheme = page.locator(".auth-container", has_text="jwtAuth")
    scheme.locator("input").fill(access[1])
    scheme.get_by_role("button", name="Apply credentials").click()
    scheme.get_by_role("button", name="Close").click()
    hello = operation(page, "hello-hello_retrieve")
    assert '"Hello, World!"' in execute(hello)
    sessions = operation(page, "api-api_token_sessions_list")
    assert '"current": true' in execute(sessions)
    if folder := os.environ.get("SIGNET_SCREENSHOTS"):
        page.screenshot(path=Path(folder, "swagger.png"))
    page.close()
    assert problems == []


def is_local(url: str, api: Example) -> bool:
    return url.startswith((api.base, "data:", "blob:"))


def test_schema_and_swagger_ui_need_no_credentials(api: Example) -> None:
    for path in ("api/schema/", "api/docs/"):
        assert Curl().get(api.url(path)).status == 200
    assert Curl().post(api.url("api/token/"), **VITOR).status == 200
