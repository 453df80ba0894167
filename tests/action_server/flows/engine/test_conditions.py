"""Conditions: what pypred makes of slots that are there, empty, or unknown."""

from __future__ import annotations

from action_server.project.conditions import evaluate
from tests.action_server.flows.engine.rows import PYPRED, READ, Row, each

# The condition, the slots; whether it holds.
CONDITIONS = [
    Row("an unknown slot is not null", ("slots.x is not null", {}), True, PYPRED),
    Row("an unknown slot is not a text", ("slots.x != 'a'", {}), True, PYPRED),
    Row("an unknown slot is not null itself", ("slots.x is null", {}), False, PYPRED),
    Row("nor equal to it", ("slots.x == null", {}), False, PYPRED),
    Row("an unknown slot is false", ("not slots.x", {}), True, PYPRED),
    Row("an unknown slot is undefined", ("slots.x is undefined", {}), True, PYPRED),
    Row("two unknown slots are the same", ("slots.x == slots.y", {}), True, PYPRED),
    Row("an unknown slot is less than nothing", ("slots.x < 3", {}), False, PYPRED),
    Row("nor more than another", ("slots.a > slots.x", {"a": 5}), False, PYPRED),
    Row("an unknown slot contains nothing", ("slots.x contains 'a'", {}), False, PYPRED),
    Row("an empty slot is null", ("slots.x is null", {"x": None}), True, PYPRED),
    Row("an empty slot is not defined otherwise", ("slots.x is not undefined", {"x": None}), True, PYPRED),
    Row("an empty slot cannot be compared", ("slots.x > 3", {"x": None}), False, PYPRED),
    Row("and takes the whole condition with it", ("slots.x > 3 or slots.y", {"x": None, "y": 1}), False, PYPRED),
    Row("unless it is asked for first", ("slots.x is null or slots.x > 3", {"x": None}), True, PYPRED),
    Row("an empty list is empty", ("slots.x is empty", {"x": []}), True, PYPRED),
    Row("nothing is not empty", ("slots.x is empty", {"x": None}), False, PYPRED),
    Row("true in lower case", ("slots.x is true", {"x": True}), True, PYPRED),
    Row("True in Python's case", ("slots.x == True", {"x": True}), True, PYPRED),
    Row("a bool is no text", ("slots.x == 'true'", {"x": True}), False, PYPRED),
    Row("a text is no bool", ("slots.x == true", {"x": "true"}), False, PYPRED),
    Row("5 is 5.0", ("slots.x = 5", {"x": 5.0}), True, PYPRED),
    Row("5 is no text", ("slots.x = 5", {"x": "5"}), False, PYPRED),
    Row("a text is not compared with a number", ("slots.x >= 5", {"x": "5"}), False, PYPRED),
    Row("texts mind their case", ('slots.x == "A"', {"x": "a"}), False, PYPRED),
    Row("a text matches anywhere", ("slots.x matches 'b'", {"x": "abc"}), True, PYPRED),
    Row("a number is not matched", ("slots.x matches '5'", {"x": 5}), False, PYPRED),
    Row("a set contains a slot", ("{'a' 'b'} contains slots.x", {"x": "a"}), True, PYPRED),
    Row("there is no `in`", ("slots.x in {'a' 'b'}", {"x": "a"}), False, PYPRED),
    Row("a list contains", ("slots.x contains 'a'", {"x": ["a"]}), True, PYPRED),
    Row("a value below a slot", ("slots.x.y == 1", {"x": {"y": 1}}), True, PYPRED),
    Row("below an empty slot there is nothing", ("slots.x.y == 1", {"x": None}), False, PYPRED),
    Row("a constant", ("true", {}), True, PYPRED),
    Row("half a condition", ("slots.x ==", {"x": 1}), False, PYPRED),
]
# Jinja in a condition, where it stands; whether it holds with the slot x = 1 and context.n = 2.
TEMPLATES = [
    Row("the context in a flow", ("{{ context.n }} == 2", "flow"), True, READ),
    Row("a slot in a flow raises", ("{{ slots.x }} == 1", "flow"), None, READ),
    Row("a guard is no template", ("{{ context.n }} == 2", "guard"), False, READ),
    Row("a set in a guard is one", ("{'1' 1} contains slots.x", "guard"), True, READ),
]


@each(CONDITIONS)
def test_a_condition_holds_where_pypred_lets_it(row: Row) -> None:
    """What raises is false."""
    condition, slots = row.given

    assert evaluate(condition, slots).value is row.engine


@each(TEMPLATES)
def test_jinja_sees_what_it_sees_in_the_engine(row: Row) -> None:
    """None: it raises, and with it the turn."""
    condition, where = row.given
    context = {"n": 2}

    found = evaluate(condition, {"x": 1}, context, template={"context": context}, is_template=where != "guard")

    assert (found.value if found.is_rendered else None) is row.engine
