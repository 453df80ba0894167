"""Whatever stands in a slot becomes plain JSON, or is refused by its place and its type's name."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime
import enum
import ipaddress
import json
import math
import pathlib
import types
import uuid
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_server.errors import NotJsonableError
from action_server.protocol.jsonable import jsonable

PROPERTY = settings(deadline=None, max_examples=150)


class Colour(enum.Enum):
    RED = "red"
    SIZES = (1, Decimal("2.5"))


class Level(enum.IntEnum):
    HIGH = 3


class Kind(str, enum.Enum):
    URGENT = "urgent"


class Flags(enum.Flag):
    A = 1
    B = 2


class Text(str):
    """A string of a class of its own, as template engines make them."""

    __slots__ = ()


class Count(int):
    """A number of a class of its own."""


@dataclasses.dataclass(frozen=True)
class Booking:
    day: datetime.date
    price: Decimal
    guests: list[Kind] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Coin:
    cents: int


class Patient(pydantic.BaseModel):
    name: str
    born: datetime.date
    fee: Decimal = Decimal("0.1")
    token: pydantic.SecretStr = pydantic.SecretStr("sEcReT")
    booking: Booking | None = None


class Tags(pydantic.RootModel[list[str]]): ...


class Point(collections.namedtuple("Point", "x y")):
    __slots__ = ()


UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")
BERLIN = datetime.timezone(datetime.timedelta(hours=1))

# A value, and what it is in JSON.
VALUES: list[tuple[str, object, Any]] = [
    ("None", None, None),
    ("true", True, True),
    ("a number", 3, 3),
    ("a large number", 2**70, 2**70),
    ("a fraction", 0.1, 0.1),
    ("text", "Zoë", "Zoë"),
    ("half an emoji", "\ud83d", "\ud83d"),
    ("a date", datetime.date(2025, 3, 1), "2025-03-01"),
    ("a time", datetime.time(9, 30), "09:30:00"),
    ("a naive moment", datetime.datetime(2025, 3, 1, 9, 30), "2025-03-01T09:30:00"),
    ("a moment with a zone", datetime.datetime(2025, 3, 1, 9, 30, tzinfo=BERLIN), "2025-03-01T09:30:00+01:00"),
    ("a duration", datetime.timedelta(hours=1), "PT1H"),
    ("a UUID", UUID, "12345678-1234-5678-1234-567812345678"),
    ("an enum", Colour.RED, "red"),
    ("an enum of a tuple", Colour.SIZES, [1, 2.5]),
    ("an enum of numbers", Level.HIGH, 3),
    ("an enum of strings", Kind.URGENT, "urgent"),
    ("a flag", Flags.A | Flags.B, 3),
    ("a Decimal", Decimal("19.99"), 19.99),
    ("a whole Decimal", Decimal(3), 3.0),
    ("a Fraction", Fraction(1, 4), 0.25),
    ("a complex number", [1 + 2j], ["1+2j"]),
    ("a path", pathlib.Path("/a/b"), "/a/b"),
    ("an address", ipaddress.ip_address("10.0.0.1"), "10.0.0.1"),
    ("bytes of text", b"text", "text"),
    ("a class of str", Text("hi"), "hi"),
    ("a class of int", Count(3), 3),
    ("a tuple", (1, (2,)), [1, [2]]),
    ("a named tuple", Point(1, 2), [1, 2]),
    ("a set of one", {1}, [1]),
    ("a frozen set of one", frozenset("a"), ["a"]),
    ("an ordered dict", collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    ("a counter", collections.Counter("a"), {"a": 1}),
    ("a read-only mapping", types.MappingProxyType({"a": (1,)}), {"a": [1]}),
    (
        "a dataclass",
        Booking(datetime.date(2025, 3, 1), Decimal("1.5"), [Kind.URGENT]),
        {"day": "2025-03-01", "price": 1.5, "guests": ["urgent"]},
    ),
    ("a pydantic model of a list", Tags(["a"]), ["a"]),
    ("a secret", pydantic.SecretStr("sEcReT"), "**********"),
]


@pytest.mark.parametrize(("value", "plain"), [c[1:] for c in VALUES], ids=[c[0] for c in VALUES])
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [v], lambda v: {"k": v}], ids=["alone", "listed", "keyed"])
def test_a_value_becomes_plain(value: object, plain: Any, wrap: Callable[[Any], Any]) -> None:
    """Alone or inside of something, each value has one JSON form, of exactly JSON's own types."""
    found = jsonable(wrap(value))

    assert found == wrap(plain)
    assert_plain(found)


def assert_plain(value: Any) -> None:
    """Fail unless a value is made of JSON's own types, no subclasses of them, and can be written as strict JSON."""
    assert type(value) in (dict, list, str, int, float, bool, type(None))
    if isinstance(value, dict):
        assert all(type(key) is str for key in value)
        for item in value.values():
            assert_plain(item)
    if isinstance(value, list):
        for item in value:
            assert_plain(item)
    json.dumps(value, allow_nan=False)


def test_a_pydantic_model_becomes_its_fields() -> None:
    """Fields of every kind are encoded, and a secret stays one."""
    patient = Patient(
        name="Ann", born=datetime.date(1990, 1, 2), booking=Booking(datetime.date(2025, 3, 1), Decimal(2))
    )

    assert jsonable([patient]) == [
        {
            "name": "Ann",
            "born": "1990-01-02",
            "fee": 0.1,
            "token": "**********",
            "booking": {"day": "2025-03-01", "price": 2.0, "guests": []},
        }
    ]


def test_a_dataclass_with_slots_becomes_its_fields() -> None:
    """An instance without a dict of its own is read all the same."""

    @dataclasses.dataclass
    class Slotted:
        __slots__ = ("x",)
        x: object

    assert jsonable(Slotted(Slotted(1))) == {"x": {"x": 1}}


class NaTType(datetime.datetime):
    """pandas' NaT: a datetime whose isoformat() is "NaT"."""

    __module__ = "pandas._libs.tslibs.nattype"


class NAType:
    """pandas' NA, which is neither true nor false and equals nothing."""

    __module__ = "pandas._libs.missing"

    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


class Price(float):
    """A number of a class of its own, as numpy.float64 is."""


MISSING: dict[str, object] = {
    "NaN": math.nan,
    "infinity": math.inf,
    "negative infinity": -math.inf,
    "a Decimal that is none": Decimal("NaN"),
    "a Decimal that signals it": Decimal("sNaN"),
    "an infinite Decimal": Decimal("Infinity"),
    "a Decimal larger than any float": Decimal("1e999"),
    "NaN of a class of its own": Price("nan"),
    "NaT of pandas": NaTType(1970, 1, 1),
    "NA of pandas": NAType(),
}


@pytest.mark.parametrize("value", MISSING.values(), ids=MISSING.keys())
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: (1, [v]), lambda v: {"k": Box(content=v)}])
def test_what_stands_for_a_missing_value_is_null(value: object, wrap: Callable[[Any], Any]) -> None:
    """JSON has no other word for it, parsers of other languages refuse NaN; whoever asked is told of its place."""
    told: list[str] = []
    found = jsonable({"value": wrap(value)}, missing=lambda place, kind: told.append(f"{place} {kind}"))

    assert "null" in json.dumps(found, allow_nan=False)
    assert [line.split()[1] for line in told] == [type(value).__name__]
    assert told[0].startswith("value")


def test_a_key_that_stands_for_nothing_is_null() -> None:
    """Keys are texts, and that is the text."""
    assert jsonable({math.nan: 1}) == {"null": 1}


def test_what_is_made_of_an_iterator_is_looked_at_again() -> None:
    """pydantic reads a generator to its end, NaN included."""
    assert jsonable({"a": (x for x in (1.5, math.nan))}) == {"a": [1.5, None]}


def test_the_result_is_a_copy() -> None:
    """What an action does to its objects afterwards does not reach the answer."""
    inner: list[int] = [1]
    found = jsonable({"a": inner})
    inner.append(2)

    assert found == {"a": [1]}


KEYS: list[tuple[str, object, str]] = [
    ("text", "a", "a"),
    ("a class of str", Text("a"), "a"),
    ("an enum of strings", Kind.URGENT, "urgent"),
    ("an enum", Colour.RED, "red"),
    ("an enum of numbers", Level.HIGH, "3"),
    ("a number", 1, "1"),
    ("a fraction", 1.5, "1.5"),
    ("true", True, "true"),
    ("false", False, "false"),
    ("None", None, "null"),
    ("a date", datetime.date(2025, 3, 1), "2025-03-01"),
    ("a UUID", UUID, str(UUID)),
    ("a Decimal", Decimal("1.5"), "1.5"),
    ("half an emoji", "\ud83d", "\ud83d"),
    ("a tuple, as rasa-sdk writes it", (1, 2), "(1, 2)"),
    ("a frozen set", frozenset({1}), "frozenset({1})"),
]


@pytest.mark.parametrize(("key", "plain"), [c[1:] for c in KEYS], ids=[c[0] for c in KEYS])
def test_a_key_becomes_text(key: object, plain: str) -> None:
    """Keys of any kind become what Python's encoder would make of them, or what their value would be."""
    found = jsonable({key: 1})

    assert found == {plain: 1}
    assert_plain(found)


# numpy and pandas are not installed here: objects of the same shape, known by their module and their methods.


def fake(module: str, method: str, plain: object) -> object:
    kind = type("fake", (), {"__module__": module, method: lambda self: plain})
    instance: object = kind()
    return instance


@pytest.mark.parametrize(
    ("module", "method", "plain"),
    [
        ("numpy", "tolist", [[1, 2], [3, 4]]),
        ("numpy", "item", 3),
        ("numpy.ma.core", "tolist", [1, None]),
        ("pandas.core.series", "tolist", ["a", datetime.date(2025, 3, 1)]),
    ],
    ids=["an array", "a scalar", "a masked array", "a series with dates"],
)
def test_what_numpy_and_pandas_make_becomes_plain(module: str, method: str, plain: object) -> None:
    """Arrays and scalars are asked for their plain form, and that is encoded in turn."""
    assert jsonable({"a": fake(module, method, plain)}) == {"a": jsonable(plain)}


def test_a_method_of_that_name_elsewhere_is_not_called() -> None:
    """`item()` of a shop's basket is none of our business."""
    with pytest.raises(NotJsonableError):
        jsonable(fake("shop", "item", 3))


def test_a_scalar_that_is_its_own_plain_form_is_refused() -> None:
    """numpy.longdouble's `item()` returns itself; that ends, in words."""
    scalar: Any = type("longdouble", (), {"__module__": "numpy", "item": lambda self: self})()

    with pytest.raises(NotJsonableError, match="is nested too deeply"):
        jsonable(scalar)


class Box(pydantic.BaseModel):
    content: Any = None


def test_a_model_that_breaks_its_own_rules_is_encoded_without_a_word() -> None:
    """pydantic warns with the value itself, and warnings go to the log."""
    patient = Patient(name="Ann", born=datetime.date(1990, 1, 2))
    vars(patient)["born"] = "sEcReT"

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        jsonable(patient)

    assert [str(w.message) for w in caught] == []


atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(max_size=8),
    st.dates(),
    st.times(),
    st.datetimes(),
    st.timedeltas(),
    st.uuids(),
    st.decimals(allow_nan=False),
    st.complex_numbers(),
    st.fractions(),
    st.ip_addresses(),
    st.sampled_from(
        [*Colour, *Level, *Kind, Flags.A | Flags.B, Decimal("NaN"), object(), int, ..., Text("x"), Count(7)]
    ),
)
hashable = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.dates(), st.uuids()) | (
    st.sampled_from([*Colour, *Level, *Kind, Text("x"), Count(7), (1, 2), b"\xff"])
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.lists(inner, max_size=4).map(collections.deque),
        st.sets(hashable, max_size=4),
        st.frozensets(hashable, max_size=4),
        st.dictionaries(hashable, inner, max_size=4),
        st.dictionaries(st.text(), inner, max_size=4).map(types.MappingProxyType),
        st.builds(Booking, day=inner, price=inner, guests=inner),
        inner.map(lambda value: Box(content=value)),
        st.builds(Point, inner, inner),
    )


@PROPERTY
@given(st.recursive(atoms, containers, max_leaves=10))
def test_anything_is_made_plain_or_refused(value: object) -> None:
    """Whatever an action puts in a slot, the result can be written, or it is refused as having no JSON form."""
    with contextlib.suppress(NotJsonableError):
        assert_plain(jsonable(value))
