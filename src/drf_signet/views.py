"""The endpoints of the token transport. Each may be subclassed, and given another serializer."""

from __future__ import annotations

import codecs
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connections, transaction
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from rest_framework import generics, status
from rest_framework.exceptions import APIException, NotFound, ParseError, UnsupportedMediaType
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from . import flows, problems, sessions
from .authentication import JWTAuthentication
from .errors import SignetError
from .models import EndReason, Session, SessionQuerySet, Transport, written
from .serializers import (
    NothingSerializer,
    SessionSerializer,
    TokenObtainPairSerializer,
    TokenRefreshSerializer,
    TokenVerifySerializer,
)
from .throttling import LoginThrottle
from .tokens import TokenPair
from .transports import bearer

#: In what a body may be written, by Python's names. Others are refused unread: Python's codecs
#: include some that unpack bombs (zlib, bz2), and DRF before 3.18 reads a body by any of them.
_CHARSETS = frozenset({"utf-8", "ascii", "iso8859-1"})


class RequestTooLarge(APIException):
    """The body is larger than Django's DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "Request body is too large."
    default_code = "request_too_large"


class SignetView(generics.GenericAPIView[Any]):
    """What all endpoints share: their transactions, their body, their errors, no caching."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view, outside ATOMIC_REQUESTS: each statement of a flow commits alone."""
        view = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    @method_decorator(sensitive_post_parameters())
    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Handle a request; its form stays out of error reports."""
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Read the body before anything looks into it."""
        _read_body(request)
        super().initial(request, *args, **kwargs)

    def handle_exception(self, exc: Exception) -> Response:
        """Answer an error with `detail` and `code`."""
        error = problems.translate(exc) if isinstance(exc, SignetError) else exc
        response = super().handle_exception(error)
        problems.complete(response, error)
        return response

    def refuse(self, error: SignetError) -> Response:
        """Answer a refusal like any other error, except that what was written stays.

        DRF's exception handler marks the request's transaction for rollback.
        """
        with keeping_transactions():
            return self.handle_exception(error)

    def finalize_response(self, *args: Any, **kwargs: Any) -> Response:
        """Keep answers out of every cache (RFC 6749 §5.1)."""
        response = super().finalize_response(*args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response


class TokenView(SignetView):
    """An endpoint that reads a JSON object or a form, and no header."""

    authentication_classes = ()
    permission_classes = ()
    #: How the refresh token travels.
    transport = Transport.TOKEN

    def get_authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return bearer.challenge()

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Check the form of what was sent, and answer."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return self.answer(request, serializer.validated_data)

    def answer(self, request: Request, data: dict[str, Any]) -> Response:
        """Return the answer to valid input."""
        raise NotImplementedError


class TokenObtainPairView(TokenView):
    """Exchange username and password for an access and a refresh token."""

    serializer_class = TokenObtainPairSerializer
    login_throttle_class = LoginThrottle

    @sensitive_variables()
    def answer(self, request: Request, data: dict[str, Any]) -> Response:
        """Log in."""
        username = str(data.get(get_user_model().USERNAME_FIELD, ""))
        with self.login_throttle_class().attempt(request._request, username):
            pair = flows.login(request._request, data, transport=self.transport)
        return self.respond(pair)

    def respond(self, pair: TokenPair) -> Response:
        """Return the answer to a login that succeeded."""
        return Response({"refresh": pair.refresh, "access": pair.access})


class TokenRefreshView(TokenView):
    """Exchange a refresh token for a new access token and, with rotation, a new refresh token."""

    serializer_class = TokenRefreshSerializer

    @sensitive_variables()
    def answer(self, request: Request, data: dict[str, Any]) -> Response:
        """Refresh."""
        outcome = flows.refresh(data["refresh"], request._request)
        if not isinstance(outcome, TokenPair):
            return self.refuse(outcome)
        answer = {"access": outcome.access}
        return Response(answer | ({"refresh": outcome.refresh} if outcome.refresh else {}))


class TokenVerifyView(TokenView):
    """Say whether a token, of either kind, would be accepted now."""

    serializer_class = TokenVerifySerializer

    @sensitive_variables()
    def answer(self, request: Request, data: dict[str, Any]) -> Response:
        """Verify."""
        flows.verify(data["token"])
        return Response({})


class TokenLogoutView(TokenView):
    """End the session of a refresh token. May be repeated."""

    serializer_class = TokenRefreshSerializer

    @sensitive_variables()
    def answer(self, request: Request, data: dict[str, Any]) -> Response:
        """Log out."""
        flows.logout(data["refresh"], request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


class OwnSessionsView(SignetView):
    """An endpoint on the sessions of the user whose access token is in the header."""

    authentication_classes: Any = (JWTAuthentication,)
    permission_classes = (IsAuthenticated,)
    serializer_class: type[BaseSerializer[Any]] = SessionSerializer
    pagination_class = None

    def get_queryset(self) -> SessionQuerySet:
        """Return the user's sessions, whatever became of them."""
        return written().filter(user=self.request.user.pk)


class TokenLogoutAllView(OwnSessionsView):
    """End all sessions of the user."""

    serializer_class = NothingSerializer

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log out everywhere."""
        flows.logout_everywhere(request.user, request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SessionListView(OwnSessionsView):
    """The user's live sessions, the last used first."""

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List them."""
        live = self.get_queryset().live().order_by("-refreshed_at", "-id")
        return Response(self.get_serializer(live, many=True).data)


class SessionDetailView(OwnSessionsView):
    """One session of the user."""

    def delete(self, request: Request, session_id: str, *args: Any, **kwargs: Any) -> Response:
        """End it. May be repeated."""
        session = self._find(session_id)
        sessions.end(session.pk, user_id=session.user_id, reason=EndReason.ENDED_BY_USER)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _find(self, session_id: str) -> Session:
        try:
            session = self.get_queryset().filter(pk=uuid.UUID(session_id)).first()
        except ValueError:
            session = None
        if session is None:
            raise NotFound
        return session


@contextmanager
def keeping_transactions() -> Iterator[None]:
    """Leave the marks for rollback as they were, whatever the block does."""
    open_ones = [c for c in connections.all(initialized_only=True) if c.in_atomic_block]
    marks = [(connection, connection.needs_rollback) for connection in open_ones]
    yield
    for connection, mark in marks:
        connection.set_rollback(mark)


def _read_body(request: Request) -> None:
    """Parse the body and the query, and let whatever becomes of hostile ones be the client's error.

    DRF's parsers read past Django's limit, and let RecursionError and a codec's own errors through.
    """
    limit = cast("int | None", settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    if limit is not None and _content_length(request) > limit:
        raise RequestTooLarge
    if not _is_legible((request.content_params or {}).get("charset", "utf-8")):
        raise UnsupportedMediaType(request.content_type)
    try:
        _ = request.data, request.query_params  # reading them is parsing them
    except APIException:
        raise
    except Exception as error:
        raise ParseError from error


def _is_legible(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name in _CHARSETS
    except LookupError:
        return False


def _content_length(request: Request) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0
