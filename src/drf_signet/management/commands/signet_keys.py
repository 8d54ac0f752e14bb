"""The command `manage.py signet_keys`."""

from __future__ import annotations

import json
import math
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from drf_signet.keys import succession
from drf_signet.keys.succession import Row, Succession


class Command(BaseCommand):
    """The command that lists the signing keys in the database."""

    help = "Lists the signing keys in the database, and what each is used for. Shows no secrets."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the option `--json`."""
        parser.add_argument("--json", action="store_true", help="Write a JSON array of objects.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write one line, or one object of the array, for each key."""
        current = succession.read()
        facts = [_facts(current, row) for row in sorted(current.rows, reverse=True)]
        if options["json"]:
            self.stdout.write(json.dumps(facts, cls=DjangoJSONEncoder))
            return
        for one in facts:
            line = f"{one['kid']:<16}  {one['algorithm'] or '-':<7}  {one['state']:<9}"
            self.stdout.write(f"{line}  {_times(one)}")
        if not facts:
            self.stdout.write("There are no keys in the database: the keys of the settings sign.")


def _facts(current: Succession, row: Row) -> dict[str, Any]:
    remaining = current.verifies_for(row)
    verifies_until = None
    if math.isfinite(remaining):
        verifies_until = timezone.now() + timedelta(seconds=remaining)
    return {
        "kid": row.kid,
        "algorithm": row.algorithm,
        "state": current.state(row).value,
        "created_at": row.created_at,
        "not_before": row.not_before,
        "signs_until": row.signs_until,
        "verifies_until": verifies_until,
        "retired_at": row.retired_at,
    }


def _times(facts: dict[str, Any]) -> str:
    names = {"not_before": "signs from", "signs_until": "until", "verifies_until": "verifies until"}
    if facts["retired_at"] is not None:
        names = {"retired_at": "since"}
    known = {label: facts[name] for name, label in names.items() if facts[name] is not None}
    return ", ".join(f"{label} {_short(time)}" for label, time in known.items())


def _short(time: datetime) -> str:
    return time.isoformat(" ", "seconds")
