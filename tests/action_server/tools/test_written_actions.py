"""However an action is written, it is a tool with its own words, slots and marks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import Any

import pytest
from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet

from action_server import action as typed_action
from action_server import mcp
from action_server.runtime.options import ActionOptions, OptionsTable
from action_server.runtime.registry import Registry
from action_server.runtime.tool_options import McpSettings
from action_server.tools.offer import make_offer
from tests.action_server.tools.offers import EVERYTHING, action, offer


class Helper(Action, ABC):
    """What every action of this team can do."""

    @abstractmethod
    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]: ...


class ActionPlain(Helper):
    def name(self) -> str:
        return "action_plain_words"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        return []


class ActionTold(ActionPlain):
    """Book a **table**
       for <b>many</b> & more.

    For programmers.

    Args:
        dispatcher: says it.
    """


class ActionKindOf(ActionTold):
    pass


class ActionSphinx(ActionPlain):
    """Book a table.
    :param tracker: what was said
    """


@typed_action
def made_of_a_function(day: str) -> None: ...


@mcp(read_only=True)  # type: ignore[untyped-decorator]
@typed_action
def marked_above(day: str) -> None: ...


@typed_action
@mcp(read_only=True)  # type: ignore[untyped-decorator]
def marked_below(day: str) -> None: ...


def test_a_mark_of_a_typed_function_offers_it() -> None:
    """Above `@action` or below it, as other marks; and what nobody marked stays at home."""
    actions = [f.action_class for f in (marked_above, marked_below, made_of_a_function)]

    found = offer(*actions, settings=McpSettings()).tools

    assert {name: tool.read_only for name, tool in found.items()} == {
        "action_marked_above": True,
        "action_marked_below": True,
    }


@typed_action
def asks_its_tracker(day: str, tracker: Tracker) -> dict[str, Any]:
    return {"told": tracker.get_slot("city") or tracker.get_slot("day")}


def test_what_a_typed_function_asks_its_tracker_for_is_an_argument_too() -> None:
    """As of every other action; a mark says which they are, and a model all of them."""
    cls = asks_its_tracker.action_class

    def names(**options: Any) -> list[str]:
        settings = McpSettings.model_validate({"actions": ["*"], "tools": {"*": options}})
        return [a.slot for tool in offer(cls, settings=settings).tools.values() for a in tool.arguments]

    assert names() == ["day", "city"]
    assert names(reads=["hour"]) == ["day", "hour"]
    assert names(arguments={"properties": {"hour": {"type": "integer"}}}) == ["hour"]


def plain(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
    """Tell the city."""
    return [SlotSet("told", tracker.get_slot("city"))]


def with_more(more: str, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
    """Tell more."""
    return [SlotSet("told", tracker.get_slot("more"))]


class Desk:
    """Where guests are told what they ask for."""

    def tell_day(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        """Tell the day."""
        return [SlotSet("told", self.day_of(tracker))]

    def day_of(self, tracker: Any) -> Any:
        return tracker.get_slot("day")

    def tell_hour(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        """Tell the hour."""
        return [SlotSet("hour_told", tracker.get_slot("hour"))]


class Bell:
    """Tell who calls."""

    def __call__(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        return [SlotSet("told", tracker.get_slot("caller"))]


FUNCTIONS: dict[str, tuple[Any, str, list[str]]] = {
    "a function": (plain, "Tell the city.", ["city"]),
    "a part of one": (partial(with_more, "x"), "Tell more.", ["more"]),
    "a part of a part": (partial(partial(with_more, "x")), "Tell more.", ["more"]),
    "a method": (Desk().tell_day, "Tell the day.", ["day"]),
    "the one beside it": (Desk().tell_hour, "Tell the hour.", ["hour"]),
    "a callable object": (Bell(), "Tell who calls.", ["caller"]),
}


@pytest.mark.parametrize(("function", "said", "reads"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_what_is_registered_as_a_function_is_a_tool(function: Any, said: str, reads: list[str]) -> None:
    """With its own words and slots, and not those of its neighbours."""
    registry = Registry()
    registry.register_function("action_tell", function)

    [tool] = make_offer(registry, EVERYTHING, OptionsTable(ActionOptions(), {})).tools.values()

    assert (tool.description, [a.slot for a in tool.arguments]) == (said, reads)


DESCRIPTIONS: list[tuple[type[Action], str]] = [
    (ActionPlain, "Plain words."),
    (ActionTold, "Book a **table** for <b>many</b> & more."),
    (ActionKindOf, "Book a **table** for <b>many</b> & more."),
    (ActionSphinx, "Book a table."),
    (made_of_a_function.action_class, "Made of a function."),
    (action("action_x", " \n "), "X."),
    (action("action_x", "Book\n  a table.\n \t\nFor programmers."), "Book a table."),
]


@pytest.mark.parametrize(("cls", "said"), DESCRIPTIONS, ids=lambda value: getattr(value, "__name__", None))
def test_a_description_is_what_the_author_says_of_the_action(cls: type[Action], said: str) -> None:
    """Its first paragraph, or that of the action it is a kind of; of helper bases and of Python's own none says it."""
    [tool] = offer(cls).tools.values()

    assert tool.description == said
