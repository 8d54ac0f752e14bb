"""Encrypt private keys under SECRET_KEY. SECRET_KEY_FALLBACKS can decrypt, too."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.views.decorators.debug import sensitive_variables

from ..conf import settings as conf

_PURPOSE = b"drf_signet.SigningKey"


@sensitive_variables("jwk")
def encrypt(jwk: dict[str, Any]) -> str:
    """Return a private JWK, encrypted and authenticated under SECRET_KEY."""
    return _fernet().encrypt(json.dumps(jwk).encode()).decode("ascii")


def decrypt(encrypted: str) -> dict[str, Any]:
    """Return the private JWK of an encrypted string.

    Raises:
        ValueError: it was encrypted under another secret, or has been changed.
    """
    try:
        jwk: dict[str, Any] = json.loads(_fernet().decrypt(encrypted))
    except InvalidToken as error:
        raise ValueError("neither SECRET_KEY nor SECRET_KEY_FALLBACKS can decrypt it") from error
    return jwk


def renew(encrypted: str) -> str:
    """Return the same JWK, encrypted under the current SECRET_KEY.

    Raises:
        ValueError: see `decrypt`.
    """
    return encrypt(decrypt(encrypted))


@sensitive_variables()
def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(_derived(secret)) for secret in conf.secrets()])


@sensitive_variables()
def _derived(secret: str | bytes) -> bytes:
    """Derive a key for this purpose alone, so that it reveals nothing about SECRET_KEY."""
    material = secret.encode() if isinstance(secret, str) else secret
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(material)
    return base64.urlsafe_b64encode(derived)
