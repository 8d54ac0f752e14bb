"""Parse the fenced code blocks and the tables in the documentation's Markdown pages.

Pages contain no markup that is only for tests. The language of a block determines its use:

- `python`: A block whose first line is a path, such as `# mysite/urls.py`, is a file. If the first
  line is `# mysite/settings.py, at the end`, the block is appended to that file. Any other block is
  a snippet.
- `py`: A file that needs another package, such as simplejwt, several databases, or a project with
  models of its own. `tests/swap` runs the file in a virtual environment in which the other package
  is installed. `tests/tenants` and `tests/variants` run the files of `howto/tenants.md` and
  `howto/audit.md`, `test_celery.py` runs those of `howto/celery.md`, and `projects.py` builds the
  projects of other pages.
- `bash`: The block contains shell commands.
- `text` or `json` after `bash`: The block is the expected output of the commands. Within a line,
  `…` matches one or more characters. A line that contains only `…` matches any number of lines.
- `ini`, `nginx`, `yaml`, `dockerfile`: A file whose path is in the first line. `deploying.py` reads
  the files of `howto/deploying.md`.

A block whose language is in braces, such as `{index}`, is a directive of Sphinx, and no code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

#: The size limit for a picture. Git keeps every version of a picture, so large pictures would make
#: the repository large.
MAX_PICTURE_BYTES = 80_000

ELLIPSIS = "…"
ANSWERS = ("text", "json")

_FENCE = re.compile(r"^```(\w*|\{\w+\}[^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# (?P<path>[\w./-]+\.py)(?P<more>, at the end)?\n(?P<text>.*)", re.DOTALL)
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced code block, with the page and the line where it starts."""

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> File | None:
        """Return the file that the block contains, or None if its first line is not a path."""
        match = _FILE.fullmatch(self.text) if self.language in ("python", "py") else None
        if match is None:
            return None
        return File(path=match["path"], appended=bool(match["more"]), text=match["text"])


@dataclass(frozen=True, kw_only=True)
class File:
    """A project file that a page shows, or text that a page appends to a project file."""

    path: str
    appended: bool
    text: str

    def write(self, directory: Path) -> None:
        target = directory / self.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a" if self.appended else "w", encoding="utf-8") as stream:
            stream.write(f"\n{self.text}" if self.appended else self.text)


def blocks(path: Path) -> list[Block]:
    """Return the fenced code blocks of a page, from top to bottom."""
    return [block for block in _fenced(path) if not block.language.startswith("{")]


def index_entries(path: Path) -> list[str]:
    """Return the entries of the page's blocks `{index}`, which are not code."""
    languages = [block.language for block in _fenced(path)]
    return [
        entry.strip()
        for language in languages
        if language.startswith("{index}")
        for entry in language.removeprefix("{index}").split(",")
    ]


def _fenced(path: Path) -> list[Block]:
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
    """Return whether the output of a command matches the output shown on the page."""
    pattern = "".join(map(_pattern, shown.strip().splitlines()))
    text = "".join(f"{line.rstrip()}\n" for line in printed.strip().splitlines())
    return re.fullmatch(pattern, text) is not None


def _pattern(line: str) -> str:
    if line.strip() == ELLIPSIS:
        return r"(?:.*\n)*"
    return ".+?".join(map(re.escape, line.rstrip().split(ELLIPSIS))) + r"\n"


def table(path: Path, heading: str) -> list[dict[str, str]]:
    """Return the rows of the first table below a heading, as dicts keyed by column name."""
    lines = path.read_text(encoding="utf-8").split(f"# {heading}\n", 1)[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = list(_rows(lines[start:]))
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def _rows(lines: list[str]) -> Iterator[list[str]]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip().replace("\\|", "|") for cell in _CELL.split(line)[1:-1]]
