"""Running examples, started when a test first asks for one and ended with the session."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import postgres
from tests.e2e.browser import browser
from tests.e2e.clients import Client, Curl, HTTPie, httpie_variables
from tests.e2e.example import SECRET_KEY, Example, StartExample, start
from tests.e2e.site import CLOCK, OpenProfile, Profile, Site, start_site
from tests.services import require

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

#: The suite runs once per database. The example knows two, and on the second it need not show
#: again what no database has a part in.
DATABASE = os.environ.get("SIGNET_TEST_DATABASE", "sqlite")
collect_ignore_glob = {"sqlite": [], "postgres": ["test_[!c]*.py"]}.get(DATABASE, ["test_*.py"])


@pytest.fixture(scope="session")
def new_database(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[], dict[str, str]]]:
    """Return a factory of empty databases: the variables that lead the example to one."""
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
    """Return a function that starts an example, or returns the one that runs with these options.

    Keyword arguments are environment variables in lower case, and `signet` the overrides.
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
    with ThreadPoolExecutor() as at_once:
        list(at_once.map(Example.stop, running.values()))
    broken = [one.output() for one in running.values() if "Internal Server Error" in one.output()]
    assert broken == []


@pytest.fixture
def example(start_example: StartExample) -> Example:
    """Return the example with its default settings, under runserver."""
    return start_example()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Return a running Chromium: per module, since tests beside it may want an event loop."""
    require("chromium")
    with browser() as launched:
        yield launched


@pytest.fixture
def site(start_example: StartExample) -> Site:
    """Return a server of pages with tokens of five minutes and the example's grace."""
    found = start_site(start_example)
    found.order()
    return found


@pytest.fixture
def profile(chromium: Browser, site: Site) -> Iterator[OpenProfile]:
    """Return a function that makes a browser profile; scripts run before those of its pages."""
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
    """Return the example under each of its servers."""
    if request.param == "runserver":
        return start_example()
    return start_example(example_server=request.param)


@pytest.fixture(scope="session")
def httpie(tmp_path_factory: pytest.TempPathFactory) -> HTTPie:
    """Return HTTPie."""
    return HTTPie(variables=httpie_variables(tmp_path_factory.mktemp("httpie")))


@pytest.fixture
def curl() -> Curl:
    """Return curl."""
    return Curl()


@pytest.fixture(params=["curl", "httpie"])
def command(request: pytest.FixtureRequest) -> Client:
    """Return each of the commands that the tutorial's readers type."""
    client: Client = request.getfixturevalue(request.param)
    return client
