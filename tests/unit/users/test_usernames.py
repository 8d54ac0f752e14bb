"""Test `fold`: the spellings of a username that a database treats as equal share one limit."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from string import ascii_lowercase
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from drf_signet.users.usernames import MAX_LENGTH, fold
from tests.conftest import PASSWORD
from tests.support.endpoint_table import OBTAIN

on_mariadb = pytest.mark.skipif(
    connection.vendor != "mysql", reason="only MariaDB and MySQL ignore more than case by default"
)
#: Spellings of `victor`, each with a description. Most of these spellings log in as `victor` if the
#: username column has a Unicode collation, such as utf8mb4_unicode_520_ci.
VICTORS = {
    "victor": "unchanged",
    "VICTOR": "case",
    "victor  ": "spaces at the end",
    "vi\x02ctor": "control character",
    "vi\x7fctor": "delete character",
    "vi\xadctor": "soft hyphen",
    "\ufeffvictor": "byte order mark",
    "vi\u200bctor": "zero-width space",
    "vi\u200dctor": "zero-width joiner",
    "vi\u2060ctor": "word joiner",
    "victor\u202e": "direction override",
    "victor\ufe0f": "variation selector",
    "victor\U000e0101": "variation selector of the supplement",
    "vi\u034fctor": "combining grapheme joiner",
    "vi\u0301ctor": "combining mark",
    "vi\u20ddctor": "enclosing circle",
    "v\xedctor": "accent",
    "vict\xf8r": "stroke",
    "\uff36\uff29\uff23\uff34\uff2f\uff32": "full width",
    "\U0001d42fictor": "mathematical letter",
    "\u2174ictor": "Roman numeral",
    "\u036eictor": "combining letter",
    "vic\ua787or": "insular letter",
    "v\u0365ct\u1d52r": "letters above the line",
}


@pytest.mark.parametrize("spelling", VICTORS, ids=VICTORS.values())
def test_spellings_of_a_username_fold_to_one_string(spelling) -> None:
    assert fold(spelling) == fold("victor")


@pytest.mark.parametrize(
    ("username", "other"),
    [
        ("victor", "viktor"),
        ("ana", "anna@example.com"),
        ("user-1", "user-2"),
        ("user-1", "user-11"),
        ("ivanov", "petrov"),
        ("иван", "пётр"),
        ("山田", "鈴木"),
        ("علي", "عمر"),
        ("νίκος", "γιάννης"),
    ],
)
def test_different_usernames_fold_to_different_strings(username, other) -> None:
    assert fold(username) != fold(other)


@pytest.mark.parametrize(
    ("username", "other"),
    [
        ("straße", "STRASSE"),
        ("straße", "strase"),
        ("müller", "mueller"),
        ("Ångström", "aangstroem"),
        ("œuvre", "OEUVRE"),
        ("Ὀδυσσεύς", "οδυσσευσ"),
        ("Иван", "ИВАН"),
        ("カナ", "かな"),
        ("ｶﾅ", "かな"),
        ("𠮷田", "𠮾田"),
        ("٣", "3"),
        ("༫", "2"),
        ("½", "1\u20442"),
        ("x⅏", "x"),
    ],
)
def test_other_scripts_and_languages_are_folded_too(username, other) -> None:
    assert fold(username) == fold(other)


@given(st.text(st.characters(), max_size=2 * MAX_LENGTH))
def test_any_string_folds_to_a_string_that_can_be_encoded(username) -> None:
    assert fold(username).encode() is not None


@given(st.text(ascii_lowercase, min_size=1), st.sampled_from("\0\x02\xad\u200b\u034f\ufe0f\ud800"))
def test_invisible_characters_do_not_change_the_folded_username(username, char) -> None:
    assert fold(char + char.join(username) + char) == fold(username)


def test_usernames_that_are_too_long_are_counted_as_one() -> None:
    assert fold("x" * MAX_LENGTH) != fold("x" * (MAX_LENGTH + 1))
    assert fold("x" * (MAX_LENGTH + 1)) == fold("\ufdfa" * 800_000) == ""


#: Collations with different rules. Some do not depend on a language. The others are for languages
#: in which different letters are equal.
COLLATIONS = [
    *(f"utf8mb4_{name}_ci" for name in ("general", "unicode", "unicode_520", "uca1400_ai")),
    *(f"utf8mb4_{name}_ci" for name in ("danish", "german2", "lithuanian", "persian", "swedish")),
    *(f"utf8mb4_{name}_ci" for name in ("roman", "turkish", "vietnamese")),
]


@pytest.fixture
def equal_characters(db: None) -> Iterator[Any]:
    """Return a function that finds characters that are equal to ASCII strings in a collation.

    The function returns pairs of a character and a string. The string is empty, consists of one to
    three letters, or is one other printable character.
    """
    texts = ["", *map(chr, range(0x20, 0x7F)), *ascii_lowercase]
    for _ in range(2):
        texts += [text + letter for text in texts if text.isalpha() for letter in ascii_lowercase]
    characters = [chr(n) for n in range(1, 0x110000) if unicodedata.category(chr(n)) not in UNUSED]
    with connection.cursor() as cursor:
        for table, values in (("texts", sorted(set(texts))), ("characters", characters)):
            cursor.execute(f"CREATE TEMPORARY TABLE {table} (value varchar(8) COLLATE utf8mb4_bin)")
            cursor.executemany(f"INSERT INTO {table} VALUES (%s)", [(text,) for text in values])

        def query(collation: str) -> list[tuple[str, str]]:
            weight = f"WEIGHT_STRING(CONCAT('|', value, '|') COLLATE {collation})"
            weights: dict[bytes, list[str]] = defaultdict(list)
            cursor.execute(f"SELECT value, {weight} FROM texts")
            for text, weighed in cursor.fetchall():
                weights[weighed].append(text)
            cursor.execute(f"SELECT value, {weight} FROM characters")
            pairs = ((char, weights.get(weighed, ())) for char, weighed in cursor.fetchall())
            return [(char, text) for char, equal in pairs for text in equal]

        yield query
        cursor.execute("DROP TEMPORARY TABLE texts, characters")


#: Unicode categories that the tests skip: surrogates, private use and unassigned.
UNUSED = {"Cs", "Co", "Cn"}


@on_mariadb
def test_characters_that_mariadb_takes_for_ascii_letters_fold_to_them(equal_characters) -> None:
    pairs = {collation: equal_characters(collation) for collation in COLLATIONS}
    assert len(pairs["utf8mb4_unicode_520_ci"]) > 3000
    different = {
        (collation, char, text)
        for collation, equal in pairs.items()
        for char, text in equal
        if fold(f"q{char}q") != fold(f"q{text}q")
    }
    assert different == set()


def _candidates(name: str) -> Iterator[str]:
    """Insert each Unicode character into a name, append it, and replace a letter with it."""
    for number in range(1, 0x110000):
        char = chr(number)
        if unicodedata.category(char) not in UNUSED and not "一" <= char <= "鿿":
            yield f"{name[:2]}{char}{name[2:]}"
            yield f"{name}{char}"
            yield f"{char}{name[1:]}"


@pytest.fixture
def set_collation(transactional_db: None) -> Iterator[Any]:
    """Return a function that sets the collation of the username column."""
    model = get_user_model()
    field: Any = model._meta.get_field(model.USERNAME_FIELD)
    table = connection.ops.quote_name(model._meta.db_table)
    column = f"{connection.ops.quote_name(field.column)} {field.db_type(connection)}"

    def alter(collation: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} MODIFY {column} COLLATE {collation} NOT NULL")

    with connection.cursor() as cursor:
        cursor.execute("SELECT @@collation_database")
        (before,) = cursor.fetchone()
    yield alter
    alter(before)


@on_mariadb
@pytest.mark.parametrize(
    "collation", ["utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_unicode_520_ci"]
)
def test_every_name_that_finds_victor_is_counted_as_victor(
    set_collation, make_user, collation
) -> None:
    set_collation(collation)
    make_user(username="victor")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE names (name varchar(16) COLLATE utf8mb4_bin)")
        names = [(name,) for name in _candidates("victor")]
        cursor.executemany("INSERT INTO names VALUES (%s)", names)
        table = connection.ops.quote_name(get_user_model()._meta.db_table)
        cursor.execute(f"SELECT name FROM names, {table} WHERE username = name COLLATE {collation}")
        found = [name for (name,) in cursor.fetchall()]
        cursor.execute("DROP TEMPORARY TABLE names")
    assert len(found) > (5 if collation == "utf8mb4_general_ci" else 500)
    assert [name for name in found if fold(name) != fold("victor")] == []


@on_mariadb
def test_spellings_that_log_in_share_one_limit_of_failed_logins(
    set_collation, make_user, client
) -> None:
    set_collation("utf8mb4_unicode_520_ci")
    make_user(username="victor")

    def log_in(spelling: str, password: str) -> int:
        credentials = {"username": spelling, "password": password}
        return int(client.post(OBTAIN.url, credentials).status_code)

    found = [spelling for spelling in VICTORS if log_in(spelling, PASSWORD) == 200]
    assert {"vi\x02ctor", "vi\u200bctor", "victor\ufe0f", "vict\xf8r"} <= set(found)
    cache.clear()
    statuses = [log_in(spelling, "wrong") for spelling in found]
    assert statuses == [401] * 10 + [429] * (len(found) - 10)
