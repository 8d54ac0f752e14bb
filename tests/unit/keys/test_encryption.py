"""Test that private keys are encrypted under SECRET_KEY, and decrypted by its fallbacks, too."""

from __future__ import annotations

from typing import Any

import pytest

from drf_signet.keys import encryption

JWK = {"kty": "oct", "k": "c2VjcmV0"}


def test_encrypted_key_does_not_contain_the_key_and_differs_each_time() -> None:
    first, second = (encryption.encrypt(JWK) for _ in range(2))
    assert first != second
    assert JWK["k"] not in first
    assert encryption.decrypt(first) == encryption.decrypt(second) == JWK


@pytest.mark.parametrize("old", ["old" * 20, b"old of bytes" * 5])
def test_fallback_decrypts_and_renewed_key_needs_it_no_longer(settings: Any, old: Any) -> None:
    new, settings.SECRET_KEY = settings.SECRET_KEY, old
    stored = encryption.encrypt(JWK)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = new, [old]
    renewed = encryption.renew(stored)
    assert encryption.decrypt(stored) == JWK
    settings.SECRET_KEY_FALLBACKS = []
    assert encryption.decrypt(renewed) == JWK


def test_key_is_not_decrypted_without_the_secret_or_after_a_change(settings: Any) -> None:
    stored = encryption.encrypt(JWK)
    flipped = stored[:-4] + ("A" if stored[-4] != "A" else "B") + stored[-3:]
    with pytest.raises(ValueError, match="SECRET_KEY"):
        encryption.decrypt(flipped)
    settings.SECRET_KEY = "another secret"
    with pytest.raises(ValueError, match="SECRET_KEY"):
        encryption.decrypt(stored)
