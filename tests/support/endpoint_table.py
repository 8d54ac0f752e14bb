"""The endpoints in `drf_signet.urls`, for tests that run once for each endpoint."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.urls import reverse

#: A session id that is not in the database.
UNKNOWN_SESSION_ID = uuid.UUID("01980a3c-7d1e-7000-8000-00000000002a")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An endpoint in `drf_signet.urls`.

    Args:
        name: the name of the URL pattern.
        method: the HTTP method that the endpoint accepts.
        also: further HTTP methods that the endpoint accepts.
        fields: the names of the fields in the request body.
        protected: whether the endpoint requires an access token.
    """

    name: str
    method: str = "POST"
    also: frozenset[str] = frozenset()
    fields: tuple[str, ...] = ()
    protected: bool = False

    @property
    def url(self) -> str:
        """Return the path of the endpoint's URL."""
        return reverse(
            self.name, args=[UNKNOWN_SESSION_ID] if self.name == "session_detail" else []
        )

    def body(self, **values: object) -> dict[str, object]:
        """Return a request body with these values, and with a dummy value in each other field."""
        return {**dict.fromkeys(self.fields, "nothing"), **values}

    def __str__(self) -> str:
        return self.name


OBTAIN = Endpoint(name="token_obtain_pair", fields=("username", "password"))
REFRESH = Endpoint(name="token_refresh", fields=("refresh",))
VERIFY = Endpoint(name="token_verify", fields=("token",))
LOGOUT = Endpoint(name="token_logout", fields=("refresh",))
LOGOUT_ALL = Endpoint(name="token_logout_all", protected=True)
LOGOUT_OTHERS = Endpoint(name="token_logout_others", protected=True)
SESSIONS = Endpoint(name="session_list", method="GET", protected=True)
SESSION = Endpoint(
    name="session_detail", method="DELETE", also=frozenset({"PATCH"}), protected=True
)
#: The only endpoint whose answer may be cached, and that answers in JSON alone.
JWKS = Endpoint(name="jwks", method="GET")

OPEN = (OBTAIN, REFRESH, VERIFY, LOGOUT)
PROTECTED = (LOGOUT_ALL, LOGOUT_OTHERS, SESSIONS, SESSION)
ALL = OPEN + PROTECTED
