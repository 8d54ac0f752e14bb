"""The files and commands on docs/howto/deploying.md, with other paths and ports."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import DOCS, Block, blocks

PAGE = DOCS / "howto" / "deploying.md"
PROJECT = "/srv/mysite/app"
UNIT = "/etc/systemd/system/mysite.service"
UVICORN = f"{UNIT}.d/uvicorn.conf"
NGINX = "/etc/nginx/sites-available/mysite"

_TITLE = re.compile(r"# ([\w./-]+)\n")
#: Absolute paths on the page. Their first directories become directories of the test.
_PATH = re.compile(r"(?<![\w.])/(?=(?:etc/mysite|etc/nginx|etc/systemd|run|srv)/?)")


def page_until(heading: str) -> list[Block]:
    """Return the blocks of the page above a heading."""
    text = PAGE.read_text(encoding="utf-8")
    last = text.count("\n", 0, text.index(f"\n## {heading}\n")) + 1
    return [block for block in blocks(PAGE) if block.line <= last]


def file_of(block: Block) -> tuple[str, str] | None:
    """Return the absolute path and the text of a file that the page shows, or None."""
    title = _TITLE.match(block.text)
    if title is None or block.language in ("bash", "console"):
        return None
    path = title[1] if title[1].startswith("/") else f"{PROJECT}/{title[1]}"
    return path, block.text.removeprefix(title[0])


def files() -> dict[str, str]:
    """Return the text of each file on the page, by its absolute path."""
    return dict(filter(None, map(file_of, blocks(PAGE))))


def options(text: str) -> dict[str, str]:
    """Return the options of a systemd unit. The last value of an option counts."""
    lines = text.replace("\\\n", " ").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def command(text: str) -> list[str]:
    """Return the words of a unit's ExecStart."""
    return shlex.split(options(text)["ExecStart"])


@dataclass(frozen=True, kw_only=True)
class Place:
    """A directory instead of `/`, free ports instead of 80 and 443, and 2 instead of 4 workers."""

    root: Path
    ports: Mapping[int, int]

    def translated(self, text: str) -> str:
        """Return a text of the page with the paths, ports and workers of this place."""
        text = text.replace("--workers 4", "--workers 2")
        text = _PATH.sub(f"{self.root}/", text)
        text = re.sub(r" *listen \[::\].*\n", "", text)
        for port, free in self.ports.items():
            text = re.sub(rf"listen {port}\b", f"listen 127.0.0.1:{free}", text)
        text = text.replace("api.example.com:443:", f"api.example.com:{self.ports[443]}:")
        return text.replace("https://api.example.com/", f"{self.url}/")

    @property
    def url(self) -> str:
        return f"https://api.example.com:{self.ports[443]}"

    def path(self, name: str) -> Path:
        return Path(self.translated(name))

    def write(self, path: str, text: str) -> None:
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.translated(text), encoding="utf-8")
