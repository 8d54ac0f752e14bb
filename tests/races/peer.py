"""A second process that runs commands on the test's database: `python -m tests.races.peer`.

See `tests.support.peer_process` for how a test sends commands.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.peer_process import PeerProcess, run_commands, start


@contextmanager
def peer(signet: dict[str, Any]) -> Iterator[PeerProcess]:
    """Start the second process on the test's database; stop it when the `with` block ends.

    Args:
        signet: the SIGNET setting of the second process.
    """
    from django.db import connection

    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    name = str(connection.settings_dict["NAME"])
    with start(__name__, name, json.dumps(signet), environment=environment) as process:
        yield process


@dataclass(kw_only=True)
class Commands:
    """The commands that the second process can run."""

    open_transactions: list[ExitStack] = field(default_factory=list)

    def end(self, session_id: str) -> bool:
        import drf_signet

        return drf_signet.end(session_id)

    def logout(self, refresh: str) -> int:
        from rest_framework.test import APIClient

        return APIClient().post("/api/token/logout/", {"refresh": refresh}).status_code

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
    """Read commands from standard input, run them, and print their results."""
    import django
    from django.conf import settings

    _, database, signet = sys.argv
    settings.DATABASES["default"]["NAME"] = database
    settings.SIGNET = json.loads(signet)
    django.setup()
    run_commands(Commands())


if __name__ == "__main__":
    main()
