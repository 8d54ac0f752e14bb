"""`JWTMiddleware`, for views outside REST framework: WSGI and ASGI alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from rest_framework.views import APIView

from . import flows, problems, users
from .claims import Claims
from .errors import CsrfFailed, SignetError, TokenError, UserInactive
from .lazyuser import fetch
from .transports import bearer

_REFUSAL = "_signet_refusal"
#: What may be wrong with a token. In the header it is refused, in a cookie it is no token.
_OF_A_TOKEN = (TokenError, UserInactive, CsrfFailed)


class JWTMiddleware:
    """Set `request.user`, `request.auser` and `request.auth` from the access token in the header.

    Put it after Django's AuthenticationMiddleware: a request without a token keeps the user of
    its Django session. A bad token is answered before the view, as a protected view would; views
    of REST framework, the token endpoints among them, answer for themselves. The access cookie,
    where it is switched on, counts too; a bad one, or one with a request that may come from
    another site, is none.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Handle a request; under ASGI, return the coroutine that does."""
        if iscoroutinefunction(self):
            return self._handle(request)
        lookup = _Lookup()
        try:
            _attach(request, flows.authenticate_request(request, lookup))
        except SignetError as error:
            _attach_refusal(request, error)
        response = self.get_response(request)
        lookup.answered = True
        return response

    async def _handle(self, request: HttpRequest) -> HttpResponseBase:
        lookup = _Lookup()
        try:
            _attach(request, await flows.aauthenticate_request(request, lookup))
        except SignetError as error:
            _attach_refusal(request, error)
        response: HttpResponseBase = await self.get_response(request)
        lookup.answered = True
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Answer a bad token in place of the view."""
        refusal = getattr(request, _REFUSAL, None)
        if refusal is None or issubclass(getattr(view, "cls", type), APIView):
            return None
        return _answer(refusal)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer 401 when a view asks for more of a user who is gone or inactive."""
        return _answer(exception) if isinstance(exception, SignetError) else None


class _Refused(SignetError, PermissionDenied):
    """A user who is gone or inactive. 403 if Django is the first to hear of it: of a middleware."""

    def __init__(self, reason: SignetError) -> None:
        super().__init__(reason)
        self.reason = reason


class _Lookup:
    """Loads the user of one request. Once the view has answered, one who is gone is anonymous."""

    answered = False

    def __call__(self, claims: Claims) -> Any:
        try:
            return users.load(claims, users.all_users())
        except SignetError as error:
            if self.answered:
                return None
            raise _Refused(error) from error


def _attach(request: Any, found: tuple[Any, Claims | None] | None) -> None:
    request.auth = None
    if found is not None:
        request.user, request.auth = found
        request.auser = partial(sync_to_async(fetch), request.user)


def _attach_refusal(request: Any, error: SignetError) -> None:
    if isinstance(error, _OF_A_TOKEN) and bearer.read(request) is None:
        _attach(request, None)  # a cookie: browsers send it along with everything
        return
    _attach(request, (AnonymousUser(), None))
    setattr(request, _REFUSAL, error)


def _answer(error: SignetError) -> HttpResponse:
    reason = error.reason if isinstance(error, _Refused) else error
    problem = problems.translate_protected(reason)
    headers = {"WWW-Authenticate": getattr(problem, "auth_header", None)}
    if problem.status_code == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = bearer.challenge(error="invalid_token")
    headers["Retry-After"] = getattr(problem, "wait", None)
    sent = {name: str(value) for name, value in headers.items() if value is not None}
    return JsonResponse(problem.detail, status=problem.status_code, headers=sent)
