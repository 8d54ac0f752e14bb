"""`token_backend`: signs and reads tokens by the settings in force."""

from __future__ import annotations

from .backends import ProjectBackend, TokenBackend

token_backend: TokenBackend = ProjectBackend()
