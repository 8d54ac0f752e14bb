"""A process with one stack's Django in it, that runs tasks: `python -m benchmarks.worker`.

Reads `{"task": "module.function", "arguments": {…}}` a line, runs that function of
`benchmarks.tasks`, and writes `{"result": …}` or `{"error": …}` a line.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import Any


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run one task, and return what is written back."""
    module, _, function = request["task"].rpartition(".")
    try:
        task = getattr(importlib.import_module(f"benchmarks.tasks.{module}"), function)
        return {"result": task(**request["arguments"])}
    except Exception:
        return {"error": traceback.format_exc()}


def main() -> None:
    """Set Django up, then serve tasks until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a command prints is no answer
    import django

    django.setup()
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
