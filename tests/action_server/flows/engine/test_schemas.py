"""What the schemas of flows and domains take: types and keys, before anybody looks at what they mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.flows.engine.projects import flow, refusals
from tests.action_server.flows.engine.rows import Row, each

# Flows, one in a line; whether an engine takes them.
FLOWS = [
    Row("a number for a step's id", [flow("{id: 5, action: utter_hi}")], False),
    Row("a quoted number for a step's id", [flow("{id: '5', action: utter_hi}")], True),
    Row("a number for a next", [flow("{id: '5', action: utter_hi, next: 6}, {id: '6', action: utter_hi}")], False),
    Row("a number for a then", [flow("{noop: true, next: [{if: slots.ok, then: 5}, {else: END}]}")], False),
    Row("a number for a name", [flow("{action: utter_hi}", "name: 2024, ")], False),
    Row("a number for a description", ["main: {description: 5, steps: [{action: utter_hi}]}"], False),
    Row("a number among persisted slots", [flow("{collect: kind}", "persisted_slots: [5], ")], False),
    Row("a number for a trigger's intent", [flow("{action: utter_hi}", "nlu_trigger: [{intent: 5}], ")], False),
    Row("a number for a flow's condition", [flow("{action: utter_hi}", "if: 5, ")], False),
    Row("false for a flow's condition", [flow("{action: utter_hi}", "if: false, ")], True),
    Row("a number for on_activate", [flow("{action: utter_hi}", "on_activate: 5, ")], False),
    Row("a mapping for on_activate", [flow("{action: utter_hi}", "on_activate: {action: utter_hi}, ")], True),
    Row("a text for metadata", [flow("{action: utter_hi}", "metadata: a, ")], False),
    Row("a number for a translated name", [flow("{action: utter_hi}", "translation: {de: {name: 5}}, ")], False),
    Row("a number for a question's description", [flow("{collect: kind, description: 5}")], False),
    Row("a text for silence_timeout", [flow("{collect: kind, silence_timeout: '5'}")], False),
    Row("a silence_timeout below zero", [flow("{collect: kind, silence_timeout: -5}")], False),
    Row("a silence_timeout by channel", [flow("{collect: kind, silence_timeout: {audiocodes: 5}}")], True),
    Row("one by channel below zero", [flow("{collect: kind, silence_timeout: {audiocodes: -1}}")], False),
    Row("one by channel that is a text", [flow("{collect: kind, silence_timeout: {audiocodes: a}}")], False),
    Row("dtmf with a length and an end", [flow("{collect: kind, dtmf: {length: 4, finish_on_key: '#'}}")], False),
    Row("dtmf with a length in words", [flow("{collect: kind, dtmf: {length: four}}")], False),
    Row("dtmf that is no mapping", [flow("{collect: kind, dtmf: 4}")], False),
    Row("a number for a tool of a question", [flow("{collect: kind, collect-tool-binding: 5}")], False),
    Row("a number for an utter", [flow("{collect: kind, utter: 5}")], False),
    Row("slots that are set as a mapping", [flow("{set_slots: {ok: true}}")], False),
    Row("no slots that are set", [flow("{set_slots: []}")], True),
    Row("a noop with its branches inside", [flow("{noop: [{if: slots.ok, then: END}, {else: END}]}")], False),
    Row("steps for a next", [flow("{noop: true, next: [{action: utter_hi, next: END}]}")], False),
    Row("nothing for a next", [flow("{action: utter_hi, next: }, {action: utter_hi}")], False),
    Row("an empty list for a next", [flow("{action: utter_hi, next: []}, {action: utter_hi}")], True),
    Row("an empty list for a noop's next", [flow("{noop: true, next: []}, {action: utter_hi}")], True),
    Row("an else before an if", [flow("{noop: true, next: [{else: END}, {if: slots.ok, then: END}]}")], True),
    Row("an else alone", [flow("{noop: true, next: [{else: END}]}")], True),
    Row("an if with an else in one", [flow("{noop: true, next: [{if: slots.ok, then: END, else: END}]}")], False),
    Row("a mapping without a server", [flow("{call: x, mapping: {input: [], output: []}}")], False),
    Row("a server without a mapping", [flow("{call: x, mcp_server: y}")], False),
    Row("an empty id", ["'': "], False),
    Row(
        "an unknown key of a flow with a hyphen",
        ["main-flow: {description: d, colour: red, steps: [{action: utter_hi}]}"],
        True,
    ),
    Row(
        "a described action in a flow with a hyphen",
        ["main-flow: {description: d, steps: [{action: utter_hi, description: d}]}"],
        True,
    ),
    Row("a flow with a hyphen without description", ["main-flow: {steps: [{action: utter_hi}]}"], False),
]
# The head of a file of flows; whether an engine takes it.
HEADS = [
    Row("a version in quotes", 'version: "3.1"\n', True),
    Row("a version that is a number", "version: 3.1\n", False),
    Row("another key", "colour: red\n", True),
]
# A part of a domain; whether an engine takes it.
DOMAINS = [
    Row("a version that is a number", "version: 3.1\nslots: {n: {type: text}}", False),
    Row("another key", "colour: red\nslots: {n: {type: text}}", True),
    Row("a slot without a type", "slots: {n: {initial_value: a}}", False),
    Row("values of a text", "slots: {n: {type: text, values: [a]}}", False),
    Row("a bound of a text", "slots: {n: {type: text, min_value: 1}}", False),
    Row("bounds of an any", "slots: {n: {type: any, max_value: 1}}", False),
    Row("an unknown key of a slot", "slots: {n: {type: text, colour: red}}", False),
    Row("a description of a slot", "slots: {n: {type: text, description: d}}", False),
    Row("auto_fill of a slot", "slots: {n: {type: text, auto_fill: true}}", False),
    Row("value_reset_delay of a slot", "slots: {n: {type: text, value_reset_delay: 1}}", True),
    Row("allow_llm_set of a slot", "slots: {n: {type: text, allow_llm_set: true}}", True),
    Row("a text for influence_conversation", "slots: {n: {type: text, influence_conversation: 'no'}}", False),
    Row("an any that influences", "slots: {n: {type: any, influence_conversation: true}}", False),
    Row("an any that does not", "slots: {n: {type: any, influence_conversation: false}}", True),
    Row("a categorical without values", "slots: {n: {type: categorical}}", True),
    Row(
        "a start in words within bounds",
        "slots: {n: {type: float, min_value: 1, max_value: 2, initial_value: a}}",
        False,
    ),
    Row("no mappings in their list", "slots: {n: {type: text, mappings: []}}", True),
    Row("a mapping without a type", "slots: {n: {type: text, mappings: [{value: a}]}}", True),
    Row("an unknown key of a mapping", "slots: {n: {type: text, mappings: [{type: from_llm, colour: red}]}}", True),
    Row(
        "an unknown system",
        "slots: {n: {type: text, mappings: [{type: controlled, coexistence_system: BOTH}]}}",
        False,
    ),
    Row(
        "an unknown key of a mapping's condition",
        "slots: {n: {type: text, mappings: [{type: from_llm, conditions: [{active_flow: main, colour: red}]}]}}",
        False,
    ),
    Row(
        "no rules in their list",
        "slots: {n: {type: text, validation: {rejections: []}}}\nresponses: {utter_ask_n: [{text: a}]}",
        True,
    ),
    Row("a validation with nothing in it", "slots: {n: {type: text, validation: {}}}", False),
    Row("a validation without rejections", "slots: {n: {type: text, validation: {refill_utter: utter_hi}}}", False),
    Row(
        "a rule that is true",
        "slots: {n: {type: text, validation: {rejections: [{if: true, utter: utter_hi}]}}}\n"
        "responses: {utter_ask_n: [{text: a}]}",
        False,
    ),
    Row(
        "an unknown key of a rule",
        "slots: {n: {type: text, validation: {rejections: [{if: slots.n, utter: utter_hi, then: END}]}}}\n"
        "responses: {utter_ask_n: [{text: a}]}",
        False,
    ),
    Row(
        "a rule of a slot that nothing asks for",
        "slots: {n: {type: text, validation: {rejections: [{if: slots.n, utter: utter_hi}]}}}",
        False,
    ),
    Row("a number for a text", "responses: {utter_x: [{text: 5}]}", False),
    Row("an empty text", "responses: {utter_x: [{text: ''}]}", True),
    Row("nothing for a text", "responses: {utter_x: [{text: }]}", False),
    Row("an image without a text", "responses: {utter_x: [{image: a.png}]}", False),
    Row("buttons without a text", "responses: {utter_x: [{buttons: [{title: a, payload: b}]}]}", False),
    Row("custom without a text", "responses: {utter_x: [{custom: {a: b}}]}", True),
    Row("nothing in custom", "responses: {utter_x: [{custom: {}}]}", False),
    Row("a list in custom", "responses: {utter_x: [{custom: [a]}]}", False),
    Row("a text for an attachment", "responses: {utter_x: [{text: a, attachment: b}]}", False),
    Row("an attachment", "responses: {utter_x: [{text: a, attachment: {type: image}}]}", True),
    Row("an unknown key of a variation", "responses: {utter_x: [{text: a, colour: red}]}", False),
    Row("a type of buttons", "responses: {utter_x: [{text: a, button_type: reply}]}", True),
    Row("a number for a title", "responses: {utter_x: [{text: a, buttons: [{title: 5, payload: a}]}]}", False),
    Row("a number for a payload", "responses: {utter_x: [{text: a, buttons: [{title: a, payload: 5}]}]}", False),
    Row(
        "an unknown key of a button",
        "responses: {utter_x: [{text: a, buttons: [{title: a, payload: b, colour: red}]}]}",
        True,
    ),
    Row("a number for a channel", "responses: {utter_x: [{text: a, channel: 5}]}", False),
    Row("a number for an id", "responses: {utter_x: [{text: a, id: 5}]}", False),
    Row("a translation", "responses: {utter_x: [{text: a, translation: {de: b}}]}", True),
    Row("a number for a translation", "responses: {utter_x: [{text: a, translation: {de: 5}}]}", False),
    Row(
        "a condition of the old form",
        "responses: {utter_x: [{text: a, condition: [{type: slot, name: ok, value: true}]}]}",
        True,
    ),
    Row("one without its type", "responses: {utter_x: [{text: a, condition: [{name: ok, value: true}]}]}", False),
    Row("one without its value", "responses: {utter_x: [{text: a, condition: [{type: slot, name: ok}]}]}", False),
    Row("true for a condition", "responses: {utter_x: [{text: a, condition: true}]}", False),
    Row("an intent with nothing behind its colon", "intents: [{hi: }]", False),
    Row("an entity with nothing behind its colon", "entities: [{city: }]", False),
    Row("an action with nothing behind its colon", "actions: [{action_x: }]", False),
    Row("a number for an intent", "intents: [5]", False),
    Row("an action with its option", "actions: [{action_ask_n: {send_domain: true}}]\nslots: {n: {type: text}}", True),
    Row("an action with another option", "actions: [{action_x: {colour: red}}]", False),
    Row("an intent that triggers", "intents: [{hi: {triggers: utter_hi}}]", False),
    Row("an expiration below zero", "session_config: {session_expiration_time: -1}", False),
    Row("an expiration in words", "session_config: {session_expiration_time: never}", False),
    Row("an unknown key of the session", "session_config: {session_expiration_time: 60, colour: red}", True),
    Row("ignored intents without slots", "forms: {a_form: {ignored_intents: [hi]}}\nintents: [hi]", False),
    Row("an unknown key of a form", "forms: {a_form: {required_slots: [word], colour: red}}", False),
    Row("a form with an unknown slot", "forms: {a_form: {required_slots: [nobody]}}", False),
    Row("the engine's own slot of the language", "slots: {language: {type: text}}", False),
]


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@each(FLOWS)
def test_flows_of_these_types_are_refused_where_the_schema_refuses_them(row: Row, tmp_path: Path) -> None:
    """A flow whose id has a hyphen is not held against the schema at all."""
    assert (refusals(tmp_path, row.given) == []) is row.engine


@each(HEADS)
def test_heads_of_files_are_refused_where_the_schema_refuses_them(row: Row, tmp_path: Path) -> None:
    """Keys that nobody knows are passed over."""
    assert (refusals(tmp_path, [flow("{collect: kind}")], head=row.given) == []) is row.engine


@each(DOMAINS)
def test_domains_of_these_types_are_refused_where_the_engine_refuses_them(row: Row, tmp_path: Path) -> None:
    """By its schema, or by the classes of slots, whose arguments are the keys."""
    assert (refusals(tmp_path, [flow("{collect: kind}")], row.given) == []) is row.engine
