"""Describe the machine and the installed versions, without host names or paths."""

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
    """Return the machine's cores, processor and memory, and the versions of all packages."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": str(os.cpu_count()),
        "processor": _model(),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "commit": commit(),
    }


def load_average() -> float:
    """Return the load average of the last minute."""
    return os.getloadavg()[0]


def processor_time(pid: int) -> float:
    """Return the processor time of a process on this machine, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _model() -> str:
    match = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match.group(1).strip() if match else platform.machine()


def commit() -> str:
    """Return the checked-out git commit, with `-dirty` if there are uncommitted changes."""
    command = ["git", "describe", "--always", "--dirty"]
    described = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return described.stdout.strip() or "unknown"
