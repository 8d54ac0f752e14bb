"""Test the JavaScript client without a browser: Node.js tests, size, types and packaging."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import drf_signet
from tests.e2e.example import ROOT
from tests.e2e.node import CLIENT, TESTS, TYPES, esbuild, node, require_modules, type_errors
from tests.support.services import require

MAX_BYTES = 4096
PACKAGE = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))

CONSUMER = """
import { createAuth, AuthError, type Auth, type Session, type State } from 'drf-signet';

const auth: Auth<{ name: string }> = createAuth({ origins: ['https://a.example'] });
const { fetch, token, subscribe, login, logout, dispose } = auth;

export async function use(): Promise<string> {
  const state: State<{ name: string }> = await auth.ready;
  if (state.status !== 'in') return state.reason ?? 'nobody';
  const until: number = state.expiresAt;
  const end = subscribe({ next: ({ status }) => console.log(status, until) });
  end.unsubscribe();
  subscribe((next) => void next)();
  try {
    await login({ username: 'vitor', password: '123' });
    const answer: Response = await fetch(new URL('https://a.example'), { method: 'POST' });
    const access: string | null = await token({ signal: AbortSignal.timeout(5), rejected: 'x' });
    const [first, ...others]: Session[] = await auth.sessions.list();
    if (first?.current) await auth.sessions.rename(first.id, first.label || first.device);
    for (const { id } of others) await auth.sessions.end(id);
    await auth.sessions.list({ before: others.at(-1)?.id });
    await auth.sessions.endOthers();
    await logout({ everywhere: answer.ok && access === null });
  } catch (error) {
    if (error instanceof AuthError && error.retryable) return error.code + error.status;
  }
  dispose();
  return state.claims.name + state.claims.sid;
}

createAuth({ mode: 'token', storage: localStorage, url: '/api/token/' });
// @ts-expect-error there is no such mode
createAuth({ mode: 'session' });
// @ts-expect-error a label is a string
auth.sessions.rename('id', 7);
// @ts-expect-error the state is read-only
auth.state = auth.state;
// @ts-expect-error the status has to be checked first
auth.state.claims.name;
"""


def test_node_tests_of_the_client_pass() -> None:
    require("node")
    done = node("--test", *sorted(TESTS.glob("*.test.mjs")))
    assert done.returncode == 0, done.stdout
    assert re.search(r"^(?:#|ℹ) pass [1-9]\d", done.stdout, re.MULTILINE), "too few ran"  # noqa: RUF001


def test_client_is_at_most_four_kilobytes_minified_and_compressed() -> None:
    require_modules()
    size = len(gzip.compress(esbuild(CLIENT, "--minify").encode(), 9))
    print(f"auth.js: {CLIENT.stat().st_size} bytes, {size} minified and compressed")
    assert size <= MAX_BYTES


def test_client_imports_nothing_and_is_es2022() -> None:
    source = CLIENT.read_text(encoding="utf-8")
    assert not re.search(r"^\s*import\b|\bimport\(|\brequire\(", source, re.MULTILINE)
    require_modules()
    assert esbuild(CLIENT, "--target=es2022") == esbuild(CLIENT, "--target=esnext")


def test_type_declarations_pass_the_strictest_compiler_options(tmp_path: Path) -> None:
    require_modules()
    (tmp_path / "consumer.ts").write_text(CONSUMER, encoding="utf-8")
    packages = tmp_path / "node_modules"
    packages.mkdir()
    (packages / "drf-signet").symlink_to(ROOT)
    assert type_errors(tmp_path / "consumer.ts") == ""


def test_npm_package_contains_the_files_that_django_serves(tmp_path: Path) -> None:
    require("node")
    packed = subprocess.run(
        ["npm", "pack", "--json", "--pack-destination", tmp_path, ROOT],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    listing = json.loads(packed.stdout)
    [package] = listing if isinstance(listing, list) else listing.values()
    published = [file["path"] for file in package["files"] if file["path"].startswith("src/")]
    assert sorted(published) == sorted(
        path.relative_to(ROOT).as_posix() for path in (CLIENT, TYPES)
    )
    subprocess.run(["tar", "-xzf", tmp_path / package["filename"]], cwd=tmp_path, check=True)
    for path in (CLIENT, TYPES):
        assert (tmp_path / "package" / path.relative_to(ROOT)).read_bytes() == path.read_bytes()


def test_npm_package_exports_the_client_and_its_types() -> None:
    export = PACKAGE["exports"]["."]
    assert [ROOT / export["types"], ROOT / export["default"]] == [TYPES, CLIENT]
    assert (PACKAGE["name"], PACKAGE["version"]) == ("drf-signet", drf_signet.__version__)
    assert "dependencies" not in PACKAGE


def test_collectstatic_adds_a_content_hash_to_the_file_name(tmp_path: Path) -> None:
    code = f"""
import django
from django.conf import settings
from django.core.management import call_command
backend = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes",
                    "django.contrib.staticfiles", "drf_signet"],
    SECRET_KEY="x" * 50, STATIC_ROOT={str(tmp_path)!r}, STATIC_URL="static/",
    STORAGES={{"staticfiles": {{"BACKEND": backend}}}},
)
django.setup()
call_command("collectstatic", interactive=False, verbosity=0)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    [hashed] = (tmp_path / "drf_signet").glob("auth.????????????.js")
    assert hashed.read_bytes() == CLIENT.read_bytes()
