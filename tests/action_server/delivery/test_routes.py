"""The route follows from what the author and the settings say, and from the engine and the channel."""

from __future__ import annotations

from typing import Any

import pytest

from action_server.delivery.routes import Conversation, choose, choose_unseen, payload_of
from action_server.jobs.handover import Delivery
from action_server.jobs.origin import Origin
from tests.action_server.delivery.delivery_fixtures import delivery_settings

WAITING = [{"type": "flow", "flow_id": "x"}, {"type": "pattern_collect_information", "collect": "summary"}]
ENGINE = {"engine": "http://localhost:5005"}
FLOWS = {"version": "3.21.0", "has_flows": True}

ROWS: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    ("classic, callback", {"channel": "callback", "version": "3.6.21"}, {}, {}, "tracker-events"),
    ("classic, socket", {"channel": "socketio", "version": "3.6.21"}, {}, {}, "tracker-events"),
    ("classic, rest", {"channel": "rest", "version": "3.6.21"}, {}, {}, "pick-up"),
    ("classic, telegram, which raises there", {"channel": "telegram", "version": "3.6.21"}, {}, {}, "pick-up"),
    ("Rasa Pro, telegram", {"channel": "telegram", **FLOWS}, {}, {}, "tracker-events"),
    ("classic, an intent", {"channel": "callback", "version": "3.6.21"}, {"intent": "i"}, {}, "trigger-intent"),
    ("classic, an intent on rest", {"channel": "rest", "version": "3.6.21"}, {"intent": "i"}, {}, "trigger-intent"),
    ("flows, an intent", {"channel": "callback", **FLOWS}, {"intent": "i"}, {}, "tracker-events"),
    (
        "flows, waiting",
        {"channel": "callback", **FLOWS},
        {"slots": {"summary": "x"}, "stack": WAITING},
        {},
        "set-slots",
    ),
    (
        "flows, waiting for something else",
        {"channel": "callback", **FLOWS},
        {"slots": {"other": "x"}, "stack": WAITING},
        {},
        "tracker-events",
    ),
    (
        "flows, waiting, a value that is no payload",
        {"channel": "callback", **FLOWS},
        {"slots": {"summary": "a, b"}, "stack": WAITING},
        {},
        "tracker-events",
    ),
    (
        "flows, waiting, a socket",
        {"channel": "socketio", **FLOWS},
        {"slots": {"summary": "x"}, "stack": WAITING},
        {},
        "tracker-events",
    ),
    ("a tool", {"channel": "mcp"}, {}, {}, "pick-up"),
    ("a channel of one's own", {"channel": "mine"}, {}, {}, "pick-up"),
    ("the same, set", {"channel": "mine"}, {}, {"channels": {"mine": "tracker-events"}}, "tracker-events"),
    ("nobody knows the channel", {}, {}, {}, "pick-up"),
    ("no engine", {"channel": "callback"}, {}, {"engine": None}, "pick-up"),
    ("an id that no URL has", {"channel": "callback"}, {"conversation": "Jörg B.", "intent": "x"}, {}, "pick-up"),
    ("an id with a percent sign", {"channel": "callback"}, {"conversation": "100%"}, {}, "tracker-events"),
    ("set for all", {"channel": "rest"}, {}, {"route": "tracker-events"}, "tracker-events"),
    (
        "the channel over all",
        {"channel": "rest"},
        {},
        {"route": "set-slots", "channels": {"rest": "pick-up"}},
        "pick-up",
    ),
    ("the job over the settings", {"channel": "callback"}, {"route": "pick-up"}, {"route": "set-slots"}, "pick-up"),
]


@pytest.mark.parametrize(("origin", "sent", "settings", "route"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_the_route(origin: dict[str, Any], sent: dict[str, Any], settings: dict[str, Any], route: str) -> None:
    """Each row of the table in docs/howto/answer-later.md."""
    told = {**sent}
    stack = told.pop("stack", [])
    name = told.pop("conversation", "ann")
    delivery = Delivery("a1", "job", name, ["text"], origin=Origin(**origin), **told)
    given = delivery_settings({**ENGINE, **settings})
    conversation = Conversation((), origin.get("channel", ""), stack)
    choice = choose_unseen(delivery, given) or choose(delivery, conversation, given)

    assert choice.route == route
    assert choice.why


PAYLOADS: list[tuple[dict[str, Any], str | None]] = [
    ({"a": "x y"}, "/SetSlots(a=x y)"),
    ({"a": 3, "b": 1.5, "c": True}, "/SetSlots(a=3, b=1.5, c=true)"),
    ({}, None),
    ({"a": "x, y"}, None),
    ({"a": "x (y)"}, None),
    ({"a": "None"}, None),
    ({"a": None}, None),
    ({"a": ""}, None),
    ({"a": " x"}, None),
    ({"a": ["x"]}, None),
    ({str(number): "x" for number in range(11)}, None),
]


@pytest.mark.parametrize(("slots", "payload"), PAYLOADS)
def test_slots_as_a_message(slots: dict[str, Any], payload: str | None) -> None:
    """What an engine would read otherwise is no message."""
    assert payload_of(slots) == payload
