"""Source trees for servers: the working tree, an older commit, or a tree with a planted fault."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: The directory of the working tree that contains `drf_signet`.
SOURCE = ROOT / "src"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A planted fault: an error that is added to one line of the package to test a scenario.

    Args:
        scenario: the scenario that must fail with the fault.
        before: a string in the line, which must occur exactly once in the package.
        after: the string that replaces `before`.
        effect: what goes wrong with the fault, for `docs/reliability.md`.
        counts: values that replace some of the scenario's `short` counts, so that a short run
            always finds the fault.
    """

    scenario: str
    before: str
    after: str
    effect: str
    counts: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def commit_tree(revision: str) -> Iterator[Path]:
    """Extract the source of a commit, and yield the directory that contains its `drf_signet`."""
    with _temporary() as folder:
        command = ["git", "archive", "--format=tar", revision, "src"]
        archive = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
        yield folder / "src"


@contextmanager
def faulty_tree(fault: Fault, source: Path = SOURCE) -> Iterator[Path]:
    """Copy the source tree, plant a fault in the copy, and yield the copy.

    Raises:
        LookupError: the package does not contain the string `before` of the fault exactly once.
    """
    with _temporary() as folder:
        tree = folder / "src"
        shutil.copytree(source, tree, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        path = faulty_file(fault, tree)
        path.write_text(path.read_text("utf-8").replace(fault.before, fault.after), "utf-8")
        yield tree


def faulty_file(fault: Fault, source: Path = SOURCE) -> Path:
    """Return the file of the package that the fault will change.

    Raises:
        LookupError: `fault.before` does not occur exactly once in the package.
    """
    counts = {
        path: count
        for path in sorted((source / "drf_signet").rglob("*.py"))
        if (count := path.read_text("utf-8").count(fault.before))
    }
    if sum(counts.values()) != 1:
        names = {str(path.relative_to(source)): count for path, count in counts.items()}
        raise LookupError(f"{fault.before!r} must occur once in the package, but: {names}")
    return next(iter(counts))


@contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="signet-proof-") as folder:
        yield Path(folder)
