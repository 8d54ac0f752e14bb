"""Parsers for the settings that contain keys. Their errors never contain a key.

A key stands in the settings, in a file or in an environment variable.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from django.views.decorators.debug import sensitive_variables

from ..jose.keys import Material
from .parsers import algorithm, instant, optional, string

_RING_NAMES = frozenset({"kid", "alg", "key", "not_before", "not_after"})


class RingEntry(TypedDict):
    """One entry of the `KEYS` setting. If `alg` is None, the ALGORITHM setting applies.

    `derives_kid` is whether the setting says nothing about the `kid`: with `"kid": None`, the key
    has none. The times are in POSIX seconds; None is no limit.
    """

    kid: str | None
    derives_kid: bool
    alg: str | None
    key: Material
    not_before: float | None
    not_after: float | None


@sensitive_variables("value")
def key_material(value: Any) -> Material:
    """Accept a secret, a PEM string or a JWK, or where to read it.

    `{"file": path}` reads a file, and `{"env": name}` an environment variable. Each may contain a
    JWK in JSON.
    """
    if isinstance(value, Mapping) and value.keys() in ({"file"}, {"env"}):
        value = _read_file(value["file"]) if "file" in value else _read_variable(value["env"])
    if not isinstance(value, str | bytes | Mapping) or not value:
        raise ValueError("it must be a secret, a PEM string or a JWK, and not empty")
    return value


def _read_file(path: Any) -> Material:
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: the path contains a NUL
        raise ValueError(f"the file {path!r} cannot be read: {error}") from error
    return _stored_key(content, f"the file {path!r}")


def _read_variable(name: Any) -> Material:
    return _stored_key(os.fsencode(os.environ.get(name, "")), f"the variable {name!r}")


@sensitive_variables()
def _stored_key(content: bytes, where: str) -> Material:
    """Return the key in a file or a variable. A line break at the end does not belong to it."""
    key = content.rstrip(b"\r\n")
    if not key:
        raise ValueError(f"{where} is empty or does not exist")
    if not key.lstrip().startswith(b"{"):
        return key
    try:
        jwk = json.loads(key)
    except ValueError:
        return key  # a secret that begins with a brace
    return jwk if isinstance(jwk, dict) and "kty" in jwk else key


@sensitive_variables("value")
def key_ring(value: Any) -> tuple[RingEntry, ...]:
    """Accept a list of keys, each a dict with the names of `RingEntry`. Only `key` is required."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ValueError("it must be a list of keys")
    return tuple(map(_ring_entry, value))


@sensitive_variables("entry")
def _ring_entry(entry: Any) -> RingEntry:
    if not isinstance(entry, Mapping) or not {"key"} <= entry.keys() <= _RING_NAMES:
        raise ValueError(
            'each key is {"key": …}, with any of "kid", "alg", "not_before" and "not_after"'
        )
    return {
        "kid": optional(string)(entry.get("kid")),
        "derives_kid": "kid" not in entry,
        "alg": optional(algorithm)(entry.get("alg")),
        "key": key_material(entry["key"]),
        "not_before": optional(instant)(entry.get("not_before")),
        "not_after": optional(instant)(entry.get("not_after")),
    }
