"""Test server processes that share a PostgreSQL database: all must reject revoked tokens."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import postgres
from tests.e2e.example import ROOT, SECRET_KEY, VITOR, environment, free_port, wait_until
from tests.support.redis_server import RedisServer, redis_server
from tests.support.services import require

WORKERS = 4
#: A timeout in seconds, long enough for slow machines. `benchmarks/` measures how soon all
#: processes reject the tokens of an ended session.
DEADLINE = 60.0
CHALLENGE = 'Bearer realm="api", error="invalid_token"'


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP response, and the id of the process that sent the response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def process(self) -> str:
        return self.headers["X-Process"]


@dataclass(frozen=True, kw_only=True)
class Served:
    """The project `tests.e2e.plain`, with the port and environment variables of its server."""

    port: int
    variables: Mapping[str, str]

    def ask(self, path: str, access: str | None = None, **data: str) -> Answer:
        """Send a POST request if there is data, otherwise a GET request, over a new connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json"} if data else {}
        if access is not None:
            headers["Authorization"] = f"Bearer {access}"
        body = json.dumps(data) if data else None
        try:
            connection.request("POST" if data else "GET", f"/{path}", body, headers)
            response = connection.getresponse()
            return Answer(
                status=response.status, headers=dict(response.headers), body=response.read()
            )
        finally:
            connection.close()

    def serves(self) -> bool:
        try:
            return self.ask("plain/who/").status == 200
        except OSError:
            return False

    def log_in(self, username: str = VITOR["username"]) -> dict[str, str]:
        pair: dict[str, str] = self.ask(
            "api/token/", username=username, password=VITOR["password"]
        ).json
        return pair

    def run(self, code: str) -> None:
        """Run Python code in a new process. The code can use Django and `User`."""
        prelude = "import django; django.setup()\nfrom django.contrib.auth.models import User\n"
        subprocess.run(
            [sys.executable, "-c", prelude + code], check=True, cwd=ROOT, env=self.variables
        )

    def make_user(self, username: str) -> None:
        self.run(f"User.objects.create_user({username!r}, password={VITOR['password']!r})")


@contextmanager
def running(command: list[str], served: Served, log: Path) -> Iterator[Served]:
    """Start a server, yield `served` when the server responds, and stop the server afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=served.variables, stdout=output, stderr=subprocess.STDOUT
        )
    try:

        def serves() -> bool:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            return served.serves()

        wait_until(serves, within=DEADLINE, what="the server responds")
        yield served
    finally:
        process.terminate()
        process.wait(timeout=30)
    written = log.read_text(encoding="utf-8")
    assert "Traceback" not in written, written


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    """Create a database with a user, and yield the environment variables for all processes."""
    require("postgres")
    with postgres.databases() as create:
        environ = environment(
            **create(),
            DJANGO_SETTINGS_MODULE="tests.e2e.plain.settings",
            DJANGO_SECRET_KEY=SECRET_KEY,
            DJANGO_DEBUG="0",
            EXAMPLE_SIGNET=json.dumps({"LOGIN_THROTTLE": None}),
            PYTHONPATH=os.pathsep.join(
                [str(ROOT), str(ROOT / "example"), os.environ.get("PYTHONPATH", "")]
            ),
        )
        served = Served(port=0, variables=environ)
        served.run(
            "from django.core.management import call_command\n"
            "call_command('migrate', verbosity=0)\n"
            f"User.objects.create_user({VITOR['username']!r}, password={VITOR['password']!r})"
        )
        yield environ


@pytest.fixture(scope="module")
def gunicorn(
    variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    served = Served(port=free_port(), variables=variables)
    where = ["--bind", f"127.0.0.1:{served.port}", "--workers", str(WORKERS)]
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", *where, "config.wsgi"]
    with running(command, served, tmp_path_factory.mktemp("gunicorn") / "log") as server:
        yield server


@pytest.fixture(scope="module")
def uvicorn(
    variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    served = Served(port=free_port(), variables=variables)
    where = ["--host", "127.0.0.1", "--port", str(served.port), "--lifespan", "off"]
    command = [sys.executable, "-m", "uvicorn", *where, "config.asgi:application"]
    with running(command, served, tmp_path_factory.mktemp("uvicorn") / "log") as server:
        yield server


@pytest.fixture(params=["gunicorn", "uvicorn"])
def served(request: pytest.FixtureRequest) -> Served:
    """Return the project. Each test runs with gunicorn and with uvicorn."""
    server: Served = request.getfixturevalue(request.param)
    return server


# Functions that end a session


def by_logout(served: Served, pair: dict[str, str], username: str) -> None:
    assert served.ask("api/token/logout/", refresh=pair["refresh"]).status == 204


def by_logout_everywhere(served: Served, pair: dict[str, str], username: str) -> None:
    assert served.ask("api/token/logout/all/", pair["access"], all="true").status == 204


def by_password(served: Served, pair: dict[str, str], username: str) -> None:
    served.run(
        f"user = User.objects.get(username={username!r}); user.set_password('new')\nuser.save()"
    )


def by_deactivation(served: Served, pair: dict[str, str], username: str) -> None:
    served.run(
        f"user = User.objects.get(username={username!r}); user.is_active = False\nuser.save()"
    )


def by_queryset_delete(served: Served, pair: dict[str, str], username: str) -> None:
    served.run(f"User.objects.filter(username={username!r}).delete()")


Ending = Callable[[Served, dict[str, str], str], None]


@pytest.mark.parametrize("path", ["hello/", "plain/who/"])
def test_every_worker_accepts_a_new_token(path: str, gunicorn: Served) -> None:
    access_token = gunicorn.log_in()["access"]
    assert len(responding_workers(gunicorn, path, access_token)) == WORKERS


@pytest.mark.parametrize(
    "end",
    [by_logout, by_logout_everywhere, by_password, by_deactivation, by_queryset_delete],
)
def test_every_worker_rejects_tokens_of_a_session_ended_by_any_process(
    end: Ending, gunicorn: Served
) -> None:
    username = end.__name__
    gunicorn.make_user(username)
    pair, other = gunicorn.log_in(username), gunicorn.log_in()
    workers = responding_workers(gunicorn, "hello/", pair["access"])
    end(gunicorn, pair, username)
    rejecting: set[str] = set()

    def all_reject() -> bool:
        answer = gunicorn.ask("hello/", pair["access"])
        assert answer.status in {200, 401}
        if answer.status == 401:
            assert answer.json["reason"] == "ended"
            assert answer.headers["WWW-Authenticate"] == CHALLENGE
            rejecting.add(answer.process)
        else:
            # A worker that has rejected the token must not accept it later.
            assert answer.process not in rejecting
        return rejecting == workers

    wait_until(all_reject, within=DEADLINE, what="every worker rejects the token")
    assert {gunicorn.ask("hello/", pair["access"]).status for _ in range(20)} == {401}
    assert gunicorn.ask("hello/", other["access"]).status == 200


def responding_workers(served: Served, path: str, access: str) -> set[str]:
    """Call a path until every worker has returned 200. Return the process ids of the workers."""
    workers: set[str] = set()

    def all_answered() -> bool:
        answer = served.ask(path, access)
        assert answer.status == 200
        workers.add(answer.process)
        return len(workers) == WORKERS

    wait_until(all_answered, within=DEADLINE, what="every worker responds")
    return workers


# Tests with Redis


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        server.start()
        yield server


@pytest.fixture(scope="module")
def with_redis(variables: dict[str, str], redis: RedisServer) -> dict[str, str]:
    """Return variables for processes that poll rarely, and learn of ended sessions by Redis."""
    signet = {
        "LOGIN_THROTTLE": None,
        "REVOCATION_POLL_INTERVAL": 3599,
        "TOKEN_REVOCATION_BROKER": redis.url,
    }
    return variables | {"EXAMPLE_SIGNET": json.dumps(signet)}


SERVERS = {
    "gunicorn": [
        *("gunicorn", "--no-control-socket", "--worker-class", "gthread", "--threads", "4"),
        *("--preload", "config.wsgi", "--bind"),
    ],
    "uvicorn": ["uvicorn", "--lifespan", "off", "config.asgi:application", "--port"],
}


@pytest.mark.parametrize("name", SERVERS)
def test_redis_brings_an_end_to_every_worker_before_its_next_poll(
    name: str, with_redis: dict[str, str], redis: RedisServer, tmp_path: Path
) -> None:
    served = Served(port=free_port(), variables=with_redis)
    where = str(served.port) if name == "uvicorn" else f"127.0.0.1:{served.port}"
    command = [sys.executable, "-m", *SERVERS[name], where, "--workers", str(WORKERS)]
    with running(command, served, tmp_path / "log"):
        username = f"{name}-with-redis"
        served.make_user(username)
        for end in (by_logout, by_password):
            pair = served.log_in(username)
            workers = responding_workers(served, "hello/", pair["access"])
            wait_until(
                lambda: redis.listeners() == WORKERS, within=DEADLINE, what="every worker listens"
            )
            end(served, pair, username)
            rejecting: set[str] = set()

            def all_reject(access: str = pair["access"], seen: set[str] = rejecting) -> bool:
                answer = served.ask("hello/", access)
                if answer.status == 401:
                    seen.add(answer.process)
                return len(seen) == WORKERS

            wait_until(all_reject, within=DEADLINE, what="every worker rejects the token")
            assert rejecting == workers
    wait_until(lambda: redis.listeners() == 0, within=DEADLINE, what="every connection is closed")


# Tests of Django views with `JWTMiddleware`


@pytest.mark.parametrize("path", ["plain/who/", "plain/awho/"])
def test_plain_view_knows_the_user_and_session_of_the_token(path: str, served: Served) -> None:
    pair = served.log_in()
    identity = served.ask(path, pair["access"]).json
    assert identity["pk"] == 1
    assert identity["sid"]
    assert served.ask(path).json == {"pk": None, "sid": None}


@pytest.mark.parametrize("path", ["plain/name/", "plain/aname/"])
def test_plain_view_can_load_the_user(path: str, served: Served) -> None:
    answer = served.ask(path, served.log_in()["access"])
    assert answer.json == {"username": VITOR["username"]}


@pytest.mark.parametrize("path", ["plain/who/", "plain/awho/", "hello/"])
def test_invalid_token_is_rejected(path: str, served: Served) -> None:
    answer = served.ask(path, "a.b.c")
    assert (answer.status, answer.json["code"]) == (401, "token_not_valid")
    assert answer.headers["WWW-Authenticate"] == CHALLENGE
    access_token = served.log_in()["access"]
    assert served.ask(path, f"{access_token}, Bearer {access_token}").status == 400


def test_plain_view_that_loads_a_deleted_user_returns_401(served: Served) -> None:
    """Delete the user without signals, so that the user's sessions do not end."""
    username = f"gone-{served.port}"
    served.make_user(username)
    access_token = served.log_in(username)["access"]
    served.run(f"User.objects.filter(username={username!r})._raw_delete('default')")
    # The middleware loads the user before every async view, even before `awho`, which needs only
    # the primary key.
    for path in ("plain/name/", "plain/aname/", "plain/awho/"):
        answer = served.ask(path, access_token)
        assert (answer.status, answer.json["reason"]) == (401, "ended")
    assert served.ask("plain/who/", access_token).status == 200
