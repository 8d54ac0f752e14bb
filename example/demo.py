"""`make demo`: makes the example's database and user, says what there is to see, serves."""

from __future__ import annotations

import contextlib
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
from django.db import OperationalError

EXAMPLE = Path(__file__).resolve().parent
USERNAME, PASSWORD = "vitor", "123"

GUIDE = """\
The demo page is at {base}/

Log in there as user {username}, password {password}. Ctrl-C ends it.

More in a browser (the pages of Django REST Framework have forms to fill in):

    {base}/api/token/            obtain a pair of tokens
    {base}/api/token/refresh/    trade the refresh token for a new access token
    {base}/hello/                the protected view
    {base}/admin/                Django's admin, with the sessions in it

With curl, to be pasted into another terminal:

    field() {{ python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }}
    PAIR=$(curl -s {base}/api/token/ -d username={username} -d password={password}); echo "$PAIR"
    ACCESS=$(echo "$PAIR" | field access); REFRESH=$(echo "$PAIR" | field refresh)
    curl -s -w ' %{{http_code}}\\n' {base}/hello/ -H "Authorization: Bearer $ACCESS"
    curl -s -w ' %{{http_code}}\\n' {base}/api/token/refresh/ -d "refresh=$REFRESH"
    curl -s -w ' %{{http_code}}\\n' {base}/api/token/logout/ -d "refresh=$REFRESH"
    curl -s -w ' %{{http_code}}\\n' {base}/hello/ -H "Authorization: Bearer $ACCESS"
    curl -s -w ' %{{http_code}}\\n' {base}/api/token/refresh/ -d "refresh=$REFRESH"

With HTTPie, the same:

    field() {{ python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }}
    PAIR=$({http} post {base}/api/token/ username={username} password={password}); echo "$PAIR"
    ACCESS=$(echo "$PAIR" | field access); REFRESH=$(echo "$PAIR" | field refresh)
    {http} {base}/hello/ "Authorization: Bearer $ACCESS"
    {http} post {base}/api/token/refresh/ refresh="$REFRESH"
    {http} post {base}/api/token/logout/ refresh="$REFRESH"
    {http} {base}/hello/ "Authorization: Bearer $ACCESS"
    {http} post {base}/api/token/refresh/ refresh="$REFRESH"

The last two lines of each are refused with 401: the logout ended the session, and with it the
access token. (With EXAMPLE_SERVER=gunicorn the other process learns of it within a second.)
EXAMPLE_SERVER, EXAMPLE_DATABASE and others change how it is served: see example/README.md.
"""


def main() -> None:
    """Run the demo; ends by becoming the server."""
    sys.path.insert(0, str(EXAMPLE))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        django.setup()
        from config.environment import host_and_port

        host, port = host_and_port(os.environ)
        command = server_command(os.environ.get("EXAMPLE_SERVER") or "runserver", host, port)
    except ImproperlyConfigured as error:
        sys.exit(f"demo: {error}")
    if not is_free(host, port):
        sys.exit(taken(host, port))
    check()
    make_database()
    make_user()
    print(guide(host, port), flush=True)
    if has_a_screen():
        subprocess.Popen([sys.executable, __file__, "--open", base(host, port)])
    os.execv(command[0], command)


def server_command(server: str, host: str, port: int) -> list[str]:
    """Build the command line of one of the three servers."""
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
    """Tell whether a server may listen there, by listening for a moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
    return True


def taken(host: str, port: int) -> str:
    """Say that the port is taken, and which one is not."""
    other = next((p for p in range(port + 1, min(port + 100, 65536)) if is_free(host, p)), None)
    advice = f" Try: EXAMPLE_ADDRESS={bracketed(host)}:{other} make demo" if other else ""
    return f"demo: nothing can listen on {bracketed(host)}:{port}; something else may.{advice}"


def check() -> None:
    """Let Django check the project; runserver would too, the other servers would not."""
    try:
        call_command("check", stdout=io.StringIO())  # Warnings go to stderr.
    except SystemCheckError as error:
        sys.exit(f"demo: {error}")


def make_database() -> None:
    """Apply the migrations."""
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except OperationalError as error:
        sys.exit(f"demo: no connection to the database. Does it exist (createdb)?\n{error}")


def make_user() -> None:
    """Make sure the tutorial's user exists, and leave it and its sessions alone if it does."""
    from django.contrib.auth import get_user_model

    user, _ = get_user_model()._default_manager.get_or_create(username=USERNAME)
    state = {"is_active": True, "is_staff": True, "is_superuser": True}
    if user.check_password(PASSWORD) and all(getattr(user, k) == v for k, v in state.items()):
        return
    for name, value in state.items():
        setattr(user, name, value)
    user.set_password(PASSWORD)  # Also ends the sessions, hence the look before.
    user.save()


def guide(host: str, port: int) -> str:
    """Write what to type and which pages to open."""
    return GUIDE.format(base=base(host, port), http=httpie(), username=USERNAME, password=PASSWORD)


def base(host: str, port: int) -> str:
    """Write the address as a browser on this computer knows it."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{bracketed(reachable)}:{port}"


def has_a_screen() -> bool:
    """Tell whether somebody has typed `make demo` in a terminal beside a browser."""
    from config.environment import flag

    screen = sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    wanted = flag(os.environ, "EXAMPLE_OPEN", default=True)
    return bool(screen) and wanted and sys.stdout.isatty()


def open_when_served(address: str) -> None:
    """Open the demo page as soon as the server listens: a process of its own, beside the server."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    for _ in range(100):
        with contextlib.suppress(OSError):
            socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
            webbrowser.open(f"{address}/")
            return
        time.sleep(0.1)


def httpie() -> str:
    """Find HTTPie: in the environment that runs this, by its relative path, else on the PATH."""
    beside = shutil.which("http", path=str(Path(sys.executable).parent))
    if beside is None:
        return "http"
    relative = os.path.relpath(beside)
    return beside if relative.startswith(os.pardir) else relative


def bracketed(host: str) -> str:
    """Write an IPv6 address as URLs want it."""
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    open_when_served(sys.argv[2]) if sys.argv[1:2] == ["--open"] else main()
