"""Test the built documentation: its links, its layout on a phone, and its accessibility.

The tests use docs/_build: see `tests.docs.built`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from PIL import Image

from tests.docs.built import BUILT, build
from tests.docs.pages import DOCS, MAX_PICTURE_BYTES
from tests.e2e.axe import find_violations, load_axe
from tests.e2e.chromium import file_server
from tests.e2e.demopage import DESKTOP, PHONE, overflow_width
from tests.e2e.node import require_modules

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZES = pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])

#: The pages with the most different content, which are tested for accessibility.
PAGES = ("index", "tutorial", "reference/settings", "howto/production", "concepts/which-package")

#: Where an element names a file that a browser loads with the page.
LOADED = {"img": ("src", "srcset"), "script": ("src",), "source": ("src", "srcset")}
#: The kinds of <link> that load nothing.
NOT_LOADED = {"author", "canonical", "index", "next", "prev", "search"}


class Document(HTMLParser):
    """The ids of an HTML page, the targets of its links, and the addresses of its other files."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.files: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.ids.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and not NOT_LOADED.intersection(values["rel"].split()):
            self.files.append(values["href"])
        self.files += [values[name] for name in LOADED.get(tag, ()) if name in values]


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    """Build the documentation, and return its pages by their path, without ".html"."""
    build()
    names = [path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")]
    return {name: Document(BUILT / f"{name}.html") for name in ["genindex", "search", *names]}


@pytest.fixture
def address(documents: dict[str, Document]) -> Iterator[str]:
    with file_server(BUILT) as url:
        yield url


def test_internal_links_of_the_site_have_a_page_and_an_anchor(
    documents: dict[str, Document],
) -> None:
    assert len(documents) > 50
    broken = []
    for name, document in documents.items():
        for link in document.links:
            target = urlsplit(urljoin(f"/{name}.html", link))
            if target.netloc or target.scheme:
                continue
            page = documents.get(target.path.removeprefix("/").removesuffix(".html"))
            anchors = {"", *page.ids} if page else {""}
            exists = (BUILT / unquote(target.path[1:])).is_file()
            if not exists or unquote(target.fragment) not in anchors:
                broken.append(f"{name}: {link}")
    assert broken == []


def test_pages_of_the_site_load_files_of_their_own_host_only(
    documents: dict[str, Document],
) -> None:
    files = {file for document in documents.values() for file in document.files}
    assert "_static/site.css" in {file.partition("?")[0] for file in files}
    assert [file for file in files if urlsplit(file).netloc or urlsplit(file).scheme] == []


def new_page(chromium: Browser, **options: Any) -> Page:
    return chromium.new_page(**options)


def test_pages_of_the_site_need_no_horizontal_scrolling_on_a_phone(
    documents: dict[str, Document], address: str, chromium: Browser
) -> None:
    page = new_page(chromium, viewport=PHONE)
    hosts: set[str] = set()
    errors: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("pageerror", lambda error: errors.append(error.message))
    too_wide = {}
    for name in documents:
        page.goto(f"{address}/{name}.html")
        if width := overflow_width(page):
            too_wide[name] = width
    page.close()
    assert too_wide == {}
    assert errors == []
    assert hosts == {urlsplit(address).netloc}


def test_wide_table_of_text_becomes_a_list_with_column_names_on_a_phone(
    address: str, chromium: Browser
) -> None:
    page = new_page(chromium, viewport=PHONE)
    page.goto(f"{address}/reference/settings.html")
    scrolling = "tables => tables.filter(table => table.scrollWidth > table.clientWidth).length"
    assert page.eval_on_selector_all(".table-wrapper", scrolling) == 0
    columns = page.locator("table.stacked").first.locator("tbody tr").first.locator("td")
    assert [column.get_attribute("data-column") for column in columns.all()] == [
        "setting",
        "default",
        "meaning",
    ]
    page.close()


@SIZES
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_violation_on_a_page_of_the_site(
    address: str, chromium: Browser, name: str, viewport: dict[str, int]
) -> None:
    require_modules()
    page = new_page(chromium, viewport=viewport)
    page.goto(f"{address}/{name}.html")
    load_axe(page)
    assert find_violations(page) == []
    keep_screenshots(page, f"site-{name.replace('/', '-')}-{viewport['width']}")
    page.close()


def keep_screenshots(page: Page, name: str) -> None:
    """Save a screenshot in each colour scheme, if SIGNET_SCREENSHOTS names a folder."""
    if folder := os.environ.get("SIGNET_SCREENSHOTS"):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=f"{folder}/{name}-{scheme}.png")


def test_landing_page_has_an_install_line_three_doors_and_one_picture(
    address: str, chromium: Browser
) -> None:
    page = chromium.new_page(color_scheme="dark")
    page.goto(address)
    first = page.locator("article pre").first
    assert first.inner_text().strip() == "$ python -m pip install drf-signet"
    doors = page.locator(".doors a")
    assert [door.get_attribute("href") for door in doors.all()] == [
        "tutorial.html",
        "howto/migrate-from-simplejwt.html",
        "howto/production.html",
    ]
    assert page.locator(".features .sd-card").count() == 6
    picture = page.locator("article img:visible")
    assert picture.get_attribute("src") == "_images/flows-dark.svg"
    page.close()


def copied(page: Page, block: str) -> str:
    """Press the copy button of a code block, and return the text that it copies."""
    code = page.locator(f"div.{block}").first
    code.hover()
    code.locator("button.copybtn").click()
    code.locator("button.copybtn.success").wait_for()
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_copy_button_copies_commands_without_prompt_and_outputs_have_none(
    address: str, chromium: Browser
) -> None:
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(address)
    assert copied(page, "highlight-console") == "python -m pip install drf-signet"
    page.goto(f"{address}/tutorial.html")
    assert copied(page, "highlight-bash") == "python -m pip install drf-signet httpie"
    page.locator(".highlight-python button.copybtn").first.wait_for()
    assert page.locator(".highlight-bash + .highlight-text").count() > 5
    assert page.locator(".highlight-bash + .highlight-text button.copybtn").count() == 0
    context.close()


def test_preview_picture_can_be_drawn_from_its_svg_file(
    documents: dict[str, Document], chromium: Browser, tmp_path: Path
) -> None:
    """`SIGNET_SCREENSHOTS=docs/_static` draws the picture of link previews again."""
    page = chromium.new_page(viewport={"width": 1200, "height": 630})
    page.goto((DOCS / "_static/social.svg").as_uri())
    path = Path(os.environ.get("SIGNET_SCREENSHOTS") or tmp_path) / "social.png"
    page.screenshot(path=path)
    page.close()
    with Image.open(path) as drawn, Image.open(BUILT / "_static/social.png") as published:
        assert drawn.size == published.size == (1200, 630)
    assert path.stat().st_size <= MAX_PICTURE_BYTES
    assert "_static/social.png" in (BUILT / "index.html").read_text(encoding="utf-8")
