"""Prepare and start the example. `make demo` runs this script."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import shutil
import socket
import subprocess
import sys
import time
import webbrowser
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder

EXAMPLE = Path(__file__).resolve().parent
USERNAME, PASSWORD = "vitor", "123"

GUIDE = """\
The demo page is at {base}/

Log in there as user {username}, password {password}. Press Ctrl-C to stop the server.

More pages for the browser (those of Django REST Framework have forms):

    {base}/api/token/            obtain an access token and a refresh token
    {base}/api/token/refresh/    get a new access token for a refresh token
    {base}/hello/                the protected view; "Log in" at the top uses Django's session
    {base}/api/docs/             the API in Swagger UI; "Authorize" takes an access token
    {base}/admin/                Django's admin, which lists the sessions

With curl (paste these lines into another terminal):

    field() {{ python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }}
    PAIR=$(curl -s {base}/api/token/ -d username={username} -d password={password}); echo "$PAIR"
    ACCESS=$(echo "$PAIR" | field access); REFRESH=$(echo "$PAIR" | field refresh)
    curl -s -w ' %{{http_code}}\\n' {base}/hello/ -H "Authorization: Bearer $ACCESS"
    curl -s -w ' %{{http_code}}\\n' {base}/api/token/refresh/ -d "refresh=$REFRESH"
    curl -s -w ' %{{http_code}}\\n' {base}/api/token/logout/ -d "refresh=$REFRESH"
    curl -s -w ' %{{http_code}}\\n' {base}/hello/ -H "Authorization: Bearer $ACCESS"
    curl -s -w ' %{{http_code}}\\n' {base}/api/token/refresh/ -d "refresh=$REFRESH"

With HTTPie (the same requests; they also work without a terminal, as in a script{install}):

    http() {{ command {http} --ignore-stdin "$@"; }}
    field() {{ python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }}
    PAIR=$(http post {base}/api/token/ username={username} password={password}); echo "$PAIR"
    ACCESS=$(echo "$PAIR" | field access); REFRESH=$(echo "$PAIR" | field refresh)
    http {base}/hello/ "Authorization: Bearer $ACCESS"
    http post {base}/api/token/refresh/ refresh="$REFRESH"
    http post {base}/api/token/logout/ refresh="$REFRESH"
    http {base}/hello/ "Authorization: Bearer $ACCESS"
    http post {base}/api/token/refresh/ refresh="$REFRESH"

The last two requests of each list get 401: the logout ended the session, so neither of its tokens
works any more. (With EXAMPLE_SERVER=gunicorn the other process learns of it within a second.)
Environment variables such as EXAMPLE_SERVER change how the example runs: see example/README.md.
"""


def main() -> None:
    """Prepare the example, print the guide, and replace this process with the server process."""
    sys.path.insert(0, str(EXAMPLE))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        django.setup()
        from config.environment import host_and_port

        host, port = free_address(*host_and_port(os.environ))
        command = server_command(os.environ.get("EXAMPLE_SERVER") or "runserver", host, port)
    except ImproperlyConfigured as error:
        sys.exit(f"demo: {error}")
    check()
    make_database()
    make_user()
    print(guide(host, port), flush=True)
    if has_a_screen():
        subprocess.Popen([sys.executable, __file__, "--open", base(host, port)])
    os.execv(command[0], command)


def server_command(server: str, host: str, port: int) -> list[str]:
    """Return the command line that starts `server`: runserver, gunicorn or uvicorn."""
    if server in {"gunicorn", "uvicorn"} and importlib.util.find_spec(server) is None:
        raise ImproperlyConfigured(
            f"EXAMPLE_SERVER={server} needs {server}: {sys.executable} -m pip install {server}"
        )
    address = f"{bracketed(host)}:{port}"
    python = [sys.executable, "-u"]
    if server == "runserver":
        return [*python, str(EXAMPLE / "manage.py"), "runserver", "--noreload", address]
    if server == "gunicorn":
        where = ["--chdir", str(EXAMPLE), "--bind", address, "--workers", "2"]
        return [*python, "-m", "gunicorn", "--no-control-socket", *where, "config.wsgi"]
    if server == "uvicorn":
        where = [
            "--app-dir",
            str(EXAMPLE),
            "--lifespan",
            "off",
            "--host",
            host,
            "--port",
            str(port),
        ]
        return [*python, "-m", "uvicorn", *where, "config.asgi:application"]
    raise ImproperlyConfigured(
        f"EXAMPLE_SERVER is {server!r}; it must be runserver, gunicorn or uvicorn."
    )


def is_free(host: str, port: int) -> bool:
    """Return whether a server can listen on this port. To find out, bind a socket to the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
    return True


def free_address(host: str, port: int) -> tuple[str, int]:
    """Return the address to listen on: this host and port, or the next free port if it is in use.

    If the user has chosen the port with EXAMPLE_ADDRESS, do not use another port without being
    asked: raise ImproperlyConfigured with a message that suggests a free port.
    """
    if is_free(host, port):
        return host, port
    where = bracketed(host)
    problem = f"cannot listen on {where}:{port}; the port may be in use."
    other = next((p for p in range(port + 1, min(port + 100, 65536)) if is_free(host, p)), None)
    if other is None:
        raise ImproperlyConfigured(problem)
    if os.environ.get("EXAMPLE_ADDRESS"):
        raise ImproperlyConfigured(f"{problem} Try: EXAMPLE_ADDRESS={where}:{other} make demo")
    print(f"demo: {problem} Using port {other} instead.", flush=True)
    return host, other


def check() -> None:
    """Run Django's system checks, because gunicorn and uvicorn do not run them."""
    try:
        call_command("check", stdout=io.StringIO())  # warnings are written to stderr
    except SystemCheckError as error:
        sys.exit(f"demo: {error}")


def make_database() -> None:
    """Apply the migrations. Exit with a message if the database is not available."""
    try:
        if not MigrationRecorder(connection).applied_migrations():
            print("Creating the tables of the database, and a user ...", flush=True)
        call_command("migrate", interactive=False, verbosity=0)
    except OperationalError as error:
        sys.exit(f"demo: cannot connect to the database. Does it exist (createdb)?\n{error}")


def make_user() -> None:
    """Create the tutorial's user, or restore the password and the permissions of this user."""
    from django.contrib.auth import get_user_model

    user, _ = get_user_model()._default_manager.get_or_create(username=USERNAME)
    state = {"is_active": True, "is_staff": True, "is_superuser": True}
    if user.check_password(PASSWORD) and all(getattr(user, k) == v for k, v in state.items()):
        return
    for name, value in state.items():
        setattr(user, name, value)
    # A new password hash ends the user's sessions. Therefore, this function returns early if
    # nothing has to be restored.
    user.set_password(PASSWORD)
    user.save()


def guide(host: str, port: int) -> str:
    """Return the guide, which lists the pages to open and the commands to type."""
    http = httpie()
    return GUIDE.format(
        base=base(host, port),
        http=http or "http",
        install="" if http else "; to install it: python3 -m pip install httpie",
        username=USERNAME,
        password=PASSWORD,
    )


def base(host: str, port: int) -> str:
    """Return the URL of the server for a browser on this computer."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{bracketed(reachable)}:{port}"


def has_a_screen() -> bool:
    """Return whether to open a browser.

    True if the output goes to a terminal on a desktop, unless EXAMPLE_OPEN is off.
    """
    from config.environment import flag

    screen = sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    wanted = flag(os.environ, "EXAMPLE_OPEN", default=True)
    return bool(screen) and wanted and sys.stdout.isatty()


def open_when_served(address: str) -> None:
    """Wait until the server accepts connections, and open the demo page.

    This function runs in a separate process, because `main` replaces its process with the server.
    """
    host, _, port = address.removeprefix("http://").rpartition(":")
    for _ in range(100):
        with contextlib.suppress(OSError):
            socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
            webbrowser.open(f"{address}/")
            return
        time.sleep(0.1)


def httpie() -> str | None:
    """Return how to call HTTPie: by its path in this environment, or by its name in the PATH.

    If HTTPie is not installed, return None.
    """
    path = shutil.which("http", path=str(Path(sys.executable).parent))
    if path is None:
        return "http" if shutil.which("http") else None
    relative_path = os.path.relpath(path)
    return path if relative_path.startswith(os.pardir) else relative_path


def bracketed(host: str) -> str:
    """Return the host as it is written in a URL: an IPv6 address is put in brackets."""
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    try:
        open_when_served(sys.argv[2]) if sys.argv[1:2] == ["--open"] else main()
    except KeyboardInterrupt:
        sys.exit(130)  # the status that shells use for Ctrl-C
