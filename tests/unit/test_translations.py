"""Test the language of error messages, as described in docs/reference/errors.md."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils.translation import gettext, override

REFUSED = "Token is invalid or expired"
GERMAN = "Das Token gilt nicht"


@pytest.fixture(autouse=True)
def _german() -> Iterator[None]:
    with override("de"):
        yield


def compiled_catalogue(messages: dict[str, str]) -> bytes:
    """Return a compiled gettext catalogue, as in a .mo file, with the given messages."""
    header = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"
    texts = [text.encode() for pair in sorted({"": header, **messages}.items()) for text in pair]
    count = len(texts) // 2
    start = 28 + 16 * count
    places = [
        (len(text), start + sum(len(before) + 1 for before in texts[:number]))
        for number, text in enumerate(texts)
    ]
    tables = [number for place in places[::2] + places[1::2] for number in place]
    numbers = [0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0, *tables]
    return struct.pack(f"<{len(numbers)}I", *numbers) + b"".join(text + b"\0" for text in texts)


def refuse(client: Any) -> Any:
    return client.post("/api/token/refresh/", {"refresh": "x"}).json()


def test_messages_of_this_package_are_english_in_every_language(client: Any, db: None) -> None:
    assert refuse(client)["detail"] == REFUSED
    answer = client.get("/hello/", HTTP_AUTHORIZATION="Bearer x").json()
    assert answer["detail"] == "Given token not valid for any token type"
    assert answer["messages"][0]["message"] == "Token is invalid"


def test_messages_of_drf_are_in_the_language_of_the_request(client: Any, db: None) -> None:
    answer = client.post("/api/token/refresh/", {}).json()
    assert answer["refresh"] == [gettext("This field is required.")] != ["This field is required."]
    detail = client.get("/hello/").json()["detail"]
    english = "Authentication credentials were not provided."
    assert detail == gettext(english) != english


def test_catalogue_of_the_project_translates_the_messages_of_this_package(
    client: Any, settings: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.mo").write_bytes(compiled_catalogue({REFUSED: GERMAN}))
    settings.LOCALE_PATHS = [tmp_path]
    with override("de"):
        answer = refuse(client)
    assert (answer["detail"], answer["code"]) == (GERMAN, "token_not_valid")
