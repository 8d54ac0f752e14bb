"""The applications of docs/howto/front-ends.md, bundled as they stand there, in Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.example import ROOT
from tests.e2e.node import MODULES, TESTS, TYPES, node, require_modules
from tests.e2e.site import Profile, Site, expire

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

GUIDE = ROOT / "docs/howto/front-ends.md"
JAVASCRIPT = GUIDE.with_name("javascript.md")
_BOTH = re.DOTALL | re.MULTILINE
_FENCE = re.compile(r"^```\w+\n(?://|<!--) ([\w.]+)(?: -->)?\n(.*?)^```$", _BOTH)

#: What a recipe for a library leaves to its reader: a page that makes a call.
CALLERS = {
    "axios": "import { api } from './api.js';\n"
    "window.load = () => api.get('echo/').then(({ data }) => data);",
    "ky": "import { api } from './api.js';\nwindow.load = () => api.get('/echo/').json();",
    "TanStack Query": "",
}
#: The page around the component of TanStack Query.
AROUND_QUERY = """
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { QueryClientProvider } from '@tanstack/react-query';
import { Echo } from './Echo.jsx';
import { queries } from './queries.js';
const app = createElement(QueryClientProvider, { client: queries }, createElement(Echo));
createRoot(document.body.appendChild(document.createElement('main'))).render(app);
"""
FRAMEWORKS = ("Without a framework", "React", "Vue", "Svelte", "Angular")
PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>'
SCRIPT = '<script type="module" src="/recipe/bundle.js"></script>'


def recipe(title: str) -> dict[str, str]:
    """Return the files of a section of the guide, and the module that all share."""
    text = GUIDE.read_text(encoding="utf-8")
    introduction, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    [section] = [text for text in sections if text.startswith(f"{title}\n")]
    return dict(_FENCE.findall(introduction) + _FENCE.findall(section))


def write(files: dict[str, str], directory: Path) -> None:
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")


def bundle(title: str, directory: Path) -> Path:
    """Write a recipe into a directory, and make one script of it."""
    files = recipe(title)
    extra = AROUND_QUERY if title == "TanStack Query" else CALLERS.get(title)
    if extra is not None:
        files["main.js"] = extra
    main = next(name for name in files if name.startswith("main."))
    files["entry.js"] = (
        f"import {{ auth }} from './auth.js';\nwindow.auth = auth;\nimport './{main}';"
    )
    write(files, directory)
    output = directory / "bundle.js"
    done = node(TESTS / "bundle.mjs", directory / "entry.js", output)
    assert (done.returncode, done.stderr) == (0, "")
    return output


@pytest.fixture
def profile(chromium: Browser, site: Site) -> Iterator[Profile]:
    require_modules()
    with chromium.new_context() as context:
        yield Profile(context=context, site=site)


def fulfilled(**answer: Any) -> Callable[[Route], None]:
    return lambda route: route.fulfill(**answer)


def visit(profile: Profile, title: str, directory: Path) -> Page:
    """Open a recipe's page at the server's own origin."""
    script = bundle(title, directory)
    html = directory / "index.html"
    body = PAGE + (html.read_text(encoding="utf-8") if html.exists() else "") + SCRIPT
    answers: dict[str, dict[str, Any]] = {
        "**/recipe/bundle.js": {"path": script, "content_type": "text/javascript"},
        "**/recipe/": {"body": body, "content_type": "text/html"},
    }
    for pattern, answer in answers.items():
        profile.context.route(pattern, fulfilled(**answer))
    return profile.open("recipe/")


@pytest.mark.parametrize("title", FRAMEWORKS)
def test_an_application_logs_in_calls_renews_and_logs_out(
    profile: Profile, site: Site, tmp_path: Path, title: str
) -> None:
    tab = visit(profile, title, tmp_path)
    log_in = tab.get_by_role("button", name="Log in")
    shown = tab.locator("output")
    tab.locator("[name=username]").fill("vitor")
    tab.locator("[name=password]").fill("not this one")
    log_in.click()
    shown.get_by_text("No active account").wait_for()

    tab.locator("[name=username]").fill("vitor")
    tab.locator("[name=password]").fill("123")
    log_in.click()
    load = tab.get_by_role("button", name="Load")
    load.wait_for()
    expire(site, tab)
    load.click()
    shown.get_by_text(tab.evaluate("auth.state.claims.sid")).wait_for()
    assert site.counted()["refreshed"] == 1

    tab.reload()
    tab.get_by_role("button", name="Log out").click()
    log_in.wait_for()
    assert profile.cookie() == ""
    assert [line for line in profile.console if "401" not in line] == []


@pytest.mark.parametrize("title", ["axios", "ky"])
def test_a_library_for_requests_renews_and_tries_once(
    profile: Profile, site: Site, tmp_path: Path, title: str
) -> None:
    tab = visit(profile, title, tmp_path)
    tab.evaluate("auth.login({username: 'vitor', password: '123'})")
    expire(site, tab)
    answers = tab.evaluate("Promise.all([load(), load(), load()])")
    assert {answer["sid"] for answer in answers} == {tab.evaluate("auth.state.claims.sid")}
    assert site.counted()["refreshed"] == 1
    tab.evaluate("auth.logout()")
    assert tab.evaluate("load().catch(({ response }) => response.status)") == 401


def test_queries_are_loaded_with_a_token_and_forgotten_with_the_user(
    profile: Profile, site: Site, tmp_path: Path
) -> None:
    profile.log_in().close()
    tab = visit(profile, "TanStack Query", tmp_path)
    shown = tab.locator("output")
    shown.get_by_text(tab.evaluate("auth.state.claims.sid")).wait_for()
    expire(site, tab)
    tab.get_by_role("button", name="Load").click()
    site.wait_for("refreshed", 1)
    tab.evaluate("auth.login({username: 'rita', password: '123'})")
    tab.get_by_role("button", name="Load").click()
    shown.get_by_text(tab.evaluate("auth.state.claims.sid")).wait_for()


def checked(directory: Path, *files: str, **options: Any) -> str:
    """Return what the TypeScript compiler finds wrong in files that import the client."""
    (directory / "node_modules").symlink_to(MODULES)
    (directory / "drf-signet.d.ts").write_bytes(TYPES.read_bytes())
    compiler = {
        "noEmit": True,
        "skipLibCheck": True,
        "target": "es2022",
        "module": "esnext",
        "moduleResolution": "bundler",
        "paths": {"drf-signet": ["./drf-signet.d.ts"]},
    }
    project = {"compilerOptions": {**compiler, **options}, "files": files}
    (directory / "tsconfig.json").write_text(json.dumps(project), encoding="utf-8")
    return node("--project", directory, program=MODULES / ".bin/tsc").stdout


def test_the_recipe_for_react_native_is_compiled(tmp_path: Path) -> None:
    require_modules()
    write(recipe("React Native, Expo"), tmp_path)
    assert checked(tmp_path, "native.ts", "Greeting.tsx", strict=True, jsx="react-jsx") == ""


def test_the_code_of_the_guide_is_what_the_types_allow(tmp_path: Path) -> None:
    require_modules()
    blocks = re.findall(r"^```js\n(.*?)^```$", JAVASCRIPT.read_text(encoding="utf-8"), _BOTH)
    assert len(blocks) > 3
    files = {f"block{number}.js": text for number, text in enumerate(blocks)}
    write(files, tmp_path)
    assert checked(tmp_path, *files, allowJs=True, checkJs=True) == ""
