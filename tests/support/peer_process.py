"""A second process that runs commands for a test.

The process reads commands from standard input. Each line is a JSON list with the name of a command
and its arguments. The process prints the result of each command as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class PeerProcess:
    """A process that runs `run_commands`. Its commands can be called as methods."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __getattr__(self, command: str) -> Callable[..., Any]:
        def do(*arguments: Any) -> Any:
            assert self._process.stdin
            assert self._process.stdout
            line = json.dumps([command, *arguments], default=str)
            print(line, file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
            assert answer, f"the process ended with {self._process.wait()}"
            return json.loads(answer)

        return do


@contextmanager
def start(module: str, *arguments: str, environment: Mapping[str, str]) -> Iterator[PeerProcess]:
    """Run a module in a second process. Stop the process when the `with` block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield PeerProcess(process)
        assert process.stdin
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def run_commands(commands: object) -> None:
    """Read commands from standard input, run them as methods, and print their results."""
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        command: Callable[..., Any] = getattr(commands, name)
        print(json.dumps(command(*arguments)), flush=True)
