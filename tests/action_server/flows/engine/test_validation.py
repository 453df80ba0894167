"""What `rasa train` and `rasa data validate` refuse in a project, and what they take."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.flows.engine.projects import branch, flow, refusals
from tests.action_server.flows.engine.rows import Row, each

# Flows, one in a line; whether an engine takes them.
FLOWS = [
    Row("a plain flow", [flow("{collect: kind}, {action: utter_hi}")], True),
    Row("a called flow that links", [flow("{call: calls}"), "calls: {description: d, steps: [{link: other}]}"], False),
    Row("a called flow that does not", [flow("{call: other}")], True),
    Row("a list that is collected", [flow("{collect: items}")], False),
    Row("a list that is set", [flow("{set_slots: [{items: [a]}]}")], False),
    Row("a pattern that is called", [flow("{call: pattern_search}")], False),
    Row("a link to small talk", [flow("{link: pattern_chitchat}")], False),
    Row("a link to a person", [flow("{link: pattern_human_handoff}")], True),
    Row("a link to the search", [flow("{link: pattern_search}")], True),
    Row("a link to the question how it was", [flow("{link: pattern_customer_satisfaction}")], True),
    Row("a link to another pattern", [flow("{link: pattern_completed}")], False),
    Row(
        "a pattern that links to small talk",
        ["pattern_cannot_handle: {description: d, steps: [{link: pattern_chitchat}]}"],
        True,
    ),
    Row(
        "a pattern that links to a pattern",
        ["pattern_chitchat: {description: d, steps: [{link: pattern_completed}]}"],
        False,
    ),
    Row("a pattern that links to a flow", ["pattern_chitchat: {description: d, steps: [{link: other}]}"], True),
    Row("a pattern that calls", ["pattern_chitchat: {description: d, steps: [{call: other}]}"], False),
    Row("the pattern for errors links", ["pattern_internal_error: {description: d, steps: [{link: other}]}"], False),
    Row("a link to nowhere", [flow("{link: nowhere}")], False),
    Row("a link with a next", [flow("{link: other, next: END}")], False),
    Row(
        "one intent for two flows",
        [
            flow("{action: utter_hi}", "nlu_trigger: [{intent: hi}], "),
            "b: {description: b, nlu_trigger: [{intent: hi}], steps: [{action: utter_hi}]}",
        ],
        False,
    ),
    Row("two intents for one flow", [flow("{action: utter_hi}", "nlu_trigger: [{intent: a}, {intent: b}], ")], True),
    Row("persisted and collected", [flow("{collect: kind}", "persisted_slots: [kind], ")], True),
    Row("persisted and set", [flow("{set_slots: [{ok: true}]}", "persisted_slots: [ok], ")], True),
    Row("persisted and not used", [flow("{collect: kind}", "persisted_slots: [ok], ")], False),
    Row("persisted and unknown", [flow("{collect: kind}", "persisted_slots: [nobody], ")], False),
    Row(
        "persisted in both ways",
        [flow("{collect: kind, reset_after_flow_ends: false}", "persisted_slots: [kind], ")],
        False,
    ),
    Row("persisted in the old way", [flow("{collect: kind, reset_after_flow_ends: false}")], True),
    Row("a step named START", [flow("{id: START, action: utter_hi}")], False),
    Row("a step named END", [flow("{id: END, action: utter_hi}")], False),
    Row("a step named NEXT:x", [flow('{id: "NEXT:x", action: utter_hi}')], False),
    Row("two steps of one id", [flow("{id: a, action: utter_hi}, {id: a, action: utter_hi}")], False),
    Row("a step that is not reached", [flow("{action: utter_hi, next: END}, {action: utter_hi}")], False),
    Row("a next to nowhere", [flow("{action: utter_hi, next: nowhere}")], False),
    Row("an if without else", [flow("{noop: true, next: [{if: slots.ok, then: END}]}")], False),
    Row(
        "the end of a branch without next",
        [flow("{noop: true, next: [{if: slots.ok, then: [{action: utter_hi}]}, {else: END}]}")],
        False,
    ),
    Row("an empty branch", [flow("{noop: true, next: [{if: slots.ok, then: []}, {else: END}]}")], False),
    Row("no steps", ["main: {description: d, steps: []}"], False),
    Row("no description", ["main: {steps: [{action: utter_hi}]}"], False),
    Row("an unknown key", [flow("{action: utter_hi}", "colour: red, ")], False),
    Row("a translation", [flow("{action: utter_hi}", "translation: {de: {name: Haupt}}, ")], True),
    Row("on_activate", [flow("{action: utter_hi}", "on_activate: Say hello., ")], True),
    Row("metadata", [flow("{action: utter_hi}", "metadata: {a: 1}, ")], True),
    Row("always in the prompt", [flow("{action: utter_hi}", "always_include_in_prompt: true, ")], True),
    Row("an id with a space", ["'a b': {description: d, steps: [{action: utter_hi}]}"], False),
    Row("an id that begins with a digit", ["1a: {description: d, steps: [{action: utter_hi}]}"], True),
    Row(
        "two flows of one name",
        [flow("{action: utter_hi}", "name: same, "), "b: {name: same, description: b, steps: [{action: utter_hi}]}"],
        False,
    ),
    Row(
        "two flows of one description, but for its dots",
        [flow("{action: utter_hi}"), "b: {description: The main one!, steps: [{action: utter_hi}]}"],
        False,
    ),
    Row("a slot that is not there", [flow("{collect: nobody}")], False),
    Row("an action that is not listed", [flow("{action: action_nobody}")], False),
    Row("a response that is not there", [flow("{action: utter_nobody}")], False),
    Row("exit_if at a flow", [flow("{call: other, exit_if: [slots.ok]}")], False),
    Row("a rejection without a response", [flow("{collect: amount, rejections: [{if: slots.amount > 1}]}")], False),
    Row("an unknown key of an action", [flow("{action: utter_hi, colour: red}")], False),
    Row("an unknown key of a question", [flow("{collect: kind, colour: red}")], False),
    Row("an unknown key of a call", [flow("{call: other, colour: red}")], False),
    Row("an unknown key of slots that are set", [flow("{set_slots: [{ok: true}], colour: red}")], True),
    Row("an unknown key of a link", [flow("{link: other, colour: red}")], True),
    Row(
        "an unknown key of a branch",
        [flow("{noop: true, next: [{if: slots.ok, then: END, colour: red}, {else: END}]}")],
        True,
    ),
    Row(
        "an unknown key of a rejection",
        [flow("{collect: amount, rejections: [{if: slots.amount > 1, utter: utter_hi, then: END}]}")],
        True,
    ),
    Row(
        "an unknown key of a trigger", [flow("{action: utter_hi}", "nlu_trigger: [{intent: hi, colour: red}], ")], True
    ),
    Row(
        "an unknown key of a trigger's intent",
        [flow("{action: utter_hi}", "nlu_trigger: [{intent: {name: hi, colour: red}}], ")],
        True,
    ),
    Row(
        "an unknown key beside a trigger's intent",
        [flow("{action: utter_hi}", "nlu_trigger: [{intent: {name: hi}, colour: red}], ")],
        False,
    ),
    Row("a trigger of the name alone", [flow("{action: utter_hi}", "nlu_trigger: [hi], ")], False),
    Row("no triggers in their list", [flow("{action: utter_hi}", "nlu_trigger: [], ")], False),
    Row("a translation without a name", [flow("{action: utter_hi}", "translation: {de: {}}, ")], False),
    Row("a translation with another key", [flow("{action: utter_hi}", "translation: {de: {name: a, b: c}}, ")], False),
    Row("metadata of a step", [flow("{action: utter_hi, metadata: {a: 1}}")], True),
    Row("a description of a call", [flow("{call: other, description: d}")], True),
    Row("a description of an action", [flow("{action: utter_hi, description: d}")], False),
    Row("a question with silence_timeout", [flow("{collect: kind, silence_timeout: 5}")], True),
    Row("a question with dtmf", [flow("{collect: kind, dtmf: {length: 4}}")], True),
    Row("two kinds of one step", [flow("{collect: kind, action: utter_hi}")], False),
    Row("a question with a response and an action", [flow("{collect: asked}")], False),
    Row("a slot with a value from the start needs no question", [flow("{collect: given}")], True),
    Row("unless it is asked before it is filled", [flow("{collect: given, ask_before_filling: true}")], False),
    Row("a slot without a question", [flow("{collect: unasked}")], False),
]
# A branch's condition; whether an engine takes it.
CONDITIONS = [
    Row("a bool alone", "slots.ok", True),
    Row("a bool with true", "slots.ok is true", True),
    Row("a bool with a text", "slots.ok == 'true'", False),
    Row("a bool with a number", "slots.ok == 1", False),
    Row("a bool with null", "slots.ok is null", False),
    Row("a bool with null, not", "slots.ok is not null", False),
    Row("a bool with null beside another", "slots.ok is not null and slots.kind", True),
    Row("a bool that is not", "not slots.ok", True),
    Row("a category", "slots.kind == 'big'", True),
    Row("a category that is not listed", "slots.kind == 'huge'", False),
    Row("a category with null", "slots.kind is not null", True),
    Row("a number", "slots.amount > 5", True),
    Row("a slot that is not there", "slots.nobody", False),
    Row("a slot without its prefix", "kind == 'big'", False),
    Row("a constant", "true", False),
    Row("the context", "context.collect", True),
    Row("half a condition", "slots.amount >", False),
    Row("with Jinja over the context", "slots.{{context.collect}} is not null", True),
    Row("nothing", "", False),
    Row("two numbers", "1 < 2", False),
    Row("two bools", "slots.ok == slots.sure", False),
    Row("a bool that stands second", "true == slots.ok", False),
    Row("a bool that is undefined", "slots.ok is undefined", True),
    Row("a bool that is empty", "slots.ok is empty", True),
    Row("two bools with and", "slots.ok and slots.sure", True),
    Row("a category with a number", "slots.size == 1", False),
    Row("a category with a number in quotes", "slots.size == '1'", True),
    Row("a category with true", "slots.kind == true", False),
    Row("two categories", "slots.kind == slots.size", False),
    Row("a category with the context", "slots.kind == context.collect", False),
    Row("a category that matches", "slots.kind matches 'b.*'", False),
    Row("a category in capitals", "slots.kind == 'BIG'", False),
    Row("any other category", "slots.kind == '__other__'", True),
    Row("a category among others", "{'big' 'small'} contains slots.kind", True),
    Row("a category among one that is none", "{'big' 'huge'} contains slots.kind", False),
    Row("a category and then a bool", "slots.kind and slots.ok", False),
    Row("a bool and then a category", "slots.ok and slots.kind", True),
    Row("a category and then a comparison", "slots.kind and slots.ok is true", True),
    Row("a category that is not, within brackets", "not (slots.kind == 'huge')", False),
]
# A rejection of the slot `amount`; whether an engine takes it.
REJECTIONS = [
    Row("a comparison", "slots.amount > 5", True),
    Row("a slot without its prefix", "amount > 5", False),
    Row("two numbers", "1 < 2", False),
    Row("true", "true", False),
    Row("the context", "context.collect == 'amount'", True),
    Row("a slot that is not there", "slots.nobody > 1", False),
    Row("half of one", "slots.amount >", False),
]
_SHARED = (
    "slots: {{n: {{type: text, shared_for_coexistence: true, "
    "mappings: [{{type: controlled, coexistence_system: {}}}]}}}}"
)
_BUTTON = "responses: {{utter_x: [{{text: a, buttons: [{{title: b, payload: '{}'}}]}}]}}"
# Slots and responses over those above; whether an engine takes them.
DOMAINS = [
    Row("bounds", "slots: {n: {type: float, min_value: 1, max_value: 2}}", True),
    Row("bounds the wrong way round", "slots: {n: {type: float, min_value: 2, max_value: 1}}", False),
    Row("bounds with nothing between", "slots: {n: {type: float, min_value: 1, max_value: 1}}", False),
    Row("one bound", "slots: {n: {type: float, min_value: 1}}", True),
    Row("a start out of bounds", "slots: {n: {type: float, initial_value: 5, min_value: 1, max_value: 2}}", False),
    Row("an unknown type", "slots: {n: {type: number}}", False),
    Row("an unknown mapping", "slots: {n: {type: text, mappings: [{type: from_nobody}]}}", False),
    Row("NLU without its adapter", "slots: {n: {type: text, mappings: [{type: from_text}]}}", False),
    Row(
        "an action every turn of another mapping",
        "slots: {n: {type: text, mappings: [{type: from_llm, run_action_every_turn: utter_hi}]}}",
        False,
    ),
    Row(
        "a correction without NLU",
        "slots: {n: {type: text, mappings: [{type: from_llm, allow_nlu_correction: true}]}}",
        False,
    ),
    Row(
        "another system's slot that is shared",
        _SHARED.format("NLU"),
        False,
    ),
    Row(
        "a shared slot",
        _SHARED.format("SHARED"),
        True,
    ),
    Row(
        "a system without a controlled mapping",
        "slots: {n: {type: text, mappings: [{type: from_llm, coexistence_system: SHARED}]}}",
        False,
    ),
    Row(
        "a rule's response that is not there",
        "slots: {n: {type: text, validation: {rejections: [{if: slots.n, utter: utter_nobody}]}}}",
        False,
    ),
    Row(
        "another response to ask again that is not there",
        "slots: {n: {type: text, validation: {rejections: [{if: a, utter: utter_hi}], refill_utter: utter_x}}}",
        False,
    ),
    Row("braces with nothing in them", 'responses: {utter_x: [{text: "Hi {}"}]}', False),
    Row(
        "braces with space in them, in a button",
        'responses: {utter_x: [{text: a, buttons: [{title: "{ }", payload: /a}]}]}',
        False,
    ),
    Row("no variation", "responses: {utter_x: []}", False),
    Row("a button without a payload", "responses: {utter_x: [{text: a, buttons: [{title: b}]}]}", False),
    Row(
        "a button with an empty payload", "responses: {utter_x: [{text: a, buttons: [{title: b, payload: ''}]}]}", False
    ),
    Row(
        "a button that sets a slot",
        "responses: {utter_x: [{text: a, buttons: [{title: b, payload: /SetSlots(word=a)}]}]}",
        True,
    ),
    Row(
        "a button that sets one twice",
        "responses: {utter_x: [{text: a, buttons: [{title: b, payload: '/SetSlots(word=a, word=b)'}]}]}",
        False,
    ),
    Row(
        "a button that sets no slot",
        "responses: {utter_x: [{text: a, buttons: [{title: b, payload: /SetSlots(nobody=a)}]}]}",
        False,
    ),
    Row("a button that sets nothing", _BUTTON.format("/SetSlots()"), False),
    Row("a button that names a slot only", _BUTTON.format("/SetSlots(word)"), False),
    Row("a button without brackets", _BUTTON.format("/SetSlots word=a"), False),
    Row("a button without its last bracket", _BUTTON.format("/SetSlots(word=a"), True),
    Row("a button with a list", _BUTTON.format("/SetSlots(items=[a, b])"), True),
    Row("a button that starts a flow", _BUTTON.format("/StartFlow(main)"), False),
    Row("a button with an intent of no domain", _BUTTON.format("/nobody"), False),
    Row("a button with an intent of the domain", _BUTTON.format("/hi") + "\nintents: [hi]", True),
    Row("a button with another intent", _BUTTON.format("/ho") + "\nintents: [hi]", False),
    Row("a button with an intent and words", _BUTTON.format("/hi there") + "\nintents: [hi]", False),
    Row("a button with an intent of the engine's own", _BUTTON.format("/restart"), True),
    Row("a button with a slash alone", _BUTTON.format("/"), False),
    Row("a button with words", "responses: {utter_x: [{text: a, buttons: [{title: b, payload: yes please}]}]}", True),
    Row(
        "a condition that does not parse",
        'responses: {utter_x: [{text: a, condition: "slots.ok =="}, {text: b}]}',
        False,
    ),
    Row(
        "a condition on the context",
        'responses: {utter_x: [{text: a, condition: "context.collect == 1"}, {text: b}]}',
        False,
    ),
    Row(
        "a condition on an unknown slot",
        "responses: {utter_x: [{text: a, condition: slots.nobody == 'a'}, {text: b}]}",
        False,
    ),
    Row(
        "a condition without a prefix",
        "responses: {utter_x: [{text: a, condition: word == 'a'}, {text: b}]}",
        False,
    ),
    Row(
        "a condition that looks at the context further on",
        'responses: {utter_x: [{text: a, condition: "slots.ok is true and context.collect"}, {text: b}]}',
        True,
    ),
]


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@each(FLOWS)
def test_flows_are_refused_where_the_engine_refuses_them(row: Row, tmp_path: Path) -> None:
    """And nothing else is an error."""
    assert (refusals(tmp_path, row.given) == []) is row.engine


@each(CONDITIONS)
def test_conditions_are_refused_where_the_engine_refuses_them(row: Row, tmp_path: Path) -> None:
    """Those of branches; `and` and `or` are not looked into for bools."""
    assert (refusals(tmp_path, [branch(row.given)]) == []) is row.engine


@each(REJECTIONS)
def test_rejections_are_refused_where_the_engine_refuses_them(row: Row, tmp_path: Path) -> None:
    """They have to look at a slot or at the context."""
    steps = f'{{collect: amount, rejections: [{{if: "{row.given}", utter: utter_hi}}]}}'

    assert (refusals(tmp_path, [flow(steps)]) == []) is row.engine


@each(DOMAINS)
def test_domains_are_refused_where_the_engine_refuses_them(row: Row, tmp_path: Path) -> None:
    """Slots with mappings and bounds, responses with buttons and conditions."""
    assert (refusals(tmp_path, [flow("{collect: kind}")], row.given) == []) is row.engine
