"""The Django admin for sessions: it lists sessions and can end them.

`SessionInline` shows the sessions of a user on the page of the user. `SigningKeyAdmin` shows the
signing keys in the database, if there are any.
"""

from __future__ import annotations

from .inlines import SessionInline
from .keys import SigningKeyAdmin
from .sessions import SessionAdmin

__all__ = ["SessionAdmin", "SessionInline", "SigningKeyAdmin"]
