"""The DRF authentication class `JWTAuthentication`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.core.exceptions import SynchronousOnlyOperation
from django.db.models import QuerySet
from django.http import HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from . import flows, problems
from .db.outages import outages_as_errors
from .errors import SignetError, TokenError, UserInactive
from .jose.claims import Claims
from .transports import access, bearer
from .users import loading, own_session
from .users.lazyuser import fetch

#: Used instead of DRF's `parser_context` for a plain Django request, which has no such attribute.
_NO_VIEW: dict[str, Any] = {}


class _AsyncViews(dict[type[Any], bool]):
    """A cache: view class → its `view_is_async`, which Django computes again on each access."""

    def __missing__(self, view: type[Any]) -> bool:
        self[view] = is_async = bool(getattr(view, "view_is_async", False))
        return is_async


_async_views = _AsyncViews()


class AccessTokenAuthentication(BaseAuthentication):
    """The base class of authentication by an access token, for `JWTAuthentication` and adapters."""

    #: Whether a request may also carry the token in the access cookie.
    reads_cookie = False


class JWTAuthentication(AccessTokenAuthentication):
    """DRF authentication by the access token in the `Authorization` header or the access cookie.

    `request.user` is the user, and `request.auth` contains the verified, read-only claims. If a
    request has no access token, DRF tries the next authentication class. If the token is not valid,
    the response is 401. Authentication never writes to the database.
    """

    reads_cookie = True
    #: True if a subclass overrides `get_user_queryset`. Each request then loads the user.
    _overrides_users = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._overrides_users = cls.get_user_queryset is not JWTAuthentication.get_user_queryset

    def authenticate(self, request: Request) -> tuple[Any, Claims] | None:
        """Return the user and the claims, or None if the request carries no access token.

        Raises:
            APIException: 401 if the token is not valid, 400 if there are several tokens, 403 if a
                request with a cookie may come from another site, 503 if the revocation feed or the
                database fails.
        """
        try:
            # A project may also call this method in a plain Django view, with Django's request.
            django_request = getattr(request, "_request", request)
            user_and_claims = flows.authenticate_request(django_request, self.load_user, request)
        except SignetError as error:
            raise problems.translate_protected(error) from error
        if user_and_claims is None:
            return None
        own_session.attach(django_request, user_and_claims[1].sid)
        # DRF's browsable API reads `request.user` after the view has returned. An error at that
        # point could not become a 401 response, so load the user now.
        renderer = getattr(request, "accepted_renderer", None)
        view = (getattr(request, "parser_context", None) or _NO_VIEW).get("view")
        if self._overrides_users or (renderer and renderer.media_type == "text/html"):
            fetch(user_and_claims[0])
        elif _async_views[type(view)]:  # an async handler cannot run queries to load the user
            with suppress(SynchronousOnlyOperation):  # raised if the handler is already running
                fetch(user_and_claims[0])
        return user_and_claims

    def authenticate_header(self, request: Request) -> str:
        """Return the `WWW-Authenticate` value, with `error` if a token was sent (RFC 6750 §3)."""
        sent = access.is_sent(request)
        return bearer.challenge(error="invalid_token" if sent else None)

    def get_user_queryset(self) -> QuerySet[Any]:
        """Return the users that tokens may identify.

        Override this method to use `select_related`, or to return only the users of one tenant.
        Each request then loads the user, even if the view needs only the user's key. If
        the user were loaded later, a user outside the queryset could be authenticated.
        """
        return loading.all_users()

    def load_user(self, claims: Claims, request: Request) -> Any:
        """Load the user that the claims identify. Runs one SELECT.

        By default, this method runs when code first needs more than the user's key. After the view
        has returned, DRF no longer turns exceptions into responses. If the user is refused at that
        point, this method returns None, and the user becomes anonymous.

        Raises:
            APIException: 401 if the user no longer exists or may not authenticate, 503 if the
                database cannot be used.
        """
        try:
            with outages_as_errors():
                return loading.load(claims, self.get_user_queryset())
        except SignetError as error:
            if isinstance(error, TokenError | UserInactive) and _is_answered(request):
                return None
            raise problems.translate_protected(error) from error


def _is_answered(request: Any) -> bool:
    """Return whether the view has already returned.

    The view's `response` attribute alone is not enough, because a project may set the attribute
    earlier. The view has returned if DRF's `finalize_response` has stored this request in the
    context of a DRF response, or has copied the view's headers to any other response.
    """
    view = (getattr(request, "parser_context", None) or _NO_VIEW).get("view")
    attributes = getattr(view, "__dict__", {})
    response, headers = attributes.get("response"), attributes.get("headers")
    if isinstance(response, Response):
        context = vars(response).get("renderer_context") or {}
        return context.get("request") is request
    if not headers or not isinstance(response, HttpResponseBase):
        return False
    # Compare by identity: a view may forward another server's response, whose headers may be equal.
    return all(response.headers.get(name) is value for name, value in headers.items())
