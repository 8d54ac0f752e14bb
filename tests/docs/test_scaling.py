"""Test that docs/howto/scaling.md agrees with the benchmarks page and calculates correctly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.docs.pages import DOCS, blocks, table

PAGE = DOCS / "howto" / "scaling.md"
MEASURED = {row["figure"]: row for row in table(PAGE, "Measured")}
USERS = ("10 000", "100 000", "1 000 000", "10 000 000")


def benchmarks() -> dict[str, str]:
    """Return drf-signet's figure for each row of the benchmarks page."""
    rows = table(DOCS / "benchmarks.md", "The table")
    return {row["measured"]: row["drf-signet"].strip("*") for row in rows}


@pytest.fixture(scope="module")
def sizes() -> Callable[..., Mapping[str, float]]:
    """Return the function that the page shows."""
    (block,) = blocks(PAGE)
    names: dict[str, Any] = {}
    exec(compile(block.text, block.where, "exec"), names)
    calculate: Callable[..., Mapping[str, float]] = names["sizes"]
    return calculate


def shown(number: float) -> str:
    """Return a number with two significant digits, as the table shows it."""
    if number >= 100:
        return f"{float(f'{number:.2g}'):,.0f}".replace(",", " ")
    return f"{float(f'{number:.2g}'):g}"


@pytest.mark.parametrize("figure", MEASURED)
def test_figures_are_those_of_the_benchmarks_page(figure: str) -> None:
    value, unit = MEASURED[figure]["value"].split(" ", 1)
    measured = benchmarks()[MEASURED[figure]["row on the benchmarks page"]]
    assert measured.removesuffix(f" {unit}") == value


#: Unit on the page → the value of this unit in the units of the function: seconds, bytes and cores.
UNITS = {"ms": 1e-3, "s": 1, "%": 1e-2, "MB": 1e6, "bytes": 1}


def test_function_calculates_with_the_figures() -> None:
    (block,) = blocks(PAGE)
    numbers = [float(number) for number in re.findall(r"\b\d+(?:\.\d+)?(?:e\d)?\b", block.text)]
    for figure in MEASURED.keys() - {"memory of the feed", "polls, process"}:
        value, unit = MEASURED[figure]["value"].split(" ", 1)
        assert pytest.approx(float(value) * UNITS[unit]) in numbers, figure


def test_table_has_the_results_of_the_function(sizes: Callable[..., Mapping[str, float]]) -> None:
    columns = {users: sizes(int(users.replace(" ", ""))) for users in USERS}
    expected = [
        {"daily users": name} | {users: shown(column[name]) for users, column in columns.items()}
        for name in columns[USERS[0]]
    ]
    assert table(PAGE, "Calculated") == expected


def test_table_of_limits_has_the_results_of_the_function(
    sizes: Callable[..., Mapping[str, float]],
) -> None:
    users = 10_000_000
    calculated = sizes(users)
    rows = table(PAGE, "What reaches its limit first")
    assert len(rows) == 4
    for row in rows:
        reached = float(row["limit"]) * users / calculated[row["row"]]
        assert row["daily users"] == shown(reached), row
