"""Markdown pages as the tests read them: fenced blocks, and tables.

A page is never edited for a test. What its blocks mean:

- `python` whose first line is a comment that names a file, `# mysite/urls.py`, is that file;
  `# mysite/settings.py, at the end` is added to it. Any other `python` is a piece of code.
- `py` is a file too, written for another package: `tests/swap` runs it where that is installed.
- `bash` is typed into a shell.
- `text` and `json` after it show what the shell prints. `…` stands for any text within a line, and
  alone on a line for any number of lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

ELLIPSIS = "…"
ANSWERS = ("text", "json")

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# (?P<path>[\w./-]+\.py)(?P<more>, at the end)?\n(?P<text>.*)", re.DOTALL)
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its language, its text, and where it stands."""

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> File | None:
        """The file that the block is, if its first line names one."""
        match = _FILE.fullmatch(self.text) if self.language in ("python", "py") else None
        if match is None:
            return None
        return File(path=match["path"], appended=bool(match["more"]), text=match["text"])


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of the reader's project, or what is added to one."""

    path: str
    appended: bool
    text: str

    def write(self, directory: Path) -> None:
        target = directory / self.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a" if self.appended else "w", encoding="utf-8") as stream:
            stream.write(f"\n{self.text}" if self.appended else self.text)


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(
            page=str(path.relative_to(ROOT)),
            line=text.count("\n", 0, match.start()) + 1,
            language=match[1],
            text=match[2],
        )
        for match in _FENCE.finditer(text)
    ]


def matches(shown: str, printed: str) -> bool:
    """Whether what was printed is what the page shows."""
    pattern = "".join(map(_pattern, shown.strip().splitlines()))
    text = "".join(f"{line.rstrip()}\n" for line in printed.strip().splitlines())
    return re.fullmatch(pattern, text) is not None


def _pattern(line: str) -> str:
    if line.strip() == ELLIPSIS:
        return r"(?:.*\n)*"
    return ".+?".join(map(re.escape, line.rstrip().split(ELLIPSIS))) + r"\n"


def table(path: Path, heading: str) -> list[dict[str, str]]:
    """Return the rows of the first table below a heading, by the names of its columns."""
    lines = path.read_text(encoding="utf-8").split(f"# {heading}\n", 1)[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = list(_rows(lines[start:]))
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def _rows(lines: list[str]) -> Iterator[list[str]]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip().replace("\\|", "|") for cell in _CELL.split(line)[1:-1]]
