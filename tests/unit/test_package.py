"""Test the package as a whole: public names, py.typed, version, and import without Django."""

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
from drf_signet import urls
from drf_signet.conf import settings as conf
from tests.support.vector_files import entries

ROOT = Path(__file__).resolve().parents[2]

PUBLIC_NAMES = {
    "issue",
    "end",
    "end_all",
    "keep",
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


def test_all_lists_the_public_names() -> None:
    assert sorted(drf_signet.__all__) == sorted(PUBLIC_NAMES)


@pytest.mark.parametrize("name", drf_signet.__all__)
def test_public_name_is_importable(name: str) -> None:
    assert hasattr(drf_signet, name)


@pytest.mark.parametrize("name", ["nothing", "_nothing", "ISSUE"])
def test_unknown_name_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=f"module 'drf_signet' has no attribute '{name}'"):
        getattr(drf_signet, name)


def test_package_has_a_py_typed_marker() -> None:
    assert Path(drf_signet.__file__).with_name("py.typed").is_file()


def test_version_matches_pyproject_and_the_installed_metadata() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert drf_signet.__version__ == project["version"]
    assert importlib.metadata.version("drf-signet") == project["version"]


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new interpreter without Django settings."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT / "src")},
        cwd=ROOT,
    )


def test_importing_the_package_does_not_import_django() -> None:
    done = python("import sys, drf_signet\nassert 'django' not in sys.modules")
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_the_views_raises_e003_if_the_app_is_not_installed() -> None:
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


class TestPendingThreats:
    """Test `vectors/pending.toml`, which lists threats to features that do not exist yet."""

    PENDING = entries("pending")

    def test_every_row_has_a_name_and_a_known_kind_of_feature(self) -> None:
        rows = [row for row in self.PENDING if row.keys() != {"name", "waits_for"}]
        assert rows == []
        assert {_kind(row["waits_for"]) for row in self.PENDING} <= CHECKS.keys()

    def test_no_feature_of_a_row_exists(self) -> None:
        """If this test fails, a feature now exists: test the threat to it, and remove the row."""
        assert [row["name"] for row in self.PENDING if _exists(row["waits_for"])] == []

    @pytest.mark.parametrize(
        "feature",
        [
            *("module drf_signet.transports.bearer", "setting LEEWAY", "route logout/"),
            *("model Session", "receiver post_migrate"),
        ],
    )
    def test_existing_feature_is_detected(self, feature: str) -> None:
        assert _exists(feature)

    def test_every_row_has_a_unique_name(self) -> None:
        names = [row["name"] for row in self.PENDING]
        assert len(set(names)) == len(names) > 0


def _kind(feature: str) -> str:
    return feature.partition(" ")[0]


def _exists(feature: str) -> bool:
    kind, _, name = feature.partition(" ")
    return CHECKS[kind](name)


def _is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True


def _is_route(path: str) -> bool:
    return any(str(route.pattern) == path for route in urls.urlpatterns)


def _is_receiver(signal: str) -> bool:
    connected: bool = getattr(signals, signal).has_listeners(get_user_model())
    return connected


CHECKS: dict[str, Callable[[str], bool]] = {
    "module": _is_module,
    "setting": lambda name: hasattr(conf.Settings, name),
    "route": _is_route,
    "model": lambda name: hasattr(importlib.import_module("drf_signet.models"), name),
    "receiver": _is_receiver,
}
