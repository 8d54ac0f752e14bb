"""Tests of `drf_signet.transports.clients`: a client's recorded data, address and network."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from django.http import HttpRequest
from hypothesis import given
from hypothesis import strategies as st

from drf_signet.models import USER_AGENT_LENGTH, Session
from drf_signet.sessions.store import Client
from drf_signet.testing import browser_client
from drf_signet.transports import clients
from tests.conftest import PASSWORD


def request(address: str | None = "203.0.113.7", **meta: str) -> HttpRequest:
    built = HttpRequest()
    built.META.update(meta)
    if address is not None:
        built.META["REMOTE_ADDR"] = address
    return built


@pytest.fixture
def set_num_proxies(settings):
    """Return a function that sets NUM_PROXIES."""

    def set_number(number: int | None) -> None:
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": number}

    return set_number


def test_a_client_has_the_user_agent_and_the_address_of_the_request() -> None:
    client = clients.describe(request(HTTP_USER_AGENT="curl/8.5"))
    assert client == Client(user_agent="curl/8.5", ip_address="203.0.113.7")


def test_a_client_without_a_request_is_empty() -> None:
    assert clients.describe(None) == Client()


def test_a_client_is_empty_if_record_client_is_false(settings) -> None:
    settings.SIGNET = {"RECORD_CLIENT": False}
    assert clients.describe(request(HTTP_USER_AGENT="curl/8.5")) == Client()


def test_a_client_without_a_user_agent_has_its_address() -> None:
    assert clients.describe(request()) == Client(ip_address="203.0.113.7")


@given(st.text())
def test_any_user_agent_is_recorded_as_short_printable_text(text) -> None:
    recorded = clients.describe(request(HTTP_USER_AGENT=text)).user_agent
    assert recorded.isprintable()
    assert len(recorded) <= USER_AGENT_LENGTH
    assert recorded == recorded.strip()


@pytest.mark.parametrize(
    ("sent", "recorded"),
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
    ids=["chrome", "explorer", "only boilerplate", "not at the start"],
)
def test_boilerplate_of_user_agents_is_not_recorded(sent, recorded) -> None:
    assert clients.describe(request(HTTP_USER_AGENT=sent)).user_agent == recorded


#: Values of REMOTE_ADDR that are not valid addresses.
UNREADABLE = [
    *(None, "", " ", "unix:", "localhost", "unknown", "_hidden", "256.1.1.1", "203.0.113.7.:80"),
    *("203.0.113.7:80:80", "203.0.113.7:http", "203.0.113.7 :80", "203.0.113.7:-1", ":80", "1:80"),
    *("[]", "[]:80", "[2001:db8::1", "2001:db8::1]", "[[2001:db8::1]]", "[2001:db8::1]80"),
    *("[2001:db8::1]:80x", "2001:db8::1:51234", "[localhost]:80", "203.0.113.7:\u0661", "%eth0"),
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_client_with_an_invalid_address_has_no_address(text) -> None:
    assert clients.describe(request(text)).ip_address is None
    assert clients.network(request(text)) is None


@given(st.text() | st.text("0123456789abcdef:.[]%"))
def test_any_string_is_an_address_or_none(text) -> None:
    address = clients.describe(request(text)).ip_address
    assert address is None or str(ipaddress.ip_address(address)) == address


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
        ("198.51.100.7:51234", "198.51.100.7", "198.51.100.7"),
        ("198.51.100.7:", "198.51.100.7", "198.51.100.7"),
        ("[2001:db8::1]", "2001:db8::1", "2001:db8::/64"),
        ("[2001:db8::1]:51234", "2001:db8::1", "2001:db8::/64"),
        ("[2001:db8::1]:", "2001:db8::1", "2001:db8::/64"),
        ("[fe80::1%eth0]:51234", "fe80::1", "fe80::/64"),
        ("[::ffff:203.0.113.7]:51234", "203.0.113.7", "203.0.113.7"),
    ],
    ids=lambda text: text[:20],
)
def test_an_address_is_normalised_and_belongs_to_a_network(text, address, network) -> None:
    assert clients.describe(request(text)).ip_address == address
    assert clients.network(request(text)) == network


@given(st.ip_addresses(v=6))
def test_ipv6_addresses_in_the_same_64_belong_to_the_same_network(address) -> None:
    neighbour = ipaddress.IPv6Address(int(address) ^ 1)
    network, neighbours_network = (
        clients.network(request(str(member))) for member in (address, neighbour)
    )
    assert network == neighbours_network or address.ipv4_mapped


@pytest.mark.parametrize("proxies", [None, 0])
def test_forwarded_addresses_are_ignored_without_proxies(set_num_proxies, proxies) -> None:
    set_num_proxies(proxies)
    forwarded = request(HTTP_X_FORWARDED_FOR="198.51.100.1")
    assert clients.describe(forwarded).ip_address == "203.0.113.7"


def test_forwarded_addresses_are_ignored_without_the_settings_of_drf(settings) -> None:
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
        (1, "6.6.6.6, 198.51.100.7:51234", "198.51.100.7"),
        (1, "6.6.6.6, [2001:db8::1]:51234", "2001:db8::1"),
        (1, "6.6.6.6, [2001:db8::1]", "2001:db8::1"),
        (2, "6.6.6.6, [2001:db8::1]:51234, 10.0.0.1:80", "2001:db8::1"),
        (1, "6.6.6.6, garbage", None),
        (1, "6.6.6.6,", None),
        (1, "", None),
        (1, "," * 10_000, None),
    ],
    ids=repr,
)
def test_a_client_behind_proxies_has_the_address_that_the_proxies_forward(
    set_num_proxies, proxies, header, address
) -> None:
    set_num_proxies(proxies)
    assert clients.describe(request(HTTP_X_FORWARDED_FOR=header)).ip_address == address


@pytest.mark.parametrize("number", ["1", 1.0, -1, "", [1]])
def test_a_client_has_no_address_if_the_number_of_proxies_is_not_a_number(
    set_num_proxies, number
) -> None:
    set_num_proxies(number)
    assert clients.describe(request(HTTP_X_FORWARDED_FOR="198.51.100.1")) == Client()


def test_a_client_of_a_unix_socket_has_the_address_that_the_proxy_forwards(set_num_proxies) -> None:
    set_num_proxies(1)
    forwarded = request("", HTTP_X_FORWARDED_FOR="6.6.6.6, 198.51.100.1:51234")
    assert clients.describe(forwarded).ip_address == "198.51.100.1"
    assert clients.describe(request("")).ip_address is None


def test_a_client_that_bypasses_the_proxy_has_its_own_address(set_num_proxies) -> None:
    set_num_proxies(1)
    assert clients.describe(request()).ip_address == "203.0.113.7"


@pytest.mark.parametrize(
    ("hop", "address"),
    [
        ("198.51.100.7:51234", "198.51.100.7"),
        ("[2001:db8::1]:51234", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("unknown", None),
    ],
)
@pytest.mark.parametrize("path", ["/api/token/", "/auth/login/"])
def test_a_session_stores_the_address_without_its_port(
    user, set_num_proxies, path, hop, address
) -> None:
    set_num_proxies(1)
    credentials = {"username": "vitor", "password": PASSWORD}
    header: Any = {"HTTP_X_FORWARDED_FOR": f"6.6.6.6, {hop}"}
    answer = browser_client().post(path, credentials, format="json", **header)
    assert answer.status_code == 200
    assert Session.objects.get().ip_address == address


def test_a_hostile_client_fits_the_session_model(db, user) -> None:
    import drf_signet

    hostile: Any = request("fe80::1%" + "x" * 5000, HTTP_USER_AGENT="\ud800\0" + "x" * 70_000)
    hostile.session = {}
    session = drf_signet.issue(user, hostile).session
    session.full_clean(exclude=["user"])
