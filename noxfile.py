"""Run the unit tests on every supported pair of Python and Django, and on the oldest dependencies.

nox skips Python versions that are not installed, or fails with --error-on-missing-interpreters.
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
#: With the session `oldest`, every Python and every Django once.
ONCE = {("3.11", "5.2"), ("3.12", "6.0"), ("3.13", "6.1"), ("3.14", "6.1")}
OLDEST = ["Django==5.2", "djangorestframework==3.16", "joserfc==1.7.7", "drf-spectacular==0.27.0"]


def _activate_pyenv() -> None:
    """Make every Python that pyenv has installed available as python3.12 and so on."""
    if pyenv := shutil.which("pyenv"):
        versions = subprocess.check_output([pyenv, "versions", "--bare"], text=True).split()
        os.environ.setdefault("PYENV_VERSION", ":".join(versions))


_activate_pyenv()


@nox.session
@nox.parametrize(
    ("python", "django"),
    [
        nox.param(python, django, tags=["once"] if (python, django) in ONCE else None)
        for python, djangos in DJANGOS.items()
        for django in djangos
    ],
)
def tests(session: nox.Session, django: str) -> None:
    """Run the unit tests on one Python and one Django, with the newest other packages."""
    _run(session, f"Django~={django}.0")


@nox.session(python="3.11", tags=["once"])
def oldest(session: nox.Session) -> None:
    """Run an sdist's unit tests, with the oldest dependencies that pyproject.toml allows."""
    with session.chdir(_unpacked_sdist(session)):
        _run(session, *OLDEST)


@nox.session(python="3.13", default=False)
def prerelease(session: nox.Session) -> None:
    """Run the unit tests on the newest pre-releases of Django and DRF, if there are any."""
    pins = [
        pin for package in ("Django", "djangorestframework") if (pin := _newer(session, package))
    ]
    if not pins:
        print("prerelease: the index has no pre-release newer than the releases")
        return
    print(f"prerelease: {', '.join(pins)}")
    _run(session, *pins)


def _unpacked_sdist(session: nox.Session) -> Path:
    """Build an sdist, unpack it, and return its folder, which has only the files of the sdist."""
    target = Path(session.create_tmp()).resolve()
    shutil.rmtree(target)
    session.install("--quiet", "build")
    session.run("python", "-m", "build", "--sdist", "--outdir", str(target), ".", silent=True)
    [archive] = target.glob("*.tar.gz")
    shutil.unpack_archive(archive, target, filter="data")
    return target / archive.name.removesuffix(".tar.gz")


def _newer(session: nox.Session, package: str) -> str | None:
    """Return the pin "package==version" of a newer pre-release, or None if there is none."""
    release, newest = (_newest(session, package, *options) for options in ((), ("--pre",)))
    print(f"prerelease: {package} {release} is the newest release, {newest} with pre-releases")
    return None if newest == release else f"{package}=={newest}"


def _newest(session: nox.Session, package: str, *options: str) -> str:
    command = ["python", "-m", "pip", "index", "versions", package, *options]
    shown = str(session.run(*command, silent=True))
    return shown.partition("(")[2].partition(")")[0]  # the output begins with "Django (6.1.2)"


def _run(session: nox.Session, *pins: str) -> None:
    session.install("--quiet", "--upgrade", "pip>=25.1")  # pip 25.1 introduced --group
    session.install("--quiet", ".", "--group", "unit", *pins)
    session.run("python", "-m", "pytest", "--numprocesses=auto", "tests/unit", *session.posargs)
