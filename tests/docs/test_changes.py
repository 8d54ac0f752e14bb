"""Compare the page about the changes with the list from which the command predicts them."""

from __future__ import annotations

import pytest

from drf_signet.compat.simplejwt.moving import changes
from tests.docs.pages import DOCS, table

PAGE = DOCS / "howto" / "what-will-change.md"


@pytest.mark.parametrize(
    ("heading", "listed"),
    [("For your users", changes.FOR_USERS), ("For your tests", changes.FOR_TESTS)],
)
def test_page_lists_the_changes_that_the_command_predicts(
    heading: str, listed: tuple[changes.Change, ...]
) -> None:
    columns = ("what changes", "whom it concerns", "what to do")
    rows = [tuple(row[name] for name in columns) for row in table(PAGE, heading)]
    assert rows == [(change.what, change.whom, change.todo) for change in listed]
