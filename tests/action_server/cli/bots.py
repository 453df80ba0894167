"""A bot of four actions, for the verbs about actions."""

from __future__ import annotations

BOT = """
    from rasa_sdk import Action, FormValidationAction
    from rasa_sdk.events import ActionExecuted, SlotSet

    class ActionEcho(Action):
        def name(self):
            return "action_echo"

        def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(text=f"you said {tracker.latest_message['text']}", image="x.png",
                                     buttons=[{"title": "ok [1]", "payload": "/ok"}])
            dispatcher.utter_message(response="utter_more", who=tracker.sender_id)
            size = tracker.get_slot("size") + 1
            return [SlotSet("size", size), SlotSet("new", "Zoë"), ActionExecuted("action_listen")]

    class ActionQuiet(Action):
        def name(self):
            return "action_quiet"

        async def run(self, dispatcher, tracker, domain):
            return []

    class ActionFail(Action):
        def name(self):
            return "action_fail"

        def run(self, dispatcher, tracker, domain):
            raise RuntimeError("boom")

    class ValidatePartyForm(FormValidationAction):
        def name(self):
            return "validate_party_form"

        def validate_size(self, value, dispatcher, tracker, domain):
            return {"size": None if value > 8 else value}
"""
