"""Measure how long the protected view and the open view take, without a server."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from benchmarks import figures
from benchmarks.project import statements
from benchmarks.tasks import calls, mint
from benchmarks.wire import Call

#: The number of requests that are timed together.
BATCH = 25


def prepare(users: int = 20) -> None:
    """Log in some users, call the protected view as each of them, and warm up both views."""
    tokens = [calls.logged_in(number).access for number in range(users)]
    for token in tokens:
        calls.json(calls.make(calls.wire().protected(token)), 200)
    for _ in range(200):
        calls.json(calls.make(Call(path="/open/")), 200)
        calls.json(calls.make(calls.wire().protected(tokens[0])), 200)


def round_(batches: int, *, cold: bool = False, path: str = "/protected/") -> dict[str, float]:
    """Measure batches of requests to the open view and to the protected view in turn.

    The requests are built before the clock starts, so the clock measures only the view and the
    rendering. The first batch of each view is a warm-up and does not count.

    Args:
        batches: the number of batches for each view.
        cold: whether to send each request with a new token.
        path: the path of the protected view.

    Returns:
        The µs per request for each view, their ratio, and the SQL statements per pair of requests.
    """
    count = (batches + 1) * BATCH
    tokens = mint.access(count) if cold else [calls.logged_in(0).access] * count
    protected = [calls.request(calls.wire().protected(token)) for token in tokens]
    open_ = [calls.request(Call(path="/open/")) for _ in range(count)]
    if not cold:
        calls.view(path)(protected[0])
    timed: dict[str, list[float]] = {"open": [], "protected": []}
    before = statements.executed()
    for start in range(0, count, BATCH):
        batch = slice(start, start + BATCH)
        timed["open"].append(_time(calls.view("/open/"), open_[batch]))
        timed["protected"].append(_time(calls.view(path), protected[batch]))
    return {
        **{name: figures.median(times[1:]) for name, times in timed.items()},
        "ratio": figures.ratio(timed["protected"][1:], timed["open"][1:]),
        "statements": (statements.executed() - before) / count,
    }


def signature(repeats: int) -> float:
    """Return how many µs joserfc needs to check a signature."""
    from joserfc.jwk import JWKRegistry
    from joserfc.jws import JWSRegistry

    from drf_signet import runtime
    from drf_signet.jose import keys, strictjson

    current = runtime.current()
    key = runtime.key_ring(current.settings).keys[-1]
    algorithm = JWSRegistry.algorithms[key.algorithm]
    loaded = JWKRegistry.import_key(
        keys.as_bytes(cast(str, key.material)), keys.ALGORITHMS[key.algorithm]
    )
    signed, _, segment = mint.access(1)[0].rpartition(".")
    message, signature_bytes = signed.encode(), strictjson.b64url_decode(segment)
    started = time.perf_counter()
    results = {algorithm.verify(message, signature_bytes, loaded) for _ in range(repeats)}
    elapsed = time.perf_counter() - started
    if results != {True}:
        raise RuntimeError("the signature is not valid")
    return elapsed / repeats * 1e6


def within_interval(requests: int, seconds: float) -> dict[str, float]:
    """Count the SQL statements of requests to the protected view.

    "within" is the number of statements that `requests` requests run between two polls for ended
    sessions. "per_second" is the number of statements per second while requests are sent
    continuously.
    """
    request = calls.request(calls.wire().protected(calls.logged_in(0).access))
    view = calls.view("/protected/")
    view(request)
    time.sleep(1.05)  # longer than the poll interval (1 s), so that the next request polls
    view(request)
    before = statements.executed()
    for _ in range(requests):
        view(request)
    within = statements.executed() - before
    end, before, done = time.monotonic() + seconds, statements.executed(), 0
    while time.monotonic() < end:
        view(request)
        done += 1
    per_second = (statements.executed() - before) / seconds
    return {"within": within, "per_second": per_second, "requests": done}


def _time(view: Callable[[Any], Any], requests: list[Any]) -> float:
    """Call the view with each request, and return the µs per request."""
    started = time.perf_counter()
    responses = [view(request).render() for request in requests]
    elapsed = time.perf_counter() - started
    calls.json(responses[-1], 200)
    return elapsed / len(requests) * 1e6
