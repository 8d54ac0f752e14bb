"""The session of the current request, which `drf_signet.keep` keeps valid after a new password.

A new password ends all sessions of the user. The session whose own request changes the password
ends a moment later than the others, when Django closes the request. So a view can call `keep`
before it saves the user, or afterwards.
"""

from __future__ import annotations

import uuid
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

#: The name of an attribute of Django's request: the id of the session or, as soon as it is needed,
#: the `OwnSession`. Each protected request sets the attribute, so that must be cheap.
_ATTRIBUTE = "_signet_own_session"


class OwnSession:
    """The session whose access token authenticated a request.

    `kept` is whether the view has called `keep`. `new_stamp` is the password stamp that the
    session needs to stay valid; None if no new password was saved since the last `keep`.
    """

    __slots__ = ("_deferred", "_request", "kept", "new_stamp", "sid")

    def __init__(self, sid: str | uuid.UUID, request: weakref.ref[Any]) -> None:
        self.sid = sid
        self.kept = False
        self.new_stamp: str | None = None
        self._request = request
        self._deferred = False

    @property
    def session_id(self) -> uuid.UUID:
        """The id of the session."""
        return self.sid if isinstance(self.sid, uuid.UUID) else uuid.UUID(self.sid)

    def defer(self, end: Callable[[OwnSession], object]) -> None:
        """Call `end` with this session when Django closes the request.

        Django appends the method `close` of each request to the functions that it calls when it
        closes the response, after it was sent. A signal does not work: under ASGI, Django sends
        `request_finished` from a task that does not see the context variables of the view.
        """
        request = self._request()
        if not self._deferred and request is not None:
            self._deferred = True
            close = request.close

            def close_and_end() -> None:
                close()
                end(self)

            request.close = close_and_end


#: The request that is being handled. The reference is weak, so that a thread that waits for its
#: next request does not keep the last one in memory.
_current: ContextVar[weakref.ref[Any] | None] = ContextVar("signet_request", default=None)


def attach(request: Any, sid: str | uuid.UUID | None) -> None:
    """Remember the session whose access token has authenticated a request.

    Args:
        request: Django's request.
        sid: the id of the session; None for a legacy token, which has no session.
    """
    if sid is not None:
        setattr(request, _ATTRIBUTE, sid)
        _current.set(weakref.ref(request))


def of_request(request: Any) -> OwnSession | None:
    """Return the session of a request of Django or REST framework; None if it has no session."""
    django_request = getattr(request, "_request", request)
    own = getattr(django_request, _ATTRIBUTE, None)
    if own is not None and not isinstance(own, OwnSession):
        own = OwnSession(own, weakref.ref(django_request))
        setattr(django_request, _ATTRIBUTE, own)
    return own


def current() -> OwnSession | None:
    """Return the session of the request that is being handled, or None."""
    reference = _current.get()
    return None if reference is None else of_request(reference())


def forget(**kwargs: Any) -> None:
    """Forget the current request. A test may keep the request of a response in memory."""
    _current.set(None)
