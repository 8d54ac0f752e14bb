"""Time the protected view and the open one in turn, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from benchmarks import figures
from benchmarks.project import statements
from benchmarks.tasks import calls, mint
from benchmarks.wire import Call

#: Requests that are timed together.
BATCH = 25


def prepare(users: int = 20) -> None:
    """Log some users in, so that there is something to authenticate by; warm everything up."""
    tokens = [calls.logged_in(number).access for number in range(users)]
    for token in tokens:
        calls.json(calls.make(calls.wire().protected(token)), 200)
    for _ in range(200):
        calls.json(calls.make(Call(path="/open/")), 200)
        calls.json(calls.make(calls.wire().protected(tokens[0])), 200)


def round_(batches: int, *, cold: bool = False, path: str = "/protected/") -> dict[str, float]:
    """Time batches of requests to the open and the protected view in turn; return µs per request.

    The requests are made before the clock starts: what is timed is view and rendering. The first
    pair of batches only wakes the process up.

    Args:
        cold: each request with a token that this process has never seen.
        path: of the protected view.
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
    """Time the check of a token's signature by the library that does it; return µs."""
    from joserfc.jwk import JWKRegistry
    from joserfc.jws import JWSRegistry

    from drf_signet import keys, runtime, strictjson

    current = runtime.current()
    key = runtime.key_ring(current.settings).keys[-1]
    algorithm = JWSRegistry.algorithms[key.algorithm]
    loaded = JWKRegistry.import_key(
        keys.as_bytes(cast(str, key.material)), keys.ALGORITHMS[key.algorithm]
    )
    signed, _, segment = mint.access(1)[0].rpartition(".")
    message, checked = signed.encode(), strictjson.b64url_decode(segment)
    started = time.perf_counter()
    results = {algorithm.verify(message, checked, loaded) for _ in range(repeats)}
    elapsed = time.perf_counter() - started
    if results != {True}:
        raise RuntimeError("the signature is not good")
    return elapsed / repeats * 1e6


def within_interval(requests: int, seconds: float) -> dict[str, float]:
    """Count statements: of requests within one interval of the feed, and of some seconds' worth."""
    request = calls.request(calls.wire().protected(calls.logged_in(0).access))
    view = calls.view("/protected/")
    view(request)
    time.sleep(1.05)  # the default interval is over: the next request renews the feed
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
    """Return µs per request."""
    started = time.perf_counter()
    responses = [view(request).render() for request in requests]
    elapsed = time.perf_counter() - started
    calls.json(responses[-1], 200)
    return elapsed / len(requests) * 1e6
