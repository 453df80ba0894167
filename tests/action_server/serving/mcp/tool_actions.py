"""Actions that are offered as tools: one of every kind."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from rasa_sdk import Action, ActionExecutionRejection, Tracker
from rasa_sdk.events import FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from action_server import action_options, current_call, idempotent

Domain = dict[str, Any]


class ActionEcho(Action):
    """Say what the slots hold.

    The second paragraph is for programmers.
    """

    def name(self) -> str:
        return "action_echo"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain) -> list[Any]:
        city, guests, outside = tracker.get_slot("city"), tracker.slots["guests"], tracker.slots.get("outside")
        dispatcher.utter_message(text=f"{city}, {guests}, {outside}")
        dispatcher.utter_message(response="utter_bye", city=city)
        return [SlotSet("echoed", [city, guests, outside]), SlotSet("facts", {"city": city})]


class ActionReject(Action):
    def name(self) -> str:
        return "action_reject"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain) -> list[Any]:
        raise ActionExecutionRejection("action_reject", "not today")


class ActionFail(Action):
    """Fail."""

    def name(self) -> str:
        return "action_fail"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain) -> list[Any]:
        raise RuntimeError("token hunter2")


@action_options(on_error={"slot": "lookup_failed"})
class ActionFailSoftly(ActionFail):
    """Fail, so that a flow can branch."""

    def name(self) -> str:
        return "action_fail_softly"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain) -> list[Any]:
        dispatcher.utter_message(text="let me see")
        return super().run(dispatcher, tracker, domain)


class ActionWait(Action):
    """Wait for ever."""

    def name(self) -> str:
        return "action_wait"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain) -> list[Any]:
        await asyncio.Event().wait()
        return []


class ActionWho(Action):
    """Say whose conversation it is."""

    def name(self) -> str:
        return "action_who"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain) -> list[Any]:
        dispatcher.utter_message(text=f"you are {tracker.sender_id}")
        return [FollowupAction("action_echo")]


def helper(tracker: Tracker) -> str:
    return str(tracker.sender_id)


class ActionHelped(Action):
    """Ask somebody else whose conversation it is, and take no for an answer."""

    def name(self) -> str:
        return "action_helped"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain) -> list[Any]:
        try:
            dispatcher.utter_message(text=helper(tracker))
        except Exception:  # noqa: BLE001 - as authors do
            dispatcher.utter_message(text="nobody")
        return []


class ActionAsksTheCall(Action):
    """Ask the running call whose conversation it is."""

    def name(self) -> str:
        return "action_asks_the_call"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain) -> list[Any]:
        dispatcher.utter_message(text=_of_call())
        return []


def _of_call() -> str:
    return f"you are {current_call().sender_id}"


class ActionHistory(Action):
    """Count what was said."""

    def name(self) -> str:
        return "action_history"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain) -> list[Any]:
        dispatcher.utter_message(text=f"{len(tracker.events)} {tracker.latest_message} {tracker.stack}")
        return []


class _Counting(Action):
    runs = 0

    def name(self) -> str:
        return ""

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain) -> list[Any]:
        type(self).runs += 1
        return [SlotSet("reference", f"{tracker.get_slot('order')}-{type(self).runs}")]


@idempotent(key="order", within=timedelta(hours=1), scope="everyone")
class ActionOrder(_Counting):
    """Order once, whoever asks."""

    def name(self) -> str:
        return "action_order"


@idempotent
class ActionOrderInTurn(_Counting):
    """Order once in a turn."""

    def name(self) -> str:
        return "action_order_in_turn"


class ActionStrange(Action):
    """Answer with what JSON and JavaScript do not take."""

    def name(self) -> str:
        return "action_strange"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain) -> list[Any]:
        dispatcher.utter_message(text="half \ud83d of a smile")
        return [SlotSet("id", 2**53 + 1), SlotSet("nan", float("nan")), SlotSet("result", 1), SlotSet("errors", 2)]


class ActionChangesDomain(Action):
    """Change the domain it got."""

    def name(self) -> str:
        return "action_changes_domain"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain) -> list[Any]:
        seen = sorted(domain.get("responses", {}))
        domain.clear()
        return [SlotSet("seen", seen)]


class ActionLong(Action):
    """Say much."""

    def name(self) -> str:
        return "action_long"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain) -> list[Any]:
        dispatcher.utter_message(text="a" * 20_000)
        return []


class ValidateForm(Action):
    def name(self) -> str:
        return "validate_party_form"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain) -> list[Any]:
        return []


ALL: tuple[type[Action], ...] = (
    *(
        ActionEcho,
        ActionReject,
        ActionFail,
        ActionFailSoftly,
        ActionWait,
        ActionWho,
        ActionHelped,
        ActionHistory,
        ActionAsksTheCall,
    ),
    *(ActionOrder, ActionOrderInTurn, ActionStrange, ActionChangesDomain, ActionLong, ValidateForm),
)
