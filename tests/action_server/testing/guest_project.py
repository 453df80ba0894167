"""A small project whose actions do one thing each, for the tests of the kit."""

from __future__ import annotations

from pathlib import Path

from tests.projects import project

ACTIONS = """
    import asyncio
    import datetime
    from datetime import datetime as moment

    from rasa_sdk import Action, ActionExecutionRejection, FormValidationAction
    from rasa_sdk.events import FollowupAction, SlotSet

    from action_server import idempotent, services

    class Menu:
        def dish(self):
            return "soup"

    class ActionCountGuests(Action):
        def name(self):
            return "action_count_guests"

        def run(self, dispatcher, tracker, domain):
            guests = (tracker.get_slot("guests") or 0) + 1
            dispatcher.utter_message(text=f"That makes {guests}.")
            return [SlotSet("guests", guests), FollowupAction("action_ask_dish")]

    class ActionAskDish(Action):
        def name(self):
            return "action_ask_dish"

        async def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(response="utter_dish", dish=services.get(Menu).dish())
            return []

    class ActionWhen(Action):
        def name(self):
            return "action_when"

        def run(self, dispatcher, tracker, domain):
            is_real = isinstance(moment.now(), moment) and isinstance(datetime.date(2026, 1, 1), datetime.date)
            dispatcher.utter_message(text=f"{moment.now():%Y-%m-%d %H:%M} {datetime.date.today()} {is_real}")
            return []

    class ActionSay(Action):
        def name(self):
            return "action_say"

        def run(self, dispatcher, tracker, domain):
            message = tracker.latest_message
            form = (tracker.active_loop or {}).get("name")
            facts = [message.get("text"), message["intent"].get("name"), tracker.get_latest_input_channel(), form]
            dispatcher.utter_message(text=", ".join(str(fact) for fact in facts))
            dispatcher.utter_message(text=", ".join(f["flow_id"] for f in tracker.stack or []) or "no flow")
            return []

    class ActionFail(Action):
        def name(self):
            return "action_fail"

        def run(self, dispatcher, tracker, domain):
            raise KeyError("hunter2")

    class ActionReject(Action):
        def name(self):
            return "action_reject"

        def run(self, dispatcher, tracker, domain):
            raise ActionExecutionRejection("action_reject", "not now")

    class ActionWrong(Action):
        def name(self):
            return "action_wrong"

        def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(response="utter_nothing")
            return [SlotSet("guests", "many"), SlotSet("guest", 9007199254740993), FollowupAction("action_gone")]

    class ActionStream(Action):
        def name(self):
            return "action_stream"

        async def run(self, dispatcher, tracker, domain):
            for number in range(5):
                if not dispatcher.is_streaming_cancelled:
                    await dispatcher.stream_chunk(text=f"{number} ")
            await dispatcher.stream_end()
            return [SlotSet("guests", 99 if dispatcher.is_streaming_cancelled else 5)]

    class ActionOnce(Action):
        count = 0

        def name(self):
            return "action_once"

        @idempotent
        def run(self, dispatcher, tracker, domain):
            ActionOnce.count += 1
            return [SlotSet("guests", ActionOnce.count)]

    class ValidatePartyForm(FormValidationAction):
        def name(self):
            return "validate_party_form"

        def validate_guests(self, value, dispatcher, tracker, domain):
            return {"guests": value if value < 10 else None}
"""
DOMAIN = """
    version: "3.1"
    actions: [action_count_guests, action_ask_dish, action_say, action_wrong]
    forms: {party_form: {required_slots: [guests]}}
    slots:
      guests: {type: float, initial_value: 2, mappings: [{type: custom}]}
      size: {type: categorical, values: [small, large]}
    responses:
      utter_dish: [{text: "Today: {dish}"}]
"""
LIFESPAN = """
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def lifespan(registry, config):
        registry.register_value(Menu, Menu())
        yield
"""


def guest_project(folder: Path) -> Path:
    """Write the project."""
    return project(folder, {"actions.py": ACTIONS + LIFESPAN, "domain.yml": DOMAIN, "endpoints.yml": "{}"})
