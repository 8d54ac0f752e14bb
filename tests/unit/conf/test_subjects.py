"""Tests of `drf_signet.conf.subjects`: which claim values identify a user.

The models are unmanaged and registered in isolated app registries, so that they need neither
migrations nor tables.
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

from drf_signet.conf.subjects import MAX_LENGTH, Subject
from drf_signet.users import loading
from tests.support.token_forge import NOW
from tests.unit.jose.test_claims import RULES
from tests.unit.jose.test_strictjson import VALUES, half_as_many

UUID = uuid.UUID("01980a3c-7d1e-7000-8000-00000000002a")
Model = type[models.Model]


def make(name: str, *bases: Model, **fields: models.Field[Any, Any]) -> Model:
    """Return an unmanaged model with the given base models and fields."""
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
    """Return a model that inherits its primary key from its grandparent model."""
    parent = make("Parent", **({"key": parent_key} if parent_key else {}))
    return make("Child", make("Between", parent))


@isolate_apps("tests")
def profile_model() -> Model:
    """Return a model with unique fields of several types, and with fields that are not unique."""
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
    """Return the values that the subject accepts as the key of a user."""
    keys = []
    for value in values:
        try:
            subject.key(value)
        except ValueError:
            continue
        keys.append(value)
    return keys


NOT_INTEGERS: list[object] = [
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

NOT_STRINGS: list[object] = [
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
    def test_an_integer_or_its_decimal_string_identifies_the_user(
        self, field: type[models.Field[Any, Any]]
    ) -> None:
        subject = Subject.of(integer_model(field), "pk")
        assert subject.key(42) == subject.key("42") == 42
        assert subject.key(-1) == subject.key("-1") == -1
        assert subject.key(0) == subject.key("0") == 0
        assert subject.key(2**63 - 1) == subject.key(str(2**63 - 1)) == 2**63 - 1
        assert subject.key(-(2**63)) == subject.key(str(-(2**63))) == -(2**63)
        assert accepted(subject, *NOT_INTEGERS) == []

    def test_the_claim_is_an_integer(self) -> None:
        model = integer_model()
        claim = Subject.of(model, "pk").claim(model(pk=7))
        assert (claim, type(claim)) == (7, int)

    def test_the_primary_key_is_recognised_by_its_field_name(self) -> None:
        model = integer_model()
        assert Subject.of(model, "id") == Subject.of(model, "pk")
        assert Subject.of(model, "id").name == "pk"


class TestUuidKey:
    def test_only_the_canonical_string_identifies_the_user(self) -> None:
        subject = Subject.of(uuid_model(), "pk")
        assert subject.key(str(UUID)) == UUID
        others = [str(UUID).upper(), UUID.hex, f"{{{UUID}}}", f"urn:uuid:{UUID}", UUID.int, UUID]
        assert accepted(subject, *others, str(UUID)[:-1], f"{UUID} ", 1, *NOT_STRINGS) == []

    def test_the_claim_is_a_string(self) -> None:
        model = uuid_model()
        assert Subject.of(model, "pk").claim(model(pk=UUID)) == str(UUID)
        assert Subject.of(model, "key").name == "pk"


class TestStringKey:
    def test_any_string_identifies_the_user_unchanged(self) -> None:
        subject = Subject.of(char_model(), "pk")
        values = ["a", "007", "1", " a ", "Ж", "True", "None", "a" * MAX_LENGTH]
        assert [subject.key(value) for value in values] == values
        assert accepted(subject, *NOT_STRINGS) == []

    def test_the_claim_of_a_numeric_string_is_a_string(self) -> None:
        model = char_model()
        assert Subject.of(model, "code").claim(model(pk="007")) == "007"


class TestInheritedKey:
    """Test multi-table inheritance: the primary key is a one-to-one relation to the parent."""

    def test_the_key_of_the_parent_identifies_the_user(self) -> None:
        model = child_model()
        assert isinstance(model._meta.pk, models.OneToOneField)
        subject = Subject.of(model, "pk")
        assert (subject.name, subject.key("5")) == ("pk", 5)
        assert accepted(subject, *NOT_INTEGERS) == []

    def test_the_key_is_a_uuid_if_the_key_of_the_parent_is_a_uuid(self) -> None:
        subject = Subject.of(child_model(models.UUIDField(primary_key=True)), "pk")
        assert subject.key(str(UUID)) == UUID
        assert accepted(subject, 1, "1") == []

    def test_the_claim_is_the_key_of_the_parent(self) -> None:
        model = child_model()
        assert Subject.of(model, "pk").claim(model(pk=5)) == 5


class TestOtherField:
    def test_the_string_of_a_unique_text_field_identifies_the_user(self) -> None:
        model = integer_model()
        subject = Subject.of(model, "email")
        assert (subject.name, subject.key("a@b.c")) == ("email", "a@b.c")
        assert subject.claim(model(pk=1, email="a@b.c")) == "a@b.c"
        assert accepted(subject, *NOT_STRINGS) == []

    def test_the_key_of_the_related_row_identifies_the_user_of_a_unique_relation(self) -> None:
        model = profile_model()
        subject = Subject.of(model, "card")
        user = model(card_id="K1")
        assert subject.claim(user) == "K1"
        assert subject.matches(user, subject.key("K1"))
        assert subject.name == "card_id"  # `card_id` holds the key, `card` the related object

    def test_the_integer_of_a_unique_integer_field_identifies_the_user(self) -> None:
        model = profile_model()
        subject = Subject.of(model, "staff_id")
        assert (subject.claim(model(staff_id=3)), subject.key("3")) == (3, 3)

    def test_a_value_matches_regardless_of_its_spelling(self) -> None:
        model = profile_model()
        subject = Subject.of(model, "address")
        user = model(address="2001:db8::1")
        assert subject.matches(user, subject.key("2001:0DB8::0001"))
        assert not subject.matches(user, subject.key("2001:db8::2"))

    def test_a_string_that_is_not_a_value_of_the_field_is_refused(self) -> None:
        model = profile_model()
        assert accepted(Subject.of(model, "number"), "1.50", "a", "1,5") == ["1.50"]
        assert accepted(Subject.of(model, "external"), str(UUID), "a", "1") == [str(UUID)]
        assert accepted(Subject.of(model, "address"), "1.2.3.4", "::g", "1:2") == ["1.2.3.4"]

    @pytest.mark.parametrize("name", ["nick", "friends"])
    def test_a_field_that_is_not_unique_is_refused(self, name: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=f"USER_ID_FIELD: '{name}' of .* not unique"):
            Subject.of(profile_model(), name)

    def test_a_nullable_field_is_refused(self) -> None:
        """Refuse NULL: the claim would be `str(None)`, which identifies a user named "None"."""
        with pytest.raises(ImproperlyConfigured, match=r"'maybe' of .*or may be NULL"):
            Subject.of(profile_model(), "maybe")

    def test_a_reverse_relation_is_refused(self) -> None:
        from django.contrib.auth.models import User

        with pytest.raises(ImproperlyConfigured, match="not unique"):
            Subject.of(User, "signet_sessions")

    @pytest.mark.parametrize("name", ["nothing", "", "pk__in", "is_active "])
    def test_a_field_that_does_not_exist_is_refused(self, name: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=f"USER_ID_FIELD: .* has no {name!r}"):
            Subject.of(integer_model(), name)


@pytest.mark.parametrize(
    ("build", "own_key", "other_key"),
    [
        (integer_model, 1, 2),
        (uuid_model, UUID, uuid.UUID(int=1)),
        (char_model, "1", "2"),
        (child_model, 1, 2),
    ],
    ids=["integer", "uuid", "char", "child"],
)
def test_a_user_matches_only_its_own_claim(
    build: Callable[[], Model], own_key: object, other_key: object
) -> None:
    model = build()
    subject = Subject.of(model, "pk")
    claim = subject.claim(model(pk=own_key))
    assert type(claim) in (int, str)
    assert subject.matches(model(pk=own_key), subject.key(claim))
    assert not subject.matches(model(pk=other_key), subject.key(claim))


SUBJECTS = [Subject.of(build(), "pk") for build in (integer_model, uuid_model, char_model)]


@half_as_many
@given(VALUES)
def test_any_json_value_is_a_key_or_a_value_error(value: Any) -> None:
    for subject in SUBJECTS:
        accepted(subject, value)


@given(st.integers() | st.text())
def test_an_integer_key_has_exactly_one_string(value: int | str) -> None:
    subject = SUBJECTS[0]
    if accepted(subject, value):
        assert str(subject.key(value)) == str(value)


@pytest.mark.parametrize("field", ["pk", "username", "id"])
def test_the_user_of_a_claim_is_loaded(user: Any, settings: Any, field: str) -> None:
    from drf_signet import runtime
    from drf_signet.jose import claims
    from tests.unit.jose.test_claims import example_payload

    settings.SIGNET = {"USER_ID_FIELD": field}
    subject, rules = runtime.current().subject, runtime.current().rules
    payload = example_payload(rules=RULES, user_id=subject.claim(user))
    validated = claims.validate(payload, token_type="access", rules=rules, now=NOW)
    assert loading.load(validated, loading.all_users()) == user
    assert subject.matches(user, validated.user_key)


@pytest.mark.parametrize("key", [0, -1, 2**31, 2**62, -(2**63), 2**63 - 1])
def test_a_key_outside_the_range_of_the_column_matches_no_user(db: None, key: int) -> None:
    """Look up keys inside and outside the range of the column: no key may cause an error."""
    from django.contrib.auth.models import User

    assert not User.objects.filter(pk=key).exists()
