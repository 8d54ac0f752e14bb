"""Test the JavaScript client without a browser: Node.js tests, size, types and packaging."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import drf_signet
from tests.e2e.example import ROOT
from tests.e2e.node import (
    CLIENT,
    MODULES,
    TESTS,
    TYPES,
    esbuild,
    node,
    require_modules,
    type_errors,
)
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


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """Return the path of the npm package, as `npm pack` makes it, and the names of its files."""
    require("node")
    folder = tmp_path_factory.mktemp("packed")
    command = ["npm", "pack", "--json", "--pack-destination", str(folder), str(ROOT)]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
    listing = json.loads(done.stdout)
    [package] = listing if isinstance(listing, list) else listing.values()
    return folder / package["filename"], {file["path"] for file in package["files"]}


@pytest.fixture
def application(packed: tuple[Path, set[str]], tmp_path: Path) -> Path:
    """Return an empty project in which the npm package is installed. It needs no other package."""
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}', encoding="utf-8")
    install = ["npm", "install", "--offline", "--no-audit", "--no-fund", str(packed[0])]
    subprocess.run(install, cwd=tmp_path, capture_output=True, check=True)
    return tmp_path


def test_npm_package_contains_the_files_that_django_serves(
    packed: tuple[Path, set[str]], application: Path
) -> None:
    served = {path.relative_to(ROOT).as_posix() for path in (CLIENT, TYPES)}
    assert packed[1] == served | {"LICENSE", "README.md", "package.json"}
    for name in served:
        installed = application / "node_modules/drf-signet" / name
        assert installed.read_bytes() == (ROOT / name).read_bytes()


def test_installed_npm_package_is_imported_by_node(application: Path) -> None:
    code = "console.log(Object.keys(await import('drf-signet')).sort().join())"
    command = ["node", "--input-type=module", "--eval", code]
    done = subprocess.run(command, cwd=application, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "AuthError,createAuth"


def test_type_declarations_pass_the_strictest_compiler_options(application: Path) -> None:
    require_modules()
    (application / "consumer.ts").write_text(CONSUMER, encoding="utf-8")
    assert type_errors(application / "consumer.ts") == ""


def test_installed_npm_package_is_bundled_by_vite(application: Path) -> None:
    require_modules()
    script = "import { createAuth } from 'drf-signet';\nwindow.auth = createAuth();\n"
    (application / "main.js").write_text(script, encoding="utf-8")
    page = '<!doctype html><script type="module" src="/main.js"></script>'
    (application / "index.html").write_text(page, encoding="utf-8")
    command = ["node", str(MODULES / "vite/bin/vite.js"), "build"]
    subprocess.run(command, cwd=application, capture_output=True, check=True)
    [bundled] = (application / "dist/assets").glob("*.js")
    assert "X-Requested-With" in bundled.read_text(encoding="utf-8")


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
