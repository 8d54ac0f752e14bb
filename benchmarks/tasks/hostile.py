"""Send forged and malformed inputs, and find inputs that cause status 500 or SQL statements."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings

from benchmarks.project import statements
from benchmarks.project.settings import STACK
from benchmarks.tasks import calls
from benchmarks.wire import Call

_DEEP = b"[" * 100_000
#: Values that are invalid for most claims.
_VALUES: tuple[Any, ...] = (
    None, True, -1, 1.5, 2**70, 10**400, "", "abc", "\x00", "\ud800", "x" * 300, [], [1], {},
    {"a": 1}, float("nan"), float("inf"),
)  # fmt: skip
#: Claim → a function that returns whether a value of _VALUES is invalid for this claim. For a
#: claim that is not listed, all values are invalid.
_IMPOSSIBLE: dict[str, Callable[[Any], bool]] = {
    "jti": lambda value: not isinstance(value, str) or len(value) in (0, 300),
    "user_id": lambda value: value != -1,
}
#: Invalid bodies for the refresh endpoint, with their content types.
_BODIES: tuple[tuple[bytes, str], ...] = (
    *((body, "application/json") for body in (
        b"", b"[", b"{", b"null", b"[]", b"1", b'"x"', b"\xff\xfe", b"\xef\xbb\xbf{}", _DEEP,
        b'{"refresh":' * 50_000, b'{"refresh": null}', b'{"refresh": 1}', b'{"refresh": true}',
        b'{"refresh": []}', b'{"refresh": {}}', b'{"refresh": NaN}', b'{"refresh": "\\ud800"}',
        b'{"refresh": "\\u0000"}', b'{"refresh": ' + b"9" * 5000 + b"}", b'{"refresh": "a.b.c"}',
        b'{"refresh": "' + b"a" * 100_000 + b'"}',
    )),
    (b"refresh=%FF%FE", "application/x-www-form-urlencoded"),
    (b"refresh=%00", "application/x-www-form-urlencoded"),
    (b"refresh=x", "application/x-www-form-urlencoded; charset=no-such"),
    (b"--x\r\n", "multipart/form-data; boundary=x"),
    (b"x", "multipart/form-data"),
    (b"{}", "application/json; charset=no-such"),
)  # fmt: skip


def run() -> dict[str, Any]:
    """Send all inputs, and count them. Return those that got a 5xx response or triggered a query.

    Log in first, so that caches are filled. None of the sent tokens belongs to an existing user.
    """
    calls.logged_in(0)
    failed, queried, sent = [], [], 0
    for name, call in _inputs():
        before = statements.executed()
        status = _status(call)
        sent += 1
        if status >= 500:
            failed.append(name)
        if statements.executed() > before:
            queried.append(name)
    return {"sent": sent, "failed": failed, "queried": queried}


def _status(call: Call) -> int:
    try:
        return int(calls.make(call).status_code)
    except Exception:  # Django would turn an uncaught exception into status 500
        return 500


def _inputs() -> Iterator[tuple[str, Call]]:
    for kind in ("access", "refresh"):
        for name, token in _tokens(kind):
            yield f"{kind}: {name}", _call(kind, token)
    for body, content_type in _BODIES:
        headers = {"Content-Type": content_type}
        yield (
            f"body: {body[:20]!r}",
            Call(method="POST", path="/refresh/", headers=headers, body=body),
        )


def _call(kind: str, token: str) -> Call:
    if kind == "access":
        # WSGI servers decode the bytes of a header with Latin-1.
        header = f"Bearer {token}".encode("utf-8", "surrogatepass").decode("latin-1")
        return Call(path="/protected/", headers={"Authorization": header})
    body = json.dumps({"refresh": token}).encode()
    headers = {"Content-Type": "application/json"}
    return Call(method="POST", path="/refresh/", headers=headers, body=body)


def _tokens(kind: str) -> Iterator[tuple[str, str]]:
    valid = _claims(kind)
    header = {"alg": "HS256", "typ": "JWT"}
    forged_token = _sign(
        header, _dump(valid), key=b"somebody else's key, long enough for the algorithm"
    )
    yield from ((f"string {text[:12]!r}", text) for text in _malformed_tokens(forged_token))
    yield "another key", forged_token
    algorithms: tuple[Any, ...] = ("none", "None", "nOnE", "HS512", "RS256", "", None, 1, [], {})
    for algorithm in algorithms:
        yield f"alg {algorithm!r}", _sign(header | {"alg": algorithm}, _dump(valid))
    for name, value in (("kid", "../../etc/passwd"), ("kid", 1), ("jwk", {}), ("crit", ["exp"])):
        yield f"header {name}={value!r}", _sign(header | {name: value}, _dump(valid), key=b"x" * 64)
    for payload in (b"", b"null", b"[]", b"1", b"\xff", b"{", _DEEP[:5000], b'{"a":' * 2000):
        yield f"payload {payload[:12]!r}", _sign(header, payload)
    for claim in ("exp", "user_id", "jti", "token_type", "iat"):
        yield f"no {claim}", _sign(header, _dump({k: v for k, v in valid.items() if k != claim}))
        for value in filter(_IMPOSSIBLE.get(claim, lambda value: True), _VALUES):
            yield f"{claim}={str(value)[:20]!r}", _sign(header, _dump(valid | {claim: value}))


def _malformed_tokens(token: str) -> list[str]:
    header, payload, signature = token.split(".")
    return [
        "a", "a.b", "a.b.c", "..", "...", f"{header}..{signature}", f"{header}.{payload}.",
        f".{payload}.{signature}", f"{token}.x", f"{token}=", token[:-1], token.replace(".", " "),
        "é.é.é", "\ud800", "a" * 100_000, f"{header}.{'A' * 9000}.{signature}", "\x00",
    ]  # fmt: skip


def _claims(kind: str) -> dict[str, Any]:
    """Return claims that would be valid if the session and the user existed."""
    now = int(time.time())
    claims = {"token_type": kind, "exp": now + 60, "iat": now, "jti": "0" * 32, "user_id": "999999"}
    if STACK.family == "signet":
        claims["sid"] = "0197a2c0-0000-7000-8000-000000000000"
        if kind == "refresh":
            claims["gen"] = 0
    return claims


def _sign(header: Any, payload: bytes, key: bytes | None = None) -> str:
    """Return a signed token. With the default key, the project accepts the signature."""
    signed = f"{_b64(_dump(header))}.{_b64(payload)}"
    secret = settings.SECRET_KEY.encode() if key is None else key
    signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_b64(signature)}"


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
