"""Build the documentation as HTML, and look things up in it with Chromium."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import DOCS, ROOT
from tests.e2e.chromium import browser, file_server

if TYPE_CHECKING:
    from playwright.sync_api import Page

BUILT = DOCS / "_build"

#: Sphinx's own search, without the list on the page: words → results, the best result first.
_SEARCH = """words => Object.fromEntries(words.map(word => [
    word, Search._performSearch(...Search._parseQuery(word)).reverse().map(([page]) => page)
]))"""
_LINKS = "(links, base) => links.map(link => link.href.slice(base.length))"


def build() -> Path:
    """Build docs/_build as `make docs` does, if a source has changed since. Return the folder.

    Sphinx must read all pages: a build that reads only changed pages loses the index entries of the
    other pages. The lock lets only one process build at a time.
    """
    pytest.importorskip("furo", reason="not installed: the packages of the group docs")
    BUILT.mkdir(exist_ok=True)
    with (BUILT / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_up_to_date():
            options = ["--fresh-env", "--fail-on-warning", "--keep-going", "--quiet"]
            command = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(BUILT)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return BUILT


def is_up_to_date() -> bool:
    """Return whether docs/_build is newer than everything that it is made from."""
    last_written = BUILT / "searchindex.js"
    pages = [path for path in DOCS.rglob("*.*") if "_build" not in path.parts]
    sources = [*pages, *ROOT.glob("*.*"), *ROOT.glob("src/**/*.py")]
    return last_written.exists() and all(
        path.stat().st_mtime < last_written.stat().st_mtime for path in sources
    )


@dataclass(frozen=True, kw_only=True)
class BuiltSite:
    """The built documentation, open in a browser. Pages have Sphinx's names: `howto/browser`."""

    url: str
    page: Page

    def search(self, words: Iterable[str]) -> dict[str, list[str]]:
        """Return the pages that the search finds for each of the words, the best result first."""
        self.page.goto(f"{self.url}/search.html?q=any")
        self.page.wait_for_function("Search.hasIndex()")
        found: dict[str, list[str]] = self.page.evaluate(_SEARCH, list(words))
        return found

    def results_on_the_page(self, words: str) -> list[str]:
        """Type words into the search field of the landing page, and return the results shown."""
        self.page.goto(f"{self.url}/index.html")
        self.page.fill("input[name=q]", words)
        self.page.press("input[name=q]", "Enter")
        self.page.wait_for_selector("#search-results .search-summary:not(:empty)")
        return [target.partition(".html")[0] for target in self._links("#search-results .search a")]

    def sidebar(self) -> set[str]:
        """Return the pages that the sidebar of the landing page links to."""
        self.page.goto(f"{self.url}/index.html")
        return {target.removesuffix(".html") for target in self._links(".sidebar-tree a")}

    def headings(self, name: str) -> set[str]:
        """Return the anchors of a page's title and of the headings in its list of contents."""
        self.page.goto(f"{self.url}/{name}.html")
        links = self._links("h1 .headerlink, .toc-tree a")
        return {target.partition("#")[2] for target in links}

    def _links(self, selector: str) -> list[str]:
        found: list[str] = self.page.eval_on_selector_all(selector, _LINKS, f"{self.url}/")
        return found


@contextmanager
def built_site() -> Iterator[BuiltSite]:
    """Build the documentation, serve it, and yield it in a wide browser."""
    with file_server(build()) as url, browser() as launched:
        page = launched.new_page(viewport={"width": 1440, "height": 900})
        yield BuiltSite(url=url, page=page)
