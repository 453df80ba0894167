"""Three small classic assistants of other trades, each with what the others have not."""

from __future__ import annotations

from collections.abc import Mapping

# A form with validators that ask again, a rule that stops it, buttons with intents, a story through it.
PIZZERIA: Mapping[str, str] = {
    "config.yml": "language: it\npipeline: []\npolicies: []\n",
    "domain.yml": """
version: "3.1"
intents: [order_pizza, inform, stop, greet, affirm]
entities: [size]
slots:
  pizza: {type: text, mappings: [{type: from_text, conditions: [{active_loop: pizza_form, requested_slot: pizza}]}]}
  size: {type: categorical, values: [small, large], mappings: [{type: from_entity, entity: size}]}
  pieces: {type: float, min_value: 1, max_value: 9, mappings: [{type: from_text}]}
  price: {type: float, mappings: [{type: custom}]}
forms:
  pizza_form: {required_slots: [pizza, size, pieces], ignored_intents: [greet]}
responses:
  utter_greet: [{text: Ciao.}]
  utter_ask_pizza: [{text: Which pizza?}]
  utter_ask_size:
  - text: Which size?
    buttons: [{title: large, payload: '/inform{{"size": "large"}}'}, {title: Stop, payload: /stop}]
  utter_ask_pieces: [{text: How many?}]
  utter_stopped: [{text: Stopped.}]
  utter_ordered: [{text: Ordered.}]
actions: [action_price, validate_pizza_form]
""",
    "data/all.yml": """
version: "3.1"
nlu:
- {intent: order_pizza, examples: "- I would like a pizza\\n- order a pizza"}
- {intent: stop, examples: "- stop it"}
rules:
- rule: begin
  steps: [{intent: order_pizza}, {action: pizza_form}, {active_loop: pizza_form}]
- rule: done
  condition: [{active_loop: pizza_form}]
  steps:
  - action: pizza_form
  - active_loop: null
  - slot_was_set: [{requested_slot: null}]
  - action: action_price
  - action: utter_ordered
- rule: stop
  condition: [{active_loop: pizza_form}]
  steps: [{intent: stop}, {action: action_deactivate_loop}, {active_loop: null}, {action: utter_stopped}]
stories:
- story: a large one
  steps:
  - intent: order_pizza
  - action: pizza_form
  - active_loop: pizza_form
  - slot_was_set: [{pizza: Margherita}]
  - slot_was_set: [{size: large}]
  - slot_was_set: [{pieces: 2}]
  - active_loop: null
  - action: action_price
  - action: utter_ordered
""",
    "ACTS/__init__.py": """
from rasa_sdk import Action, FormValidationAction
from rasa_sdk.events import SlotSet


class ActionPrice(Action):
    def name(self):
        return "action_price"

    def run(self, dispatcher, tracker, domain):
        return [SlotSet("price", 9 * tracker.get_slot("pieces"))]


class ValidatePizzaForm(FormValidationAction):
    def name(self):
        return "validate_pizza_form"

    def validate_pizza(self, value, dispatcher, tracker, domain):
        return {"pizza": value if len(value) > 2 else None}

    async def validate_pieces(self, value, dispatcher, tracker, domain):
        return {"pieces": value}
""",
}
# Two forms in a row, the second only for some, and one that an intent starts once another loop has been left.
LIBRARY: Mapping[str, str] = {
    "domain.yml": """
version: "3.1"
intents: [join, lend, list_loans, goodbye]
entities: [title]
slots:
  name: {type: text, mappings: [{type: from_text}]}
  is_student: {type: bool, mappings: [{type: from_text}]}
  school: {type: text, mappings: [{type: from_text}]}
  title: {type: text, mappings: [{type: from_entity, entity: title}, {type: from_text, intent: [join, lend]}]}
forms:
  member_form: {required_slots: [name, is_student]}
  student_form: {required_slots: [name, school]}
  lend_form: {required_slots: [title]}
responses:
  utter_ask_name: [{text: Your name?}]
  utter_ask_is_student: [{text: Are you a student?}]
  utter_ask_student_form_school: [{text: Which school?}]
  utter_ask_title: [{text: Which book?}]
  utter_welcome: [{text: Welcome.}]
  utter_lent: [{text: Take it.}]
  utter_bye: [{text: Bye.}]
actions: [action_list_loans]
""",
    "data/all.yml": """
version: "3.1"
nlu:
- {intent: join, examples: "- I want to become a member"}
- {intent: lend, examples: "- lend me a book"}
- {intent: list_loans, examples: "- which books do I have"}
- {intent: goodbye, examples: "- bye"}
rules:
- rule: join
  steps: [{intent: join}, {action: member_form}, {active_loop: member_form}]
- rule: student
  condition: [{active_loop: member_form}, {slot_was_set: [{is_student: true}]}]
  steps: [{action: member_form}, {active_loop: null}, {action: student_form}, {active_loop: student_form}]
- rule: other
  condition: [{active_loop: member_form}, {slot_was_set: [{is_student: false}]}]
  steps: [{action: member_form}, {active_loop: null}, {action: utter_welcome}]
- rule: welcome
  condition: [{active_loop: student_form}]
  steps: [{action: student_form}, {active_loop: null}, {action: utter_welcome}]
- rule: lend
  steps: [{intent: lend}, {action: action_deactivate_loop}, {action: lend_form}, {active_loop: lend_form}]
- rule: lent
  condition: [{active_loop: lend_form}]
  steps: [{action: lend_form}, {active_loop: null}, {action: utter_lent}]
- rule: loans
  steps: [{intent: list_loans}, {action: action_list_loans}]
- rule: bye
  steps: [{intent: goodbye}, {action: utter_bye}]
stories:
- story: which books
  steps: [{intent: list_loans}, {action: action_list_loans}, {intent: goodbye}, {action: utter_bye}]
""",
    "ACTS/__init__.py": """
from rasa_sdk import Action


class ActionListLoans(Action):
    def name(self):
        return "action_list_loans"

    def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(text="None.")
        return []
""",
}
# Stories alone: no rules, alternatives, a checkpoint, and what the user says word for word.
TAXI: Mapping[str, str] = {
    "domain.yml": """
version: "3.1"
intents: [order_taxi, hurry, cancel_taxi]
slots:
  place: {type: text, mappings: [{type: from_text}]}
forms:
  taxi_form: {required_slots: [place]}
responses:
  utter_ask_place: [{text: Where from?}]
  utter_coming: [{text: It is coming.}]
actions: [action_send_taxi, action_cancel_taxi]
""",
    "data/all.yml": """
version: "3.1"
nlu:
- {intent: order_taxi, examples: "- I need a taxi"}
- {intent: cancel_taxi, examples: "- no taxi any more"}
stories:
- story: a taxi
  steps:
  - or: [{intent: order_taxi}, {intent: hurry}]
  - action: taxi_form
  - active_loop: taxi_form
  - user: from the station
    intent: hurry
  - slot_was_set: [{place: from the station}]
  - active_loop: null
  - action: action_send_taxi
  - action: utter_coming
  - checkpoint: sent
- story: no taxi
  steps: [{intent: cancel_taxi}, {action: action_cancel_taxi}]
""",
    "ACTS/__init__.py": """
from rasa_sdk import Action


class ActionSendTaxi(Action):
    def name(self):
        return "action_send_taxi"

    def run(self, dispatcher, tracker, domain):
        return []


class ActionCancelTaxi(ActionSendTaxi):
    def name(self):
        return "action_cancel_taxi"
""",
}
