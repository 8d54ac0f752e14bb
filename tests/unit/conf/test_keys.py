"""Tests of `drf_signet.conf.keys`: the values of settings that contain keys."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drf_signet.conf import keys

#: The parsed entry of a key ring whose key is "k".
RING_ENTRY = {
    "kid": None,
    "derives_kid": True,
    "alg": None,
    "key": "k",
    "not_before": None,
    "not_after": None,
}
NAMED = {"derives_kid": False}
PEM = "-----BEGIN PUBLIC KEY-----"


Accepted = tuple[Callable[[Any], Any], Any, Any]
Refused = tuple[Callable[[Any], Any], str, list[Any]]

ACCEPTED: list[Accepted] = [
    (keys.key_material, "secret", "secret"),
    (keys.key_material, b"secret", b"secret"),
    (keys.key_material, {"kty": "oct"}, {"kty": "oct"}),
    (keys.key_ring, [], ()),
    (keys.key_ring, [{"key": "k"}], (RING_ENTRY,)),
    (
        keys.key_ring,
        ({"kid": "1", "alg": "EdDSA", "key": PEM}, {"kid": None, "alg": None, "key": b"k"}),
        (
            {**RING_ENTRY, **NAMED, "kid": "1", "alg": "EdDSA", "key": PEM},
            {**RING_ENTRY, **NAMED, "key": b"k"},
        ),
    ),
    (
        keys.key_ring,
        [{"key": "k", "not_before": "2030-01-01T00:00:00Z", "not_after": None}],
        ({**RING_ENTRY, "not_before": 1893456000.0},),
    ),
]
REFUSED: list[Refused] = [
    (keys.key_material, "not empty", ["", b"", {}, None, 1, ["k"]]),
    (keys.key_ring, "list of keys", ["k", b"k", {"key": "k"}, None, {1}]),
    (
        keys.key_ring,
        "each key is",
        [["k"], [None], [{}], [{"kid": "1"}], [{"key": "k", "x": 1}]],
    ),
    (keys.key_ring, "not empty", [[{"key": ""}], [{"key": "k", "kid": ""}]]),
    (keys.key_ring, "string that is not empty", [[{"key": "k", "kid": 1}]]),
    (keys.key_ring, "time zone", [[{"key": "k", "not_after": "2030-01-01"}]]),
    (keys.key_ring, "is not one of", [[{"key": "k", "alg": "none"}]]),
    (keys.key_material, "cannot be read", [{"file": "/nowhere/key.pem"}, {"file": "a\0b"}]),
    (keys.key_material, "empty or does not exist", [{"env": "SIGNET_TEST_UNSET"}]),
]


@pytest.mark.parametrize(("parse", "value", "parsed"), ACCEPTED, ids=range(len(ACCEPTED)))
def test_a_valid_value_is_parsed(parse: Callable[[Any], Any], value: Any, parsed: Any) -> None:
    result = parse(value)
    assert result == parsed
    assert type(result) is type(parsed)


@pytest.mark.parametrize(("parse", "message", "invalid"), REFUSED, ids=range(len(REFUSED)))
def test_an_invalid_value_is_refused_with_the_reason(
    parse: Callable[[Any], Any], message: str, invalid: list[Any]
) -> None:
    for value in invalid:
        with pytest.raises(ValueError, match=message):
            parse(value)


@pytest.mark.parametrize("value", [{"file": None}, {"file": 1.5}, {"env": None}, {"env": 1}])
def test_a_place_that_is_no_string_raises_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        keys.key_material(value)


def test_an_error_message_does_not_contain_the_secret() -> None:
    for entry in ({"key": "hunter2", "oops": 1}, {"key": "hunter2", "kid": 1}):
        with pytest.raises(ValueError, match=r".") as caught:
            keys.key_ring([entry])
        assert "hunter2" not in str(caught.value)


STORED = [
    (b"secret", b"secret"),
    (b"secret\n", b"secret"),
    (b"secret\r\n", b"secret"),
    (b" sec ret ", b" sec ret "),
    (f"{PEM}\n…\n".encode(), f"{PEM}\n…".encode()),
    (json.dumps({"kty": "oct", "k": "AA"}).encode(), {"kty": "oct", "k": "AA"}),
    (b'\n{"kty": "oct"}\n', {"kty": "oct"}),
    (b'{"k": "AA"}', b'{"k": "AA"}'),
    (b"{not JSON", b"{not JSON"),
    (b"{}", b"{}"),
]


@pytest.mark.parametrize(("content", "key"), STORED, ids=range(len(STORED)))
def test_a_key_is_read_from_a_file_or_a_variable(
    content: bytes, key: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    monkeypatch.setenv("SIGNET_TEST_KEY", content.decode())
    for value in ({"file": path}, {"file": str(path)}, {"env": "SIGNET_TEST_KEY"}):
        assert keys.key_material(value) == key
    (entry,) = keys.key_ring([{"key": {"file": path}}])
    assert entry["key"] == key


@pytest.mark.skipif(not os.supports_bytes_environ, reason="variables have no bytes on Windows")
def test_a_variable_may_contain_any_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environb, b"SIGNET_TEST_KEY", b"\xff\xfesecret")
    assert keys.key_material({"env": "SIGNET_TEST_KEY"}) == b"\xff\xfesecret"


def test_a_variable_is_read_without_the_interface_that_windows_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "environb", raising=False)
    monkeypatch.setenv("SIGNET_TEST_KEY", "secret")
    assert keys.key_material({"env": "SIGNET_TEST_KEY"}) == b"secret"


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_file_or_variable_is_refused(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    path.write_text(content)
    monkeypatch.setenv("SIGNET_TEST_KEY", content)
    for value in ({"file": path}, {"env": "SIGNET_TEST_KEY"}):
        with pytest.raises(ValueError, match="is empty or does not exist"):
            keys.key_material(value)
