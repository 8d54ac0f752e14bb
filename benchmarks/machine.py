"""What the figures were measured on; no names and no paths."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from .processes import ROOT

PACKAGES = (
    "Django",
    "djangorestframework",
    "drf-signet",
    "djangorestframework-simplejwt",
    "django-rest-knox",
    "django-oauth-toolkit",
    "joserfc",
    "PyJWT",
    "cryptography",
    "psycopg",
    "gunicorn",
)


def describe() -> dict[str, str]:
    """Return cores, model, memory and the versions of what ran."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": str(os.cpu_count()),
        "processor": _model(),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "commit": _commit(),
    }


def load_average() -> float:
    """Return how many processes wanted a core, over the last minute."""
    return os.getloadavg()[0]


def _model() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
