"""The fast suite on every supported pair of Python and Django, and on the oldest of everything.

A Python that is not on this machine is skipped; `nox --error-on-missing-interpreters` insists.
"""

import os
import shutil
import subprocess
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.needs_version = ">=2025.10"

DJANGOS = {
    "3.11": ["5.2"],
    "3.12": ["5.2", "6.0", "6.1"],
    "3.13": ["5.2", "6.0", "6.1"],
    "3.14": ["5.2", "6.0", "6.1"],
}
OLDEST = ["Django==5.2", "djangorestframework==3.16", "joserfc==1.7.7"]


def _activate_pyenv() -> None:
    """Let every version that pyenv has installed answer to its name, python3.12 and so on."""
    if pyenv := shutil.which("pyenv"):
        versions = subprocess.check_output([pyenv, "versions", "--bare"], text=True).split()
        os.environ.setdefault("PYENV_VERSION", ":".join(versions))


_activate_pyenv()


@nox.session
@nox.parametrize(
    ("python", "django"),
    [(python, django) for python, djangos in DJANGOS.items() for django in djangos],
)
def tests(session: nox.Session, django: str) -> None:
    """Run the fast suite on one Python and one Django, with the newest of the rest."""
    _run(session, f"Django~={django}.0")


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """Run the fast suite on the lower bounds in pyproject.toml."""
    _run(session, *OLDEST)


def _run(session: nox.Session, *pins: str) -> None:
    session.install("--quiet", "--upgrade", "pip>=25.1")  # the first that knows --group
    session.install("--quiet", ".", "--group", "unit", *pins)
    unit = sorted(str(path) for path in Path("tests").glob("test_*.py"))
    session.run("python", "-m", "pytest", "--numprocesses=auto", *unit, *session.posargs)
