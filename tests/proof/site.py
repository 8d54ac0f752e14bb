"""The test project with a database, a source tree and settings. `servers.serve` starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.wire import PASSWORD, username

from .databases import Database
from .trees import ROOT, SOURCE

#: The Python interpreter of the virtual environment that contains simplejwt. `make proof` creates
#: this environment.
PEERS = ROOT / ".venv-bench" / "bin" / "python"

_FOREIGN = ("DJANGO_", "PG", "PROOF_", "COVERAGE_")
_MAKE_USERS = """
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
hashed = make_password({password!r})
User.objects.bulk_create(User(username=name, password=hashed) for name in {names!r})
"""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The test project in one configuration.

    Args:
        database: the settings of the database, as in Django's DATABASES.
        source: the directory that contains the package `drf_signet` to run.
        package: the package to test. Rotation is on, and simplejwt also uses its blacklist, unless
            `stack` says otherwise.
        peers: the Python interpreter that runs a package other than drf-signet.
        stack: a key of `benchmarks.stacks.STACKS`. By default it follows from `package`.
        alias: whether drf-signet answers the imports of simplejwt.
        signet: keys of SIGNET besides ROTATE_REFRESH_TOKENS, with durations in seconds.
        simple_jwt: keys of SIMPLE_JWT, in addition to those of the stack.
        variables: additional environment variables for the processes.
    """

    database: Database
    source: Path = SOURCE
    package: Literal["signet", "simplejwt"] = "signet"
    peers: Path = PEERS
    stack: str = ""
    alias: bool = False
    signet: Mapping[str, Any] = field(default_factory=dict)
    simple_jwt: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def python(self) -> str:
        """The Python interpreter that runs the site."""
        return sys.executable if self.package == "signet" else str(self.peers)

    def environment(self, *, connections_last: bool = True) -> dict[str, str]:
        """Return the environment variables for a process of this site.

        Args:
            connections_last: whether a thread keeps its database connection open after a request.
                False for ASGI, where every request runs in a new thread.
        """
        age = {"CONN_MAX_AGE": None if connections_last else 0}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
        return {
            **inherited,
            "PYTHONPATH": os.pathsep.join([str(self.source), str(ROOT)]),
            "DJANGO_SETTINGS_MODULE": "tests.proof.project.settings",
            "PROOF_STACK": self.stack or f"{self.package}-rotating",
            "PROOF_ALIAS": "1" if self.alias else "",
            "PROOF_DATABASE": json.dumps({**self.database, **age}),
            "PROOF_SIGNET": json.dumps(dict(self.signet)),
            "PROOF_SIMPLE_JWT": json.dumps(dict(self.simple_jwt)),
            **self.variables,
        }

    def migrate(self, *arguments: str) -> str:
        """Run `python -m django migrate` with these arguments, and return its output."""
        return self._output("-m", "django", "migrate", "--no-input", *arguments)

    def run(self, code: str) -> str:
        """Run Python code after `django.setup()`, in a new process, and return its output."""
        return self._output("-c", f"import django; django.setup()\n{code}")

    def prepare(self, *, users: int) -> None:
        """Create the tables and the users in one process, because starting Django takes time."""
        names = [username(number) for number in range(users)]
        migrate = "from django.core.management import call_command\ncall_command('migrate')\n"
        self.run(migrate + _MAKE_USERS.format(password=PASSWORD, names=names))

    def make_users(self, count: int) -> None:
        """Create `count` users with the usernames and the password of `benchmarks.wire`."""
        names = [username(number) for number in range(count)]
        self.run(_MAKE_USERS.format(password=PASSWORD, names=names))

    def _output(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.python, *arguments],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        return done.stdout
