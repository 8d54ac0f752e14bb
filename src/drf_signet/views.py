"""The endpoints of the token transport. A project may subclass them and replace serializers.

DRF and drf-spectacular show the docstrings of the endpoints to users of the API.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.db import connections, transaction
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from rest_framework import generics, status
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from . import answers, flows, problems
from .authentication import JWTAuthentication
from .db.database import keeping_transactions
from .errors import SignetError
from .models import EndReason, Session, SessionQuerySet, Transport, sessions_for_write
from .serializers import (
    NothingSerializer,
    SessionSerializer,
    TokenObtainPairSerializer,
    TokenRefreshSerializer,
    TokenVerifySerializer,
)
from .sessions import store
from .throttling import LoginThrottle
from .tokens import TokenPair
from .transports import bearer, bodies
from .transports.bodies import RequestTooLarge  # noqa: F401 - a public name of this module

#: Maximum number of sessions in one response.
_LISTED = 100


class SignetView(generics.GenericAPIView[Any]):
    """The base class of all endpoints: transactions, size limits, error responses, no caching."""

    #: Method → status → serializer of the answer's body. It describes the API, for OpenAPI.
    responses: ClassVar[answers.Methods] = {}
    #: Whether a POST or PATCH needs a body, even if nothing in it is read.
    requires_body = False

    def get_parameters(self) -> list[answers.Parameter]:
        """Return the parameters in the query, the path, the headers and the cookies."""
        return []

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view without ATOMIC_REQUESTS, so that each statement commits on its own."""
        view = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    @method_decorator(sensitive_post_parameters())
    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Handle a request, and hide its form data in error reports."""
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Parse the body first, because authentication and permission classes may read the body."""
        bodies.read(request)
        super().initial(request, *args, **kwargs)

    def handle_exception(self, exc: Exception) -> Response:
        """Return the error response, with `detail` and `code`."""
        error = problems.translate_any(exc)
        response = super().handle_exception(error)
        problems.complete(response, error)
        return response

    def refuse(self, error: SignetError) -> Response:
        """Return the error response to a refusal, and keep the changes in the database.

        Without `keeping_transactions`, DRF's exception handler would roll back the transaction.
        """
        with keeping_transactions():
            return self.handle_exception(error)

    def finalize_response(self, *args: Any, **kwargs: Any) -> Response:
        """Forbid caching of the response (RFC 6749 §5.1)."""
        response = super().finalize_response(*args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response


class TokenView(SignetView):
    """The base class of endpoints that take a JSON object or a form, and need no access token."""

    authentication_classes = ()
    permission_classes = ()
    #: How the client sends the refresh token.
    transport = Transport.TOKEN

    def get_authenticate_header(self, request: Request) -> str:
        """Return the value of `WWW-Authenticate` for a 401."""
        return bearer.challenge()

    @sensitive_variables()
    def post(  # noqa: D102 - without it, drf-spectacular shows the docstring of the endpoint
        self, request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return self.answer(request, serializer.validated_data)

    def answer(self, request: Request, data: dict[str, Any]) -> Response:
        """Process valid input, and return the response."""
        raise NotImplementedError


class TokenObtainPairView(TokenView):
    """Exchange a username and password for an access token and a refresh token."""

    serializer_class = TokenObtainPairSerializer
    responses = answers.OBTAIN
    login_throttle_class = LoginThrottle

    @sensitive_variables()
    def answer(self, request: Request, data: dict[str, Any]) -> Response:
        """Log the user in, and return the response."""
        username = str(data.get(get_user_model().USERNAME_FIELD, ""))
        with self.login_throttle_class().attempt(request._request, username):
            pair = self.log_in(request, data)
        return self.respond(pair)

    def log_in(self, request: Request, data: dict[str, Any]) -> TokenPair:
        """Return the tokens of a new session."""
        return flows.login(request._request, data, transport=self.transport)

    def respond(self, pair: TokenPair) -> Response:
        """Return the response to a successful login."""
        return Response({"refresh": pair.refresh, "access": pair.access})


class TokenRefreshView(TokenView):
    """Exchange a refresh token for a new access token.

    If the response contains a new refresh token, use it from now on.
    """

    serializer_class = TokenRefreshSerializer
    responses = answers.REFRESH

    @sensitive_variables()
    def answer(self, request: Request, data: dict[str, Any]) -> Response:
        """Refresh the tokens and return the response."""
        outcome = flows.refresh(data["refresh"], request._request)
        if not isinstance(outcome, TokenPair):
            return self.refuse(outcome)
        data = {"access": outcome.access}
        return Response(data | ({"refresh": outcome.refresh} if outcome.refresh else {}))


class TokenVerifyView(TokenView):
    """Check whether an access token or a refresh token is valid now."""

    serializer_class = TokenVerifySerializer
    responses = answers.VERIFY

    @sensitive_variables()
    def answer(self, request: Request, data: dict[str, Any]) -> Response:
        """Verify the token and return an empty response."""
        flows.verify(data["token"], request._request)
        return Response({})


class TokenLogoutView(TokenView):
    """Log out: end the session of a refresh token. Safe to repeat."""

    serializer_class = TokenRefreshSerializer
    responses = answers.LOGOUT

    @sensitive_variables()
    def answer(self, request: Request, data: dict[str, Any]) -> Response:
        """End the session and return an empty response."""
        flows.logout(data["refresh"], request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


class OwnSessionsView(SignetView):
    """The base class of endpoints for the sessions of the authenticated user."""

    authentication_classes: Any = (JWTAuthentication,)
    permission_classes = (IsAuthenticated,)
    serializer_class: type[BaseSerializer[Any]] = SessionSerializer
    pagination_class = None
    filter_backends = ()

    def get_queryset(self) -> SessionQuerySet:
        """Return all sessions of the user, including ended sessions."""
        return sessions_for_write().filter(user=self.request.user.pk)

    def _find(self, session_id: str, sessions: SessionQuerySet | None = None) -> Session:
        """Return a session of the user by its id, or raise a 404."""
        rows = self.get_queryset() if sessions is None else sessions
        try:
            session = rows.filter(pk=uuid.UUID(session_id)).first()
        except ValueError:
            session = None
        if session is None:
            raise NotFound
        return session


class TokenLogoutAllView(OwnSessionsView):
    """Log out everywhere: end all your sessions."""

    serializer_class = NothingSerializer
    responses = answers.LOGOUT_ALL

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log out everywhere: end all your sessions."""
        flows.logout_everywhere(request.user, request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TokenLogoutOthersView(TokenLogoutAllView):
    """Log out on all other devices: end all your sessions except the session of this request."""

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log out on all other devices: end all your sessions except the session of this request.

        Safe to repeat.
        """
        current = getattr(request.auth, "session_id", None)
        store.end_all(request.user, reason=EndReason.ENDED_BY_USER, keep=current)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SessionListView(OwnSessionsView):
    """List your sessions, the most recently used first, at most 100 at a time."""

    responses = answers.SESSION_LIST

    def get_parameters(self) -> list[answers.Parameter]:
        """Return the query parameter `before`."""
        return [*super().get_parameters(), answers.BEFORE]

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List your sessions, the most recently used first, at most 100 at a time.

        The session of this request is always in this list. With `?before=<id>`, list the other
        sessions that were last used before the session with this id.
        """
        live = self.get_queryset().live()
        current: Any = getattr(request.auth, "session_id", None)
        before = request.query_params.get("before")
        if before is None:
            page = _with_current(live, current)
        else:
            older = live.exclude(pk=current).last_used_first(after=self._find(before))
            page = list(older[:_LISTED])
        return Response(self.get_serializer(page, many=True).data)


class SessionDetailView(OwnSessionsView):
    """Rename or end one of your sessions."""

    responses = answers.SESSION_DETAIL

    def get_parameters(self) -> list[answers.Parameter]:
        """Return the id of the session in the path."""
        return [*super().get_parameters(), answers.SESSION_ID]

    def patch(self, request: Request, session_id: str, *args: Any, **kwargs: Any) -> Response:
        """Set the label of one of your sessions that has neither ended nor expired.

        An empty string removes the label.
        """
        session = self._find(session_id, self.get_queryset().live())
        serializer = self.get_serializer(session, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)

    def delete(self, request: Request, session_id: str, *args: Any, **kwargs: Any) -> Response:
        """End one of your sessions. Safe to repeat."""
        session = self._find(session_id)
        store.end(session.pk, user_id=session.user_id, reason=EndReason.ENDED_BY_USER)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _with_current(live: SessionQuerySet, current: Any) -> list[Session]:
    page = list(live.last_used_first()[:_LISTED])
    if len(page) < _LISTED or any(session.pk == current for session in page):
        return page
    # The current session is first, not last: the client sends the last id in `before` to continue.
    return [*live.filter(pk=current), *page][:_LISTED]
