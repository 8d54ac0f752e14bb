"""Test the search for imports of simplejwt in the project's own code."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.apps import apps

import drf_signet
from drf_signet.compat.simplejwt.moving import names, sources

OLD = "rest_framework_simplejwt"


def mentions_in(directory: Path, **files: str) -> list[tuple[str, int, str]]:
    """Write files; return (path, line, name) of each place where they mention simplejwt."""
    for name, text in files.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text, encoding="utf-8")
    code = sources.scan([directory])
    found = [*code.mentions, *((place, "") for place in code.unreadable)]
    return [
        (str(place.path.relative_to(directory)), place.line, name) for place, name in sorted(found)
    ]


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
def test_imports_and_dotted_strings_are_found(tmp_path: Path, text: str, names: list[str]) -> None:
    assert [name for _, _, name in mentions_in(tmp_path, shop=text)] == names


def test_mention_has_its_file_and_line(tmp_path: Path) -> None:
    text = f"import os\n\nfrom {OLD}.tokens import RefreshToken\n"
    found = mentions_in(tmp_path, a__models=text, b__deep__views=text)
    name = f"{OLD}.tokens.RefreshToken"
    assert found == [("a/models.py", 3, name), ("b/deep/views.py", 3, name)]


@pytest.mark.parametrize("place", ["node_modules", ".venv", "lib__site-packages", "env"])
def test_third_party_code_is_not_read(tmp_path: Path, place: str) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert mentions_in(tmp_path, **{f"{place}__module": f"import {OLD}"}) == []


@pytest.mark.parametrize("text", ["def", "x = '\0'", "(" * 100_000, "-" * 100_000 + "1"])
def test_file_that_is_not_python_is_reported_and_skipped(tmp_path: Path, text: str) -> None:
    found = mentions_in(tmp_path, a=text, b=f"import {OLD}")
    assert found == [("a.py", 0, ""), ("b.py", 1, OLD)]


def test_encoding_declared_in_a_file_is_respected(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(f"# coding: latin-1\nx = '\xe9'\nimport {OLD}".encode("latin-1"))
    assert [place.line for place, _ in sources.scan([tmp_path]).mentions] == [3]


def test_own_directories_are_base_dir_and_apps_outside_site_packages(
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
    settings.SETTINGS_MODULE, settings.ROOT_URLCONF = None, None
    settings.BASE_DIR = tmp_path / "project"
    assert sources.own_directories() == [tmp_path / "elsewhere", tmp_path / "project"]
    settings.BASE_DIR = None
    assert sources.own_directories() == [tmp_path / "elsewhere", tmp_path / "project" / "shop"]


@pytest.mark.parametrize("setting", ["SETTINGS_MODULE", "ROOT_URLCONF"])
def test_packages_of_settings_and_urls_are_own_directories(
    tmp_path: Path, settings: Any, monkeypatch: Any, setting: str
) -> None:
    for path in ("config/settings/base.py", "config/__init__.py", "config/settings/__init__.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "single.py").touch()
    monkeypatch.setattr(apps, "get_app_configs", list)
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.SETTINGS_MODULE, settings.ROOT_URLCONF = None, ("a pattern",)
    assert sources.own_directories() == []
    setattr(settings, setting, "config.settings.base")
    assert sources.own_directories() == [tmp_path / "config"]
    setattr(settings, setting, "single")
    assert sources.own_directories() == [tmp_path]
    for name in ("missing.settings", "__main__"):
        monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
        setattr(settings, setting, name)
        assert sources.own_directories() == []


READS = [
    'settings.SIMPLE_JWT["KEY"]',
    'settings.SIMPLE_JWT.get("KEY", 1)',
    'getattr(settings, "SIMPLE_JWT", {})["KEY"]',
    'getattr(settings, "SIMPLE_JWT", {}).get("KEY")',
    'from django.conf import settings\nJWT = settings.SIMPLE_JWT\ndef f(): return JWT["KEY"]',
    'conf = getattr(settings, "SIMPLE_JWT", None) or {}\nx = conf.get("KEY")',
    "api_settings.KEY",
    'getattr(api_settings, "KEY", None)',
    'api_settings.user_settings["KEY"]',
    'api_settings.user_settings.get("KEY")',
    f"from {OLD}.settings import api_settings as jwt\nx = jwt.KEY",
    'SIMPLE_JWT = {}\nCOOKIE = SIMPLE_JWT["KEY"]',
    '"KEY" in settings.SIMPLE_JWT',
    'if "KEY" not in SIMPLE_JWT: pass',
]
NO_READS = [
    'SIMPLE_JWT = {"KEY": 1}',
    'SIMPLE_JWT["KEY"] = 1',
    'settings.OTHER["KEY"]',
    'settings.SIMPLE_JWT["OTHER"]["KEY"]',
    'other.get("KEY")',
    "settings.KEY",
    "api_settings.key",
    "api_settings.KEY = 1",
    "settings.SIMPLE_JWT[KEY]",
    "settings.SIMPLE_JWT.get(KEY)",
    'settings.SIMPLE_JWT.update("KEY")',
    'getattr(settings, "KEY")',
]


@pytest.mark.parametrize("text", READS)
def test_code_that_reads_a_key_of_simple_jwt_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "shop.py").write_text(text, encoding="utf-8")
    (place,) = sources.scan([tmp_path]).readers["KEY"]
    assert str(place) == f"{tmp_path}/shop.py:{text.count(chr(10)) + 1}"


@pytest.mark.parametrize("text", NO_READS)
def test_code_that_does_not_read_the_key_is_not_a_reader(tmp_path: Path, text: str) -> None:
    (tmp_path / "shop.py").write_text(text, encoding="utf-8")
    assert "KEY" not in sources.scan([tmp_path]).readers


@pytest.mark.parametrize(
    ("path", "in_tests"),
    [("shop/views.py", False), ("shop/tests/views.py", True), ("shop/test_views.py", True)],
)
def test_words_are_found_with_their_place(tmp_path: Path, path: str, in_tests: bool) -> None:
    target = tmp_path / path
    target.parent.mkdir(parents=True)
    text = "import jwt.api\nfrom a import B\ndef f(fixture): token.blacklist(x)\nfrom . import c"
    target.write_text(text, encoding="utf-8")
    code = sources.scan([tmp_path])
    for word in ("jwt", "B", "fixture", "token", "blacklist", "x", "c"):
        assert code.uses(word)
        assert code.uses("nothing", word, in_tests=True) is in_tests
    assert not code.uses("api", "nothing")


def test_name_without_a_replacement_needs_the_alias() -> None:
    assert names.instead(f"{OLD}.views.TokenRefreshView") == "drf_signet.views.TokenRefreshView"
    assert names.instead(f"{OLD}.tokens.RefreshToken").startswith("drf_signet.issue")
    assert names.ALIAS in names.instead(f"{OLD}.tokens.SlidingToken")


def test_replacements_of_names_exist() -> None:
    replacements = {
        name
        for text in names._INSTEAD.values()
        for name in re.findall(r"drf_signet(?:\.[A-Za-z_]+)+", text)
    }
    assert len(replacements) > 10
    for name in replacements:
        assert _import(name.removesuffix(".as_view").removesuffix(".access"))


def _import(name: str) -> Any:
    home, _, last = name.rpartition(".")
    module = importlib.import_module(home)
    return getattr(module, last, None) or importlib.import_module(name)
