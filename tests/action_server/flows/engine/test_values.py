"""What slots make of values, and when a value is rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from action_server.flows.commands.command import SetSlot, StartFlow
from action_server.flows.player.buttons import read_button_payload
from action_server.flows.player.player import Player
from action_server.flows.player.values import CoercedValue, coerce_value
from action_server.project.domain import Slot
from action_server.project.project_reader import read_project
from action_server.source import Place
from tests.action_server.flows.bots import webhook
from tests.action_server.flows.engine.rows import Row, each
from tests.projects import project

REFUSED = object()
BOUNDS = {"type": "float", "min_value": 1, "max_value": 9}
COLOURS = {"type": "categorical", "values": ("Red", "blue", "42")}
# The slot, the value; what it holds then, or that it is asked for again.
VALUES = [
    Row("yes", ({"type": "bool"}, "yes"), True),
    Row("no", ({"type": "bool"}, "No"), False),
    Row("true", ({"type": "bool"}, "TRUE"), True),
    Row("false with space", ({"type": "bool"}, " false "), False),
    Row("1 is a yes", ({"type": "bool"}, "1"), True),
    Row("0 is a no", ({"type": "bool"}, "0"), False),
    Row("any other digits are a no", ({"type": "bool"}, "12"), False),
    Row("a number is a no", ({"type": "bool"}, 0.5), False),
    Row("1.0 as a text is no answer", ({"type": "bool"}, "1.0"), REFUSED),
    Row("perhaps", ({"type": "bool"}, "perhaps"), REFUSED),
    Row("y", ({"type": "bool"}, "y"), REFUSED),
    Row("a half is no digit", ({"type": "bool"}, "½"), REFUSED),
    Row("a number in a text", ({"type": "float"}, " 1.5 "), 1.5),
    Row("with an exponent", ({"type": "float"}, "1e3"), 1000.0),
    Row("true is 1.0", ({"type": "float"}, True), 1.0),
    Row("a number with its unit", ({"type": "float"}, "5 kg"), REFUSED),
    Row("a number with a comma", ({"type": "float"}, "1,5"), REFUSED),
    Row("words", ({"type": "float"}, "many"), REFUSED),
    Row("on the lower bound", (BOUNDS, "1"), 1.0),
    Row("on the upper bound", (BOUNDS, 9), 9.0),
    Row("below", (BOUNDS, "0.5"), REFUSED),
    Row("above", (BOUNDS, "9.5"), REFUSED),
    Row("one bound alone is none, below", ({"type": "float", "min_value": 1}, "0.5"), 0.5),
    Row("one bound alone is none, above", ({"type": "float", "max_value": 9}, "9.5"), 9.5),
    Row("a category in another case", (COLOURS, "RED"), "Red"),
    Row("a category as it is", (COLOURS, "blue"), "blue"),
    Row("a number among the categories", (COLOURS, 42), 42),
    Row("a category with space", (COLOURS, " blue"), REFUSED),
    Row("another category", (COLOURS, "green"), REFUSED),
    Row("one value of a list", ({"type": "list"}, "a"), ["a"]),
    Row("a list", ({"type": "list"}, ["a", "b"]), ["a", "b"]),
    Row("what is nothing stays so in a list", ({"type": "list"}, 0), 0),
    Row("a text", ({"type": "text"}, " Ann "), " Ann "),
    Row("a number in a text slot", ({"type": "text"}, 5), "5"),
    Row("anything", ({"type": "any"}, {"a": 1}), {"a": 1}),
    Row("nothing", ({"type": "bool"}, None), None),
    Row("no value in a model's words", ({"type": "text"}, "null"), None),
    Row("undefined", ({"type": "float"}, "undefined"), None),
    Row("missing", ({"type": "text"}, "[missing information]"), None),
    Row("none is a text", ({"type": "text"}, "none"), "none"),
    Row("none is no number", ({"type": "float"}, "none"), REFUSED),
]
# What a button sends; the value it sets.
PAYLOADS = [
    Row("a value", "/SetSlots(word=tea)", ("tea",)),
    Row("space within", "/SetSlots( word = a cup of tea )", ("a cup of tea",)),
    Row("quotes belong to it", '/SetSlots(word="tea")', ('"tea"',)),
    Row("a list", "/SetSlots(word=[a, b])", ("[a, b]",)),
    Row("no value in any case", "/SetSlots(word=None)", (None,)),
    Row("two of them", "/SetSlots(word=a, word=b)", ("a", "b")),
    Row("up to a name that is no slot", "/SetSlots(word=a, nobody=b, word=c)", ("a",)),
    Row("more than ten are none", "/SetSlots(" + "word=a," * 11 + ")", ()),
    Row("without a value", "/SetSlots(word=)", ()),
]
# The rule of the slot `amount`, its value, whether it rejects; `balance` is 1.
REJECTIONS = [
    Row("its own slot", ("slots.amount > 100", 101), "utter_too_much"),
    Row("it does not hold", ("slots.amount > 100", 100), ""),
    Row("another slot is not there", ("slots.amount > slots.balance", 5), ""),
    Row("another slot is not there, even if it is set", ("slots.balance is not undefined", 5), ""),
    Row("another slot that is asked for nothing", ("not slots.balance", 5), "utter_too_much"),
    Row("the context is not there", ("context.collect = 'amount'", 5), ""),
    Row("Jinja sees its own slot", ("{{ slots.amount > 3 }}", 5), "utter_too_much"),
    Row("Jinja that fails rejects", ("{{ context.x.y }}", 5), "utter_internal_error_rasa"),
    Row("one that cannot compare rejects", ("slots.amount > 'x'", 5), "utter_internal_error_rasa"),
    Row("one that cannot be read rejects", ("slots.amount >", 5), "utter_internal_error_rasa"),
]
DOMAIN = """
    slots:
      amount: {{type: float}}
      balance: {{type: float, initial_value: 1}}
      word: {{type: text}}
    responses:
      utter_ask_amount: [{{text: How much?}}]
      utter_too_much: [{{text: "{}"}}]
"""


@each(VALUES)
def test_a_slot_holds_what_the_engine_makes_of_a_value(row: Row) -> None:
    """Or it is refused, and asked for again."""
    declared, value = row.given
    slot = Slot.model_validate({"name": "s", "at": Place(file="domain.yml"), **declared})

    found = coerce_value(slot, value)

    assert found == (CoercedValue(value, refused=True) if row.engine is REFUSED else CoercedValue(row.engine)) or (
        found.refused and row.engine is REFUSED
    )
    assert type(found.value) is type(row.engine) or row.engine is REFUSED


@each(PAYLOADS)
def test_a_button_s_payload_is_read_as_by_the_engine(row: Row, tmp_path: Path) -> None:
    """The values of the slot `word` in `/SetSlots(...)`."""
    domain = read_project(project(tmp_path, {"domain.yml": DOMAIN.format("")})).domain

    payload = read_button_payload(row.given, {}, domain)

    if payload is None:
        # It is words then.
        assert row.engine == ()
    else:
        assert [c.value for c in payload.commands if isinstance(c, SetSlot)] == list(row.engine)
        assert payload.extractor == "CommandPayloadReader"


@each(REJECTIONS)
async def test_a_rule_rejects_where_the_engine_rejects(row: Row, tmp_path: Path) -> None:
    """It sees the slot it stands at, and nothing else; one that raises rejects."""
    condition, value = row.given
    flows: Any = f"""
    flows:
      pay:
        description: Pays.
        steps:
          - collect: amount
            rejections: [{{if: "{condition}", utter: utter_too_much}}]
"""
    found = read_project(project(tmp_path, {"domain.yml": DOMAIN.format("No."), "data/flows.yml": flows}))
    player = Player(found, webhook())
    await player.turn("pay", [StartFlow("pay")])

    turn = await player.turn(str(value), [SetSlot("amount", value)])

    refusals = [name for name in turn.responses if name in ("utter_too_much", "utter_internal_error_rasa")]
    assert refusals == ([row.engine] if row.engine else [])
