"""Test the alias: importing `rest_framework_simplejwt` imports `drf_signet.compat.simplejwt`."""

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
from tests.support.simplejwt_alias import OLD, alias, alias_tables

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
ROOT = Path(__file__).resolve().parents[3]

__all__ = ["alias", "alias_tables"]  # fixtures, imported so that pytest finds them


@pytest.mark.parametrize("name", MODULES)
def test_module_is_the_same_object_under_both_names(name):
    old = importlib.import_module(f"{OLD}.{name}")
    assert old is importlib.import_module(f"{NEW}.{name}")
    assert old.__name__ == f"{NEW}.{name}"
    assert old.__spec__ is not None
    assert old.__spec__.name == f"{NEW}.{name}"
    assert getattr(importlib.import_module(OLD), name.split(".")[0])


def test_unknown_module_is_not_found():
    assert importlib.util.find_spec(f"{OLD}.nothing") is None
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        importlib.import_module(f"{OLD}.nothing")


def test_spec_is_found_before_the_module_is_imported():
    sys.modules.pop(f"{OLD}.wire", None)
    spec = importlib.util.find_spec(f"{OLD}.wire")
    assert spec is not None
    assert spec.origin is not None
    assert spec.origin.endswith("simplejwt/wire.py")


def test_reload_executes_the_same_module_object():
    from rest_framework_simplejwt import utils

    assert importlib.reload(utils) is sys.modules[f"{NEW}.utils"]


def test_patch_under_one_name_changes_both_names():
    from rest_framework_simplejwt import tokens

    with mock.patch(f"{OLD}.tokens.RefreshToken.for_user", return_value=5):
        assert tokens.RefreshToken.for_user(None) == 5
    with mock.patch(f"{NEW}.tokens.RefreshToken") as patched:
        assert import_string(f"{OLD}.tokens.RefreshToken") is patched


def test_pkgutil_lists_the_submodules():
    package = importlib.import_module(OLD)
    listed = {module.name for module in pkgutil.iter_modules(package.__path__, f"{OLD}.")}
    assert {f"{OLD}.{name}" for name in MODULES if "." not in name} <= listed


def test_object_pickled_under_the_old_name_can_be_unpickled():
    from rest_framework_simplejwt.exceptions import TokenError

    pickled = pickle.dumps(TokenError("x"), protocol=0).replace(NEW.encode(), OLD.encode())
    assert isinstance(pickle.loads(pickled), TokenError)


def test_installing_the_finder_twice_has_no_effect():
    before = list(sys.meta_path)
    alias_module.install()
    assert sys.meta_path == before


def test_package_imported_before_the_alias_is_kept_and_reported_as_e004(monkeypatch, alias):
    assert "signet.E004" not in [message.id for message in checks.run_checks()]
    other = ModuleType(OLD)
    other.__file__ = path = "/site-packages/rest_framework_simplejwt/__init__.py"
    monkeypatch.setitem(sys.modules, OLD, other)
    assert alias_module.Finder().find_spec(f"{OLD}.tokens", None) is None
    (error,) = [message for message in checks.run_checks() if message.id == "signet.E004"]
    assert path in error.msg
    assert NEW in (error.hint or "")


def test_apps_registry_knows_simplejwt_names_in_installed_apps(alias):
    from django.apps import apps

    assert apps.is_installed(OLD)
    assert apps.is_installed(f"{OLD}.token_blacklist")
    assert apps.all_models["token_blacklist"]["outstandingtoken"] is alias.OutstandingToken


def test_blacklist_models_can_be_imported_from_tokens(alias):
    tokens = importlib.import_module(f"{OLD}.tokens")
    assert tokens.OutstandingToken is alias.OutstandingToken
    assert tokens.BlacklistedToken is alias.BlacklistedToken
    with pytest.raises(AttributeError, match="NOTHING"):
        _ = tokens.NOTHING


def test_alias_takes_precedence_over_an_installed_simplejwt_and_imports_lazily(tmp_path):
    package = tmp_path / OLD
    package.mkdir()
    (package / "__init__.py").write_text(
        "raise AssertionError('the installed simplejwt was imported')"
    )
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
