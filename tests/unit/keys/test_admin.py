"""Test that the admin shows the signing keys, without the private keys, and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from drf_signet.keys import changes
from drf_signet.keys.models import SigningKey
from tests.support.signing_keys import pass_time

pytestmark = pytest.mark.usefixtures("keys_in_database")

LIST = "admin:drf_signet_signingkey_changelist"


@pytest.fixture
def staff(make_user: Any) -> Client:
    user = make_user(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_signingkey"))
    client = Client()
    client.force_login(user)
    return client


def test_list_and_page_show_the_state_and_no_private_key(
    staff: Client, django_assert_max_num_queries: Any
) -> None:
    changes.rotate()
    pass_time(3600)
    with django_assert_max_num_queries(10):
        page = staff.get(reverse(LIST)).content.decode()
    key = SigningKey.objects.get(pk=1)
    change = staff.get(reverse("admin:drf_signet_signingkey_change", args=[1])).content.decode()
    for content in (page, change):
        assert key.kid in content
        assert "signs and verifies" in content
        assert key.private_key[:20] not in content
    assert str(key) == key.kid


def test_empty_list_is_shown(staff: Client) -> None:
    assert staff.get(reverse(LIST)).status_code == 200


def test_nobody_can_add_change_or_delete_a_key(admin_client: Client) -> None:
    changes.rotate()
    for action, arguments in (("add", []), ("delete", [1])):
        url = reverse(f"admin:drf_signet_signingkey_{action}", args=arguments)
        assert admin_client.get(url).status_code == 403
    url = reverse("admin:drf_signet_signingkey_change", args=[1])
    assert admin_client.post(url, {"kid": "other"}).status_code == 403


def test_index_page_lists_the_keys_only_if_they_are_used(
    admin_client: Client, settings: Any
) -> None:
    assert reverse(LIST) in admin_client.get("/admin/").content.decode()
    settings.SIGNET = {}
    assert reverse(LIST) not in admin_client.get("/admin/").content.decode()
