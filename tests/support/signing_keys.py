"""Signing keys in the database, at any moment of their lives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import models

from drf_signet.conf import caches
from drf_signet.jose import strictjson
from drf_signet.keys import succession
from drf_signet.keys.models import CONFIGURED, SigningKey

#: A value of the `SIGNET` setting with keys in the database that rotate only by the command.
IN_DATABASE: Mapping[str, Any] = {
    "KEY_PROVIDER": "database",
    "KEY_ROTATION": {"PERIOD": None, "PUBLISHED_AHEAD": timedelta(hours=1)},
}
#: The same with a schedule.
SCHEDULED: Mapping[str, Any] = {
    **IN_DATABASE,
    "KEY_ROTATION": {"PERIOD": timedelta(days=30), "PUBLISHED_AHEAD": timedelta(hours=1)},
}
DAY = 86400.0


def pass_time(seconds: float) -> None:
    """Set all times of the keys back, as if `seconds` had passed. Then start a new process."""
    fields = ("created_at", "not_before", "signs_until", "retired_at")
    for key in SigningKey.objects.all():
        for name in fields:
            if (time := getattr(key, name)) is not None:
                setattr(key, name, time - timedelta(seconds=seconds))
        models.Model.save(key)
    new_process()


def new_process() -> None:
    """Forget everything that this process has read, as a process that has just been started."""
    caches.clear_caches()


def states() -> dict[str, str]:
    """Return the state of each key: "settings", or the number of the key → the state."""
    current = succession.read()
    return {
        row.kid if row.kid == CONFIGURED else str(row.id): str(current.state(row))
        for row in sorted(current.rows)
    }


def kid_of(token: str | None) -> str | None:
    """Return the `kid` of a token."""
    header = json.loads(strictjson.b64url_decode(str(token).split(".")[0]))
    kid: str | None = header.get("kid")
    return kid
