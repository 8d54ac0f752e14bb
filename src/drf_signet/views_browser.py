"""The endpoints of the cookie transport, for pages in a browser. A project may subclass them.

DRF and drf-spectacular show the docstrings of the endpoints to users of the API.
"""

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

from . import answers, flows, problems, runtime
from .errors import SessionEnded, SignetError, TokenError
from .jose.claims import Claims
from .models import Transport
from .serializers import CookieLoginSerializer, NothingSerializer, RememberSerializer
from .tokens import TokenPair
from .transports import bearer, cookie, csrf
from .views import (
    SessionDetailView,
    SessionListView,
    SignetView,
    TokenLogoutAllView,
    TokenLogoutOthersView,
    TokenObtainPairView,
)


class RefreshCookie(BaseAuthentication):
    """Authentication by the refresh cookie. Use it only with `CookieView`, which checks CSRF."""

    @sensitive_variables()
    def authenticate(self, request: Request) -> tuple[Any, Claims] | None:
        """Return the user and the claims, or None without a refresh cookie. Runs one SELECT."""
        raw_token = cookie.read(request._request)
        if raw_token is None:
            return None
        try:
            return flows.identify(raw_token, request._request, transport=Transport.COOKIE)
        except SignetError as error:
            raise problems.translate(error) from error


class CookieView(SignetView):
    """The base class of endpoints for browsers: JSON only, and no requests from other sites."""

    authentication_classes: Any = ()
    permission_classes: Any = ()
    parser_classes = (JSONParser,)
    renderer_classes = (JSONRenderer,)
    serializer_class: Any = NothingSerializer
    requires_body = True  # so that its content type is checked

    def get_parameters(self) -> list[answers.Parameter]:
        """Return the required header and, where it may be missing, the refresh cookie."""
        name = runtime.current().settings.COOKIE.refresh_name
        cookies = [] if self.authentication_classes else [answers.refresh_cookie(name)]
        return [answers.FROM_A_PAGE, *cookies, *super().get_parameters()]

    def get_authenticate_header(self, request: Request) -> str:
        """Return the value of `WWW-Authenticate` for a 401."""
        return bearer.challenge()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse requests that may come from another site, before the body is read."""
        method = str(request.method)
        if method not in self.allowed_methods:
            raise MethodNotAllowed(method)
        if method != "OPTIONS":  # a preflight request cannot contain the required header
            csrf.check(request._request)
        if method in ("POST", "PATCH") and request._request.content_type != JSONParser.media_type:
            raise UnsupportedMediaType(request.content_type)
        super().initial(request, *args, **kwargs)

    def respond(self, pair: TokenPair) -> Response:
        """Return the access token in the body, and the refresh token only in the cookie."""
        response = Response({"access": pair.access, "expires_in": pair.expires_in})
        cookie.write(response, pair)
        return response


class CookieLoginView(CookieView, TokenObtainPairView):
    """Exchange a username and password for an access token and a refresh cookie.

    If the request carries a refresh cookie, a successful login ends the session of that cookie.
    With `"remember": true`, you stay logged in for two weeks without a visit; with `false`, until
    you close the browser or have been away for some hours.
    """

    serializer_class: Any = CookieLoginSerializer
    responses = answers.COOKIE_LOGIN
    transport = Transport.COOKIE

    @sensitive_variables()
    def log_in(self, request: Request, data: dict[str, Any]) -> TokenPair:
        """Return the tokens of a new session."""
        # Read `remember` here, because the project's own serializer may not have this field.
        choice = RememberSerializer(data=request.data)
        choice.is_valid(raise_exception=True)
        credentials = {name: value for name, value in data.items() if name != "remember"}
        remember = choice.validated_data.get("remember")
        return flows.login(
            request._request, credentials, transport=self.transport, remember=remember
        )


class CookieRefreshView(CookieView):
    """Exchange the refresh cookie for a new refresh cookie and an access token.

    Without a refresh cookie, the response is 204.
    """

    responses = answers.COOKIE_REFRESH

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Exchange the refresh cookie for a new refresh cookie and an access token.

        Without a refresh cookie, the response is 204. A refusal deletes the cookie.
        """
        raw_token = cookie.read(request._request)
        if raw_token is None:
            return Response(status=status.HTTP_204_NO_CONTENT)
        outcome: TokenPair | SignetError
        try:
            outcome = flows.refresh(raw_token, request._request, transport=Transport.COOKIE)
        except TokenError as error:
            outcome = error
        if isinstance(outcome, TokenPair):
            return self.respond(outcome)
        response = self.refuse(outcome)
        # If another request has just logged out or logged in, the response to that request deletes
        # or replaces the cookie. A deletion here could delete the cookie of the new login.
        if not (isinstance(outcome, SessionEnded) and outcome.just_now):
            cookie.delete(response)
        return response


class CookieLogoutView(CookieView):
    """Log out: end the session of the refresh cookie and delete the cookie. Safe to repeat."""

    responses = answers.COOKIE_LOGOUT

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log out: end the session of the refresh cookie and delete the cookie. Safe to repeat."""
        flows.end_session_of_cookie(cookie.read(request._request), request._request)
        response = Response(status=status.HTTP_204_NO_CONTENT)
        cookie.delete(response)
        return response


class CookieLogoutAllView(CookieView, TokenLogoutAllView):
    """Log out everywhere: end all your sessions and delete the refresh cookie."""

    authentication_classes = (RefreshCookie,)
    permission_classes = TokenLogoutAllView.permission_classes
    serializer_class = TokenLogoutAllView.serializer_class

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log out everywhere: end all your sessions and delete the refresh cookie."""
        response = super().post(request, *args, **kwargs)
        cookie.delete(response)
        return response


class CookieLogoutOthersView(CookieView, TokenLogoutOthersView):
    """Log out on all other devices: end all your sessions except the session of this request."""

    authentication_classes = (RefreshCookie,)
    permission_classes = TokenLogoutOthersView.permission_classes
    serializer_class = TokenLogoutOthersView.serializer_class


class CookieSessionListView(CookieView, SessionListView):
    """List your sessions, the most recently used first, at most 100 at a time."""

    authentication_classes = (RefreshCookie,)
    permission_classes = SessionListView.permission_classes
    serializer_class = SessionListView.serializer_class


class CookieSessionDetailView(CookieView, SessionDetailView):
    """Rename or end one of your sessions."""

    authentication_classes = (RefreshCookie,)
    permission_classes = SessionDetailView.permission_classes
    serializer_class = SessionDetailView.serializer_class

    def delete(self, request: Request, session_id: str, *args: Any, **kwargs: Any) -> Response:
        """End one of your sessions. Safe to repeat.

        If it is the session of this request, the refresh cookie is deleted.
        """
        response = super().delete(request, session_id, *args, **kwargs)
        if uuid.UUID(session_id) == getattr(request.auth, "session_id", None):
            cookie.delete(response)
        return response
