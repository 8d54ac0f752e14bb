"""What is remembered of a client, and what counts as one."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from django.http import HttpRequest
from hypothesis import given
from hypothesis import strategies as st

from drf_signet import clients
from drf_signet.models import USER_AGENT_LENGTH
from drf_signet.sessions import Client


def request(address: str | None = "203.0.113.7", **meta: str) -> HttpRequest:
    made = HttpRequest()
    made.META.update(meta)
    if address is not None:
        made.META["REMOTE_ADDR"] = address
    return made


@pytest.fixture
def behind(settings):
    """Return what sets how many proxies there are."""

    def set_proxies(number: int | None) -> None:
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": number}

    return set_proxies


def test_client_is_described_by_agent_and_address() -> None:
    found = clients.describe(request(HTTP_USER_AGENT="curl/8.5"))
    assert found == Client(user_agent="curl/8.5", ip_address="203.0.113.7")


def test_nothing_is_known_of_no_request() -> None:
    assert clients.describe(None) == Client()


def test_nothing_is_remembered_where_it_is_switched_off(settings) -> None:
    settings.SIGNET = {"RECORD_CLIENT": False}
    assert clients.describe(request(HTTP_USER_AGENT="curl/8.5")) == Client()


def test_client_without_an_agent_is_described() -> None:
    assert clients.describe(request()) == Client(ip_address="203.0.113.7")


@given(st.text())
def test_agent_is_printable_and_short_whatever_was_sent(text) -> None:
    kept = clients.describe(request(HTTP_USER_AGENT=text)).user_agent
    assert kept.isprintable()
    assert len(kept) <= USER_AGENT_LENGTH
    assert kept == kept.strip()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (
            "Mozilla/5.0 (X11; Linux) AppleWebKit/537 (KHTML, like Gecko) Chrome/131 Safari/537",
            "(X11; Linux) AppleWebKit/537 Chrome/131 Safari/537",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
            "(Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
        ),
        ("Mozilla/5.0", "Mozilla/5.0"),
        ("Bot/1 (as Mozilla/5.0 (X11))", "Bot/1 (as Mozilla/5.0 (X11))"),
    ],
    ids=["chrome", "explorer", "nothing else", "not in front"],
)
def test_what_all_browsers_say_of_themselves_is_not_kept(sent, kept) -> None:
    assert clients.describe(request(HTTP_USER_AGENT=sent)).user_agent == kept


@pytest.mark.parametrize("text", [None, "", "unix:", "localhost", "203.0.113.7:80", "256.1.1.1"])
def test_client_whose_address_the_server_does_not_know_has_none(text) -> None:
    assert clients.describe(request(text)).ip_address is None
    assert clients.network(request(text)) == "None"


@pytest.mark.parametrize(
    ("text", "address", "network"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::/64"),
        ("2001:0DB8:0:0:1::1", "2001:db8::1:0:0:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("::1", "::1", "::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("::ffff:cb00:7107", "203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        ("fe80::1%" + "x" * 5000, "fe80::1", "fe80::/64"),
        ("::ffff:203.0.113.7%1", "203.0.113.7", "203.0.113.7"),
    ],
    ids=lambda text: text[:20],
)
def test_address_has_one_spelling_and_one_network(text, address, network) -> None:
    assert clients.describe(request(text)).ip_address == address
    assert clients.network(request(text)) == network


@given(st.ip_addresses(v=6))
def test_addresses_of_one_64_are_one_client(address) -> None:
    neighbour = ipaddress.IPv6Address(int(address) ^ 1)
    one, other = (clients.network(request(str(each))) for each in (address, neighbour))
    assert one == other or address.ipv4_mapped


@pytest.mark.parametrize("proxies", [None, 0])
def test_forwarded_addresses_are_not_believed_without_proxies(behind, proxies) -> None:
    behind(proxies)
    forwarded = request(HTTP_X_FORWARDED_FOR="198.51.100.1")
    assert clients.describe(forwarded).ip_address == "203.0.113.7"


def test_forwarded_addresses_are_not_believed_without_drfs_settings(settings) -> None:
    del settings.REST_FRAMEWORK
    forwarded = request(HTTP_X_FORWARDED_FOR="198.51.100.1")
    assert clients.describe(forwarded).ip_address == "203.0.113.7"


@pytest.mark.parametrize(
    ("proxies", "header", "address"),
    [
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        (1, "6.6.6.6,198.51.100.1", "198.51.100.1"),
        (1, "  198.51.100.1  ", "198.51.100.1"),
        (2, "6.6.6.6, 198.51.100.1, 10.0.0.1", "198.51.100.1"),
        (2, "198.51.100.1", "198.51.100.1"),
        (1, "6.6.6.6, 2001:db8::1", "2001:db8::1"),
        (1, "6.6.6.6, garbage", None),
        (1, "6.6.6.6,", None),
        (1, "", None),
        (1, "," * 10_000, None),
    ],
    ids=repr,
)
def test_client_behind_proxies_is_the_hop_that_they_vouch_for(
    behind, proxies, header, address
) -> None:
    behind(proxies)
    assert clients.describe(request(HTTP_X_FORWARDED_FOR=header)).ip_address == address


def test_client_that_comes_past_the_proxy_is_its_own_address(behind) -> None:
    behind(1)
    assert clients.describe(request()).ip_address == "203.0.113.7"


def test_description_fits_the_model(db, user) -> None:
    import drf_signet

    hostile: Any = request("fe80::1%" + "x" * 5000, HTTP_USER_AGENT="\ud800\0" + "x" * 70_000)
    hostile.session = {}
    session = drf_signet.issue(user, hostile).session
    session.full_clean(exclude=["user"])
