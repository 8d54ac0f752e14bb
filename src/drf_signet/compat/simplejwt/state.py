"""`token_backend`, which signs and reads tokens with the project's current settings."""

from __future__ import annotations

from .backends import ProjectBackend, TokenBackend

token_backend: TokenBackend = ProjectBackend()
