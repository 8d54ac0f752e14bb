"""Several processes on PostgreSQL, as in production: what one ends, all refuse."""

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
from tests.services import require

WORKERS = 4
#: Only that it happens is asserted here; how fast it does is measured in `benchmarks/`.
DEADLINE = 60.0
CHALLENGE = 'Bearer realm="api", error="invalid_token"'


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP response, and the process that gave it."""

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
    """The project of `tests.e2e.plain`, served at a port."""

    port: int
    variables: Mapping[str, str]

    def ask(self, path: str, access: str | None = None, **data: str) -> Answer:
        """Send one request over a connection of its own: a POST if there are data."""
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
        """Run code in a process of its own, where Django is set up and User is."""
        prelude = "import django; django.setup()\nfrom django.contrib.auth.models import User\n"
        subprocess.run(
            [sys.executable, "-c", prelude + code], check=True, cwd=ROOT, env=self.variables
        )

    def make_user(self, username: str) -> None:
        self.run(f"User.objects.create_user({username!r}, password={VITOR['password']!r})")


@contextmanager
def running(command: list[str], served: Served, log: Path) -> Iterator[Served]:
    """Run a server until the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=served.variables, stdout=output, stderr=subprocess.STDOUT
        )
    try:

        def serves() -> bool:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            return served.serves()

        wait_until(serves, within=DEADLINE, what="the server serves")
        yield served
    finally:
        process.terminate()
        process.wait(timeout=30)
    written = log.read_text(encoding="utf-8")
    assert "Traceback" not in written, written


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    """Return the environment of all processes: a database of their own, with the user in it."""
    require("postgres")
    with postgres.databases() as create:
        found = environment(
            **create(),
            DJANGO_SETTINGS_MODULE="tests.e2e.plain.settings",
            DJANGO_SECRET_KEY=SECRET_KEY,
            DJANGO_DEBUG="0",
            EXAMPLE_SIGNET=json.dumps({"LOGIN_THROTTLE": None}),
            PYTHONPATH=os.pathsep.join(
                [str(ROOT), str(ROOT / "example"), os.environ.get("PYTHONPATH", "")]
            ),
        )
        served = Served(port=0, variables=found)
        served.run(
            "from django.core.management import call_command\n"
            "call_command('migrate', verbosity=0)\n"
            f"User.objects.create_user({VITOR['username']!r}, password={VITOR['password']!r})"
        )
        yield found


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
    """Return the project under each server."""
    found: Served = request.getfixturevalue(request.param)
    return found


# What ends a session, everywhere


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


def by_deletion_of_a_queryset(served: Served, pair: dict[str, str], username: str) -> None:
    served.run(f"User.objects.filter(username={username!r}).delete()")


Ending = Callable[[Served, dict[str, str], str], None]


@pytest.mark.parametrize("path", ["hello/", "plain/who/"])
def test_every_worker_serves(path: str, gunicorn: Served) -> None:
    access = gunicorn.log_in()["access"]
    assert len(serving(gunicorn, path, access)) == WORKERS


@pytest.mark.parametrize(
    "end",
    [by_logout, by_logout_everywhere, by_password, by_deactivation, by_deletion_of_a_queryset],
)
def test_every_worker_refuses_what_any_process_has_ended(end: Ending, gunicorn: Served) -> None:
    username = end.__name__
    gunicorn.make_user(username)
    pair, other = gunicorn.log_in(username), gunicorn.log_in()
    workers = serving(gunicorn, "hello/", pair["access"])
    end(gunicorn, pair, username)
    refusing: set[str] = set()

    def all_refuse() -> bool:
        answer = gunicorn.ask("hello/", pair["access"])
        assert answer.status in {200, 401}
        if answer.status == 401:
            assert answer.json["reason"] == "ended"
            assert answer.headers["WWW-Authenticate"] == CHALLENGE
            refusing.add(answer.process)
        else:
            assert answer.process not in refusing  # once refused, refused for good
        return refusing == workers

    wait_until(all_refuse, within=DEADLINE, what="every worker refuses")
    assert {gunicorn.ask("hello/", pair["access"]).status for _ in range(20)} == {401}
    assert gunicorn.ask("hello/", other["access"]).status == 200


def serving(served: Served, path: str, access: str) -> set[str]:
    """Ask until every worker has answered, and answered 200; return who they are."""
    workers: set[str] = set()

    def all_answered() -> bool:
        answer = served.ask(path, access)
        assert answer.status == 200
        workers.add(answer.process)
        return len(workers) == WORKERS

    wait_until(all_answered, within=DEADLINE, what="every worker answers")
    return workers


# Plain views behind the middleware


@pytest.mark.parametrize("path", ["plain/who/", "plain/awho/"])
def test_a_plain_view_knows_whose_token_it_is(path: str, served: Served) -> None:
    pair = served.log_in()
    said = served.ask(path, pair["access"]).json
    assert said["pk"] == 1
    assert said["sid"]
    assert served.ask(path).json == {"pk": None, "sid": None}


@pytest.mark.parametrize("path", ["plain/name/", "plain/aname/"])
def test_a_plain_view_asks_for_more_of_the_user(path: str, served: Served) -> None:
    answer = served.ask(path, served.log_in()["access"])
    assert answer.json == {"username": VITOR["username"]}


@pytest.mark.parametrize("path", ["plain/who/", "plain/awho/", "hello/"])
def test_a_bad_token_is_refused(path: str, served: Served) -> None:
    answer = served.ask(path, "a.b.c")
    assert (answer.status, answer.json["code"]) == (401, "token_not_valid")
    assert answer.headers["WWW-Authenticate"] == CHALLENGE
    access = served.log_in()["access"]
    assert served.ask(path, f"{access}, Bearer {access}").status == 400


def test_a_user_who_is_gone_is_401_inside_a_plain_view(served: Served) -> None:
    """Gone by a raw statement, of which no session hears."""
    username = f"gone-{served.port}"
    served.make_user(username)
    access = served.log_in(username)["access"]
    served.run(f"User.objects.filter(username={username!r})._raw_delete('default')")
    for path in ("plain/name/", "plain/aname/"):
        answer = served.ask(path, access)
        assert (answer.status, answer.json["reason"]) == (401, "ended")
    assert served.ask("plain/awho/", access).status == 200
