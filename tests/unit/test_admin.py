"""Test the admin: it lists, finds and ends sessions; deleting a user ends the user's sessions."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime

from drf_signet import runtime
from drf_signet.admin import SessionAdmin, SessionInline, lists
from drf_signet.admin.inlines import MAX_SHOWN
from drf_signet.models import EndReason, Session, State
from drf_signet.sessions import store
from tests.support.session_states import delete_row_of, expire, open_session, set_row
from tests.usermodels.models import KeyedByUUID

pytestmark = pytest.mark.django_db

LIST = "/admin/drf_signet/session/"
END_ALL = f"{LIST}end-all/"


@pytest.fixture
def session(user: Any) -> Session:
    """Return a session of the tutorial's user."""
    return open_session(user, user_agent="curl/8", ip_address="192.0.2.1")


@pytest.fixture
def viewer(make_user: Any) -> Client:
    """Return a client of a staff member who may view sessions, and not change them."""
    return staff(make_user, "view_session")


def staff(make_user: Any, *permissions: str) -> Client:
    """Return a client of a new staff member with these permissions."""
    member = make_user(is_staff=True)
    member.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(member)
    return client


def found(client: Client, **query: str) -> set[Any]:
    """Return the ids of the sessions that the list shows for a query."""
    response = client.get(LIST, query)
    assert response.status_code == 200
    return {session.pk for session in response.context["cl"].result_list}


def user_page(user: Any) -> str:
    return reverse("admin:auth_user_change", args=[user.pk])


def detail(session: Session) -> str:
    return reverse("admin:drf_signet_session_change", args=[session.pk])


def end(client: Client, *selected: Session) -> str:
    """End the selected sessions with the admin action; return the page after the redirect."""
    data = {"action": "end_selected", "_selected_action": [session.pk for session in selected]}
    return client.post(LIST, data, follow=True).content.decode()


def test_session_list_shows_user_client_and_address(admin_client: Client, session: Session) -> None:
    page = admin_client.get(LIST).content.decode()
    for text in ("vitor", "curl/8", "192.0.2.1"):
        assert text in page


def test_session_pages_open_if_the_user_was_deleted(admin_client: Client, session: Session) -> None:
    delete_row_of(session.user)
    assert admin_client.get(LIST).status_code == 200
    assert admin_client.get(detail(session)).status_code == 200


def test_admin_changes_only_the_label_of_a_session(admin_client: Client, session: Session) -> None:
    before = Session.objects.values().get()
    answer = admin_client.post(
        detail(session), {"label": "the phone", "generation": 7, "end_reason": "logout"}
    )
    assert answer.status_code == 302
    assert Session.objects.values().get() == {**before, "label": "the phone"}


def test_session_page_does_not_show_the_password_stamp(
    admin_client: Client, session: Session
) -> None:
    page = admin_client.get(detail(session)).content.decode()
    assert session.password_stamp not in page


@pytest.mark.parametrize("path", ["add/", "{0.pk}/delete/"])
def test_admin_neither_adds_nor_deletes_sessions(
    admin_client: Client, session: Session, path: str
) -> None:
    assert admin_client.post(LIST + path.format(session)).status_code == 403
    assert Session.objects.get() == session


def test_end_action_ends_the_selected_sessions_that_are_live(
    admin_client: Client, user: Any, session: Session
) -> None:
    ended, other, spared = (open_session(user) for _ in range(3))
    store.end(ended.pk, user_id=user.pk, reason=EndReason.LOGOUT)
    assert "2 sessions were ended" in end(admin_client, session, ended, other)
    assert dict(Session.objects.values_list("id", "end_reason")) == {
        session.pk: EndReason.ENDED_BY_ADMIN,
        ended.pk: EndReason.LOGOUT,
        other.pk: EndReason.ENDED_BY_ADMIN,
        spared.pk: "",
    }


def test_end_action_uses_the_singular_for_one_session(
    admin_client: Client, session: Session
) -> None:
    assert "1 session was ended" in end(admin_client, session)


def test_end_action_needs_more_than_the_view_permission(viewer: Client, session: Session) -> None:
    assert viewer.get(LIST).status_code == 200
    end(viewer, session)
    assert Session.objects.get().end_reason == ""


def test_end_action_is_in_the_history_of_each_session_it_ended(
    admin_client: Client, user: Any, session: Session
) -> None:
    ended = open_session(user)
    store.end(ended.pk, user_id=user.pk, reason=EndReason.LOGOUT)
    end(admin_client, session, ended)
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (str(session.pk), "1 session was ended.")


def test_end_action_on_the_whole_list_asks_first(
    admin_client: Client, user: Any, session: Session
) -> None:
    """Test the link "Select all sessions", which selects more than the page shows."""
    open_session(user)
    data = {"action": "end_selected", "select_across": "1", "_selected_action": session.pk}
    page = admin_client.post(LIST, data).content.decode()
    assert "This ends all sessions of the list: 2 sessions" in page
    assert not Session.objects.ended().exists()
    posted = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w*)">', page))
    del posted["csrfmiddlewaretoken"]
    page = admin_client.post(LIST, posted, follow=True).content.decode()
    assert "2 sessions were ended." in page
    assert Session.objects.filter(end_reason=EndReason.ENDED_BY_ADMIN).count() == 2


def test_end_action_on_the_whole_list_ends_only_what_the_filter_shows(
    admin_client: Client, session: Session, make_user: Any
) -> None:
    other = open_session(make_user(username="maria"))
    data = {"action": "end_selected", "select_across": "1", "_selected_action": "all"}
    admin_client.post(f"{LIST}?q=maria&state=live", {**data, "confirmed": "yes"})
    assert Session.objects.ended().get() == other


class TestList:
    """Test the list of sessions."""

    def test_list_shows_device_state_and_times_of_a_session(
        self, admin_client: Client, user: Any
    ) -> None:
        agent = "(X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        session = open_session(user, user_agent=agent, label="the <desk>")
        page = admin_client.get(LIST).content.decode()
        assert "the &lt;desk&gt; – Firefox on Linux</span>" in page  # noqa: RUF001
        assert date_format(localtime(session.expires_at), "Y-m-d H:i") in page
        assert '<span class="signet-live">live</span>' in page

    def test_list_opens_for_a_session_without_user_client_or_address(
        self, admin_client: Client, user: Any
    ) -> None:
        session = open_session(user)
        set_row(session, user=None)
        page = admin_client.get(LIST).content.decode()
        assert detail(session) in page

    def test_list_is_in_the_order_of_the_logins(self, admin_client: Client, user: Any) -> None:
        now = runtime.now()
        sessions = [open_session(user, id=store.new_id(now - age)) for age in (2, 3, 1)]
        page = admin_client.get(LIST).content.decode()
        second, third, first = (page.index(str(session.pk)) for session in sessions)
        assert first < second < third

    def test_times_are_shown_without_time_zone_support(
        self, admin_client: Client, user: Any, settings: Any
    ) -> None:
        settings.USE_TZ = False
        session = open_session(user)
        page = admin_client.get(LIST).content.decode()
        assert date_format(session.expires_at, "Y-m-d H:i") in page

    @pytest.mark.parametrize("state", State.values)
    def test_filter_shows_sessions_of_one_state(
        self, admin_client: Client, user: Any, state: str
    ) -> None:
        live, ended, expired, idle = (open_session(user) for _ in range(4))
        set_row(ended, end_reason=EndReason.LOGOUT)
        expire(expired)
        set_row(idle, refreshed_at=idle.refreshed_at - timedelta(days=2))
        expected = {"live": [live], "ended": [ended], "expired": [expired, idle]}[state]
        assert found(admin_client, state=state) == {each.pk for each in expected}
        page = admin_client.get(LIST, {"state": state}).content.decode()
        assert page.count(f'<span class="signet-{state}">') == len(expected)

    def test_unknown_state_in_the_query_shows_all_sessions(
        self, admin_client: Client, session: Session
    ) -> None:
        assert found(admin_client, state="x") == {session.pk}

    def test_list_is_found_with_seven_statements_and_never_counts_all_rows(
        self, admin_client: Client, user: Any, make_user: Any
    ) -> None:
        for _ in range(5):
            open_session(make_user())
        with CaptureQueriesContext(
            connection,
        ) as captured:
            admin_client.get(LIST)
        counts = [q["sql"] for q in captured if "COUNT(" in q["sql"]]
        assert [f"LIMIT {lists.MAX_COUNT}" in sql for sql in counts] == [True]
        assert len([q for q in captured if "drf_signet_session" in q["sql"]]) == 2

    def test_list_says_that_it_does_not_contain_all_sessions(
        self, admin_client: Client, user: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lists, "MAX_COUNT", 2)
        monkeypatch.setattr("drf_signet.admin.sessions.MAX_COUNT", 2)
        open_session(user)
        assert "There may be more sessions" not in admin_client.get(LIST).content.decode()
        open_session(user)
        open_session(user)
        assert "There may be more sessions" in admin_client.get(LIST).content.decode()

    @pytest.mark.parametrize("query", ["o=5", "o=-5", "p=7", "all=", "_facets=True", "e=1"])
    def test_list_opens_with_any_order_and_page(
        self, admin_client: Client, session: Session, query: str
    ) -> None:
        assert admin_client.get(f"{LIST}?{query}", follow=True).status_code == 200


class TestSearch:
    """Test the search of the list."""

    @pytest.mark.parametrize(
        "term",
        ["maria", "mar", "MARIA", "ria@example", "maria@example.com", " maria ", "{0.pk}"],
    )
    def test_search_finds_sessions_by_username_email_and_id(
        self, admin_client: Client, session: Session, make_user: Any, term: str
    ) -> None:
        other = open_session(make_user(username="maria", email="maria@example.com"))
        assert found(admin_client, q=term.format(other)) == {other.pk}

    @pytest.mark.parametrize("term", ["192.0.2.1", "2001:db8::1", "2001:DB8:0::1"])
    def test_search_finds_sessions_by_address(
        self, admin_client: Client, user: Any, term: str
    ) -> None:
        address = "192.0.2.1" if term == "192.0.2.1" else "2001:db8::1"
        wanted = open_session(user, ip_address=address)
        open_session(user, ip_address="192.0.2.11")
        assert found(admin_client, q=term) == {wanted.pk}

    def test_exact_username_does_not_find_longer_usernames(
        self, admin_client: Client, make_user: Any
    ) -> None:
        ann = open_session(make_user(username="ann"))
        open_session(make_user(username="anna"))
        assert found(admin_client, q="ann") == {ann.pk}

    @pytest.mark.parametrize("term", ["nobody", "%", "_", "\\", "x" * 5000, "a\x00b", "9" * 400])
    def test_search_without_a_result_shows_an_empty_list(
        self, admin_client: Client, session: Session, term: str
    ) -> None:
        expected = {session.pk} if "\x00" in term else set()  # Django's form refuses the term
        assert found(admin_client, q=term) == expected

    def test_blank_search_shows_all_sessions(self, admin_client: Client, session: Session) -> None:
        assert found(admin_client, q="   ") == {session.pk}

    def test_search_says_if_too_many_users_match(
        self, admin_client: Client, make_user: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lists, "MAX_USERS", 2)
        monkeypatch.setattr("drf_signet.admin.sessions.MAX_USERS", 2)
        for number in range(3):
            open_session(make_user(username=f"maria-{number}"))
            page = admin_client.get(LIST, {"q": "maria"}).content.decode()
            assert ("More than 2 users match" in page) == (number == 2)
        assert len(found(admin_client, q="maria")) == 2

    def test_search_joins_no_users(self, admin_client: Client, session: Session) -> None:
        """Compare users before sessions: a join would scan both tables."""
        with CaptureQueriesContext(connection) as captured:
            admin_client.get(LIST, {"q": "vit"})
        users = [q["sql"] for q in captured if "LIKE" in q["sql"]]
        assert len(users) == 1
        assert "drf_signet_session" not in users[0]

    def test_session_of_a_hidden_user_is_found(
        self, admin_client: Client, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Test a soft deletion: the default manager of the user model hides the user."""
        model = get_user_model()
        nobody = model._base_manager.none()
        monkeypatch.setattr(model._default_manager, "get_queryset", lambda: nobody)
        assert lists.search(Session.objects.all(), "vitor")[0].get() == session

    @pytest.mark.parametrize(
        ("username_field", "email_field", "paths"),
        [
            ("username", "email", ["username", "email"]),
            ("email", "email", ["email"]),
            ("username", "mail", ["username"]),  # a field that the model does not have
            ("friend", "email", ["friend__id", "email"]),
        ],
    )
    def test_search_compares_the_fields_that_the_user_model_names(
        self, monkeypatch: pytest.MonkeyPatch, username_field: str, email_field: str, paths: Any
    ) -> None:
        monkeypatch.setattr(KeyedByUUID, "USERNAME_FIELD", username_field)
        monkeypatch.setattr(KeyedByUUID, "EMAIL_FIELD", email_field, raising=False)
        assert list(lists._searched_paths(KeyedByUUID)) == paths

    @pytest.mark.parametrize("name", ["groups", "signet_sessions"])
    def test_search_compares_no_field_that_is_not_a_column(
        self, session: Session, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setattr(get_user_model(), "EMAIL_FIELD", name)
        assert lists.search(Session.objects.all(), "vit")[0].get() == session

    def test_search_without_a_match_of_the_type_of_the_username_finds_nothing(
        self, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Test a foreign key as the username: its values are numbers, and the term is not."""
        monkeypatch.setattr(LogEntry, "USERNAME_FIELD", "user", raising=False)
        monkeypatch.setattr(lists, "get_user_model", lambda: LogEntry)
        assert not lists.search(Session.objects.all(), "vitor")[0].exists()


class TestPage:
    """Test the page of a session."""

    def test_button_ends_the_session_and_is_in_its_history(
        self, admin_client: Client, session: Session
    ) -> None:
        assert "End this session" in admin_client.get(detail(session)).content.decode()
        data = {"label": "the phone", "_end": "End this session"}
        page = admin_client.post(detail(session), data, follow=True).content.decode()
        assert "1 session was ended." in page
        assert "End this session" not in page
        row = Session.objects.get()
        assert (row.end_reason, row.label) == (EndReason.ENDED_BY_ADMIN, "the phone")
        assert LogEntry.objects.filter(change_message="1 session was ended.").exists()

    def test_button_is_not_shown_for_an_expired_session(
        self, admin_client: Client, session: Session
    ) -> None:
        expire(session)
        assert "End this session" not in admin_client.get(detail(session)).content.decode()

    def test_ending_a_session_twice_ends_it_once(
        self, admin_client: Client, session: Session
    ) -> None:
        store.end(session.pk, user_id=session.user_id, reason=EndReason.LOGOUT)
        data = {"label": "", "_end": "x"}
        page = admin_client.post(detail(session), data, follow=True).content.decode()
        assert "0 sessions were ended." in page
        assert Session.objects.get().end_reason == EndReason.LOGOUT

    def test_saving_the_label_keeps_what_a_concurrent_refresh_writes(
        self, admin_client: Client, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        save = SessionAdmin.save_model

        def refreshed(*args: Any) -> None:
            set_row(session, generation=7)
            save(*args)

        monkeypatch.setattr(SessionAdmin, "save_model", refreshed)
        admin_client.post(detail(session), {"label": "the phone"})
        row = Session.objects.get()
        assert (row.label, row.generation) == ("the phone", 7)

    def test_viewer_can_neither_end_nor_label_a_session(
        self, viewer: Client, session: Session
    ) -> None:
        page = viewer.get(detail(session)).content.decode()
        assert "End this session" not in page
        assert "End all sessions" not in page
        assert viewer.post(detail(session), {"label": "x", "_end": "x"}).status_code == 403
        row = Session.objects.get()
        assert (row.label, row.end_reason) == ("", "")


class TestEndAll:
    """Test the page that ends all sessions of a user or of everybody."""

    def test_sessions_of_everybody_end_after_confirmation(
        self, admin_client: Client, session: Session, make_user: Any
    ) -> None:
        open_session(make_user())
        assert END_ALL in admin_client.get(LIST).content.decode()
        assert "all sessions of all users: 2 sessions" in admin_client.get(END_ALL).content.decode()
        assert not Session.objects.ended().exists()
        page = admin_client.post(END_ALL, follow=True).content.decode()
        assert "2 sessions were ended." in page
        assert Session.objects.filter(end_reason=EndReason.ENDED_BY_ADMIN).count() == 2

    def test_sessions_of_one_user_end_after_confirmation(
        self, admin_client: Client, session: Session, make_user: Any
    ) -> None:
        other = open_session(make_user())
        url = f"{END_ALL}?user={session.user_id}"
        listed = f"{LIST}?user={session.user_id}"
        for page in (listed, detail(session)):
            assert url in admin_client.get(page).content.decode()
        assert "all sessions of vitor: 1 session " in admin_client.get(url).content.decode()
        assert not Session.objects.ended().exists()
        assert admin_client.post(url)["Location"] == listed
        assert Session.objects.ended().get() == session
        assert Session.objects.get(pk=other.pk).end_reason == ""
        entry = LogEntry.objects.get()
        assert (entry.object_repr, entry.change_message) == ("vitor", "1 session was ended.")

    def test_page_recommends_the_command_for_many_sessions(
        self, admin_client: Client, user: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("drf_signet.admin.sessions.MAX_COUNT", 2)
        for number in (1, 2):
            open_session(user)
            page = admin_client.get(END_ALL).content.decode()
            assert ("signet_end_sessions" in page) == (number == 2)

    @pytest.mark.parametrize("key", ["0", "", "x", "9" * 30, "a\x00b", "-1"])
    def test_unknown_user_is_404(self, admin_client: Client, session: Session, key: str) -> None:
        assert admin_client.post(f"{END_ALL}?{urlencode({'user': key})}").status_code == 404
        assert Session.objects.get().end_reason == ""

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_viewer_is_refused(self, viewer: Client, session: Session, method: str) -> None:
        assert END_ALL not in viewer.get(LIST).content.decode()
        assert getattr(viewer, method)(END_ALL).status_code == 403
        assert Session.objects.get().end_reason == ""

    def test_visitor_has_to_log_in(self, session: Session) -> None:
        assert Client().post(END_ALL)["Location"].startswith("/admin/login/")
        assert Session.objects.get().end_reason == ""


class TestInline:
    """Test the sessions on the page of a user."""

    @pytest.fixture(autouse=True)
    def _inline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        model = get_user_model()
        assert isinstance(admin.site._registry[model], UserAdmin)
        monkeypatch.setattr(admin.site._registry[model], "inlines", [SessionInline])

    def page(self, client: Client, user: Any) -> str:
        return client.get(user_page(user)).content.decode()

    def test_page_of_a_user_shows_live_sessions_and_links(
        self, admin_client: Client, user: Any, make_user: Any, session: Session
    ) -> None:
        ended = open_session(user)
        set_row(ended, end_reason=EndReason.LOGOUT)
        foreign = open_session(make_user())
        page = self.page(admin_client, user)
        assert detail(session) in page
        assert detail(ended) not in page
        assert detail(foreign) not in page
        assert f"{END_ALL}?user={user.pk}" in page
        assert f"{LIST}?user={user.pk}" in page
        assert session.password_stamp not in page

    def test_page_of_a_user_shows_the_sessions_used_last(
        self, admin_client: Client, user: Any
    ) -> None:
        sessions = [open_session(user) for _ in range(MAX_SHOWN + 2)]
        set_row(sessions[-1], refreshed_at=sessions[-1].refreshed_at - timedelta(hours=2))
        page = self.page(admin_client, user)
        assert page.count("View</a>") == MAX_SHOWN
        assert detail(sessions[-1]) not in page

    def test_saving_a_user_changes_no_session(
        self, admin_client: Client, user: Any, session: Session
    ) -> None:
        page = admin_client.get(user_page(user))
        form = page.context["adminform"].form
        data = {name: value for name, value in form.initial.items() if value not in (None, [])}
        data |= {"signet_sessions-TOTAL_FORMS": "1", "signet_sessions-INITIAL_FORMS": "1"}
        data |= {"signet_sessions-0-id": str(session.pk), "signet_sessions-0-label": "x"}
        data |= {"signet_sessions-0-DELETE": "on", "first_name": "Vito"}
        joined = data.pop("date_joined")
        data |= {"date_joined_0": joined.date(), "date_joined_1": joined.time()}
        before = Session.objects.values().get()
        answer = admin_client.post(user_page(user), data)
        assert answer.status_code == 302, answer.context["errors"]
        user.refresh_from_db()
        assert user.first_name == "Vito"
        assert Session.objects.values().get() == before

    def test_page_that_adds_a_user_shows_no_sessions(self, admin_client: Client) -> None:
        page = admin_client.get("/admin/auth/user/add/")
        assert page.status_code == 200
        assert "Live sessions" not in page.content.decode()

    def test_staff_need_the_permission_to_view_sessions(
        self, make_user: Any, user: Any, session: Session
    ) -> None:
        page = self.page(staff(make_user, "view_user"), user)
        assert detail(session) not in page
        page = self.page(staff(make_user, "view_user", "view_session"), user)
        assert detail(session) in page
        assert END_ALL not in page

    def test_page_opens_if_the_site_has_no_admin_for_sessions(
        self, admin_client: Client, user: Any, session: Session, settings: Any
    ) -> None:
        settings.ROOT_URLCONF = "tests.unit.admin_without_sessions"
        page = self.page(admin_client, user)
        assert "curl" in page
        assert "All sessions of this user" not in page


@pytest.mark.parametrize("path", ["{0.pk}/delete/", ""])
def test_deleting_a_user_in_the_admin_ends_the_users_sessions(
    admin_client: Client, session: Session, path: str
) -> None:
    data = {"action": "delete_selected", "_selected_action": [session.user_id], "post": "yes"}
    answer = admin_client.post("/admin/auth/user/" + path.format(session.user), data)
    assert answer.status_code == 302
    row = Session.objects.get()
    assert (row.end_reason, row.user_id) == (EndReason.USER_DELETED, None)
    assert (row.user_agent, row.ip_address, row.password_stamp) == ("", None, "")


def test_end_all_ends_only_sessions_that_the_staff_member_can_list(
    admin_client: Client, user: Any, make_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Override `get_queryset`, as a project does whose staff may see some users only."""
    hidden, listed = open_session(make_user(username="maria")), open_session(user)
    every = SessionAdmin.get_queryset
    monkeypatch.setattr(SessionAdmin, "get_queryset", lambda *args: every(*args).filter(user=user))
    assert admin_client.get(f"{END_ALL}?user={hidden.user_id}").status_code == 404
    assert admin_client.post(f"{END_ALL}?user={hidden.user_id}").status_code == 404
    assert admin_client.post(END_ALL).status_code == 302
    assert Session.objects.ended().get() == listed
