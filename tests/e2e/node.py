"""Node.js, and what npm has installed for the tests of the client."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.example import ROOT
from tests.services import require, required

CLIENT = ROOT / "src/drf_signet/static/drf_signet/auth.js"
TYPES = CLIENT.with_name("auth.d.ts")
TESTS = ROOT / "tests/client"
MODULES = TESTS / "node_modules"


def require_modules() -> None:
    """Skip the running test without npm's packages; fail it where node is required."""
    require("node")
    if not MODULES.is_dir():
        wanting = "node: run `make front-ends` first"
        (pytest.fail if "node" in required() else pytest.skip)(wanting)


def node(*arguments: str | Path, program: str | Path = "node") -> subprocess.CompletedProcess[str]:
    """Run Node.js, or a program that npm has installed, where the packages are found."""
    command = [str(program), *map(str, arguments)]
    return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)


def esbuild(source: Path, *options: str) -> str:
    """Bundle and return a script."""
    done = node(source, "--format=esm", *options, program=MODULES / ".bin/esbuild")
    assert done.returncode == 0, done.stderr
    return done.stdout


def type_errors(*files: Path) -> str:
    """Return what the TypeScript compiler, strictest, finds wrong."""
    options = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"]
    target = ["--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]
    done = node(*options, *target, *files, program=MODULES / ".bin/tsc")
    return done.stdout + done.stderr
