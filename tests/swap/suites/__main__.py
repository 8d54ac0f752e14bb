"""Compare what the suites pass with simplejwt and with the alias; see `misses.toml`.

    make suites
    python -m tests.swap.suites [--source NAME=DIRECTORY] [--logs DIRECTORY] [SUITE ...]

The command fails if a test that passes with simplejwt, but not with the alias, is not listed in
`misses.toml`, if a listed test passes, or if another number of tests passes with simplejwt.
It needs `make .venv-suites/.suites`, and the network: pip downloads source distributions, and git
the suite that is not in one. With `--source`, a suite is not downloaded.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PYTHON = ROOT / ".venv-suites" / "bin" / "python"
MISSES = HERE / "misses.toml"


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A test suite of another package.

    Args:
        name: the name in `misses.toml` and on the command line.
        requirement: the source distribution, as pip names it; or the tag of the repository.
        repository: the URL of the git repository if no source distribution contains the tests.
        directory: where pytest runs, relative to the source.
        tests: the arguments of pytest.
        path: the directories for PYTHONPATH, relative to the source.
        settings: the settings module, if the suite does not configure Django itself.
    """

    name: str
    requirement: str
    repository: str = ""
    directory: str = "."
    tests: tuple[str, ...] = ("tests",)
    path: tuple[str, ...] = (".",)
    settings: str = ""


SUITES = {
    suite.name: suite
    for suite in (
        Suite(name="simplejwt", requirement="djangorestframework-simplejwt==5.5.1"),
        Suite(
            name="drf-spectacular",
            requirement="drf-spectacular==0.30.0",
            tests=("tests/contrib/test_simplejwt.py", "tests/contrib/test_rest_auth.py"),
        ),
        Suite(
            name="dj-rest-auth",
            requirement="dj-rest-auth==7.2.0",
            directory="dj_rest_auth",
            path=(".", "dj_rest_auth"),
            settings="tests.settings",
        ),
        Suite(
            name="djoser",
            requirement="2.3.4",
            repository="https://github.com/sunscrapers/djoser.git",
            tests=("testproject",),
            path=(".", "testproject"),
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Results:
    """The tests that passed, and how many subtests of each name failed."""

    passed: frozenset[str]
    failed_subtests: dict[str, int]

    def missed_by(self, other: Results) -> set[str]:
        """Return the tests that passed here, and failed (or failed more subtests) in `other`."""
        worse = {
            name.partition(" [")[0]
            for name, number in other.failed_subtests.items()
            if number > self.failed_subtests.get(name, 0)
        }
        return set(self.passed - other.passed | (self.passed & worse))


def download(suite: Suite, directory: Path) -> Path:
    """Download the source of a suite, and return its directory."""
    if suite.repository:
        target = directory / suite.name
        command = ["git", "clone", "--quiet", "--depth=1", "--branch", suite.requirement]
        subprocess.run([*command, suite.repository, target], check=True)
        return target
    name = suite.requirement.partition("==")[0]
    command = [str(PYTHON), "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name]
    subprocess.run([*command, "--dest", directory, suite.requirement], check=True)
    (archive,) = directory.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(directory, filter="data")
    return next(path for path in directory.iterdir() if path.is_dir())


def run(suite: Suite, source: Path, *, alias: bool, results: Path) -> Results:
    """Run a suite; return its results."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", ""),
        "PYTHONPATH": os.pathsep.join(
            str(path) for path in (HERE / "plugin", ROOT / "src", *(source / p for p in suite.path))
        ),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SUITE_RESULTS": str(results),
        "SUITE_USES_ALIAS": "1" if alias else "",
        **({"DJANGO_SETTINGS_MODULE": suite.settings} if suite.settings else {}),
    }
    options = ["-p", "suite_plugin", "-p", "no:cacheprovider", "-W", "ignore", "-o", "addopts="]
    done = subprocess.run(
        [PYTHON, "-m", "pytest", *options, "--quiet", "--tb=short", *suite.tests],
        cwd=source / suite.directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    log = results.with_suffix(".log")
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode not in (0, 1) or not results.exists():
        raise SystemExit(f"{suite.name} could not be run:\n{done.stdout[-4000:]}{done.stderr}")
    data: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    return Results(passed=frozenset(data["passed"]), failed_subtests=data["failed_subtests"])


def compare(suite: Suite, source: Path, logs: Path) -> bool:
    """Run a suite twice, print the comparison, and return whether the misses are those listed."""
    listed = {test for miss in listed_misses() if miss.suite == suite.name for test in miss.tests}
    real = run(suite, source, alias=False, results=logs / f"{suite.name}-simplejwt.json")
    ours = run(suite, source, alias=True, results=logs / f"{suite.name}-alias.json")
    missed = real.missed_by(ours)
    passed, kept = len(real.passed), len(real.passed - missed)
    print(f"{suite.name}: {passed} tests pass with simplejwt, {kept} of them with the alias")
    _print("not listed in misses.toml", missed - listed)
    _print("listed in misses.toml, but not missed", listed - missed)
    expected = expected_passes()[suite.name]
    if passed != expected:
        print(f"  misses.toml expects that {expected} tests pass with simplejwt")
    return missed == listed and passed == expected


def expected_passes() -> dict[str, int]:
    """Return how many tests of each suite pass with simplejwt."""
    passes: dict[str, int] = tomllib.loads(MISSES.read_text(encoding="utf-8"))["passes"]
    return passes


@dataclass(frozen=True, kw_only=True)
class Miss:
    """Tests of a suite that the alias does not pass, and the reason, in Markdown."""

    suite: str
    tests: tuple[str, ...]
    why: str


def listed_misses() -> list[Miss]:
    """Return the expected misses of all suites."""
    listed = tomllib.loads(MISSES.read_text(encoding="utf-8"))["miss"]
    return [Miss(suite=one["suite"], tests=tuple(one["tests"]), why=one["why"]) for one in listed]


def figures_table() -> str:
    """Return the table of figures in Markdown, as docs/reference/compat.md contains it."""
    rows = ["| suite | pass with simplejwt | of them with the alias |", "|---|---|---|"]
    for name, passes in expected_passes().items():
        missed = sum(len(miss.tests) for miss in listed_misses() if miss.suite == name)
        version = SUITES[name].requirement.rpartition("==")[2]
        rows.append(f"| {name} {version} | {passes} | {passes - missed} |")
    return "\n".join(rows)


def misses_table() -> str:
    """Return the table of misses in Markdown, as docs/reference/compat.md contains it."""
    rows = ["| suite | test | why |", "|---|---|---|"]
    for miss in listed_misses():
        names = ", ".join(f"`{test.rpartition('::')[2]}`" for test in miss.tests)
        rows.append(f"| {miss.suite} | {names} | {miss.why} |")
    return "\n".join(rows)


def _print(heading: str, tests: Iterable[str]) -> None:
    for test in sorted(tests):
        print(f"  {heading}: {test}")


def main() -> int:
    """Run the suites that are named on the command line, or all suites."""
    parser = argparse.ArgumentParser(prog="python -m tests.swap.suites", description=main.__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}")
    parser.add_argument("--source", action="append", default=[], metavar="NAME=DIRECTORY")
    parser.add_argument("--logs", type=Path, help="keep the output of pytest in this directory")
    options = parser.parse_args()
    if unknown := set(options.suites) - SUITES.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    sources = dict(source.split("=", 1) for source in options.source)
    as_listed = []
    with tempfile.TemporaryDirectory() as temporary:
        logs = options.logs or Path(temporary)
        logs.mkdir(parents=True, exist_ok=True)
        for name in options.suites or SUITES:
            directory = Path(temporary) / name
            directory.mkdir()
            source = Path(sources[name]) if name in sources else download(SUITES[name], directory)
            as_listed.append(compare(SUITES[name], source, logs))
    return 0 if all(as_listed) else 1


if __name__ == "__main__":
    sys.exit(main())
