"""The endpoints as a table, for what has to hold on all of them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.urls import reverse

#: The id of a session that there is not.
NO_SESSION = uuid.UUID("01980a3c-7d1e-7000-8000-00000000002a")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One endpoint.

    Args:
        name: of its URL.
        method: the one that it is for.
        fields: what it reads from the body.
        protected: whether it asks for an access token.
    """

    name: str
    method: str = "POST"
    fields: tuple[str, ...] = ()
    protected: bool = False

    @property
    def url(self) -> str:
        """Return the path."""
        return reverse(self.name, args=[NO_SESSION] if self.name == "session_detail" else [])

    def body(self, **values: object) -> dict[str, object]:
        """Return a body of the right form that means nothing, but for the values given."""
        return {**dict.fromkeys(self.fields, "nothing"), **values}

    def __str__(self) -> str:
        return self.name


OBTAIN = Endpoint(name="token_obtain_pair", fields=("username", "password"))
REFRESH = Endpoint(name="token_refresh", fields=("refresh",))
VERIFY = Endpoint(name="token_verify", fields=("token",))
LOGOUT = Endpoint(name="token_logout", fields=("refresh",))
LOGOUT_ALL = Endpoint(name="token_logout_all", protected=True)
SESSIONS = Endpoint(name="session_list", method="GET", protected=True)
SESSION = Endpoint(name="session_detail", method="DELETE", protected=True)

OPEN = (OBTAIN, REFRESH, VERIFY, LOGOUT)
PROTECTED = (LOGOUT_ALL, SESSIONS, SESSION)
ALL = OPEN + PROTECTED
