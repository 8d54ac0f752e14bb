"""Run the load generator wrk (Debian package `wrk`).

wrk sends fixed requests, so a request cannot depend on a response. If wrk is not installed,
`benchmarks.load` runs instead.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

from . import processes

_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)", re.MULTILINE)
_REFUSED = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)$", re.MULTILINE)
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def tool() -> str:
    """Return the name of the load generator that `get` uses."""
    return "wrk" if shutil.which("wrk") else "benchmarks.load"


def get(*, port: int, path: str, headers: dict[str, str], clients: int, seconds: float) -> Any:
    """Send GET requests to one path, and return the same figures as `benchmarks.load`."""
    if tool() != "wrk":
        job = {"port": port, "path": path, "clients": clients, "seconds": seconds}
        return processes.load(kind="get", headers=[headers], **job)
    command = ["wrk", "--threads", "1", "--connections", str(clients), "--latency"]
    command += ["--duration", f"{max(1, round(seconds))}s"]
    for name, value in headers.items():
        command += ["--header", f"{name}: {value}"]
    command.append(f"http://127.0.0.1:{port}{path}")
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return _read(output)


def _read(output: str) -> Any:
    rate, refused = _RATE.search(output), _REFUSED.search(output)
    latency = {
        share: float(value) * _MILLISECONDS[unit] for share, value, unit in _LATENCY.findall(output)
    }
    return {
        "rate": float(rate.group(1)) if rate else 0.0,
        "refused": int(refused.group(1)) if refused else 0,
        "median_ms": latency.get("50"),
        "p99_ms": latency.get("99"),
    }
