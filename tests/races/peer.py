"""A second process on the same database, which does what it is told: `python -m tests.races.peer`.

It reads one JSON list per line, a word and its arguments, and answers each with one JSON value.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Peer:
    """The process, as seen from the one that started it."""

    process: subprocess.Popen[str]

    def do(self, word: str, *arguments: Any) -> Any:
        """Tell it to do something; return its answer.

        Raises:
            AssertionError: it has ended instead of answering.
        """
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps([word, *map(str, arguments)]), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        assert answer, f"the peer ended with {self.process.wait()}"
        return json.loads(answer)


@contextmanager
def peer(signet: dict[str, Any]) -> Iterator[Peer]:
    """Start a process on the database of the running test, with these settings; end it."""
    from django.db import connection

    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "-m", "tests.races.peer", str(connection.settings_dict["NAME"])]
    process = subprocess.Popen(
        [*command, json.dumps(signet)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Peer(process=process)
        assert process.stdin
        process.stdin.close()
        assert process.wait(timeout=30) == 0


@dataclass(kw_only=True)
class Doer:
    """What it can do."""

    open_transactions: list[ExitStack] = field(default_factory=list)

    def end(self, session_id: str) -> bool:
        import drf_signet

        return drf_signet.end(session_id)

    def begin(self) -> None:
        from django.db import transaction

        stack = ExitStack()
        stack.enter_context(transaction.atomic())
        self.open_transactions.append(stack)

    def commit(self) -> None:
        self.open_transactions.pop().close()

    def rollback(self) -> None:
        from django.db import transaction

        transaction.set_rollback(True)
        self.commit()

    def hello(self, access: str) -> int:
        from rest_framework.test import APIClient

        client = APIClient()
        return client.get("/hello/", headers={"authorization": f"Bearer {access}"}).status_code


def main() -> None:
    """Do what is read from standard input, until it ends."""
    import django
    from django.conf import settings

    _, name, signet = sys.argv
    settings.DATABASES["default"]["NAME"] = name
    settings.SIGNET = json.loads(signet)
    django.setup()
    doer = Doer()
    for line in sys.stdin:
        word, *arguments = json.loads(line)
        act: Callable[..., Any] = getattr(doer, word)
        print(json.dumps(act(*arguments)), flush=True)


if __name__ == "__main__":
    main()
