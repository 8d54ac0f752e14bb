"""`drf_signet.moving.sources`: where the project's own code names simplejwt."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps

import drf_signet
from drf_signet.moving import names, sources

OLD = "rest_framework_simplejwt"


def found_in(directory: Path, **files: str) -> list[tuple[str, int, str]]:
    """Write modules; return what is found in them."""
    for name, text in files.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text, encoding="utf-8")
    found = sources.mentions([directory])
    return [(str(one.path.relative_to(directory)), one.line, one.name) for one in found]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"import {OLD}", [OLD]),
        (f"import {OLD}.views as v, os", [f"{OLD}.views"]),
        (f"from {OLD} import views as jwt_views", [f"{OLD}.views"]),
        (f"from {OLD}.tokens import RefreshToken", [f"{OLD}.tokens.RefreshToken"]),
        (f"from {OLD}.views import (\n A,\n B)", [f"{OLD}.views.A", f"{OLD}.views.B"]),
        (f"def f():\n  try:\n    from {OLD} import tokens\n  except E: pass", [f"{OLD}.tokens"]),
        (f"x = ['{OLD}.token_blacklist']", [f"{OLD}.token_blacklist"]),
        (f"@mock.patch('{OLD}.views.A')\ndef f(): pass", [f"{OLD}.views.A"]),
        (f'"""This was {OLD} once."""', []),
        (f"import {OLD}_extras", []),
        ("from . import views", []),
        (f"from .{OLD} import views", []),
        ("x = ''\ny = '.'", []),
    ],
)
def test_imports_and_dotted_texts_are_found(tmp_path: Path, text: str, names: list[str]) -> None:
    assert [name for _, _, name in found_in(tmp_path, shop=text)] == names


def test_each_has_its_file_and_line(tmp_path: Path) -> None:
    text = f"import os\n\nfrom {OLD}.tokens import RefreshToken\n"
    found = found_in(tmp_path, a__models=text, b__deep__views=text)
    name = f"{OLD}.tokens.RefreshToken"
    assert found == [("a/models.py", 3, name), ("b/deep/views.py", 3, name)]


@pytest.mark.parametrize("place", ["node_modules", ".venv", "lib__site-packages", "env"])
def test_code_of_others_is_not_read(tmp_path: Path, place: str) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert found_in(tmp_path, **{f"{place}__module": f"import {OLD}"}) == []


@pytest.mark.parametrize("text", ["def", "x = '\0'", "(" * 100_000, "-" * 100_000 + "1"])
def test_a_file_that_is_no_python_is_named_and_no_obstacle(tmp_path: Path, text: str) -> None:
    found = found_in(tmp_path, a=text, b=f"import {OLD}")
    assert found == [("a.py", 0, ""), ("b.py", 1, OLD)]


def test_a_file_may_have_its_own_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(f"# coding: latin-1\nx = '\xe9'\nimport {OLD}".encode("latin-1"))
    assert [one.line for one in sources.mentions([tmp_path])] == [3]


def test_own_code_is_that_of_apps_outside_of_site_packages_and_base_dir(
    tmp_path: Path, settings: Any, monkeypatch: Any
) -> None:
    def app(name: str, *place: str) -> Any:
        return SimpleNamespace(name=name, path=str(tmp_path.joinpath(*place)))

    installed = [
        app("shop", "project", "shop"),
        app("elsewhere", "elsewhere"),
        app("rest_framework", "lib", "site-packages", "rest_framework"),
        SimpleNamespace(name="drf_signet", path=Path(drf_signet.__file__).parent / "testing"),
    ]
    monkeypatch.setattr(apps, "get_app_configs", lambda: installed)
    settings.BASE_DIR = tmp_path / "project"
    assert sources.own_directories() == [tmp_path / "elsewhere", tmp_path / "project"]
    settings.BASE_DIR = None
    assert sources.own_directories() == [tmp_path / "elsewhere", tmp_path / "project" / "shop"]


def test_what_has_no_counterpart_needs_the_alias() -> None:
    assert names.instead(f"{OLD}.views.TokenRefreshView") == "drf_signet.views.TokenRefreshView"
    assert names.instead(f"{OLD}.tokens.RefreshToken").startswith("drf_signet.issue")
    assert names.ALIAS in names.instead(f"{OLD}.tokens.SlidingToken")


def test_what_stands_in_the_place_of_a_name_exists() -> None:
    found = {
        name
        for text in names._INSTEAD.values()
        for name in re.findall(r"drf_signet(?:\.[A-Za-z_]+)+", text)
    }
    assert len(found) > 10
    for name in found:
        assert _resolved(name.removesuffix(".as_view").removesuffix(".access"))


def _resolved(name: str) -> Any:
    home, _, last = name.rpartition(".")
    module = importlib.import_module(home)
    return getattr(module, last, None) or importlib.import_module(name)
