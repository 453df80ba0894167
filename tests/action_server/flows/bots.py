"""Small bots for the tests: projects of this folder, and the actions they run."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from rasa_sdk import Action, ActionExecutionRejection, Tracker
from rasa_sdk.events import (
    ActionExecuted,
    ActionReverted,
    ActiveLoop,
    AllSlotsReset,
    ConversationPaused,
    ConversationResumed,
    EventType,
    FollowupAction,
    ReminderScheduled,
    Restarted,
    SessionStarted,
    SlotSet,
    UserUtteranceReverted,
)
from rasa_sdk.executor import CollectingDispatcher

from action_server.assembly import CallHandler
from action_server.flows.commands.port import Command
from action_server.flows.player.player import Player
from action_server.flows.player.trace import Turn
from action_server.flows.player.webhook import ActionReply, InProcess
from action_server.project.project import Project, read_project
from action_server.runtime.executor import Executor
from action_server.runtime.registry import Registry

PROJECTS = Path(__file__).parent / "projects"
NOON = 1_795_000_000.0

Run = Callable[[CollectingDispatcher, Tracker, dict[str, Any]], Any]


def check_funds(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    return [SlotSet("has_funds", tracker.get_slot("amount") <= 100)]


async def who_is_it(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    if tracker.latest_message["text"] == "who am I":
        dispatcher.utter_message(text="(looked up)")
    return [SlotSet("user_name", "Ann"), SlotSet("is_premium", True), FollowupAction("utter_thanks")]


def balance(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    dispatcher.utter_message(text="You have 100.")
    return []


def ask_card(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    dispatcher.utter_message(
        text="Which card?", buttons=[{"title": "Credit", "payload": "/SetSlots(card=credit)"}], image="card.png"
    )
    return []


def validate_card(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    if tracker.get_slot("card") == "debit":
        dispatcher.utter_message(text="You have no debit card.")
        return [SlotSet("card", None)]
    return []


def add_recipient(dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
    dispatcher.utter_message(text=f"Added, as one of {len(domain['responses'])} responses.")
    return []


def items(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    return [SlotSet("items", ["gold", "silver"])]


def ask_note(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    dispatcher.utter_message(text="What else?")
    return []


def validate_contact(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    contact = tracker.get_slot("contact")
    return [SlotSet("contact", contact.title() if contact else None)]


def count(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    return [SlotSet("asked_often", (tracker.get_slot("asked_often") or 0) + 1)]


def says(text: str, *events: EventType) -> Run:
    def run(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
        dispatcher.utter_message(text=text)
        return list(events)

    return run


def say_response(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    dispatcher.utter_message(response="utter_template", extra="again", buttons=[{"title": "B", "payload": "b"}])
    dispatcher.utter_message(response="utter_nowhere")
    dispatcher.utter_message(json_message={"card": 1}, attachment="file")
    return []


def fail(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    raise ValueError("what nobody is to see")


def reject(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    raise ActionExecutionRejection("action_reject", "not now")


def every_turn(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    text = tracker.latest_message["text"]
    if text == "fail every turn":
        raise ValueError
    return [SlotSet("every_turn", text), AllSlotsReset()]


def logs(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    logging.getLogger("my.bot").warning("seen %s", tracker.sender_id)
    return []


def stack(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    top = len(tracker.stack) - 1
    return [{"event": "stack", "update": json.dumps([{"op": "remove", "path": f"/{top}"}])}]


def user(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    return [{"event": "user", "text": "said by an action", "parse_data": {"text": "said by an action"}}]


def needs_domain(dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
    dispatcher.utter_message(text=f"{len(domain['slots'])} slots")
    return []


def validate_name(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    calls = (tracker.get_slot("count") or 0) + 1
    return [SlotSet("count", calls), SlotSet("name", tracker.get_slot("name"))]


def session_start(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[EventType]:
    dispatcher.utter_message(text=f"Session of {(tracker.get_slot('session_started_metadata') or {}).get('who')}")
    return [SessionStarted(), SlotSet("count", 7), ActionExecuted("action_listen")]


ACTIONS: dict[str, Run] = {
    "action_check_funds": check_funds,
    "action_who_is_it": who_is_it,
    "action_balance": balance,
    "action_ask_card": ask_card,
    "validate_card": validate_card,
    "action_add_recipient": add_recipient,
    "action_items": items,
    "action_ask_note": ask_note,
    "validate_contact": validate_contact,
    "action_hand_over": says("Somebody comes."),
    "action_count": count,
    "action_set": says("Set.", SlotSet("name", "Ann"), SlotSet("count", 2)),
    "action_unknown_slot": says("Set.", SlotSet("nmae", "Ann")),
    "action_reset_all": says("Reset.", AllSlotsReset()),
    "action_follow_up": says("First.", FollowupAction("action_say")),
    "action_pause": says("I pause.", ConversationPaused()),
    "action_resume": says("I go on.", ConversationPaused(), ConversationResumed()),
    "action_undo": says("Undone.", SlotSet("name", "gone"), ActionReverted()),
    "action_rewind": says("Rewound.", UserUtteranceReverted()),
    "action_loop": says("Loop.", ActiveLoop("a_form")),
    "action_remind": says("Later.", ReminderScheduled("remind", datetime(2030, 1, 1), name="r")),
    "action_say": says("Said."),
    "action_say_response": say_response,
    "action_fail": fail,
    "action_reject": reject,
    "action_every_turn": every_turn,
    "action_domain": needs_domain,
    "action_stack": stack,
    "action_user": user,
    "action_end_session": says("Bye.", {"event": "session_ended"}),
    "action_logs": logs,
    "action_session_start": session_start,
    "action_restart_all": says("Anew.", Restarted()),
    "validate_name": validate_name,
}


@cache
def _registry(actions: tuple[type[Action], ...]) -> Registry:
    registry = Registry()
    for name, run in ACTIONS.items():
        registry.register_function(name, run)
    for action in actions:
        registry.register_action(action)
    return registry


def webhook(*actions: type[Action]) -> InProcess:
    """The real executor with this module's actions and those given."""
    return InProcess(CallHandler(Executor(_registry(actions))))


class Recording:
    """A webhook that keeps what was sent, and may answer by itself."""

    def __init__(self, answers: InProcess | ActionReply) -> None:
        self.sent: list[dict[str, Any]] = []
        self._answers = answers

    async def post(self, body: bytes) -> ActionReply:
        self.sent.append(json.loads(body))
        return self._answers if isinstance(self._answers, ActionReply) else await self._answers.post(body)


@cache
def read(name: str) -> Project:
    return read_project(PROJECTS / name)


class Chat:
    """A conversation with one of the projects; `say` plays a turn."""

    def __init__(self, name: str, *actions: type[Action], **options: Any) -> None:
        hook = options.pop("webhook", None) or webhook(*actions)
        ticks = itertools.count()
        self.player = Player(read(name), hook, clock=lambda: NOON + next(ticks), **options)

    async def say(self, message: str, *commands: Command) -> Turn:
        return await self.player.turn(message, commands)

    @property
    def slots(self) -> dict[str, Any]:
        return self.player.state.slots

    @property
    def stack(self) -> list[str]:
        return [frame.flow_id for frame in self.player.state.stack]
