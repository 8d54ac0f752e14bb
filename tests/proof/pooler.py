"""Run pgbouncer in transaction mode in front of a temporary PostgreSQL server."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.e2e.example import free_port

from .cluster import Cluster
from .databases import Database

_OWNER = "postgres"  # pgbouncer refuses to run as root
_STARTED_WITHIN = 20.0
#: `server_login_retry` is the number of seconds before pgbouncer connects to PostgreSQL again after
#: a failed attempt. The default of 15 s is too long for a scenario with many crashes.
_SETTINGS = """
[databases]
* = host=127.0.0.1 port={server} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 10
max_client_conn = 500
server_login_retry = 1
logfile = {folder}/log
pidfile = {folder}/pid
"""


def program() -> str | None:
    """Return the path of the program pgbouncer, or None if it is not installed.

    Debian installs pgbouncer in /usr/sbin, which is not on the PATH of most users.
    """
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


def missing() -> str | None:
    """Return why pgbouncer cannot run, or None if it can."""
    return None if program() else "pgbouncer is not installed (Debian package pgbouncer)"


@contextlib.contextmanager
def pooled(cluster: Cluster, database: Database) -> Iterator[Database]:
    """Run pgbouncer in front of a PostgreSQL server. Yield the database settings for pgbouncer."""
    if reason := missing():
        raise RuntimeError(reason)
    port, account = free_port(), pwd.getpwnam(_OWNER)
    with tempfile.TemporaryDirectory(prefix="signet-proof-pgbouncer-") as name:
        folder = Path(name)
        os.chown(folder, account.pw_uid, account.pw_gid)
        settings = folder / "pgbouncer.ini"
        settings.write_text(_SETTINGS.format(server=cluster.port, port=port, folder=folder))
        settings.chmod(0o644)
        command = [str(program()), "--quiet", str(settings)]
        process = subprocess.Popen(
            command, cwd=folder, user=_OWNER, group=_OWNER, extra_groups=[], start_new_session=True
        )
        behind = {**database, "PORT": port, "DISABLE_SERVER_SIDE_CURSORS": True}
        try:
            _await_connections(process, port, str(database["NAME"]))
            yield behind
        finally:
            process.terminate()
            process.wait(timeout=10)


def _await_connections(process: subprocess.Popen[bytes], port: int, name: str) -> None:
    end = time.monotonic() + _STARTED_WITHIN
    while process.poll() is None and time.monotonic() < end:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user=_OWNER, dbname=name).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("pgbouncer does not accept connections")
