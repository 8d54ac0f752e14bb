"""The old name leads to these modules, in every way in which a name is used."""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import pkgutil
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from unittest import mock

import pytest
from django.core import checks
from django.utils.module_loading import import_string

from drf_signet.compat.simplejwt import alias as alias_module
from tests.aliased import OLD, alias, alias_tables

NEW = "drf_signet.compat.simplejwt"
MODULES = [
    "authentication",
    "backends",
    "exceptions",
    "models",
    "serializers",
    "settings",
    "state",
    "token_blacklist",
    "token_blacklist.models",
    "tokens",
    "utils",
    "views",
]
ROOT = Path(__file__).resolve().parents[1]

__all__ = ["alias", "alias_tables"]  # fixtures, here by their import


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_the_same_under_either_name(name):
    old = importlib.import_module(f"{OLD}.{name}")
    assert old is importlib.import_module(f"{NEW}.{name}")
    assert old.__name__ == f"{NEW}.{name}"
    assert old.__spec__ is not None
    assert old.__spec__.name == f"{NEW}.{name}"
    assert getattr(importlib.import_module(OLD), name.split(".")[0])


def test_what_is_not_there_is_not_found():
    assert importlib.util.find_spec(f"{OLD}.nothing") is None
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        importlib.import_module(f"{OLD}.nothing")


def test_a_spec_is_found_before_the_module_is_imported():
    sys.modules.pop(f"{OLD}.wire", None)
    spec = importlib.util.find_spec(f"{OLD}.wire")
    assert spec is not None
    assert spec.origin is not None
    assert spec.origin.endswith("simplejwt/wire.py")


def test_reload_executes_the_same_module_object():
    from rest_framework_simplejwt import utils

    assert importlib.reload(utils) is sys.modules[f"{NEW}.utils"]


def test_a_patch_of_either_name_changes_both():
    from rest_framework_simplejwt import tokens

    with mock.patch(f"{OLD}.tokens.RefreshToken.for_user", return_value=5):
        assert tokens.RefreshToken.for_user(None) == 5
    with mock.patch(f"{NEW}.tokens.RefreshToken") as patched:
        assert import_string(f"{OLD}.tokens.RefreshToken") is patched


def test_submodules_are_listed():
    package = importlib.import_module(OLD)
    listed = {one.name for one in pkgutil.iter_modules(package.__path__, f"{OLD}.")}
    assert {f"{OLD}.{name}" for name in MODULES if "." not in name} <= listed


def test_what_was_pickled_under_the_old_name_is_read():
    from rest_framework_simplejwt.exceptions import TokenError

    text = pickle.dumps(TokenError("x"), protocol=0).replace(NEW.encode(), OLD.encode())
    assert isinstance(pickle.loads(text), TokenError)


def test_it_is_installed_once():
    before = list(sys.meta_path)
    alias_module.install()
    assert sys.meta_path == before


def test_another_package_that_came_first_answers_and_is_an_error(monkeypatch, alias):
    assert "signet.E004" not in [one.id for one in checks.run_checks()]
    other = ModuleType(OLD)
    other.__file__ = at = "/site-packages/rest_framework_simplejwt/__init__.py"
    monkeypatch.setitem(sys.modules, OLD, other)
    assert alias_module.Finder().find_spec(f"{OLD}.tokens", None) is None
    (found,) = [one for one in checks.run_checks() if one.id == "signet.E004"]
    assert at in found.msg
    assert NEW in (found.hint or "")


def test_apps_are_known_by_the_names_in_installed_apps(alias):
    from django.apps import apps

    assert apps.is_installed(OLD)
    assert apps.is_installed(f"{OLD}.token_blacklist")
    assert apps.all_models["token_blacklist"]["outstandingtoken"] is alias.OutstandingToken


def test_the_models_are_found_beside_the_tokens_too(alias):
    tokens = importlib.import_module(f"{OLD}.tokens")
    assert tokens.OutstandingToken is alias.OutstandingToken
    assert tokens.BlacklistedToken is alias.BlacklistedToken
    with pytest.raises(AttributeError, match="NOTHING"):
        _ = tokens.NOTHING


def test_it_wins_over_an_installed_simplejwt_and_loads_what_is_asked_for(tmp_path):
    package = tmp_path / OLD
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('the other one answers')")
    code = f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        import django
        from django.conf import settings
        settings.configure(
            INSTALLED_APPS=[
                "django.contrib.auth", "django.contrib.contenttypes",
                "drf_signet.compat.simplejwt", "drf_signet", "{OLD}.token_blacklist",
            ],
            SECRET_KEY="x" * 64,
        )
        django.setup()
        assert "{NEW}.views" not in sys.modules
        from rest_framework_simplejwt import views
        assert views.__name__ == "{NEW}.views"
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
