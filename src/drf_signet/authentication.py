"""`JWTAuthentication`, for DRF's `DEFAULT_AUTHENTICATION_CLASSES`."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from . import flows, problems, users
from .claims import Claims
from .errors import SignetError
from .lazyuser import fetch
from .transports import access, bearer


class JWTAuthentication(BaseAuthentication):
    """Authenticate a request by the access token in its `Authorization` header, or its cookie.

    `request.user` is the user, `request.auth` the verified, read-only claims. A request without
    such a token is none of ours; one with a bad token is 401. Nothing is ever written.
    """

    #: Whether a subclass decides which users there are: then each is looked up at once.
    _chooses_users = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._chooses_users = cls.get_user_queryset is not JWTAuthentication.get_user_queryset

    def authenticate(self, request: Request) -> tuple[Any, Claims] | None:
        """Return (user, claims), or None if the request carries no credential for us.

        Raises:
            APIException: 401 for a bad token, 400 for more than one.
        """
        try:
            # Also called by hand, with the plain request of a Django view.
            plain = getattr(request, "_request", request)
            found = flows.authenticate_request(plain, self.load_user, request)
        except SignetError as error:
            raise problems.translate_protected(error) from error
        if found is None:
            return None
        # Pages are rendered after the view, and show the user.
        renderer = getattr(request, "accepted_renderer", None)
        if self._chooses_users or (renderer and renderer.media_type == "text/html"):
            fetch(found[0])
        return found

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401; with an error only if a token was sent (RFC 6750 §3.1)."""
        sent = access.is_sent(request)
        return bearer.challenge(error="invalid_token" if sent else None)

    def get_user_queryset(self) -> QuerySet[Any]:
        """Return the users that a token may name: the hook for `select_related` and tenants.

        Overridden, it is asked at every request: a view that needs no more than the key must not
        let in whom the queryset leaves out.
        """
        return users.all_users()

    def load_user(self, claims: Claims, request: Request) -> Any:
        """Load the user that claims name: one SELECT. Called when more than its key is asked for.

        Raises:
            APIException: 401, since the user is gone or may not authenticate. After the view, when
                nobody would turn that into an answer, the user is anonymous instead: None.
        """
        try:
            return users.load(claims, self.get_user_queryset())
        except SignetError as error:
            context = getattr(request, "parser_context", None) or {}
            if hasattr(context.get("view"), "response"):
                return None
            raise problems.translate_protected(error) from error
