"""The package as others see it: its names, its types, and what happens outside INSTALLED_APPS."""

from __future__ import annotations

import importlib
import importlib.metadata
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.db.models import signals

import drf_signet
from drf_signet import conf, urls
from tests.vector_files import entries

ROOT = Path(__file__).resolve().parents[1]

NAMES = {
    "issue",
    "end",
    "end_all",
    "set_cookie",
    "delete_cookie",
    "Session",
    "EndReason",
    "TokenPair",
    "session_opened",
    "session_refreshed",
    "session_ended",
    "refresh_reused",
}


class TestNames:
    def test_they_are_those_and_no_others(self) -> None:
        assert set(drf_signet.__all__) == NAMES
        assert len(drf_signet.__all__) == len(NAMES)

    @pytest.mark.parametrize("name", sorted(NAMES))
    def test_each_is_what_its_module_calls_so(self, name: str) -> None:
        module = importlib.import_module(f"drf_signet.{drf_signet._HOMES[name]}")
        assert getattr(drf_signet, name) is getattr(module, name)

    def test_each_has_a_home(self) -> None:
        assert drf_signet._HOMES.keys() == NAMES

    def test_all_can_be_imported_at_once(self) -> None:
        namespace: dict[str, object] = {}
        exec("from drf_signet import *", namespace)
        assert namespace.keys() >= NAMES

    @pytest.mark.parametrize("name", ["nothing", "_nothing", "ISSUE"])
    def test_another_name_is_an_attribute_error(self, name: str) -> None:
        with pytest.raises(AttributeError, match=f"module 'drf_signet' has no attribute '{name}'"):
            getattr(drf_signet, name)
        assert not hasattr(drf_signet, name)


def test_the_package_is_typed() -> None:
    assert Path(drf_signet.__file__).with_name("py.typed").is_file()


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert drf_signet.__version__ == project["version"]
    assert importlib.metadata.version("drf-signet") == project["version"]


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new interpreter that knows no settings."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT / "src")},
        cwd=ROOT,
    )


def test_importing_the_package_needs_no_settings() -> None:
    done = python("import sys, drf_signet\nassert 'django' not in sys.modules")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_app_that_is_not_installed_is_named_e003() -> None:
    done = python(
        "import django\n"
        "from django.conf import settings\n"
        "apps = ['django.contrib.contenttypes', 'django.contrib.auth']\n"
        "settings.configure(INSTALLED_APPS=apps)\n"
        "django.setup()\n"
        "import drf_signet.views\n"
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "django.core.exceptions.ImproperlyConfigured: (signet.E003) "
        "Add 'drf_signet' to INSTALLED_APPS and run `manage.py migrate`."
    )


class TestWhatIsPending:
    """Threats to what does not exist yet: `vectors/pending.toml`."""

    PENDING = entries("pending")

    def test_every_row_says_what_it_waits_for(self) -> None:
        rows = [row for row in self.PENDING if row.keys() != {"name", "waits_for"}]
        assert rows == []
        assert {_kind(row["waits_for"]) for row in self.PENDING} <= EXISTS.keys()

    def test_nothing_that_a_row_waits_for_is_there(self) -> None:
        """Else write the test, and remove the row."""
        assert [row["name"] for row in self.PENDING if _is_there(row["waits_for"])] == []

    @pytest.mark.parametrize(
        "there",
        [
            *("module drf_signet.transports.bearer", "setting LEEWAY", "route logout/"),
            *("model Session", "receiver post_migrate"),
        ],
    )
    def test_what_is_there_would_be_noticed(self, there: str) -> None:
        assert _is_there(there)

    def test_every_row_has_a_name_of_its_own(self) -> None:
        names = [row["name"] for row in self.PENDING]
        assert len(set(names)) == len(names) > 0


def _kind(awaited: str) -> str:
    return awaited.partition(" ")[0]


def _is_there(awaited: str) -> bool:
    kind, _, name = awaited.partition(" ")
    return EXISTS[kind](name)


def _is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True


def _is_route(path: str) -> bool:
    return any(str(one.pattern) == path for one in urls.urlpatterns)


def _is_receiver(signal: str) -> bool:
    found: bool = getattr(signals, signal).has_listeners(get_user_model())
    return found


EXISTS: dict[str, Callable[[str], bool]] = {
    "module": _is_module,
    "setting": lambda name: hasattr(conf.Settings, name),
    "route": _is_route,
    "model": lambda name: hasattr(importlib.import_module("drf_signet.models"), name),
    "receiver": _is_receiver,
}
