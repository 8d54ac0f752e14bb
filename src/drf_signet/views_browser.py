"""The endpoints of the cookie transport, for pages. Each may be subclassed."""

from __future__ import annotations

import uuid
from typing import Any

from django.views.decorators.debug import sensitive_variables
from rest_framework import status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import MethodNotAllowed, UnsupportedMediaType
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from . import flows, problems
from .claims import Claims
from .errors import SessionEnded, SignetError, TokenError
from .models import Transport
from .serializers import NothingSerializer
from .tokens import TokenPair
from .transports import bearer, cookie, csrf
from .views import (
    SessionDetailView,
    SessionListView,
    SignetView,
    TokenLogoutAllView,
    TokenObtainPairView,
)


class RefreshCookie(BaseAuthentication):
    """Who a request is from, by its refresh cookie. For `CookieView` alone, which has a guard."""

    @sensitive_variables()
    def authenticate(self, request: Request) -> tuple[Any, Claims] | None:
        """Return (user, claims), or None without a cookie. One SELECT; nothing changes."""
        raw = cookie.read(request._request)
        try:
            return None if raw is None else flows.identify(raw, transport=Transport.COOKIE)
        except SignetError as error:
            raise problems.translate(error) from error


class CookieView(SignetView):
    """An endpoint for pages: JSON alone, the refresh token in a cookie, closed to other sites."""

    authentication_classes: Any = ()
    permission_classes: Any = ()
    parser_classes = (JSONParser,)
    renderer_classes = (JSONRenderer,)
    serializer_class: Any = NothingSerializer

    def get_authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return bearer.challenge()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what may come from another site, before anything is read."""
        method = str(request.method)
        if method not in self.allowed_methods:
            raise MethodNotAllowed(method)
        if method != "OPTIONS":  # of a preflight, which middleware answers
            csrf.check(request._request)
        if method == "POST" and request._request.content_type != JSONParser.media_type:
            raise UnsupportedMediaType(request.content_type)
        super().initial(request, *args, **kwargs)

    def respond(self, pair: TokenPair) -> Response:
        """Return the access token in the body, and the refresh token in its cookie alone."""
        response = Response({"access": pair.access, "expires_in": pair.expires_in})
        cookie.write(response, pair)
        return response


class CookieLoginView(CookieView, TokenObtainPairView):
    """Exchange username and password for an access token and a refresh cookie.

    The session of a cookie that comes along is ended once the credentials are good.
    """

    serializer_class = TokenObtainPairView.serializer_class
    transport = Transport.COOKIE


class CookieRefreshView(CookieView):
    """Exchange the refresh cookie for a new one and a new access token. Without one: 204."""

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Refresh. A refusal that no retry changes takes the cookie away.

        But not if the session has just been logged out: that answer deals with the cookie, and
        may have brought the one of a new login before this answer comes.
        """
        raw = cookie.read(request._request)
        if raw is None:
            return Response(status=status.HTTP_204_NO_CONTENT)
        outcome: TokenPair | SignetError
        try:
            outcome = flows.refresh(raw, request._request, transport=Transport.COOKIE)
        except TokenError as error:
            outcome = error
        if isinstance(outcome, TokenPair):
            return self.respond(outcome)
        response = self.refuse(outcome)
        if not (isinstance(outcome, SessionEnded) and outcome.just_now):
            cookie.delete(response)
        return response


class CookieLogoutView(CookieView):
    """End the session of the refresh cookie, and take the cookie away. May be repeated."""

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log out."""
        flows.logout_of(cookie.read(request._request), request._request)
        response = Response(status=status.HTTP_204_NO_CONTENT)
        cookie.delete(response)
        return response


class CookieLogoutAllView(CookieView, TokenLogoutAllView):
    """End all sessions of the user whose refresh cookie it is, and take the cookie away."""

    authentication_classes = (RefreshCookie,)
    permission_classes = TokenLogoutAllView.permission_classes
    serializer_class = TokenLogoutAllView.serializer_class

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log out everywhere."""
        response = super().post(request, *args, **kwargs)
        cookie.delete(response)
        return response


class CookieSessionListView(CookieView, SessionListView):
    """The live sessions of the user whose refresh cookie it is, the last used first."""

    authentication_classes = (RefreshCookie,)
    permission_classes = SessionListView.permission_classes
    serializer_class = SessionListView.serializer_class


class CookieSessionDetailView(CookieView, SessionDetailView):
    """One session of the user whose refresh cookie it is."""

    authentication_classes = (RefreshCookie,)
    permission_classes = SessionDetailView.permission_classes
    serializer_class = SessionDetailView.serializer_class

    def delete(self, request: Request, session_id: str, *args: Any, **kwargs: Any) -> Response:
        """End it; with the page's own, the cookie goes too."""
        response = super().delete(request, session_id, *args, **kwargs)
        if uuid.UUID(session_id) == getattr(request.auth, "session_id", None):
            cookie.delete(response)
        return response
