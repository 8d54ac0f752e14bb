"""The scenario `keys`: signing keys rotate by a schedule under load, then a key leaks.

Two gunicorn workers issue and verify tokens. A third process only verifies: it reads the public
keys from the JWKS, and has neither the table of keys nor a secret. Clients log in, refresh and send
requests to all three processes all the time, while keys are published, sign, verify and retire. At
the end, the key that signs is retired at once. Its tokens are sent to each process until it refuses
them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.client import Connection

from .agents import WIRE, Agent, Balancer, Ledger
from .databases import TITLES, Database, new_database, query
from .scenario import Figures, Scenario
from .servers import Server, serve
from .site import Site
from .trees import SOURCE, Fault

_AGENTS = 4
_PAUSE = 0.02
#: Seconds after the retirement of a key within which every process must refuse its tokens.
REFUSED_WITHIN = 2.0
_LIFETIME = 6.0
#: The settings of the issuer, in seconds. With default settings, a key signs for 30 days.
_ISSUER: Mapping[str, Any] = {
    "KEY_PROVIDER": "database",
    "KEY_ROTATION": {"PERIOD": 5.0, "PUBLISHED_AHEAD": 2.0},
    "ACCESS_TOKEN_LIFETIME": _LIFETIME,
    "REFRESH_TOKEN_LIFETIME": _LIFETIME,
    "REVOCATION_MAX_STALENESS": 1.0,
    "LOGIN_THROTTLE": None,
}
_VERIFIER: Mapping[str, Any] = {
    "KEY_PROVIDER": "tests.proof.project.jwks.FetchedKeys",
    "REVOCATION_POLL_INTERVAL": None,  # there is no table of sessions
    "ACCESS_TOKEN_LIFETIME": _LIFETIME,
}
_RETIRE = """
import json, time
from io import StringIO
from django.core.management import call_command
out = StringIO()
call_command("signet_keys", "--json", stdout=out)
keys = json.loads(out.getvalue())
signing = next(key["kid"] for key in keys if key["state"] == "signing")
call_command("signet_retire_key", signing, "--now", stdout=StringIO())
print(json.dumps({"at": time.time(), "states": [key["state"] for key in keys], "kid": signing}))
"""
_KEYS = "SELECT count(*), count(DISTINCT kid) FROM drf_signet_signingkey WHERE kid <> 'settings'"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The issuer with its two workers, and the process that only verifies."""

    site: Site
    issuer: Server
    verifier: Server
    database: Database


def measure(*, source: Path = SOURCE, seconds: float, databases: Sequence[str]) -> list[Figures]:
    """Let clients work for `seconds`, then retire a key, on each database."""
    rows: list[Figures] = []
    for vendor in databases:
        with _stage(vendor, source) as stage:
            rows.append({"database": TITLES[vendor], **asyncio.run(_run(stage, seconds))})
    return rows


@contextmanager
def _stage(vendor: str, source: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        database = stack.enter_context(new_database(vendor))
        empty = stack.enter_context(new_database("sqlite"))
        site = Site(database=database, source=source, signet=_ISSUER)
        site.prepare(users=_AGENTS)
        issuer = stack.enter_context(serve(site))
        variables = {
            "PROOF_KEYS_FROM": f"http://127.0.0.1:{issuer.port}/.well-known/jwks.json",
            "PROOF_SECRET_KEY": "a secret of the service that only verifies, and not the issuer's",
        }
        other = Site(database=empty, source=source, signet=_VERIFIER, variables=variables)
        # Until the first key signs, SECRET_KEY signs, which is not in the JWKS.
        asyncio.run(_first_key(issuer))
        verifier = stack.enter_context(serve(other, workers=1))
        yield Stage(site=site, issuer=issuer, verifier=verifier, database=database)


async def _first_key(issuer: Server) -> None:
    """Log in until the first key of the table signs."""
    agent = Agent(0, Balancer(issuer.port), Ledger())
    while True:
        await agent.log_in()
        if _kid(agent.tokens.access):
            break
        await asyncio.sleep(0.2)
    agent.close()


async def _run(stage: Stage, seconds: float) -> Figures:
    ledger, kids, stop = Ledger(), set[str](), asyncio.Event()
    lives = [
        asyncio.create_task(_live(number, stage, ledger, kids, stop)) for number in range(_AGENTS)
    ]
    await asyncio.sleep(seconds)
    stop.set()
    await asyncio.gather(*lives)
    made, distinct = query(stage.database, _KEYS)[0]
    retired, states, recovered = await _emergency(stage)
    tries = sum(n for name, n in ledger.counts.items() if name.startswith("repeated "))
    return {
        "seconds": seconds,
        "logins": ledger.counts["logins"],
        "refreshes": ledger.counts["refreshes"],
        "requests": ledger.counts["requests"],
        "failed": len(ledger.refused) + tries,
        "made": made,
        "doubles": made - distinct,
        "signed": len(kids),
        "retired": states.count("retired"),
        "refused_after": max(retired.values(), default=float("inf")),
        "processes": len(retired),
        "recovered": recovered,
        "examples": ledger.examples(),
    }


async def _live(
    number: int, stage: Stage, ledger: Ledger, kids: set[str], stop: asyncio.Event
) -> None:
    """Log in, then refresh and send requests to all processes until `stop` is set."""
    agent = Agent(number, Balancer(stage.issuer.port), ledger)
    reader = Agent(number, Balancer(stage.verifier.port), ledger)
    await agent.log_in()
    while not stop.is_set():
        for _ in range(5):
            for each in (agent, reader):
                reader.tokens = agent.tokens
                await each.request()
            await asyncio.sleep(_PAUSE)
        await agent.refresh()
        kids.add(_kid(agent.tokens.access))
    agent.close()
    reader.close()


async def _emergency(stage: Stage) -> tuple[dict[str, float], list[str], bool]:
    """Retire the key that signs, and send one of its tokens to each process until it is refused.

    Return the seconds after the retirement when each process accepted the token for the last time,
    the states of all keys, and whether a user can log in again.
    """
    agent = Agent(0, Balancer(stage.issuer.port), Ledger())
    await agent.log_in()
    retiring = asyncio.create_task(asyncio.to_thread(stage.site.run, _RETIRE))
    accepted: dict[str, float] = {}
    refused: set[str] = set()
    until = time.time() + 3 * _LIFETIME
    while time.time() < until and (not retiring.done() or len(refused) < 3):
        if not retiring.done():  # the token must not expire while it is sent
            await agent.refresh()
        for port, name in ((stage.issuer.port, "issuer"), (stage.verifier.port, "verifier")):
            status, worker = await _ask(port, agent.tokens.access)
            where = f"{name} {worker}"
            if status == 200:
                accepted[where] = time.time()
            elif status == 401 and retiring.done():
                refused.add(where)
    done = json.loads(await retiring)
    await agent.log_in()
    recovered = bool(_kid(agent.tokens.access)) and _kid(agent.tokens.access) != done["kid"]
    agent.close()
    late = {where: max(at - done["at"], 0.0) for where, at in accepted.items() if where in refused}
    return late, done["states"], recovered


async def _ask(port: int, access: str) -> tuple[int, str]:
    """Send a token over a new connection. Return the status, and the process that responded."""
    connection = Connection(port)
    try:
        answer = await connection.send(WIRE.protected(access))
        return answer.status, answer.headers["x-worker"]
    finally:
        connection.close()


def _kid(token: str) -> str:
    """Return the `kid` of a token, or an empty string."""
    header = json.loads(base64.urlsafe_b64decode(token.split(".", maxsplit=1)[0] + "=="))
    return str(header.get("kid", ""))


def failures(rows: Sequence[Figures]) -> list[str]:
    """Return a sentence for each figure that shows an error."""
    found = []
    for row in rows:
        where = row["database"]
        if row["failed"]:
            found.append(f"{where}: {row['failed']} requests failed {row['examples']}")
        if row["doubles"] or row["made"] > row["seconds"] / 5 + 3:
            found.append(f"{where}: {row['made']} keys were made, {row['doubles']} of them twice")
        if row["signed"] < 2 or not (row["retired"] or row["seconds"] < 15):
            found.append(f"{where}: {row['signed']} keys signed, {row['retired']} were retired")
        if row["processes"] < 3 or row["refused_after"] > REFUSED_WITHIN:
            found.append(
                f"{where}: {row['processes']} processes refused the tokens of a retired key, the "
                f"last after {row['refused_after']} s"
            )
        if not row["recovered"]:
            found.append(f"{where}: nobody could log in with the next key")
    return found


SCENARIO = Scenario(
    name="keys",
    title="Keys that rotate",
    measure=measure,
    failures=failures,
    columns={
        "database": "database",
        "seconds": "seconds",
        "logins": "logins",
        "refreshes": "refreshes",
        "requests": "requests",
        "failed": "failed",
        "made": "keys made",
        "signed": "keys that signed",
        "retired": "keys retired by the schedule",
        "processes": "processes that refuse a retired key",
        "refused_after": "last accepted after, s",
    },
    full={"seconds": 60, "databases": ("postgres", "mariadb")},
    short={"seconds": 15, "databases": ("sqlite",)},
    faults=(
        Fault(
            scenario="keys",
            before="ahead = math.ceil(rotation.PUBLISHED_AHEAD.total_seconds())",
            after="ahead = 0",
            effect="A new key signs before other processes know it: its first tokens are refused.",
            counts={"seconds": 7},
        ),
        Fault(
            scenario="keys",
            before="self._cache.tokens = VerifiedTokens()",
            after="pass",
            effect="Processes accept tokens of a retired key that they have verified before.",
            counts={"seconds": 7},
        ),
    ),
)
