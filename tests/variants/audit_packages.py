"""Test whom django-auditlog, django-simple-history and django-easy-audit record with a token."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_signet import issue
from drf_signet.authentication import JWTAuthentication
from tests.conftest import PASSWORD
from tests.docs.pages import table
from tests.variants.audit_page import PAGE

JWT = "drf_signet.middleware.JWTMiddleware"
AUDITLOG = "auditlog.middleware.AuditlogMiddleware"
ROWS = {row["package"]: row for row in table(PAGE, "Who is recorded")}

pytestmark = pytest.mark.django_db(transaction=True)  # easy-audit writes after the commit


def note() -> Any:
    return importlib.import_module("notes.models").Note.objects.create(text="x")


class NoteView(APIView):
    authentication_classes = (JWTAuthentication,)
    permission_classes = (IsAuthenticated,)

    def post(self, request: Any) -> Response:
        return Response(note().pk)


@csrf_exempt
def plain(request: Any) -> HttpResponse:
    return HttpResponse(note().pk)


urlpatterns = (path("rest/", NoteView.as_view()), path("plain/", plain))


def by_auditlog(pk: int) -> Any:
    from auditlog.models import LogEntry

    return LogEntry.objects.get(object_pk=str(pk)).actor


def by_simple_history(pk: int) -> Any:
    return importlib.import_module("notes.models").Note.history.get(id=pk).history_user


def by_easy_audit(pk: int) -> Any:
    from easyaudit.models import CRUDEvent

    return CRUDEvent.objects.get(object_id=str(pk), content_type__model="note").user


PACKAGES: dict[str, Callable[[int], Any]] = {
    "django-auditlog": by_auditlog,
    "django-simple-history": by_simple_history,
    "django-easy-audit": by_easy_audit,
}


@pytest.fixture(autouse=True)
def _urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=urlpatterns):
        yield


@pytest.fixture
def ada() -> Any:
    return get_user_model().objects.create_user("ada", "ada@example.com", PASSWORD)


def saved_by(ada: Any, url: str, middleware: list[str]) -> int:
    """Save a note in a request with a token of ada. Return the note's primary key."""
    headers = {"Authorization": f"Bearer {issue(ada).access}"}
    with override_settings(MIDDLEWARE=middleware):
        answer = Client().post(url, headers=headers)
    assert answer.status_code == 200
    return int(answer.content)


def without(name: str) -> list[str]:
    return [one for one in django_settings.MIDDLEWARE if one != name]


@pytest.mark.parametrize("url", ["/rest/", "/plain/"])
def test_every_package_records_the_user_of_the_token_with_jwt_middleware(
    url: str, ada: Any
) -> None:
    pk = saved_by(ada, url, django_settings.MIDDLEWARE)
    recorded = {name: read(pk) for name, read in PACKAGES.items()}
    assert recorded == dict.fromkeys(PACKAGES, ada)
    assert {ROWS[name]["with `JWTMiddleware`"] for name in recorded} == {"the user"}


@pytest.mark.parametrize(
    ("url", "column"),
    [
        ("/rest/", "REST framework, without `JWTMiddleware`"),
        ("/plain/", "plain view, without `JWTMiddleware`"),
    ],
)
def test_packages_record_the_user_without_jwt_middleware_only_as_the_table_says(
    url: str, column: str, ada: Any
) -> None:
    pk = saved_by(ada, url, without(JWT))
    recorded = {
        name: "nobody" if read(pk) is None else "the user" for name, read in PACKAGES.items()
    }
    assert recorded == {name: row[column] for name, row in ROWS.items()}


def test_auditlog_before_jwt_middleware_records_nobody(ada: Any) -> None:
    order = without(AUDITLOG)
    order.insert(order.index(JWT), AUDITLOG)
    assert by_auditlog(saved_by(ada, "/rest/", order)) is None


def test_auditlog_records_the_address_that_the_client_chooses(ada: Any) -> None:
    from auditlog.models import LogEntry

    headers = {"Authorization": f"Bearer {issue(ada).access}", "X-Forwarded-For": "192.0.2.1, ::1"}
    Client().post("/rest/", headers=headers)
    assert LogEntry.objects.get(object_repr__startswith="Note").remote_addr == "192.0.2.1"


def test_easy_audit_records_logins_and_failed_logins_of_the_endpoints(ada: Any) -> None:
    from easyaudit.models import LoginEvent

    with override_settings(ROOT_URLCONF="drf_signet.urls"):
        for password in (PASSWORD, "wrong"):
            Client().post("/", {"username": ada.username, "password": password})
    events = LoginEvent.objects.order_by("pk").values_list("login_type", "username")
    assert list(events) == [(LoginEvent.LOGIN, "ada"), (LoginEvent.FAILED, "ada")]


def test_every_package_records_the_user_whom_the_task_of_the_page_names(ada: Any) -> None:
    written = importlib.import_module("notes.tasks").write(ada.pk, "from a task")
    assert {name: read(written.pk) for name, read in PACKAGES.items()} == dict.fromkeys(
        PACKAGES, ada
    )
