"""Secrets that anyone can look up, because a specification, a tutorial or a product contains them.

A secret that is shorter than 32 bytes is refused anyway, so only longer secrets are listed. Most of
them are in the list https://github.com/wallarm/jwt-secrets, which attack tools try.
"""

from __future__ import annotations

import base64

#: In Base64URL: RFC 7515 (A.1) and RFC 7520 (3.5).
_IN_RFCS = (
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
)
_ELSEWHERE = (
    "a-string-secret-at-least-256-bits-long",  # jwt.io
    "a-valid-string-secret-that-is-at-least-384-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",  # FastAPI's tutorial
    "super-secret-jwt-token-with-at-least-32-characters-long",  # Supabase
    "your-super-secret-jwt-token-with-at-least-32-characters-long",  # Supabase, self-hosted
    "reallyreallyreallyreallyverysafe",  # PostgREST's tutorial
    "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",  # tutorials of Spring
    "<random_string_at_least_32_characters_long>",
    "my-32-character-ultra-secure-and-ultra-long-secret",
    "my-ultra-secure-and-ultra-long-secret",
    "this-is-a-secure-key-which-should-be-32-char-long",
    "jwt-default-value-to-be-changed-in-production",
    "THIS_SHOULD_NEVER_BE_THE_KEY_IN_PRODUCTION",
    "pleaseChangeThisSecretForANewOne",
    "12345678901234567890123456789012",
    "0123456789abcdef0123456789abcdef",
)

_SECRETS = frozenset(
    [base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) for text in _IN_RFCS]
    + [text.encode() for text in _ELSEWHERE]
)


def is_published(secret: bytes) -> bool:
    """Return whether a secret is known to everyone."""
    return secret.strip() in _SECRETS
