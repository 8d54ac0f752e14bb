"""Test the names of devices: from a parser of user agents, and without one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps

from drf_signet.contrib import ua_parser
from drf_signet.transports import clients, devices

ROOT = Path(__file__).parents[3]
FIREFOX = "(X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def _restore_parser() -> Iterator[None]:
    """Register the parser of the app again after each test."""
    parser = devices.register(None)
    devices.register(parser)
    yield
    devices.register(parser)


def name_of(sent: str) -> str:
    """Return the name of the device for a user agent as a client sends it."""
    return devices.name_of(clients.clean_user_agent(sent))


def test_app_registers_ua_parser_if_it_is_installed() -> None:
    assert devices.register(None) is ua_parser.name_of


def test_app_registers_no_parser_if_ua_parser_is_not_installed(monkeypatch) -> None:
    devices.register(None)
    monkeypatch.setattr("drf_signet.apps.find_spec", lambda name: None)
    apps.get_app_config("drf_signet").ready()
    assert devices.name_of(FIREFOX) == FIREFOX


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
        ),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0"
            ),
            "Edge on Windows",
        ),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 "
                "(KHTML, like Gecko) CriOS/126.0.6478.153 Mobile/15E148 Safari/604.1"
            ),
            "Chrome on iPhone",
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/138.0.0.0 Mobile Safari/537.36"
            ),
            "Chrome on Android",
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 13; SM-G991B Build/TP1A.220624.014; wv) "
                "AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.122 Mobile "
                "Safari/537.36"
            ),
            "Chrome on Samsung SM-G991B",
        ),
        # ua-parser recognizes this browser only by the phrases that are not stored.
        (
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 "
                "(KHTML, like Gecko) Version/17.5 Safari/605.1.15 Ddg/17.5"
            ),
            "DuckDuckGo on Mac",
        ),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"),
        ("MyApp/412 CFNetwork/3826.500.131 Darwin/24.5.0", "MyApp on iOS"),
        ("MyApp/3.1 (com.example; build:1; iOS 17.5.1) Alamofire/5.9.1", "MyApp on iOS"),
        ("MyApp/3 (Linux; Android 14; Pixel 8)", "MyApp on Android"),
        ("curl/8.7.1", "curl"),
        ("Dart/3.8 (dart:io)", "Dart/3.8 (dart:io)"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "Linux"),
        ("()", "()"),
        ("", ""),
    ],
)
def test_device_has_the_name_of_its_program_and_hardware_or_system(sent: str, name: str) -> None:
    assert name_of(sent) == name


def test_user_agents_of_the_benchmarks_have_short_names_with_a_parser() -> None:
    sent = (ROOT / "benchmarks/user_agents.txt").read_text(encoding="utf-8").splitlines()
    names = [name_of(line) for line in sent]
    assert len(names) > 40
    assert max(map(len, names)) <= 30


def test_parser_gets_the_user_agent_with_the_phrases_that_are_not_stored() -> None:
    devices.register(lambda user_agent: f"<{user_agent}>")
    sent = (
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/138.0.0.0 Mobile Safari/537.36"
    )
    assert name_of(sent) == f"<{sent}>"
    assert name_of("curl/8.7.1") == "<curl/8.7.1>"


@pytest.mark.parametrize("parser", [None, lambda user_agent: ""], ids=["none", "knows nothing"])
def test_device_without_a_name_is_its_stored_user_agent(parser) -> None:
    devices.register(None)
    devices.register(parser)
    assert devices.name_of(FIREFOX) == FIREFOX
    assert devices.name_of("") == ""


def test_release_of_ua_parser_without_parse_names_no_device(monkeypatch) -> None:
    """Test a release before 1.0, which another package of the project may require."""
    monkeypatch.setitem(sys.modules, "ua_parser", sys)
    assert devices.name_of(FIREFOX) == FIREFOX


@pytest.mark.parametrize(
    "hostile", ["\x00", "\ud800", "(" * 160, "Mozilla/" * 20, "/" * 160, "%s{}"]
)
def test_hostile_user_agent_has_a_name(hostile: str) -> None:
    assert isinstance(name_of(hostile), str)
