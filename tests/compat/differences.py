"""Compare the names of simplejwt and of the alias, and write the table of differences.

    python -m tests.compat.differences [--write]

Each difference needs a reason in `differences.toml`. `--write` puts the table into
docs/reference/compat.md. The command needs `make .venv-swap/.swap`.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tests.support.services import SWAP

ROOT = Path(__file__).resolve().parents[2]
REASONS = Path(__file__).with_name("differences.toml")
PAGE = ROOT / "docs" / "reference" / "compat.md"
#: If a row of the table had more names, it contains the patterns of `differences.toml` instead.
MANY = 8
HEADING = "| name | difference | why |"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Names whose difference has the same reason.

    Args:
        names: dotted names without the package; `*` stands for any characters.
        why: the reason, in Markdown.
    """

    names: tuple[str, ...]
    why: str

    def covers(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.names)

    def patterns_for(self, names: Iterable[str]) -> list[str]:
        """Return the patterns that cover at least one of the names."""
        found = list(names)
        return [one for one in self.names if any(fnmatchcase(name, one) for name in found)]


@functools.cache
def groups() -> list[Group]:
    """Return the groups of `differences.toml`."""
    listed = tomllib.loads(REASONS.read_text(encoding="utf-8"))["difference"]
    return [Group(names=tuple(one["names"]), why=one["why"]) for one in listed]


@functools.cache
def surfaces() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Describe simplejwt and the alias, each in its own process."""
    real = _describe("real", SWAP, [])
    return real, _describe("alias", Path(sys.executable), list(real))


def _describe(package: str, python: Path, names: list[str]) -> dict[str, str]:
    environment = {**os.environ, "COMPAT_PACKAGE": package, "COMPAT_SETTINGS": "rotating"}
    done = subprocess.run(
        [python, "-W", "ignore", "-m", "tests.compat.surface"],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))},
        input=json.dumps(names),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    surface: dict[str, str] = json.loads(done.stdout)
    return surface


def differences(real: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """Return how the alias differs: dotted name → the kind of difference.

    Additional names are compared only in simplejwt's classes, where they could collide with names
    of a project's subclass. Other additional names cannot affect a project.
    """
    found = {name: _kind(text, ours.get(name)) for name, text in real.items()}
    for name in ours.keys() - real.keys():
        parent, _, last = name.rpartition(".")
        is_in_a_class = real.get(parent.removesuffix("()"), "").startswith("class")
        if is_in_a_class and not last.startswith("_"):
            found[name] = "only here"
    return {name: kind for name, kind in sorted(found.items()) if kind}


def _kind(there: str, here: str | None) -> str:
    if here is None:
        return "not here"
    if there.startswith("class") and here.startswith("class"):
        missing = set(_bases(there)) - set(_bases(here))
        return f"other base classes than {_code(missing)}" if missing else ""
    if there == here:
        return ""
    kinds = {text.split(" ")[0] for text in (there, here)}
    if kinds == {"callable"}:
        return f"parameters: {_code([here.partition(' ')[2]])}"
    return f"here {_code([here])}"


def _bases(text: str) -> list[str]:
    return [base for base in text.removeprefix("class: ").split(", ") if base]


def _code(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in sorted(texts)).replace("|", "\\|")


def unlisted(found: Mapping[str, str]) -> list[str]:
    """Return the differences without a reason."""
    return [name for name in found if not any(group.covers(name) for group in groups())]


def idle(found: Mapping[str, str]) -> list[str]:
    """Return the patterns of `differences.toml` that no difference needs."""
    return [
        pattern
        for group in groups()
        for pattern in group.names
        if not any(fnmatchcase(name, pattern) for name in found)
    ]


def table(found: Mapping[str, str]) -> str:
    """Return the table of differences in Markdown, one row for each group and kind."""
    rows = [HEADING, "|---|---|---|"]
    for group in groups():
        kinds: dict[str, list[str]] = {}
        for name, kind in found.items():
            if _first_group(name) is group:
                kinds.setdefault(kind, []).append(name)
        for kind, names in kinds.items():
            shown = names if len(names) <= MANY else group.patterns_for(names)
            rows.append(f"| {_code(shown)} | {kind} | {group.why} |")
    return "\n".join(rows)


def _first_group(name: str) -> Group:
    """Return the first group that covers a difference. There is one, or `unlisted` reports it."""
    return next(group for group in groups() if group.covers(name))


def page_table() -> str:
    """Return the table that the page contains."""
    text = PAGE.read_text(encoding="utf-8")
    match = re.search(rf"(?m)^{re.escape(HEADING)}\n(\|.*\n)+", text)
    return match[0].rstrip("\n") if match else ""


def write(new: str) -> None:
    """Replace the table of the page."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.replace(page_table(), new), encoding="utf-8")


def main() -> int:
    """Print the differences that have no reason, and the reasons that no difference needs."""
    found = differences(*surfaces())
    problems = [f"has no reason: {name}: {found[name]}" for name in unlisted(found)]
    problems += [f"matches no difference: {pattern}" for pattern in idle(found)]
    if not problems and "--write" in sys.argv[1:]:
        write(table(found))
    if not problems and page_table() != table(found):
        problems = ["the table in docs/reference/compat.md is not up to date: use --write"]
    print("\n".join(problems) or f"{len(found)} differences, each with a reason")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
