"""Fixtures of the end-to-end tests: example servers, Chromium and command-line clients."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import postgres
from tests.e2e.chromium import browser
from tests.e2e.clients import Client, Curl, HTTPie, httpie_variables
from tests.e2e.example import SECRET_KEY, Example, StartExample, start
from tests.e2e.pages_site import CLOCK, OpenProfile, Profile, Site, start_site
from tests.support.services import require

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

#: The database of this test run. The example supports SQLite and PostgreSQL. On SQLite, all
#: end-to-end tests run. On PostgreSQL, only `test_commands.py` runs.
DATABASE = os.environ.get("SIGNET_TEST_DATABASE", "sqlite")
collect_ignore_glob = {"sqlite": [], "postgres": ["test_[!c]*.py"]}.get(DATABASE, ["test_*.py"])


@pytest.fixture(scope="session")
def new_database(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[], dict[str, str]]]:
    """Yield a function that returns the environment variables for a new, empty database."""
    if DATABASE == "postgres":
        require("postgres")
        with postgres.databases() as create:
            yield create
        return

    def sqlite() -> dict[str, str]:
        return {"EXAMPLE_SQLITE_FILE": str(tmp_path_factory.mktemp("database") / "db.sqlite3")}

    yield sqlite


@pytest.fixture(scope="session")
def start_example(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], dict[str, str]]
) -> Iterator[StartExample]:
    """Yield a function that starts the example, once for each combination of arguments.

    The servers run until the last test has finished. The argument `signet` contains settings that
    override SIGNET. Every other argument sets the environment variable whose name is the name of
    the argument in upper case.
    """
    running: dict[str, Example] = {}

    def get(*, signet: dict[str, Any] | None = None, **options: str) -> Example:
        variables = {"DJANGO_SECRET_KEY": SECRET_KEY, "EXAMPLE_SIGNET": json.dumps(signet or {})}
        variables |= {name.upper(): value for name, value in options.items()}
        key = json.dumps(variables, sort_keys=True)
        if key not in running:
            database = {} if "EXAMPLE_SQLITE_FILE" in variables else new_database()
            log = tmp_path_factory.mktemp("example") / "log"
            running[key] = start(log, **database, **variables)
        return running[key]

    yield get
    with ThreadPoolExecutor() as pool:
        list(pool.map(Example.stop, running.values()))
    logs = [example.output() for example in running.values()]
    assert [log for log in logs if "Internal Server Error" in log] == []


@pytest.fixture
def example(start_example: StartExample) -> Example:
    """Return the example with its default settings, served by runserver."""
    return start_example()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Yield a Chromium browser, and close it after the tests of the module.

    Until the browser is closed, Playwright runs an event loop in this thread, so no other event
    loop can run in the thread.
    """
    require("chromium")
    with browser() as launched:
        yield launched


@pytest.fixture
def site(start_example: StartExample) -> Site:
    """Return the project `tests.e2e.pages` with the example's token lifetimes and grace period."""
    site = start_site(start_example)
    site.set_behaviour()
    return site


@pytest.fixture
def profile(chromium: Browser, site: Site) -> Iterator[OpenProfile]:
    """Yield a function that creates a browser profile and adds the given scripts to its pages."""
    opened: list[BrowserContext] = []

    def make(*scripts: str, at: Site = site) -> Profile:
        context = chromium.new_context()
        for script in (CLOCK, *scripts):
            context.add_init_script(script)
        opened.append(context)
        return Profile(context=context, site=at)

    yield make
    for context in opened:
        context.close()


@pytest.fixture(params=["runserver", "gunicorn", "uvicorn"])
def served(request: pytest.FixtureRequest, start_example: StartExample) -> Example:
    """Return the example. Each test runs with runserver, with gunicorn and with uvicorn."""
    if request.param == "runserver":
        return start_example()
    return start_example(example_server=request.param)


@pytest.fixture(scope="session")
def httpie(tmp_path_factory: pytest.TempPathFactory) -> HTTPie:
    """Return the HTTPie client."""
    return HTTPie(variables=httpie_variables(tmp_path_factory.mktemp("httpie")))


@pytest.fixture
def curl() -> Curl:
    """Return the curl client."""
    return Curl()


@pytest.fixture(params=["curl", "httpie"])
def command(request: pytest.FixtureRequest) -> Client:
    """Return a client. Each test runs with curl and with HTTPie, the clients of the tutorial."""
    client: Client = request.getfixturevalue(request.param)
    return client
