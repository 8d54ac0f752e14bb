"""Test that readers find pages by the search of the built documentation, and by its navigation.

The searches are Sphinx's own: its search page in Chromium, with the index that Sphinx has built.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

import pytest

from tests.docs.built import BuiltSite, built_site
from tests.docs.pages import DOCS, index_entries, table
from tests.support.services import require

TABLE = tomllib.loads((DOCS.parent / "tests/docs/search.toml").read_text(encoding="utf-8"))
WORDS: dict[str, str] = TABLE["words"]
TASKS: list[dict[str, str]] = TABLE["tasks"]
#: How many results a reader looks at.
SHOWN = 3
#: The pages that explain the names in a column of their first table below a heading.
REFERENCES = {
    "reference/settings": ("All settings", "setting"),
    "reference/errors": ("Answers", "`code`"),
    "reference/checks": ("System checks", "id"),
    "reference/signals": ("Signals", "signal"),
}
#: The folders whose pages answer questions. Decisions and figures are found by links.
FOLDERS = ("concepts", "howto", "reference")


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the built documentation answers, asked once for all tests."""

    results: dict[str, list[str]]
    on_the_page: list[str]
    sidebar: set[str]
    headings: dict[str, set[str]]


@pytest.fixture(scope="module")
def found() -> Found:
    """Ask the built documentation for everything that the table contains."""
    require("chromium")
    with built_site() as site:
        return ask(site)


def names(page: str) -> list[str]:
    """Return the names that a page of the reference explains, such as those of settings."""
    heading, column = REFERENCES[page]
    return sorted({row[column].strip("`") for row in table(DOCS / f"{page}.md", heading)})


def ask(site: BuiltSite) -> Found:
    return Found(
        results=site.search(
            [
                *WORDS,
                *(task["words"] for task in TASKS),
                *(name for page in REFERENCES for name in names(page)),
            ]
        ),
        on_the_page=site.results_on_the_page("remember me"),
        sidebar=site.sidebar(),
        headings={page: site.headings(page) for page in {task["page"] for task in TASKS}},
    )


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as Sphinx derives it."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


@pytest.mark.parametrize("words", WORDS)
def test_search_finds_the_page_that_answers(found, words):
    assert WORDS[words] in found.results[words][:SHOWN]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task["question"])
def test_reader_finds_the_answer_by_search_and_by_navigation(found, task):
    """Search, or click twice: on the page in the sidebar, then on the heading in its contents."""
    assert task["page"] in found.results[task["words"]][:SHOWN]
    assert task["page"] in found.sidebar
    assert anchor(task["heading"]) in found.headings[task["page"]]


@pytest.mark.parametrize("page", REFERENCES)
def test_search_finds_the_page_that_explains_a_name(found, page):
    missed = {name: found.results[name][:SHOWN] for name in names(page)}
    assert {name: pages for name, pages in missed.items() if page not in pages} == {}


def test_search_page_shows_the_results_of_the_index(found):
    assert found.on_the_page == found.results["remember me"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_page_answers_words_of_the_table(folder):
    pages = {f"{folder}/{path.stem}" for path in (DOCS / folder).glob("*.md")}
    assert pages - set(WORDS.values()) == set()


@pytest.mark.parametrize("folder", FOLDERS)
def test_index_entries_are_main_entries(folder):
    """Only entries that begin with `!` are found before the results of the full text."""
    entries = [entry for path in (DOCS / folder).glob("*.md") for entry in index_entries(path)]
    assert [entry for entry in entries if not entry.startswith("! ")] == []
