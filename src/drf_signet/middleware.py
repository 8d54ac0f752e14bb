"""The middleware `JWTMiddleware`, for views that do not use REST framework, under WSGI and ASGI."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from rest_framework.views import APIView

from . import flows, problems
from .db.outages import outages_as_errors
from .errors import CsrfFailed, SignetError, TokenError, UserInactive
from .jose.claims import Claims
from .transports import bearer
from .users import loading, own_session
from .users.lazyuser import fetch

_REFUSAL = "_signet_refusal"
#: Errors that concern the token. If the token is in the header, the request is refused. If the
#: token is in the cookie, the cookie is ignored.
_TOKEN_ERRORS = (TokenError, UserInactive, CsrfFailed)


#: For a sync view, `iscoroutinefunction` takes longer than the rest of `process_view`, so cache its
#: results.
_is_async = functools.lru_cache(maxsize=1024)(iscoroutinefunction)


class JWTMiddleware:
    """Middleware that sets `request.user`, `request.auser` and `request.auth` from an access token.

    Put the middleware after Django's AuthenticationMiddleware. A request without a token then keeps
    the user of its Django session. If the token in the header is not valid, the middleware returns
    an error response, and the view does not run. Views of REST framework, such as the token
    endpoints, run in any case, because they authenticate requests themselves. If an access cookie
    is configured, the middleware also accepts the token in the cookie. It ignores the cookie if the
    token is not valid, or if the request may come from another site.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Return the response to a request. Under ASGI, return a coroutine for the response."""
        if iscoroutinefunction(self):
            return self._handle(request)
        load_user = _UserLoader()
        try:
            _attach(request, flows.authenticate_request(request, load_user))
        except SignetError as error:
            _attach_refusal(request, error)
        response = self.get_response(request)
        load_user.answered = True
        return response

    async def _handle(self, request: HttpRequest) -> HttpResponseBase:
        load_user = _UserLoader()
        try:
            _attach(request, await flows.aauthenticate_request(request, load_user))
        except SignetError as error:
            _attach_refusal(request, error)
        response: HttpResponseBase = await self.get_response(request)
        load_user.answered = True
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Return an error response if the token is not valid, or None to run the view.

        An async view cannot run the query that loads a lazy user, so this method loads the user.
        Under ASGI, Django calls this method in a thread, where queries are allowed.
        """
        if issubclass(getattr(view, "cls", type), APIView):
            return None
        refusal = getattr(request, _REFUSAL, None)
        if isinstance(getattr(request, "auth", None), Claims) and _is_async(view):
            try:
                fetch(request.user)
            except SignetError as error:
                refusal = error
        return None if refusal is None else _error_response(refusal)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return an error response if the view raised an error of this package.

        The response is a 401 if the view used a lazy user who was deleted or is inactive, and a 503
        if the row of the user could not be read.
        """
        return _error_response(exception) if isinstance(exception, SignetError) else None


class _Refused(SignetError, PermissionDenied):
    """Raised if a lazy user was deleted or is inactive.

    If the view loads the user, the response is a 401. If another middleware loads the user, Django
    returns a 403, because this class is a PermissionDenied.
    """

    def __init__(self, cause: SignetError) -> None:
        super().__init__(cause)
        self.cause = cause


class _UserLoader:
    """A callable that loads the user of one request.

    After the view has returned, an error can no longer be turned into a response. From then on, a
    user who was deleted or is inactive is treated as anonymous.
    """

    answered = False

    def __call__(self, claims: Claims) -> Any:
        try:
            with outages_as_errors():
                return loading.load(claims, loading.all_users())
        except (TokenError, UserInactive) as error:
            if self.answered:
                return None
            raise _Refused(error) from error


def _attach(request: Any, user_and_claims: tuple[Any, Claims | None] | None) -> None:
    request.auth = None
    if user_and_claims is not None:
        request.user, request.auth = user_and_claims
        own_session.attach(request, getattr(request.auth, "sid", None))
        request.auser = partial(sync_to_async(fetch), request.user)


def _attach_refusal(request: Any, error: SignetError) -> None:
    if isinstance(error, _TOKEN_ERRORS) and bearer.read(request) is None:
        _attach(request, None)  # ignore an invalid cookie, because browsers always send it
        return
    _attach(request, (AnonymousUser(), None))
    setattr(request, _REFUSAL, error)


def _error_response(error: SignetError) -> HttpResponse:
    cause = error.cause if isinstance(error, _Refused) else error
    problem = problems.translate_protected(cause)
    headers = {"WWW-Authenticate": getattr(problem, "auth_header", None)}
    if problem.status_code == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = bearer.challenge(error="invalid_token")
    headers["Retry-After"] = getattr(problem, "wait", None)
    set_headers = {name: str(value) for name, value in headers.items() if value is not None}
    return JsonResponse(problem.detail, status=problem.status_code, headers=set_headers)
