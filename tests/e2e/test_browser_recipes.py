"""Test that the applications in docs/howto/front-ends.md work in Chromium without changes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.example import ROOT
from tests.e2e.node import MODULES, TESTS, TYPES, node, require_modules
from tests.e2e.pages_site import Profile, Site, expire

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

GUIDE = ROOT / "docs/howto/front-ends.md"
JAVASCRIPT = GUIDE.with_name("javascript.md")
_BOTH = re.DOTALL | re.MULTILINE
_FENCE = re.compile(r"^```\w+\n(?://|<!--) ([\w.]+)(?: -->)?\n(.*?)^```$", _BOTH)

#: For each library, a script that uses the recipe to call the API. The guide does not contain these
#: scripts.
CALLERS = {
    "axios": "import { api } from './api.js';\n"
    "window.load = () => api.get('api/hello/').then(({ data }) => data);",
    "Next.js": """
import { createElement } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { App } from './App.js';
const onRecoverableError = (error) => console.error(error);
hydrateRoot(document.querySelector('main'), createElement(App), { onRecoverableError });
window.onerror = console.error;
""",
    "ky": "import { api } from './api.js';\nwindow.load = () => api.get('/api/hello/').json();",
}
#: The component of the Next.js recipe's test, and a script that renders it on a server.
SERVED = {
    "App.js": """
import { createElement } from 'react';
import { useAuth } from './useAuth.jsx';
export const App = () => createElement('output', null, useAuth().status);
""",
    "server.js": """
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { App } from './App.js';
console.log(renderToString(createElement(App)));
process.exit(); // React keeps a channel open
""",
}
#: A script that renders the component of the React recipe, like `main.jsx` of Vite's template.
REACT_PAGE = """
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import App from './App.jsx';
const main = document.body.appendChild(document.createElement('main'));
createRoot(main).render(createElement(App));
"""
#: A script that renders the component of the TanStack Query recipe.
QUERY_PAGE = """
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { QueryClientProvider } from '@tanstack/react-query';
import { Hello } from './Hello.jsx';
import { queries } from './queries.js';
const app = createElement(QueryClientProvider, { client: queries }, createElement(Hello));
createRoot(document.body.appendChild(document.createElement('main'))).render(app);
"""
#: For some recipes, the file `main.js`, which the guide does not contain.
ADDED = {**CALLERS, "React": REACT_PAGE, "TanStack Query": QUERY_PAGE}
FRAMEWORKS = ("Without a framework", "React", "Vue", "Svelte", "Angular")
PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>'
SCRIPT = '<script type="module" src="/recipe/bundle.js"></script>'


def recipe(title: str) -> dict[str, str]:
    """Return the files in the guide's introduction and in one of its sections, by file name."""
    text = GUIDE.read_text(encoding="utf-8")
    introduction, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    [section] = [text for text in sections if re.match(rf"{title}( interceptor)?\n", text)]
    return dict(_FENCE.findall(introduction) + _FENCE.findall(section))


def write(files: dict[str, str], directory: Path) -> None:
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")


def bundle(title: str, directory: Path) -> Path:
    """Write the files of a recipe, bundle them into one script, and return its path."""
    files = recipe(title)
    if title in ADDED:
        files["main.js"] = ADDED[title]
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


def respond_with(**answer: Any) -> Callable[[Route], None]:
    return lambda route: route.fulfill(**answer)


def visit(profile: Profile, title: str, directory: Path) -> Page:
    """Bundle a recipe, and open a page that runs the recipe on the server's origin."""
    script = bundle(title, directory)
    html = directory / "index.html"
    body = PAGE + (html.read_text(encoding="utf-8") if html.exists() else "") + SCRIPT
    answers: dict[str, dict[str, Any]] = {
        "**/recipe/bundle.js": {"path": script, "content_type": "text/javascript"},
        "**/recipe/": {"body": body, "content_type": "text/html"},
    }
    for pattern, answer in answers.items():
        profile.context.route(pattern, respond_with(**answer))
    return profile.open("recipe/")


@pytest.mark.parametrize("title", FRAMEWORKS)
def test_application_logs_in_calls_refreshes_and_logs_out(
    profile: Profile, site: Site, tmp_path: Path, title: str
) -> None:
    tab = visit(profile, title, tmp_path)
    log_in = tab.get_by_role("button", name="Log in")
    output = tab.locator("output")
    tab.locator("[name=username]").fill("vitor")
    tab.locator("[name=password]").fill("wrong-password")
    log_in.click()
    output.get_by_text("No active account").wait_for()

    tab.locator("[name=username]").fill("vitor")
    tab.locator("[name=password]").fill("123")
    log_in.click()
    load = tab.get_by_role("button", name="Load")
    load.wait_for()
    expire(site, tab)
    load.click()
    output.get_by_text(tab.evaluate("auth.state.claims.sid")).wait_for()
    assert site.counts()["refreshed"] == 1

    tab.reload()
    tab.get_by_role("button", name="Log out").click()
    log_in.wait_for()
    assert profile.refresh_token() == ""
    assert [line for line in profile.console if "401" not in line] == []


@pytest.mark.parametrize("title", ["axios", "ky"])
def test_request_library_refreshes_once_and_repeats_the_call(
    profile: Profile, site: Site, tmp_path: Path, title: str
) -> None:
    tab = visit(profile, title, tmp_path)
    tab.evaluate("auth.login({username: 'vitor', password: '123'})")
    expire(site, tab)
    answers = tab.evaluate("Promise.all([load(), load(), load()])")
    assert {answer["sid"] for answer in answers} == {tab.evaluate("auth.state.claims.sid")}
    assert site.counts()["refreshed"] == 1
    tab.evaluate("auth.logout()")
    assert tab.evaluate("load().catch(({ response }) => response.status)") == 401


def test_component_rendered_on_a_server_is_hydrated_without_errors(
    profile: Profile, tmp_path: Path
) -> None:
    write(recipe("Next.js") | SERVED, tmp_path)
    bundled = tmp_path / "server.mjs"
    node(TESTS / "bundle.mjs", tmp_path / "server.js", bundled)
    rendered = node(bundled).stdout.strip()
    assert rendered == "<output>loading</output>"

    (tmp_path / "index.html").write_text(f"<main>{rendered}</main>", encoding="utf-8")
    profile.log_in().close()
    tab = visit(profile, "Next.js", tmp_path)
    tab.locator("output").get_by_text("in", exact=True).wait_for()
    assert profile.console == []


def test_query_cache_is_cleared_when_another_user_logs_in(
    profile: Profile, site: Site, tmp_path: Path
) -> None:
    profile.log_in().close()
    tab = visit(profile, "TanStack Query", tmp_path)
    output = tab.locator("output")
    output.get_by_text(tab.evaluate("auth.state.claims.sid")).wait_for()
    expire(site, tab)
    tab.get_by_role("button", name="Load").click()
    site.wait_for("refreshed", 1)
    tab.evaluate("auth.login({username: 'rita', password: '123'})")
    tab.get_by_role("button", name="Load").click()
    output.get_by_text(tab.evaluate("auth.state.claims.sid")).wait_for()


def type_errors(directory: Path, *files: str, **options: Any) -> str:
    """Compile files that import the client, and return the errors of the TypeScript compiler."""
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


def test_react_native_recipe_compiles(tmp_path: Path) -> None:
    require_modules()
    write(recipe("React Native, Expo"), tmp_path)
    assert type_errors(tmp_path, "native.ts", "Greeting.tsx", strict=True, jsx="react-jsx") == ""


def test_code_of_the_javascript_guide_passes_the_type_checker(tmp_path: Path) -> None:
    require_modules()
    blocks = re.findall(r"^```js\n(.*?)^```$", JAVASCRIPT.read_text(encoding="utf-8"), _BOTH)
    assert len(blocks) > 3
    files = {f"block{number}.js": text for number, text in enumerate(blocks)}
    write(files, tmp_path)
    assert type_errors(tmp_path, *files, allowJs=True, checkJs=True) == ""
