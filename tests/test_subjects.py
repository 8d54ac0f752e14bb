"""Which JSON values can name a user, for user models of several kinds.

The models are unmanaged and live in registries of their own: no migration ever sees them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, cast

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.test.utils import isolate_apps
from hypothesis import given
from hypothesis import strategies as st

from drf_signet import users
from drf_signet.subjects import MAX_LENGTH, Subject
from tests.forge import NOW
from tests.test_claims import RULES
from tests.test_strictjson import VALUES, half_as_many

UUID = uuid.UUID("01980a3c-7d1e-7000-8000-00000000002a")
Model = type[models.Model]


def make(name: str, *bases: Model, **fields: models.Field[Any, Any]) -> Model:
    """Return an unmanaged model of those fields."""
    meta = type("Meta", (), {"app_label": "tests", "managed": False})
    body = {"__module__": __name__, "Meta": meta, **fields}
    return cast(Model, type(name, bases or (models.Model,), body))


@isolate_apps("tests")
def integer_model(field: type[models.Field[Any, Any]] = models.BigAutoField) -> Model:
    return make("IntegerUser", id=field(primary_key=True), email=models.EmailField(unique=True))


@isolate_apps("tests")
def uuid_model() -> Model:
    return make("UuidUser", key=models.UUIDField(primary_key=True, default=uuid.uuid4))


@isolate_apps("tests")
def char_model() -> Model:
    return make("CharUser", code=models.CharField(primary_key=True, max_length=20))


@isolate_apps("tests")
def child_model(parent_key: models.Field[Any, Any] | None = None) -> Model:
    """Return a model that inherits its key through two tables."""
    parent = make("Parent", **({"key": parent_key} if parent_key else {}))
    return make("Child", make("Between", parent))


@isolate_apps("tests")
def profile_model() -> Model:
    """Return a model whose users are named by something else that is theirs alone."""
    card = make("Card", code=models.CharField(primary_key=True, max_length=20))
    return make(
        "Holder",
        card=models.OneToOneField(card, models.CASCADE),
        number=models.DecimalField(unique=True, max_digits=6, decimal_places=2),
        staff_id=models.IntegerField(unique=True),
        external=models.UUIDField(unique=True),
        address=models.GenericIPAddressField(unique=True),
        nick=models.CharField(max_length=20),
        maybe=models.CharField(max_length=20, unique=True, null=True),
        friends=models.ManyToManyField("self"),
    )


def accepted(subject: Subject, *values: object) -> list[object]:
    """Return those of the values that can name a user."""
    found = []
    for value in values:
        try:
            subject.key(value)
        except ValueError:
            continue
        found.append(value)
    return found


NO_INTEGERS: list[object] = [
    *(True, False, None, 1.0, 1.5, [1], {}, b"1", UUID),
    *("", "1 ", " 1", "+1", "01", "-0", "1_0", "0x1", "1e1", "1.0", "--1", "-", "abc"),
    *(
        "\0",
        "1\0",
        "1\n",
        "\N{FULLWIDTH DIGIT ONE}",
        "\N{ARABIC-INDIC DIGIT ONE}",
        "\N{SUPERSCRIPT TWO}",
    ),
    *(2**63, 2**70, -(2**63) - 1, str(2**63), str(-(2**63) - 1), "9" * 5000),
]

NO_TEXTS: list[object] = [
    None,
    True,
    1,
    1.5,
    "",
    "\0",
    "a\0b",
    "a" * (MAX_LENGTH + 1),
    ["a"],
    {},
    b"a",
]


class TestIntegerKey:
    @pytest.mark.parametrize(
        "field",
        [
            *(models.AutoField, models.BigAutoField, models.SmallAutoField),
            *(models.IntegerField, models.PositiveIntegerField, models.BigIntegerField),
        ],
    )
    def test_it_is_named_by_an_integer_or_its_text(
        self, field: type[models.Field[Any, Any]]
    ) -> None:
        subject = Subject.of(integer_model(field), "pk")
        assert subject.key(42) == subject.key("42") == 42
        assert subject.key(-1) == subject.key("-1") == -1
        assert subject.key(0) == subject.key("0") == 0
        assert subject.key(2**63 - 1) == subject.key(str(2**63 - 1)) == 2**63 - 1
        assert subject.key(-(2**63)) == subject.key(str(-(2**63))) == -(2**63)
        assert accepted(subject, *NO_INTEGERS) == []

    def test_its_claim_is_an_integer(self) -> None:
        model = integer_model()
        claim = Subject.of(model, "pk").claim(model(pk=7))
        assert (claim, type(claim)) == (7, int)

    def test_it_is_the_primary_key_by_whichever_name(self) -> None:
        model = integer_model()
        assert Subject.of(model, "id") == Subject.of(model, "pk")
        assert Subject.of(model, "id").name == "pk"


class TestUuidKey:
    def test_it_is_named_by_a_canonical_text(self) -> None:
        subject = Subject.of(uuid_model(), "pk")
        assert subject.key(str(UUID)) == UUID
        others = [str(UUID).upper(), UUID.hex, f"{{{UUID}}}", f"urn:uuid:{UUID}", UUID.int, UUID]
        assert accepted(subject, *others, str(UUID)[:-1], f"{UUID} ", 1, *NO_TEXTS) == []

    def test_its_claim_is_a_text(self) -> None:
        model = uuid_model()
        assert Subject.of(model, "pk").claim(model(pk=UUID)) == str(UUID)
        assert Subject.of(model, "key").name == "pk"


class TestTextKey:
    def test_it_is_named_by_a_text_as_it_is(self) -> None:
        subject = Subject.of(char_model(), "pk")
        texts = ["a", "007", "1", " a ", "Ж", "True", "None", "a" * MAX_LENGTH]
        assert [subject.key(text) for text in texts] == texts
        assert accepted(subject, *NO_TEXTS) == []

    def test_its_claim_is_a_text_even_of_digits(self) -> None:
        model = char_model()
        assert Subject.of(model, "code").claim(model(pk="007")) == "007"


class TestInheritedKey:
    """Multi-table inheritance: the key is a relation to the parent's."""

    def test_it_is_named_by_what_names_its_parent(self) -> None:
        model = child_model()
        assert isinstance(model._meta.pk, models.OneToOneField)
        subject = Subject.of(model, "pk")
        assert (subject.name, subject.key("5")) == ("pk", 5)
        assert accepted(subject, *NO_INTEGERS) == []

    def test_it_is_a_uuid_where_its_parent_s_is(self) -> None:
        subject = Subject.of(child_model(models.UUIDField(primary_key=True)), "pk")
        assert subject.key(str(UUID)) == UUID
        assert accepted(subject, 1, "1") == []

    def test_its_claim_is_the_parent_s_key(self) -> None:
        model = child_model()
        assert Subject.of(model, "pk").claim(model(pk=5)) == 5


class TestAnotherField:
    def test_a_unique_text_is_named_by_a_text(self) -> None:
        model = integer_model()
        subject = Subject.of(model, "email")
        assert (subject.name, subject.key("a@b.c")) == ("email", "a@b.c")
        assert subject.claim(model(pk=1, email="a@b.c")) == "a@b.c"
        assert accepted(subject, *NO_TEXTS) == []

    def test_a_unique_relation_is_named_by_what_it_refers_to(self) -> None:
        model = profile_model()
        subject = Subject.of(model, "card")
        user = model(card_id="K1")
        assert subject.claim(user) == "K1"
        assert subject.is_named(user, subject.key("K1"))
        assert subject.name == "card_id"  # what a queryset is filtered by

    def test_a_unique_integer_is_named_by_an_integer(self) -> None:
        model = profile_model()
        subject = Subject.of(model, "staff_id")
        assert (subject.claim(model(staff_id=3)), subject.key("3")) == (3, 3)

    def test_a_value_that_is_written_in_several_ways_is_compared_as_a_value(self) -> None:
        model = profile_model()
        subject = Subject.of(model, "address")
        user = model(address="2001:db8::1")
        assert subject.is_named(user, subject.key("2001:0DB8::0001"))
        assert not subject.is_named(user, subject.key("2001:db8::2"))

    def test_what_is_no_value_of_the_field_is_refused(self) -> None:
        model = profile_model()
        assert accepted(Subject.of(model, "number"), "1.50", "a", "1,5") == ["1.50"]
        assert accepted(Subject.of(model, "external"), str(UUID), "a", "1") == [str(UUID)]
        assert accepted(Subject.of(model, "address"), "1.2.3.4", "::g", "1:2") == ["1.2.3.4"]

    @pytest.mark.parametrize("name", ["nick", "friends"])
    def test_a_field_that_users_may_share_is_refused(self, name: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=f"USER_ID_FIELD: '{name}' of .* not unique"):
            Subject.of(profile_model(), name)

    def test_a_field_that_users_may_lack_is_refused(self) -> None:
        """`str(None)` would name whoever calls himself "None"."""
        with pytest.raises(ImproperlyConfigured, match=r"'maybe' of .*or may be NULL"):
            Subject.of(profile_model(), "maybe")

    def test_the_other_end_of_a_relation_is_refused(self) -> None:
        from django.contrib.auth.models import User

        with pytest.raises(ImproperlyConfigured, match="not unique"):
            Subject.of(User, "signet_sessions")

    @pytest.mark.parametrize("name", ["nothing", "", "pk__in", "is_active "])
    def test_a_field_that_is_not_there_is_refused(self, name: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=f"USER_ID_FIELD: .* has no {name!r}"):
            Subject.of(integer_model(), name)


@pytest.mark.parametrize(
    ("build", "one", "other"),
    [
        (integer_model, 1, 2),
        (uuid_model, UUID, uuid.UUID(int=1)),
        (char_model, "1", "2"),
        (child_model, 1, 2),
    ],
    ids=["integer", "uuid", "char", "child"],
)
def test_a_user_is_named_by_the_own_claim_alone(
    build: Callable[[], Model], one: object, other: object
) -> None:
    model = build()
    subject = Subject.of(model, "pk")
    claim = subject.claim(model(pk=one))
    assert type(claim) in (int, str)
    assert subject.is_named(model(pk=one), subject.key(claim))
    assert not subject.is_named(model(pk=other), subject.key(claim))


SUBJECTS = [Subject.of(build(), "pk") for build in (integer_model, uuid_model, char_model)]


@half_as_many
@given(VALUES)
def test_no_json_value_raises_anything_but_a_value_error(value: Any) -> None:
    for subject in SUBJECTS:
        accepted(subject, value)


@given(st.integers() | st.text())
def test_an_integer_key_has_one_text(value: int | str) -> None:
    subject = SUBJECTS[0]
    if accepted(subject, value):
        assert str(subject.key(value)) == str(value)


@pytest.mark.parametrize("field", ["pk", "username", "id"])
def test_the_user_of_a_claim_is_found(user: Any, settings: Any, field: str) -> None:
    from drf_signet import claims, runtime
    from tests.test_claims import written

    settings.SIGNET = {"USER_ID_FIELD": field}
    subject, rules = runtime.current().subject, runtime.current().rules
    payload = written(rules=RULES, user_id=subject.claim(user))
    found = claims.read(payload, token_type="access", rules=rules, now=NOW)
    assert users.load(found, users.all_users()) == user
    assert users.is_named_by(found, user)


@pytest.mark.parametrize("key", [0, -1, 2**31, 2**62, -(2**63), 2**63 - 1])
def test_a_key_beyond_the_column_names_nobody(db: None, key: int) -> None:
    """Django knows the range of each integer field, and asks for nothing beyond it."""
    from django.contrib.auth.models import User

    assert not User.objects.filter(pk=key).exists()
