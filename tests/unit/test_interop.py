"""Test other libraries against the served JWK Set: PyJWT and joserfc, in both directions.

`tests/e2e/test_jwks.py` does the same with npm's jose.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from joserfc import jws
from joserfc.jwk import KeySet, OctKey, import_key
from rest_framework.test import APIClient

from drf_signet import runtime, tokens
from drf_signet.errors import TokenError
from drf_signet.jose.keys import ALGORITHMS
from tests.support.session_states import access_token
from tests.support.token_forge import Signer, decode, private_key, signer

# joserfc warns that RFC 9864 deprecates the name EdDSA.
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")

JWKS_URL = "/.well-known/jwks.json"
ASYMMETRIC = [signer(alg) for alg, kind in ALGORITHMS.items() if kind != "oct"]
SYMMETRIC = [signer(alg) for alg, kind in ALGORITHMS.items() if kind == "oct"]
each_asymmetric = pytest.mark.parametrize("by", ASYMMETRIC, ids=str)
each_symmetric = pytest.mark.parametrize("by", SYMMETRIC, ids=str)
each_signer = pytest.mark.parametrize("by", ASYMMETRIC + SYMMETRIC, ids=str)


#: Changes of the header with which a token is refused.
HEADERS: list[dict[str, Any]] = [
    {"typ": None},
    {"typ": "at+jwt"},
    {"kid": None},
    {"kid": "unknown"},
    {"kid": "../keys"},
    {"cty": "JWT"},
    {"crit": ["exp"], "exp": 1},
    {"jku": "https://evil.example/jwks"},
    {"x5u": "https://evil.example/key"},
    {"jwk": {"kty": "oct", "k": "AA"}},
]


@pytest.fixture
def ring(by: Signer, settings: Any) -> None:
    """The signer's key signs. Keys of all other algorithms verify."""
    others = [other for other in ASYMMETRIC if other.alg != by.alg]
    signers = [by, *others]
    settings.SIGNET = {"KEYS": [{"kid": s.alg, "alg": s.alg, "key": s.jwk} for s in signers]}


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(decode(token.split(".")[1]))
    return claims


def accepted(token: str) -> bool:
    try:
        tokens.verify_access(token, now=runtime.now())
    except TokenError:
        return False
    return True


@pytest.fixture
def key_set() -> dict[str, Any]:
    document: dict[str, Any] = APIClient().get(JWKS_URL).json()
    return document


def by_pyjwt(token: str, key_set: dict[str, Any]) -> dict[str, Any]:
    key = jwt.PyJWKSet.from_dict(key_set)[jwt.get_unverified_header(token)["kid"]]
    return dict(jwt.decode(token, key, algorithms=[key.algorithm_name]))


#: PyJWT knows only the older name, EdDSA.
NOT_IN_PYJWT = {"Ed25519"} - jwt.algorithms.get_default_algorithms().keys()


@pytest.mark.usefixtures("ring")
@each_asymmetric
class TestServedKeys:
    def test_pyjwt_verifies_an_access_token_of_each_algorithm_that_it_knows(
        self, by: Signer, key_set: dict[str, Any]
    ) -> None:
        token = access_token()
        if by.alg in NOT_IN_PYJWT:
            with pytest.raises(KeyError):  # PyJWT ignores the key, and reads the others
                by_pyjwt(token, key_set)
        else:
            assert by_pyjwt(token, key_set) == claims_of(token)

    def test_joserfc_verifies_an_access_token(self, by: Signer, key_set: dict[str, Any]) -> None:
        token = access_token()
        keys = KeySet.import_key_set(key_set)  # type: ignore[arg-type]
        verified = jws.deserialize_compact(token, keys, algorithms=[by.alg])
        assert json.loads(verified.payload) == claims_of(token)
        assert verified.headers() == {"typ": "JWT", "alg": by.alg, "kid": by.alg}


@pytest.mark.usefixtures("ring")
@each_symmetric
class TestSecrets:
    def test_pyjwt_and_joserfc_verify_with_the_secret(self, by: Signer) -> None:
        token, secret = access_token(), decode(by.jwk["k"])
        assert jwt.decode(token, secret, algorithms=[by.alg]) == claims_of(token)
        verified = jws.deserialize_compact(token, OctKey.import_key(secret), algorithms=[by.alg])
        assert json.loads(verified.payload) == claims_of(token)


@pytest.mark.usefixtures("ring")
@each_signer
class TestTheirTokens:
    def test_token_signed_by_joserfc_is_accepted(self, by: Signer) -> None:
        header = {"typ": "JWT", "alg": by.alg, "kid": by.alg}
        payload = json.dumps(claims_of(access_token()))
        key = import_key(dict(by.jwk))
        assert accepted(jws.serialize_compact(header, payload, key, algorithms=[by.alg]))

    def test_token_with_another_header_is_refused_although_its_signature_is_valid(
        self, by: Signer
    ) -> None:
        claims = json.dumps(claims_of(access_token()))
        for header in HEADERS:
            full = {"typ": "JWT", "alg": by.alg, "kid": by.alg, **header}
            present = {name: value for name, value in full.items() if value is not None}
            assert not accepted(by.token(json.dumps(present), claims)), header

    def test_token_signed_by_pyjwt_is_accepted_with_its_own_algorithm_alone(
        self, by: Signer
    ) -> None:
        claims, key = claims_of(access_token()), _pyjwt_key(by)
        if by.alg in NOT_IN_PYJWT:
            assert not accepted(jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": by.alg}))
            return
        token = jwt.encode(claims, key, algorithm=by.alg, headers={"kid": by.alg})
        assert accepted(token)
        same_type = {a for a, kind in ALGORITHMS.items() if kind == ALGORITHMS[by.alg]}
        for other in sorted(same_type - {by.alg, *NOT_IN_PYJWT}):
            if ALGORITHMS[by.alg] != "EC":  # each curve has an algorithm of its own
                assert not accepted(
                    jwt.encode(claims, key, algorithm=other, headers={"kid": by.alg})
                )
        assert not accepted(jwt.encode(claims, "", algorithm="none", headers={"kid": by.alg}))

    def test_token_signed_with_a_key_of_someone_else_is_refused(self, by: Signer) -> None:
        forged = signer(by.alg, "other").sign_claims(claims_of(access_token()), kid=by.alg)
        assert not accepted(forged)

    def test_token_signed_with_the_published_key_as_a_secret_is_refused(
        self, by: Signer, key_set: dict[str, Any]
    ) -> None:
        claims = claims_of(access_token())
        for jwk in key_set["keys"]:
            text = json.dumps(jwk).encode()
            secret = {"kty": "oct", "k": base64.urlsafe_b64encode(text).decode().rstrip("=")}
            forger = Signer(alg="HS256", jwk=secret)
            assert not accepted(forger.sign_claims(claims, kid=jwk["kid"]))
            assert not accepted(forger.sign_claims(claims))


def _pyjwt_key(by: Signer) -> Any:
    return decode(by.jwk["k"]) if by.jwk["kty"] == "oct" else private_key(by.jwk)
