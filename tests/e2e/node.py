"""Run Node.js, esbuild and the TypeScript compiler in tests of the JavaScript client."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.example import ROOT
from tests.support.services import require, required

CLIENT = ROOT / "src/drf_signet/static/drf_signet/auth.js"
TYPES = CLIENT.with_name("auth.d.ts")
TESTS = ROOT / "tests/client"
MODULES = TESTS / "node_modules"


def require_modules() -> None:
    """Skip the test if npm packages are missing. Fail instead if SIGNET_REQUIRE lists node."""
    require("node")
    if not MODULES.is_dir():
        message = "node: run `make front-ends` first"
        (pytest.fail if "node" in required() else pytest.skip)(message)


def node(*arguments: str | Path, program: str | Path = "node") -> subprocess.CompletedProcess[str]:
    """Run Node.js or another program in tests/client, where the npm packages are installed."""
    command = [str(program), *map(str, arguments)]
    return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)


def esbuild(source: Path, *options: str) -> str:
    """Transform a script with esbuild, and return the resulting code."""
    done = node(source, "--format=esm", *options, program=MODULES / ".bin/esbuild")
    assert done.returncode == 0, done.stderr
    return done.stdout


def type_errors(*files: Path) -> str:
    """Compile files with TypeScript's strictest options, and return the compiler's errors."""
    options = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"]
    target = ["--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]
    done = node(*options, *target, *files, program=MODULES / ".bin/tsc")
    return done.stdout + done.stderr
