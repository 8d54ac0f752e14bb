"""Test that every difference between the names of simplejwt and of the alias has a reason."""

from __future__ import annotations

import pytest

from tests.compat import differences
from tests.compat.differences import Group
from tests.support.services import require


def test_every_difference_has_a_reason_and_is_in_the_table() -> None:
    require("swap")
    found = differences.differences(*differences.surfaces())
    assert differences.unlisted(found) == []
    assert differences.idle(found) == []
    assert differences.page_table() == differences.table(found)


def test_table_of_the_page_has_the_reasons_of_the_groups() -> None:
    reasons = {row.rpartition(" | ")[2][:-2] for row in differences.page_table().splitlines()[2:]}
    assert reasons == {group.why for group in differences.groups()}


REAL = {
    "tokens": "module",
    "tokens.Token": "class: ",
    "tokens.Token.verify": "callable (self)",
    "tokens.Token.token_type": "value None",
    "tokens.uuid4": "callable ()",
    "views.View": "class: rest_framework.views.APIView",
    "migration 0001": "after ",
}


def test_equal_surfaces_have_no_difference() -> None:
    assert differences.differences(REAL, REAL) == {}


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("tokens.uuid4", None, "not here"),
        ("tokens", None, "not here"),
        ("tokens.Token.verify", "callable (self, *args)", "parameters: `(self, *args)`"),
        ("tokens.Token.verify", "property", "here `property`"),
        ("tokens.Token.token_type", "value 'x'", "here `value 'x'`"),
        ("views.View", "class: ", "other base classes than `rest_framework.views.APIView`"),
        ("migration 0001", "after 0000", "here `after 0000`"),
        ("tokens.Token.other", "callable (self)", "only here"),
        ("tokens.Token().other", "attribute", "only here"),
    ],
)
def test_changed_name_is_a_difference(name: str, text: str | None, kind: str) -> None:
    ours = {key: value for key, value in {**REAL, name: text}.items() if value is not None}
    assert differences.differences(REAL, ours) == {name: kind}


def test_additional_base_class_and_additional_name_of_a_module_are_not_a_difference() -> None:
    ours = {**REAL, "tokens.Token": "class: tokens.SessionMixin", "tokens.helper": "callable ()"}
    assert differences.differences(REAL, {**ours, "tokens.Token._helper": "callable ()"}) == {}


def test_difference_without_a_reason_and_reason_without_a_difference_are_found() -> None:
    assert differences.unlisted({"tokens.nothing": "not here"}) == ["tokens.nothing"]
    patterns = [pattern for group in differences.groups() for pattern in group.names]
    assert differences.idle({}) == patterns


def test_row_with_many_names_contains_the_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [Group(names=("a.*", "b"), why="x"), Group(names=("c",), why="y")]
    monkeypatch.setattr(differences, "groups", lambda: groups)
    many = {f"a.{number}": "not here" for number in range(differences.MANY + 1)}
    rows = differences.table({**many, "c": "only here"}).splitlines()[2:]
    assert rows == ["| `a.*` | not here | x |", "| `c` | only here | y |"]
