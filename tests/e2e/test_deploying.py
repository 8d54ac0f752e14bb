"""Follow docs/howto/deploying.md in an empty directory: nginx, gunicorn, uvicorn, systemd's check.

The files and commands are those of the page. Only paths, ports, the number of processes, and the
addresses of PostgreSQL and Redis differ.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.docs import deploying
from tests.docs.deploying import Place
from tests.docs.pages import ANSWERS, Block, matches
from tests.docs.walk import PATH, Shell
from tests.e2e import postgres
from tests.e2e.example import free_port, wait_until
from tests.support.redis_server import redis_server
from tests.support.services import nginx, require

HOST = "api.example.com"
#: A client on this machine whose address is not that of nginx.
CLIENT = "127.0.0.7"
VITOR = {"username": "vitor", "password": "correct horse battery"}
STARTED_WITHIN = 60.0
SERVERS = {"gunicorn": deploying.UNIT, "uvicorn": deploying.UVICORN}

#: Debian's `/etc/nginx/nginx.conf`, for a server in a directory of its own.
NGINX = """
{user}pid {root}/nginx.pid;
error_log {root}/nginx.log;
daemon off;
worker_processes 1;
events {{}}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    include {site};
}}
"""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The project of the page, with its tables, static files and user."""

    place: Place
    variables: dict[str, str]
    shell: Shell

    def follow(self, page: list[Block]) -> None:
        """Write the files, run the `bash` blocks, and compare what they print with the page."""
        for block, following in zip(page, [*page[1:], None], strict=True):
            if shown := deploying.file_of(block):
                self.place.write(*shown)
            elif block.language == "bash":
                succeeded, printed = self.shell.run(self.place.translated(block.text))
                assert succeeded, f"{block.where}: failed:\n{printed}"
                if following is not None and following.language in ANSWERS:
                    assert matches(following.text, printed), f"{block.where}: {printed}"

    @contextmanager
    def runs(self, unit: str) -> Iterator[None]:
        """Run the command of a unit, with the environment and directory of the page's unit."""
        service = self.place.path(deploying.UNIT).read_text("utf-8")
        options = deploying.options(service) | deploying.options(
            self.place.path(unit).read_text("utf-8")
        )
        extra = options.get("Environment", "").split()
        lines = [*Path(options["EnvironmentFile"]).read_text("utf-8").split(), *extra]
        path = self.place.path("/run/mysite/app.sock")
        with process(
            deploying.command(self.place.path(unit).read_text("utf-8")),
            cwd=options["WorkingDirectory"],
            env=self.variables | dict(line.split("=", 1) for line in lines),
            ready=partial(listens, path),
        ):
            yield
        path.unlink(missing_ok=True)

    def ask(self, path: str, data: dict[str, str] | None = None, *, headers: dict[str, str]) -> Any:
        """Send a request to nginx from the address `CLIENT`. Return the response, which is read."""
        trusted = ssl.create_default_context(cafile=self.place.path("/etc/nginx/mysite.pem"))
        connection = _Local(HOST, self.place.ports[443], context=trusted)
        method, body = ("POST", json.dumps(data)) if data else ("GET", None)
        connection.request(method, path, body, {"Content-Type": "application/json", **headers})
        response: Any = connection.getresponse()
        response.text = response.read().decode()
        connection.close()
        return response


class _Local(http.client.HTTPSConnection):
    """A connection to this machine, whatever the name of the host."""

    def connect(self) -> None:
        self._create_connection = lambda address, *args: _connect(address[1])
        super().connect()


def _connect(port: int) -> Any:
    return socket.create_connection(("127.0.0.1", port), 30, (CLIENT, 0))


def listens(path: Path) -> bool:
    """Return whether a server accepts connections on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


@contextmanager
def process(command: list[str], *, ready: Any, **options: Any) -> Iterator[None]:
    """Run a server until the `with` block ends, and show its output if it does not start."""
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, **options
        )

        def is_ready() -> bool:
            log.seek(0)
            assert server.poll() is None, log.read().decode()
            return bool(ready())

        try:
            wait_until(is_ready, within=STARTED_WITHIN, what=f"{command[0]} is ready")
            yield
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=30)


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """Follow the page until its first requests. nginx runs; neither gunicorn nor uvicorn does."""
    for service in ("nginx", "postgres", "redis"):
        require(service)
    with (
        tempfile.TemporaryDirectory(prefix="signet-") as directory,  # short, for the Unix socket
        postgres.databases() as create,
        redis_server() as redis,
    ):
        redis.start()
        root = Path(directory)
        place = Place(root=root, ports={80: free_port(), 443: free_port()})
        for name in ("/etc/nginx", "/srv/mysite", "/run/mysite"):
            place.path(name).mkdir(parents=True)
        place.path("/srv/mysite/venv").symlink_to(sys.prefix)
        variables = {
            "PATH": PATH,
            "HOME": directory,
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "REDIS_URL": redis.url,
            **{name: value for name, value in create().items() if name.startswith("PG")},
        }
        shell = Shell(root, variables)
        deployed = Deployment(place=place, variables=variables, shell=shell)
        deployed.follow(deploying.page_until("The first requests"))
        with serving(place):
            yield deployed
        shell.stop()


@contextmanager
def serving(place: Place) -> Iterator[None]:
    """Run nginx with the page's site."""
    program, config = nginx(), place.root / "nginx.conf"
    assert program
    user = "user root;\n" if os.geteuid() == 0 else ""  # the directory is readable only for us
    site = place.path(deploying.NGINX)
    config.write_text(NGINX.format(user=user, root=place.root, site=site), encoding="utf-8")
    with process(
        [program, "-c", str(config), "-e", "stderr"], ready=(place.root / "nginx.pid").exists
    ):
        yield


@pytest.fixture(scope="module", params=SERVERS)
def served(request: pytest.FixtureRequest, deployment: Deployment) -> Iterator[Deployment]:
    """Run the project with gunicorn, and then with uvicorn."""
    with deployment.runs(SERVERS[request.param]):
        yield deployment


def test_first_requests_of_the_page_print_the_output_that_it_shows(served: Deployment) -> None:
    before = len(deploying.page_until("The first requests"))
    requests = deploying.page_until("The certificate")[before:]
    assert sum(block.language == "text" for block in requests) == 2
    served.follow(requests)


def test_session_has_the_address_of_the_client_even_if_the_client_forges_the_header(
    served: Deployment,
) -> None:
    login = served.ask("/api/token/", VITOR, headers={"X-Forwarded-For": "192.0.2.1"})
    access = json.loads(login.text)["access"]
    headers = {"Authorization": f"Bearer {access}"}
    sessions = json.loads(served.ask("/api/token/sessions/", headers=headers).text)
    assert [one["ip_address"] for one in sessions if one["current"]] == [CLIENT]


@pytest.mark.parametrize("served", ["gunicorn"], indirect=True)  # each login takes 0.2 s
def test_failed_logins_are_counted_over_all_processes(served: Deployment) -> None:
    """Two processes that did not share their counts would refuse 20 logins before the limit."""
    wrong = {"username": "nobody", "password": "x"}
    statuses = [401]
    while statuses[-1] == 401 and len(statuses) < 25:
        statuses.append(served.ask("/api/token/", wrong, headers={}).status)
    assert statuses[-1] == 429


def test_nginx_serves_static_files_and_redirects_http(deployment: Deployment) -> None:
    """Neither gunicorn nor uvicorn is needed for these requests."""
    answer = deployment.ask("/static/admin/css/base.css", headers={})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/css")
    plain = http.client.HTTPConnection("127.0.0.1", deployment.place.ports[80])
    plain.request("GET", "/hello/", headers={"Host": HOST})
    redirect = plain.getresponse()
    assert (redirect.status, redirect.headers["Location"]) == (301, f"https://{HOST}/hello/")
    plain.close()


def test_systemd_accepts_the_units(deployment: Deployment) -> None:
    """`systemd-analyze` checks the names of options, and that each command exists."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not on the PATH")
    page = deploying.page_until("What was tested")
    units = [shown for shown in map(deploying.file_of, page) if shown and "systemd" in shown[0]]
    assert len(units) == 4
    for unit in units:
        deployment.place.write(*unit)
    names = [str(deployment.place.path(path)) for path, _ in units if not path.endswith(".conf")]
    done = subprocess.run([analyze, "verify", *names], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
