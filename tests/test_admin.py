"""Sessions in Django's admin: to look at and to end; and users there, who take theirs along."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from drf_signet import sessions
from drf_signet.models import EndReason, Session
from tests.situations import delete_row_of, open_session

pytestmark = pytest.mark.django_db

LIST = "/admin/drf_signet/session/"


@pytest.fixture
def session(user: Any) -> Session:
    """Return a session of the tutorial's user."""
    return open_session(user, user_agent="curl/8", ip_address="192.0.2.1")


def detail(session: Session) -> str:
    return reverse("admin:drf_signet_session_change", args=[session.pk])


def end(client: Client, *selected: Session) -> str:
    """End sessions by the action of the list; return what the page says."""
    data = {"action": "end_selected", "_selected_action": [one.pk for one in selected]}
    return client.post(LIST, data, follow=True).content.decode()


def test_the_list_shows_who_and_with_what(admin_client: Client, session: Session) -> None:
    page = admin_client.get(LIST).content.decode()
    for text in ("vitor", "curl/8", "192.0.2.1"):
        assert text in page


@pytest.mark.parametrize("query", ["{0.pk}", "192.0.2.1"])
def test_a_session_is_found_by_its_id_and_its_address(
    admin_client: Client, session: Session, make_user: Any, query: str
) -> None:
    open_session(make_user(username="somebody else"))
    page = admin_client.get(LIST, {"q": query.format(session)}).content.decode()
    assert "vitor" in page
    assert "somebody else" not in page


def test_the_list_shows_sessions_whose_user_is_gone(admin_client: Client, session: Session) -> None:
    delete_row_of(session.user)
    assert admin_client.get(LIST).status_code == 200
    assert admin_client.get(detail(session)).status_code == 200


def test_only_the_label_can_be_changed(admin_client: Client, session: Session) -> None:
    before = Session.objects.values().get()
    answer = admin_client.post(
        detail(session), {"label": "the phone", "generation": 7, "end_reason": "logout"}
    )
    assert answer.status_code == 302
    assert Session.objects.values().get() == {**before, "label": "the phone"}


def test_the_page_of_a_session_keeps_the_stamp_of_the_password_to_itself(
    admin_client: Client, session: Session
) -> None:
    page = admin_client.get(detail(session)).content.decode()
    assert session.password_stamp not in page


@pytest.mark.parametrize("path", ["add/", "{0.pk}/delete/"])
def test_a_session_is_neither_added_nor_deleted(
    admin_client: Client, session: Session, path: str
) -> None:
    assert admin_client.post(LIST + path.format(session)).status_code == 403
    assert Session.objects.get() == session


def test_selected_sessions_are_ended_if_they_are_alive(
    admin_client: Client, user: Any, session: Session
) -> None:
    ended, other, spared = (open_session(user) for _ in range(3))
    sessions.end(ended.pk, user_id=user.pk, reason=EndReason.LOGOUT)
    assert "2 sessions were ended" in end(admin_client, session, ended, other)
    assert dict(Session.objects.values_list("id", "end_reason")) == {
        session.pk: EndReason.ENDED_BY_ADMIN,
        ended.pk: EndReason.LOGOUT,
        other.pk: EndReason.ENDED_BY_ADMIN,
        spared.pk: "",
    }


def test_the_message_speaks_of_one_session_when_it_was_one(
    admin_client: Client, session: Session
) -> None:
    assert "1 session was ended" in end(admin_client, session)


def test_who_may_only_view_sessions_cannot_end_them(make_user: Any, session: Session) -> None:
    viewer = make_user(is_staff=True)
    own = Permission.objects.filter(content_type__app_label="drf_signet")
    viewer.user_permissions.add(own.get(codename="view_session"))
    client = Client()
    client.force_login(viewer)
    assert client.get(LIST).status_code == 200
    end(client, session)
    assert Session.objects.get().end_reason == ""


@pytest.mark.parametrize("path", ["{0.pk}/delete/", ""])
def test_deleting_a_user_in_the_admin_ends_the_sessions(
    admin_client: Client, session: Session, path: str
) -> None:
    data = {"action": "delete_selected", "_selected_action": [session.user_id], "post": "yes"}
    answer = admin_client.post("/admin/auth/user/" + path.format(session.user), data)
    assert answer.status_code == 302
    row = Session.objects.get()
    assert (row.end_reason, row.user_id) == (EndReason.USER_DELETED, None)
