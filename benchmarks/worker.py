"""A process that sets up Django for one stack and runs tasks: `python -m benchmarks.worker`.

For each input line `{"task": "module.function", "arguments": {…}}`, the process calls that function
of `benchmarks.tasks`. It writes `{"result": …}` or `{"error": …}` as a reply.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import Any


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run one task, and return its result or its traceback in a dict."""
    module, _, function = request["task"].rpartition(".")
    try:
        task = getattr(importlib.import_module(f"benchmarks.tasks.{module}"), function)
        return {"result": task(**request["arguments"])}
    except Exception:
        return {"error": traceback.format_exc()}


def main() -> None:
    """Set up Django, then run tasks until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    # Redirect print() to standard error, so that its output does not appear between the replies.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    import django

    django.setup()
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
