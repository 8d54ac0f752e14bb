"""Agents: simulated clients that log in, refresh, send requests and log out.

An agent has one session at a time and behaves like a normal client: it stores the newest tokens,
and sends a request again if no response arrives. It records its results in a `Ledger`, which the
scenarios check.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from benchmarks.client import Answer, Connection
from benchmarks.wire import PASSWORD, WIRES, Call, Tokens, username

WIRE = WIRES["signet"]
COOKIE = "__Host-signet-refresh-token"
_PAGE = {
    "Content-Type": "application/json",
    "X-Requested-With": "XMLHttpRequest",
    "Sec-Fetch-Site": "same-origin",
}
#: PAUSE: seconds between two attempts to send a request. PATIENCE: seconds that each attempt waits
#: for its response.
PAUSE, PATIENCE = 0.05, 2.0
#: Seconds after which an agent stops repeating a request. This is less than the grace period of
#: 30 s, so that the server still accepts a repeated refresh.
PERSISTENCE = 25.0
#: Maximum time in seconds from a logout until every worker rejects the access token: the poll
#: interval (1 s) plus a margin.
NOTICED_WITHIN = 1.5

#: A function that returns the port of the server for the next request.
Ports = Callable[[], int]
#: The session id and the generation number in a refresh token.
Place = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A session whose logout request succeeded, with its last two pairs of tokens."""

    transport: str
    tokens: tuple[Tokens, ...]

    @property
    def session_id(self) -> str:
        """The id of the session."""
        return place(self.tokens[0].refresh)[0]


@dataclass
class Ledger:
    """The results of all agents of a run.

    Args:
        counts: name of an event → how often the event occurred. For example, "crossings" counts
            refreshes that were handled by a server that had not issued the token.
        refused: requests that should have succeeded but did not, as (kind, status, body). The
            status is 0 if no response came.
        successors: a refresh token that was sent → all refresh tokens that servers returned for it.
            Each token is represented as (session id, generation).
        ended: the sessions whose logout request succeeded.
        longest: the longest time in seconds from the start of a refresh to its response.
    """

    counts: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[str, int, str]] = field(default_factory=list)
    successors: dict[Place, set[Place]] = field(default_factory=lambda: defaultdict(set))
    ended: list[Ended] = field(default_factory=list)
    longest: float = 0.0

    def refuse(self, what: str, answer: Answer | None) -> None:
        """Record a request that should have succeeded but was refused or got no response."""
        status, body = (
            (answer.status, answer.body.decode("utf-8", "replace")) if answer else (0, "")
        )
        self.refused.append((what, status, body[:200]))
        deleted = answer is not None and f'{COOKIE}="";' in answer.headers.get("set-cookie", "")
        self.counts["cookies taken away"] += deleted

    def examples(self, since: int = 0) -> list[str]:
        """Describe at most three refused requests, beginning at index `since`."""
        return [f"{what}: {status} {body}" for what, status, body in self.refused[since:][:3]]

    @property
    def double_successors(self) -> int:
        """The number of refresh tokens that have a successor other than the next generation."""
        return sum(found != {(sid, gen + 1)} for (sid, gen), found in self.successors.items())


def ignore(tokens: Tokens) -> None:
    """Do nothing. An agent calls this function by default when a refresh gets no response."""


class Balancer:
    """A load balancer, which chooses a server at random for each request.

    Args:
        ports: the ports of the servers. The attribute `ports` may be changed at any time.
    """

    def __init__(self, *ports: int) -> None:
        self.ports = list(ports)
        self._random = random.Random(0)

    def __call__(self) -> int:
        return self._random.choice(self.ports)


class Agent:
    """A simulated client, which has one session at a time.

    Args:
        number: the number of the user that the agent logs in as, see `username`.
        ports: a function that returns the port of the server for the next request.
        ledger: the ledger in which the agent records its results.
        transport: "token" or "cookie".
        patience: seconds that the agent waits for a response.
        on_cut: a function to call with the current tokens when a refresh gets no response.
    """

    def __init__(
        self,
        number: int,
        ports: Ports,
        ledger: Ledger,
        *,
        transport: str = "token",
        patience: float = PATIENCE,
        on_cut: Callable[[Tokens], None] = ignore,
    ) -> None:
        self.tokens = Tokens(access="", refresh="")
        self.previous: Tokens | None = None
        self.ended: list[Ended] = []
        self.transport = transport
        self.ledger = ledger
        self._number = number
        self._ports = ports
        self._patience = patience
        self._on_cut = on_cut
        self._port = self._issued_by = 0
        self._late: list[tuple[Connection, asyncio.Future[Answer | None]]] = []
        self._lines: dict[tuple[int, int], Connection] = {}

    async def log_in(self) -> None:
        """Log in, and store the tokens of the new session."""
        answer = await self._ask("login", self._login())
        if answer is None or answer.status != 200:
            self.ledger.refuse("login", answer)
            return
        self.previous, self.tokens = None, self._read(answer)
        self._issued_by = self._port
        self.ledger.counts["logins"] += 1

    async def refresh(self, *, tabs: int = 1) -> bool:
        """Exchange the refresh token for a new refresh token. Return whether the refresh succeeded.

        Args:
            tabs: the number of parallel requests that send the same token, as if from several
                browser tabs. Each request uses its own connection.
        """
        started, held = time.monotonic(), self.tokens
        call = refreshing(self.transport, held)
        sent = [self.persist("refresh", call, line) for line in range(tabs)]
        answers = await asyncio.gather(*sent)
        self.ledger.longest = max(self.ledger.longest, time.monotonic() - started)
        late = [answer for answer in await self.settle() if answer.status < 500]
        self.ledger.counts["late answers"] += len(late)
        for answer in (*answers, *late):
            if answer is None or answer.status != 200:
                self.ledger.refuse("refresh", answer)
                continue
            self.ledger.counts["refreshes"] += 1
            self.previous, self.tokens = held, self._read(answer)
            self.ledger.successors[place(held.refresh)].add(place(self.tokens.refresh))
        if self.tokens is held:
            return False
        self.ledger.counts["crossings"] += self._issued_by != self._port
        self._issued_by = self._port
        return True

    async def request(self) -> None:
        """Send a request to the protected view, and record the result."""
        answer = await self._ask("request", WIRE.protected(self.tokens.access))
        if answer is None or answer.status != 200:
            self.ledger.refuse("request", answer)
        else:
            self.ledger.counts["requests"] += 1

    async def log_out(self) -> None:
        """Log out. Keep the tokens, so that `accepted_after_logout` can send them again."""
        answer = await self._ask("logout", self._logout())
        if answer is None or answer.status != 204:
            self.ledger.refuse("logout", answer)
            return
        held = (self.tokens, self.previous) if self.previous else (self.tokens,)
        self.ended.append(Ended(transport=self.transport, tokens=held))
        self.ledger.ended.append(self.ended[-1])
        self.ledger.counts["logouts"] += 1

    async def send(self, call: Call, line: int = 0) -> Answer | None:
        """Send a request once. Return None if the connection breaks or the response is late."""
        port = self._port = self._ports()
        connection = self._lines.setdefault((port, line), Connection(port))
        sent = asyncio.ensure_future(_answer(connection, call))
        await asyncio.wait([sent], timeout=self._patience)
        if sent.done():
            return sent.result()
        self._late.append((connection, sent))
        del self._lines[port, line]
        return None

    async def settle(self) -> list[Answer]:
        """Wait for the responses to requests that timed out, and return these responses.

        A server may process a request after the agent has stopped waiting for it. If the agent
        refreshed twice before that, the token in the request would be two generations old. The
        server would then end the session, because it could not tell the request from a theft.
        """
        late, self._late = self._late, []
        for connection, sent in late:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(sent, PERSISTENCE)
            connection.close()
        found = [sent.result() for _, sent in late if not sent.cancelled()]
        return [answer for answer in found if answer is not None]

    def close(self) -> None:
        """Close all connections of the agent."""
        for connection in self._lines.values():
            connection.close()

    async def _ask(self, what: str, call: Call) -> Answer | None:
        """Repeat a request until it gets a response. Then wait for the attempts that timed out."""
        answer = await self.persist(what, call)
        await self.settle()
        return answer

    async def persist(self, what: str, call: Call, line: int = 0) -> Answer | None:
        """Repeat a request until the response is not a server error (5xx). Return that response.

        Return None if no such response comes within PERSISTENCE seconds.
        """
        end = time.monotonic() + PERSISTENCE
        while time.monotonic() < end:
            answer = await self.send(call, line)
            if answer is not None and answer.status < 500:
                return answer
            if answer is None and what == "refresh":
                self._on_cut(self.tokens)
            self.ledger.counts["no answer" if answer is None else f"{answer.status}"] += 1
            self.ledger.counts[f"repeated {what}"] += 1
            await asyncio.sleep(PAUSE)
        return None

    def _login(self) -> Call:
        name = username(self._number)
        if self.transport == "token":
            return WIRE.login(name)
        body = json.dumps({"username": name, "password": PASSWORD}).encode()
        return Call(method="POST", path="/browser/login/", headers=_PAGE, body=body)

    def _logout(self) -> Call:
        if self.transport == "token":
            return WIRE.logout(self.tokens)
        return _page("/browser/logout/", self.tokens)

    def _read(self, answer: Answer) -> Tokens:
        if self.transport == "token":
            return WIRE.read(answer.json())
        name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
        if name != COOKIE:
            raise ValueError(f"not the refresh cookie: {name}")
        return Tokens(access=answer.json()["access"], refresh=value)


async def _answer(connection: Connection, call: Call) -> Answer | None:
    """Send a request, and return the response. Return None if the connection breaks."""
    try:
        return await connection.send(call)
    except (OSError, asyncio.IncompleteReadError):
        connection.close()
        return None


async def live(
    agent: Agent,
    stop: asyncio.Event,
    chance: random.Random,
    accepted: list[str],
    *,
    pause: float = 0,
    recheck: bool = True,
) -> None:
    """Make an agent refresh, send requests, log out and log in, until `stop` is set.

    At the end, the agent is logged in.

    Args:
        accepted: a list to which a line is added for each token that a server accepts although the
            token's session has ended.
        pause: seconds between two steps. A step is a refresh and a request, or a logout and a
            login.
        recheck: whether the agent checks before each logout that the tokens of its last ended
            session are refused.
    """
    ended_at = time.monotonic()
    while not stop.is_set():
        drawn = chance.random()
        if drawn < 0.05:
            if recheck and time.monotonic() - ended_at > NOTICED_WITHIN:
                accepted += await accepted_after_logout(agent, agent.ended[-1:])
            await agent.log_out()
            ended_at = time.monotonic()
            await agent.log_in()
        else:
            await agent.refresh(tabs=1 + (drawn > 0.8))
            await agent.request()
        await asyncio.sleep(pause)


async def accepted_after_logout(agent: Agent, ended: Iterable[Ended]) -> list[str]:
    """Send the tokens of ended sessions again. Return a line for each token that is not refused."""
    accepted = []
    for session in ended:
        for tokens in session.tokens:
            calls = (refreshing(session.transport, tokens), WIRE.protected(tokens.access))
            for call in calls:
                answer = await agent.persist("recheck", call)
                if answer is None or answer.status != 401:
                    accepted.append(f"{call.path} {answer and answer.status}")
    return accepted


def refreshing(transport: str, tokens: Tokens) -> Call:
    """Return a refresh request with these tokens. `transport` is "token" or "cookie"."""
    return WIRE.refresh(tokens) if transport == "token" else _page("/browser/refresh/", tokens)


def place(token: str) -> Place:
    """Return the session id and the generation number in a refresh token."""
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims["sid"], claims["gen"]


def _page(path: str, tokens: Tokens) -> Call:
    headers = {**_PAGE, "Cookie": f"{COOKIE}={tokens.refresh}"}
    return Call(method="POST", path=path, headers=headers, body=b"{}")
