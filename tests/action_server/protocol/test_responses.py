"""What was meant to be said is said, and what goes out is what channels can take."""

from __future__ import annotations

import datetime
import enum
import json
import math
import pathlib
import threading
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from rasa_sdk.executor import CollectingDispatcher

from action_server.protocol.notes import Notes
from action_server.protocol.responses import as_text, normalise_response
from tests.action_server.protocol.answering import SECRET, lines

pytestmark = pytest.mark.usefixtures("log")


def uttered(**message: Any) -> dict[str, Any]:
    """What a dispatcher makes of a message."""
    dispatcher = CollectingDispatcher()
    dispatcher.utter_message(**message)
    made: dict[str, Any] = dispatcher.messages[0]
    return made


def normalised(message: object) -> dict[str, Any] | None:
    return normalise_response(Notes("action_book"), message)


def said(**message: Any) -> dict[str, Any]:
    found = normalised(uttered(**message))
    assert found is not None
    return found


class Greeting(enum.Enum):
    HELLO = "hello"


class Lazy:
    """A text that is made when it is read, as translations are."""

    def __str__(self) -> str:
        return "hallo"


class Broken:
    def __str__(self) -> str:
        raise RuntimeError(SECRET)


def lines_of_text() -> Iterator[str]:
    yield "one"
    yield "two"


TEXTS: dict[str, tuple[object, str]] = {
    "a number": (5, "5"),
    "zero": (0, "0"),
    "a fraction": (1.5, "1.5"),
    "a Decimal": (Decimal("1.50"), "1.50"),
    "true": (True, "True"),
    "a date": (datetime.date(2025, 3, 1), "2025-03-01"),
    "a UUID": (uuid.UUID(int=1), str(uuid.UUID(int=1))),
    "a path": (pathlib.PurePosixPath("/a"), "/a"),
    "an enum": (Greeting.HELLO, "hello"),
    "bytes": ("Zoë".encode(), "Zoë"),
    "a lazy text": (Lazy(), "hallo"),
    "an error": (ValueError("no such day"), "no such day"),
    "an error without words": (TimeoutError(), "TimeoutError"),
    "a list of lines": (["one", None, 2], "one\n2"),
    "a tuple, for a comma too many": (("hello",), "hello"),
    "a generator": (lines_of_text(), "one\ntwo"),
    "an object": ({"a": ["Zoë", 1]}, '{"a": ["Zoë", 1]}'),
}


@pytest.mark.parametrize(("text", "words"), TEXTS.values(), ids=TEXTS.keys())
def test_what_is_said_is_a_text(text: object, words: str, log: pytest.LogCaptureFixture) -> None:
    """A channel fails at anything else, and the user would hear nothing. One line names the action and the type."""
    assert said(text=text)["text"] == words
    assert [(x["line"], x["action"], x["field"], x["found"]) for x in lines(log)] == [
        ("response.repaired", "action_book", "text", type(text).__name__)
    ]


@pytest.mark.parametrize("text", [None, "", "hello", "Zoë \ud83d"])
def test_a_text_is_said_as_it_is(text: str | None, log: pytest.LogCaptureFixture) -> None:
    """Nothing of an ordinary message is touched or remarked on."""
    message = uttered(text=text, buttons=[{"title": "a", "payload": "/b"}], json_message={"a": 1}, name="Ann")

    assert normalised(message) == message
    assert not log.records


@pytest.mark.parametrize("text", [False, [], {}, math.nan], ids=repr)
def test_what_says_nothing_is_null(text: object) -> None:
    """`text=is_late and "you are late"`: engines drop what is false, and so it stays."""
    assert said(text=text)["text"] is None


WORDLESS: dict[str, Callable[[], object]] = {
    "an object": object,
    "a lock": threading.Lock,
    "a function": lambda: print,
    "a class": lambda: Lazy,
    "an object whose text fails": Broken,
    "a list of nothing": lambda: [None, object()],
}


@pytest.mark.parametrize("make", WORDLESS.values(), ids=WORDLESS.keys())
def test_a_text_without_words_is_dropped_with_a_line(make: Callable[[], object], log: pytest.LogCaptureFixture) -> None:
    """`<function f at 0x7f...>` helps nobody; what else the message says is said."""
    text = make()

    assert normalised(uttered(text=text)) is None
    assert said(text=text, image="map.png")["image"] == "map.png"
    dropped = lines(log)[0]
    assert (dropped["line"], dropped["action"]) == ("response.dropped", "action_book")
    assert dropped["problem"] == f"its 'text' is a {type(text).__name__}, which says nothing"


@pytest.mark.parametrize("message", ["hello", 5, ["hello"], ValueError("hello")])
def test_words_among_the_messages_are_a_message(message: object, log: pytest.LogCaptureFixture) -> None:
    """`dispatcher.messages.append("hello")`"""
    assert normalised(message) == {"text": as_text(message)}
    assert [x["line"] for x in lines(log)] == ["response.repaired"]


def test_a_response_is_named_by_a_text() -> None:
    """Names of responses are often enums."""
    assert said(response=Greeting.HELLO)["response"] == "hello"


def test_a_field_without_a_json_form_is_left_out_and_the_rest_is_said(log: pytest.LogCaptureFixture) -> None:
    """A lock among the variables of a response does not silence it."""
    found = said(response="utter_booked", session=threading.Lock(), custom={"x": SECRET, "y": object()}, day="Monday")

    assert (found["response"], found["day"]) == ("utter_booked", "Monday")
    assert not {"session", "custom"} & found.keys()
    assert [(x["line"], x["field"], x["found"]) for x in lines(log)] == [
        ("response.repaired", "custom.*", "object"),
        ("response.repaired", "session", "lock"),
    ]


def test_missing_values_are_null_with_one_line(log: pytest.LogCaptureFixture) -> None:
    """However many there are."""
    found = said(text="the chart", json_message={"data": [math.nan] * 1000, "max": Decimal("NaN")})

    assert found["custom"] == {"data": [None] * 1000, "max": None}
    json.dumps(found, allow_nan=False)
    assert [x["line"] for x in lines(log)] == ["response.repaired"]


YES = {"title": "yes", "payload": "/affirm"}
BUTTONS: dict[str, tuple[object, list[Any]]] = {
    "one without a list": (YES, [YES]),
    "a tuple": ((YES, YES), [YES, YES]),
    "a list in the list": ([YES, [YES]], [YES, YES]),
    "null among them": ([YES, None], [YES]),
    "a title alone": (["yes"], [{"title": "yes", "payload": "yes"}]),
    "without a payload": ([{"title": "yes"}], [{"title": "yes", "payload": "yes"}]),
    "without a title": ([{"payload": "/affirm"}], [{"title": "/affirm", "payload": "/affirm"}]),
    "a number for a title": ([{"title": 4, "payload": "/size"}], [{"title": "4", "payload": "/size"}]),
    "a number for a payload": ([{"title": "4", "payload": 4}], [{"title": "4", "payload": "4"}]),
    "an object for a payload": ([{"title": "a", "payload": {"b": 1}}], [{"title": "a", "payload": '{"b": 1}'}]),
}


@pytest.mark.parametrize(("buttons", "drawn"), BUTTONS.values(), ids=BUTTONS.keys())
def test_buttons_can_be_drawn(buttons: object, drawn: list[Any], log: pytest.LogCaptureFixture) -> None:
    """Channels read a title and a payload of each and fail without: no button, no text, nothing."""
    assert said(text="sure?", buttons=buttons)["buttons"] == drawn
    assert {(x["line"], x["action"]) for x in lines(log)} == {("response.repaired", "action_book")}


def test_a_button_that_opens_a_page_needs_no_payload(log: pytest.LogCaptureFixture) -> None:
    """It goes out as it is."""
    button = {"title": "the map", "type": "web_url", "url": "https://example.org"}

    assert said(text="here", buttons=[button])["buttons"] == [button]
    assert not log.records


def test_one_element_is_a_list_of_it() -> None:
    """As with buttons."""
    assert said(elements={"title": "a"})["elements"] == [{"title": "a"}]


def test_a_message_is_not_changed_where_it_is() -> None:
    """Buttons are often a constant of a module."""
    buttons = [{"title": "yes"}]
    message = uttered(text=5, buttons=buttons)

    normalised(message)

    assert (message["text"], buttons) == (5, [{"title": "yes"}])
