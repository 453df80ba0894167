"""What is no data is refused by its place and its type's name, and so is what fails while it is read."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pydantic
import pytest
from hypothesis import settings

from action_server.errors import NotJsonableError
from action_server.protocol.jsonable import MAX_DEPTH, jsonable

PROPERTY = settings(deadline=None, max_examples=150)


class Colour(enum.Enum):
    RED = "red"
    SIZES = (1, Decimal("2.5"))


@dataclasses.dataclass(frozen=True)
class Booking:
    day: datetime.date
    price: Decimal
    guests: list[str] = dataclasses.field(default_factory=list)


def test_a_key_that_is_no_data_is_refused() -> None:
    """The message says whose key it is, and what."""
    with pytest.raises(NotJsonableError, match="a key of slot is a object"):
        jsonable({"slot": {object(): 1}})


NO_VALUES: list[tuple[str, object, str]] = [
    ("an object", object(), "object"),
    ("a lock", threading.Lock(), "lock"),
    ("a function", jsonable, "function"),
    ("a class", Booking, "type"),
    ("an exception", ValueError("sEcReT"), "ValueError"),
    ("bytes that are no text", b"\xff\xfe", "bytes"),
    ("a module", json, "module"),
    ("an ellipsis", ..., "ellipsis"),
]


@pytest.mark.parametrize(("value", "kind"), [c[1:] for c in NO_VALUES], ids=[c[0] for c in NO_VALUES])
def test_a_value_that_is_no_data_is_refused_with_its_place(value: object, kind: str) -> None:
    """The message names the way to it and its type, never what it holds."""
    with pytest.raises(NotJsonableError) as refused:
        jsonable({"event": "slot", "value": [1, {"inner": value}]})

    assert (refused.value.path, refused.value.kind) == ("value[1].*", kind)
    assert str(refused.value) == f"value[1].* is a {kind}, which has no JSON form"


def test_a_value_that_is_nowhere_is_called_it() -> None:
    """Without a place the message still is a sentence."""
    with pytest.raises(NotJsonableError, match=r"^it is a object, which has no JSON form$"):
        jsonable(object())


def cyclic_list() -> object:
    value: list[object] = [1]
    value.append(value)
    return value


def cyclic_dict() -> object:
    value: dict[str, object] = {}
    value["self"] = [value]
    return value


def cyclic_dataclass() -> object:
    @dataclasses.dataclass
    class Node:
        next: object = None

    node = Node()
    node.next = node
    return node


def endless_mapping() -> object:
    """A mapping that makes a new one of itself each time it is asked, as lazy objects do."""

    class Endless(Mapping[str, object]):
        def __getitem__(self, key: str) -> object:
            return Endless()

        def __iter__(self) -> Any:
            return iter(["deeper"])

        def __len__(self) -> int:
            return 1

    return Endless()


CYCLES = [cyclic_list, cyclic_dict, cyclic_dataclass, endless_mapping]


@pytest.mark.parametrize("make", CYCLES, ids=lambda f: f.__name__.replace("_", " "))
def test_a_value_that_contains_itself_is_refused(make: Callable[[], object]) -> None:
    """It is refused in words that are short, whatever the way through it is called."""
    with pytest.raises(NotJsonableError, match="is nested too deeply or contains itself") as refused:
        jsonable({"value": make()})

    assert len(str(refused.value)) < 200


def nested(depth: int) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value]
    return value


def test_nesting_is_taken_down_to_the_limit() -> None:
    """Two hundred levels are written, and the encoder can write them."""
    assert jsonable(nested(MAX_DEPTH)) == nested(MAX_DEPTH)
    json.dumps(jsonable(nested(MAX_DEPTH)))


@pytest.mark.parametrize("depth", [MAX_DEPTH + 2, 5000])
def test_nesting_beyond_the_limit_is_refused(depth: int) -> None:
    """Deeper is refused in words, not by Python's recursion limit."""
    with pytest.raises(NotJsonableError, match="is nested too deeply"):
        jsonable(nested(depth))


# Values that fail while they are read: refused by place and kind as well, they must not cost the other events.


@dataclasses.dataclass
class Unset:
    x: int = dataclasses.field(init=False)


class Selfish(pydantic.BaseModel):
    me: Selfish | None = None


class Failing(pydantic.BaseModel):
    x: int = 1

    @pydantic.field_serializer("x")
    def _fail(self, value: int) -> int:
        raise KeyError("sEcReT")


class Proxy:
    """An object of which nothing can be read any more, as a database row after its session."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError("sEcReT")


def selfish() -> object:
    model = Selfish()
    model.me = model
    return model


# More digits than Python writes, see sys.get_int_max_str_digits().
ENDLESS = 10**5000


FAILING: dict[str, Callable[[], object]] = {
    "a dataclass with an unset field": Unset,
    "a model that contains itself": selfish,
    "a model that cannot be dumped": Failing,
    "an expired object": Proxy,
    "a number without end": lambda: ENDLESS,
    "a key without end": lambda: {ENDLESS: 1},
}


@pytest.mark.parametrize("make", FAILING.values(), ids=FAILING.keys())
def test_a_value_that_cannot_be_read_is_refused(make: Callable[[], object]) -> None:
    """It is refused as any other, without what its own exception says."""
    with pytest.raises(NotJsonableError) as refused:
        jsonable({"value": make()})

    assert "sEcReT" not in str(refused.value)
