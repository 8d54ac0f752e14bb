"""Test README's benchmark table, the benchmarks page, and its charts."""

from __future__ import annotations

import re

import pytest

from benchmarks.svg import slim
from benchmarks.table import HEADLINES, UNEXPLAINED
from tests.docs.pages import DOCS, ROOT

_FIRST, _LAST = "<!-- from make bench -->", "<!-- to here -->"


def rows(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]


def test_figures_in_readme_are_rows_of_the_benchmarks_page() -> None:
    page = rows((DOCS / "benchmarks.md").read_text(encoding="utf-8"))
    readme = rows((ROOT / "README.md").read_text(encoding="utf-8").split(_FIRST)[1].split(_LAST)[0])
    expected = [[HEADLINES[row[0]], row[1], *row[3:]] for row in page if row[0] in HEADLINES]
    assert readme[2:] == expected
    assert len(expected) == len(HEADLINES) == 6


def test_page_explains_faster_packages_and_missed_bars() -> None:
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert UNEXPLAINED not in text
    missed = text.split("## Bars that are missed")[1].split("## ")[0].strip().splitlines()
    assert text.count("**missed**") == sum(line.startswith("- ") for line in missed)


CHARTS = re.findall(r"!\[(.+)\]\((.+\.svg)\)", (DOCS / "benchmarks.md").read_text(encoding="utf-8"))


def test_page_shows_every_chart_in_the_benchmarks_folder() -> None:
    files = [path.relative_to(DOCS).as_posix() for path in (DOCS / "benchmarks").glob("*.svg")]
    assert sorted(files) == sorted(path for _, path in CHARTS)
    assert files


@pytest.mark.parametrize(("title", "path"), CHARTS)
def test_chart_is_small_and_has_a_text_element_for_its_title(title: str, path: str) -> None:
    chart = (DOCS / path).read_text(encoding="utf-8")
    assert f">{title}</text>" in chart
    assert len(chart.encode()) < 15_000
    assert not re.search(r"<(metadata|defs|use|g)\b", chart)


#: A chart in the format that matplotlib writes. The chart contains a bar, two ticks that use the
#: same marker, a line, a label and a title.
WRITTEN = """<?xml version="1.0" encoding="utf-8" standalone="no"?>
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="9pt" height="8pt" viewBox="0 0 9 8" \
xmlns="http://www.w3.org/2000/svg" version="1.1">
 <metadata><title>Matplotlib</title></metadata>
 <defs><style type="text/css">*{stroke-linejoin: round}</style></defs>
 <g id="figure_1">
  <g id="patch_1"><path d="M 0 8
L 9 8
L 9.004 0
z
" clip-path="url(#p1)" style="fill: #ffffff"/></g>
  <g id="line2d_1">
   <defs><path id="m1" d="M 0 0
L 0 -3.5
" style="stroke: #000000"/></defs>
   <g><use xlink:href="#m1" x="1" y="3.5" style="stroke: #000000; stroke-width: 0.8"/></g>
  </g>
  <g id="text_1">
   <text style="font-size: 10px; font-family: 'A', b; text-anchor: middle" x="1.234567" y="2" \
transform="rotate(-90 1.234567 2)">a &lt; b</text>
  </g>
  <g><use xlink:href="#m1" x="2.5" y="3.5" style="stroke: #000000; stroke-width: 0.8"/></g>
  <g id="text_2">
   <text style="font-size: 8px; font-family: 'A', b" transform="translate(3 4.5)">title</text>
  </g>
  <path d="M 1 2
C 1 2 3 4 5 -0.001
" style="fill: none; stroke: #000000; stroke-dasharray: 5,2; stroke-dashoffset: 0"/>
 </g>
 <defs><clipPath id="p1"><rect x="0" y="0" width="9" height="8"/></clipPath></defs>
</svg>
"""


def test_slim_keeps_only_the_shapes_and_texts_of_a_matplotlib_chart() -> None:
    first, *rest = slim(WRITTEN).splitlines()
    assert 'width="9pt" height="8pt" viewBox="0 0 9 8" font-family="DejaVu Sans, ' in first
    assert rest == [
        '<path d="M0 8H9V0z" fill="#ffffff"/>',
        '<path d="M1 3.5V0M2.5 3.5V0" stroke="#000000" stroke-width="0.8"/>',
        '<path d="M1 2C1 2 3 4 5 0" fill="none" stroke="#000000" stroke-dasharray="5,2"/>',
        '<text x="1.23" y="2" transform="rotate(-90 1.23 2)" text-anchor="middle">a &lt; b</text>',
        '<text x="3" y="4.5" font-size="8">title</text>',
        "</svg>",
    ]


def test_slim_rejects_a_formula() -> None:
    formula = "<text><tspan>1</tspan><tspan>0</tspan></text>"
    written = re.sub(r"<text.*?</text>", formula, WRITTEN, flags=re.DOTALL)
    with pytest.raises(ValueError, match="without mathtext: 10"):
        slim(written)
