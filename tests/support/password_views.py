"""Views that change the password of `request.user`, with and without `drf_signet.keep`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model, update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

import drf_signet
from drf_signet.authentication import JWTAuthentication
from drf_signet.compat.simplejwt.authentication import JWTAuthentication as AliasAuthentication
from tests.conftest import PASSWORD

NEW = "another correct horse"


def set_password(user: Any) -> None:
    user.set_password(NEW)
    user.save()


def save_another_instance(user: Any) -> None:
    set_password(get_user_model()._default_manager.get(pk=user.pk))


def save_the_password_only(user: Any) -> None:
    user.set_password(NEW)
    user.save(update_fields=["password"])


def save_djangos_form(user: Any) -> None:
    data = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    form = PasswordChangeForm(user, data)
    assert form.is_valid(), form.errors
    form.save()


def save_in_a_transaction(user: Any) -> None:
    with transaction.atomic():
        set_password(user)


def set_two_passwords(user: Any) -> None:
    user.set_password("the first of two")
    user.save()
    set_password(user)


SAVES = [
    set_two_passwords,
    set_password,
    save_another_instance,
    save_the_password_only,
    save_djangos_form,
    save_in_a_transaction,
]


def keep_before(request: Any, save: Callable[[Any], None]) -> bool:
    kept = drf_signet.keep(request)
    save(request.user)
    return kept


def keep_after(request: Any, save: Callable[[Any], None]) -> bool:
    save(request.user)
    return drf_signet.keep(request)


def keep_twice(request: Any, save: Callable[[Any], None]) -> bool:
    return keep_before(request, save) and drf_signet.keep(request)


def keep_in_the_same_transaction(request: Any, save: Callable[[Any], None]) -> bool:
    with transaction.atomic():
        return keep_after(request, save)


def keep_before_in_a_transaction(request: Any, save: Callable[[Any], None]) -> bool:
    with transaction.atomic():
        return keep_before(request, save)


def keep_beside_djangos_session(request: Any, save: Callable[[Any], None]) -> bool:
    kept = keep_before(request, save)
    update_session_auth_hash(getattr(request, "_request", request), request.user)
    return kept


KEEPS = [
    keep_before,
    keep_after,
    keep_twice,
    keep_in_the_same_transaction,
    keep_before_in_a_transaction,
    keep_beside_djangos_session,
]


def do_not_keep(request: Any, save: Callable[[Any], None]) -> bool:
    save(request.user)
    return False


def end_all_instead(request: Any, save: Callable[[Any], None]) -> bool:
    save(request.user)
    drf_signet.end_all(request.user)
    return False


def keep_without_a_change(request: Any, save: Callable[[Any], None]) -> bool:
    kept = drf_signet.keep(request)
    request.user.save()
    request.user.save(update_fields=["first_name"])
    return kept


ORDERS: dict[str, Any] = {
    each.__name__: each for each in [*KEEPS, do_not_keep, end_all_instead, keep_without_a_change]
}
WAYS: dict[str, Any] = {each.__name__: each for each in SAVES}


def change(request: Any) -> bool:
    """Change the password in the way that the query string selects."""
    kept: bool = ORDERS[request.GET["order"]](request, WAYS[request.GET["save"]])
    return kept


class PasswordView(APIView):
    permission_classes = (IsAuthenticated,)
    authentication_classes: Any = (JWTAuthentication,)

    def post(self, request: Request) -> Response:
        return Response({"kept": change(request)})


class AliasPasswordView(PasswordView):
    authentication_classes = (AliasAuthentication,)


class OwnAuthentication(AliasAuthentication):
    """A class that overrides `authenticate`, like the classes that read cookies."""

    def authenticate(self, request: Request) -> Any:
        raw_token = request.headers["Authorization"].removeprefix("Bearer ")
        token = self.get_validated_token(raw_token)
        return self.get_user(token), token


class OwnClassView(PasswordView):
    authentication_classes = (OwnAuthentication,)


@csrf_exempt
def plain_view(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"kept": change(request)})


@csrf_exempt
async def async_view(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"kept": await sync_to_async(change)(request)})


@csrf_exempt
async def async_view_that_keeps_on_the_event_loop(request: HttpRequest) -> JsonResponse:
    kept = drf_signet.keep(request)
    user: Any = await request.auser()
    user.set_password(NEW)
    await user.asave()
    return JsonResponse({"kept": kept})


class OpenView(APIView):
    """A view for everybody. It calls `keep` and changes nothing."""

    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        return Response({"kept": drf_signet.keep(request)})


class FailingView(APIView):
    """A view whose transaction is rolled back after the save."""

    def post(self, request: Request) -> Response:
        with transaction.atomic():
            set_password(request.user)
            transaction.set_rollback(True)
        return Response()


class OthersView(APIView):
    """A view that changes the password of another user."""

    def post(self, request: Request) -> Response:
        drf_signet.keep(request)
        set_password(get_user_model()._default_manager.get(username=request.GET["username"]))
        return Response()


class DeactivateView(APIView):
    def post(self, request: Request) -> Response:
        drf_signet.keep(request)
        request.user.is_active = False
        set_password(request.user)
        return Response()


urlpatterns = [
    path("drf/", PasswordView.as_view()),
    path("alias/", AliasPasswordView.as_view()),
    path("own-class/", OwnClassView.as_view()),
    path("plain/", plain_view),
    path("async/", async_view),
    path("loop/", async_view_that_keeps_on_the_event_loop),
    path("open/", OpenView.as_view()),
    path("failing/", FailingView.as_view()),
    path("others/", OthersView.as_view()),
    path("deactivate/", DeactivateView.as_view()),
    path("", include("tests.urls")),
]
