"""Test services that verify tokens by the JWK Set: jose (npm), PyJWT, Django without a database.

The scripts and settings are those of docs/howto/jwks.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drf_signet import runtime, tokens
from drf_signet.errors import TokenError
from drf_signet.jose.keys import ALGORITHMS
from tests.docs.pages import DOCS, blocks
from tests.e2e.node import MODULES, require_modules
from tests.support.session_states import access_token
from tests.support.token_forge import decode, signer

PAGE = DOCS / "howto/jwks.md"
PARTIES = {"ISSUER": "https://api.example.com", "AUDIENCE": "https://api.example.com"}
CLAIMS = {"iss": PARTIES["ISSUER"], "aud": PARTIES["AUDIENCE"]}
ASYMMETRIC = [signer(alg) for alg, kind in ALGORITHMS.items() if kind != "oct"]

#: Reads [JWKS URL, tokens, keys to sign with, claims], and prints the verified payloads and, for
#: each key, a token that jose has signed, and tokens with headers that must be refused.
JOSE = """
import { createRemoteJWKSet, importJWK, jwtVerify, SignJWT } from 'jose';
import { readFileSync } from 'node:fs';

const [url, tokens, keys, claims] = JSON.parse(readFileSync(0));
const set = createRemoteJWKSet(new URL(url));
const payloads = await Promise.all(tokens.map(async ([alg, token]) =>
  (await jwtVerify(token, set, { algorithms: [alg], typ: 'JWT' })).payload));
const sign = async ({ alg, jwk, kid }, header) => new SignJWT(claims)
  .setProtectedHeader({ alg, kid, typ: 'JWT', ...header }).sign(await importJWK(jwk, alg));
const good = await Promise.all(keys.map((key) => sign(key, {})));
const bad = await Promise.all(keys.flatMap((key) => [
  sign(key, { typ: undefined }), sign(key, { typ: 'at+jwt' }), sign(key, { kid: 'other' }),
  sign(key, { jku: url }), sign(key, { cty: 'JWT' }),
]));
console.log(JSON.stringify({ payloads, good, bad }));
"""

SERVICE = """
import json
import sys
from pathlib import Path

import django
from django.conf import settings

block, directory, tokens = json.loads(sys.stdin.read())
names = {"BASE_DIR": Path(directory)}
exec(block, names)
chosen = {name: value for name, value in names.items() if name.isupper() and name != "BASE_DIR"}
settings.configure(SECRET_KEY="s" * 50, ROOT_URLCONF="__main__", ALLOWED_HOSTS=["*"], **chosen)
django.setup()

from django.core.management import call_command
from django.urls import path
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

import drf_signet.runtime


class WhoView(APIView):
    def get(self, request):
        return Response({"pk": request.user.pk, "role": request.auth.get("role")})


urlpatterns = [path("who/", WhoView.as_view())]
call_command("check", fail_level="WARNING")
assert not drf_signet.runtime.current().codec.can_sign
for token in tokens:
    answer = APIClient().get("/who/", headers={"Authorization": f"Bearer {token}"})
    print(json.dumps([answer.status_code, answer.json()]))
"""


def script(first_line: str) -> str:
    """Return the block of the page that begins with a line."""
    (text,) = (b.text for b in blocks(PAGE) if b.text.partition("\n")[0] == first_line)
    return text


def accepted(token: str) -> bool:
    try:
        tokens.verify_access(token, now=runtime.now())
    except TokenError:
        return False
    return True


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(decode(token.split(".")[1]))
    return claims


@pytest.fixture
def use_ring(settings: Any) -> Callable[..., None]:
    """Return a function that makes one algorithm sign; all asymmetric algorithms verify."""

    def use(first: str = "EdDSA", **signet: Any) -> None:
        ordered = sorted(ASYMMETRIC, key=lambda by: by.alg != first)
        keys = [{"kid": by.alg, "alg": by.alg, "key": dict(by.jwk)} for by in ordered]
        settings.SIGNET = {"KEYS": keys, **signet}

    return use


@pytest.fixture
def jwks_url(live_server: Any) -> str:
    return f"{live_server.url}/.well-known/jwks.json"


def run_node(directory: Path, code: str, stdin: str = "", **variables: str) -> Any:
    """Run a script that can import npm packages, and return the JSON that it prints."""
    require_modules()
    (directory / "node_modules").symlink_to(MODULES)
    file = directory / "main.mjs"
    file.write_text(code, encoding="utf-8")
    done = subprocess.run(
        ["node", str(file)],
        input=stdin,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_jose_verifies_every_algorithm_by_the_jwk_set_and_its_own_tokens_are_accepted(
    use_ring: Callable[..., None], jwks_url: str, tmp_path: Path
) -> None:
    issued = []
    for by in ASYMMETRIC:
        use_ring(by.alg)
        issued.append((by.alg, access_token()))
    keys = [{"alg": by.alg, "kid": by.alg, "jwk": dict(by.jwk)} for by in ASYMMETRIC]
    claims = claims_of(issued[0][1])
    result = run_node(tmp_path, JOSE, json.dumps([jwks_url, issued, keys, claims]))
    assert result["payloads"] == [claims_of(token) for _, token in issued]
    assert len(result["good"]) == len(ASYMMETRIC)
    assert all(map(accepted, result["good"]))
    assert len(result["bad"]) == 5 * len(ASYMMETRIC)
    assert not any(map(accepted, result["bad"]))


def test_node_script_of_the_page_accepts_access_tokens_of_the_issuer_alone(
    use_ring: Callable[..., None], jwks_url: str, tmp_path: Path
) -> None:
    use_ring(**PARTIES)
    good = access_token(**CLAIMS)
    bad = [
        access_token(**CLAIMS | {"iss": "https://other.example"}),
        access_token(**CLAIMS | {"aud": "https://other.example"}),
        access_token(**CLAIMS | {"exp": 1}),
        access_token(**CLAIMS | {"token_type": "refresh"}),
        signer("EdDSA", "other").sign_claims(claims_of(good), kid="EdDSA"),
        good[:-4] + "AAAA",
    ]
    (tmp_path / "verify.mjs").write_text(script("// verify.mjs"), encoding="utf-8")
    run = """
    import { verify } from './verify.mjs';
    import { readFileSync } from 'node:fs';
    const tokens = JSON.parse(readFileSync(0));
    const results = await Promise.all(tokens.map((t) => verify(t).catch(() => null)));
    console.log(JSON.stringify(results));
    """
    results = run_node(tmp_path, run, json.dumps([good, *bad]), JWKS_URL=jwks_url)
    assert results == [claims_of(good), *[None] * len(bad)]


def test_python_script_of_the_page_accepts_access_tokens_of_the_issuer_alone(
    use_ring: Callable[..., None], jwks_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jwt

    use_ring(**PARTIES)
    monkeypatch.setenv("JWKS_URL", jwks_url)
    names: dict[str, Any] = {}
    exec(script("# verify.py"), names)
    good = access_token(**CLAIMS)
    assert names["verify"](good) == claims_of(good)
    for wrong in ({"iss": "x"}, {"aud": "x"}, {"exp": 1}, {"token_type": "refresh"}):
        with pytest.raises(jwt.InvalidTokenError):
            names["verify"](access_token(**CLAIMS | wrong))


@pytest.mark.parametrize("variant", ["VERIFYING_KEY", "KEYS"])
def test_django_service_without_a_database_accepts_access_tokens(
    variant: str, settings: Any, tmp_path: Path
) -> None:
    first, other = signer("EdDSA"), signer("EdDSA", "other")
    keys = tmp_path / "keys"
    keys.mkdir()
    for name, by in (("2026-11", first), ("2026-05", other)):
        (keys / f"{name}.pub").write_bytes(by.public_forms()["pem"])
    entry = {"alg": "EdDSA", "key": dict(first.jwk)}
    named = {"kid": "2026-11"} if variant == "KEYS" else {}
    settings.SIGNET = {"KEYS": [{**entry, **named}], **PARTIES}
    block = script("# service/settings.py")
    if variant == "KEYS":
        block += script("# service/settings.py, at the end")
    good = access_token(**CLAIMS, role="editor", user_id=7)
    bad = [access_token(**CLAIMS | {"exp": 1}), access_token(**CLAIMS | {"aud": "x"})]
    done = subprocess.run(
        [sys.executable, "-c", SERVICE],
        input=json.dumps([block, str(tmp_path), [good, *bad]]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert answers[0] == [200, {"pk": 7, "role": "editor"}]
    assert [status for status, _ in answers[1:]] == [401, 401]
