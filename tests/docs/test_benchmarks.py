"""README's table of the benchmarks says what their page says."""

from __future__ import annotations

from tests.docs.pages import DOCS, ROOT

_FIRST, _LAST = "<!-- from make bench -->", "<!-- to here -->"


def rows(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]


def test_the_rows_of_readme_are_rows_of_the_page() -> None:
    page = rows((DOCS / "benchmarks.md").read_text(encoding="utf-8"))
    short = rows((ROOT / "README.md").read_text(encoding="utf-8").split(_FIRST)[1].split(_LAST)[0])
    assert len(short) > 20
    for row in short[2:]:
        assert row in [[*other[:2], *other[3:]] for other in page], row


def test_no_row_lacks_its_reason() -> None:
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert "Nobody has said why yet." not in text
    missed = text.split("## Bars that are missed")[1].split("## ")[0].strip().splitlines()
    assert text.count("**missed**") == sum(line.startswith("- ") for line in missed)
