"""A step that calls a tool sends and sets what the engine's would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from action_server.flows.commands.command import StartFlow
from action_server.flows.player.player import Player
from action_server.flows.player.tools import ToolReply, arguments_of, error_of, slots_of
from action_server.flows.player.trace import Turn
from action_server.project.places import UnsupportedError
from action_server.project.project_reader import read_project
from action_server.project.tool_mapping import ToolInput, ToolMapping, ToolOutput
from tests.action_server.flows.bots import webhook
from tests.projects import project

DOMAIN = """
    slots:
      day: {type: text}
      size: {type: float}
      code: {type: text}
      times: {type: any}
    responses:
      utter_done: [{text: "Booked {code}."}]
"""
FLOWS = """
    flows:
      book:
        description: Books.
        steps:
          - call: book
            mcp_server: clinic
            mapping: MAPPING
          - action: utter_done
"""
MAPPING = (
    "{input: [{slot: day, param: when}, {slot: size, param: size}], "
    "output: [{slot: code, value: result.structuredContent.code}, "
    "{slot: times, value: result.structuredContent.times}]}"
)


def outputs(*values: str) -> ToolMapping:
    return ToolMapping((), tuple(ToolOutput(f"s{i}", value) for i, value in enumerate(values)), ())


def test_every_parameter_is_sent_null_for_a_slot_without_a_value() -> None:
    """A slot that the domain does not have is one without a value."""
    mapping = ToolMapping((ToolInput("day", "when"), ToolInput("size", "size"), ToolInput("x", "x")), (), ())

    assert arguments_of(mapping, {"day": "Monday", "size": None, "code": 1}) == {
        "when": "Monday",
        "size": None,
        "x": None,
    }


def test_lists_and_objects_become_json_text_and_scalars_stay() -> None:
    """Values are Jinja expressions, with filters; one that leads nowhere is null."""
    result = {"structuredContent": {"list": [1], "object": {"a": None}, "n": 1.5, "t": True}, "content": []}
    content = "result.structuredContent"

    found = slots_of(
        outputs(f"{content}.list", f"{content}.object", f"{content}.n", f"{content}.t", f"{content}.x", "result.x"),
        result,
    )

    assert list(found.values()) == ["[1]", '{"a": null}', 1.5, True, None, None]
    assert slots_of(outputs(f"{content}.list | length"), result) == {"s0": 1}
    assert slots_of(outputs(f"{content}.x"), {"structuredContent": None}) == {"s0": None}


@pytest.mark.parametrize("expression", ["{{ result }}", "result.x.y", "1 / 0", "result.__class__.__mro__[1]"])
def test_an_expression_that_cannot_be_evaluated_is_named(expression: str) -> None:
    """Engines end the flow with it; nothing of Python is reached by it."""
    with pytest.raises(ValueError, match="cannot be evaluated"):
        slots_of(outputs(expression), {"a": 1})


def test_an_error_says_what_its_texts_say() -> None:
    """On one line."""
    assert error_of({"isError": False, "content": [{"text": "fine"}]}) == ""
    assert error_of({"isError": True, "content": [{"text": "no\n desk"}, {"type": "image"}]}) == "no desk"
    assert error_of({"isError": True}) == "it says no more"


class FakeTools:
    """Answers each call alike, and keeps what it was called with."""

    def __init__(self, result: dict[str, Any], problem: str = "") -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self._reply = ToolReply(result, 1.0, problem)

    async def call(self, server: str, tool: str, arguments: dict[str, Any], slots: object) -> ToolReply:
        self.calls.append((server, tool, arguments))
        return self._reply


async def play(folder: Path, tools: FakeTools | None, mapping: str = MAPPING) -> Turn:
    files = {"domain.yml": DOMAIN, "data/flows.yml": FLOWS.replace("MAPPING", mapping)}
    player = Player(read_project(project(folder, files)), webhook(), tools=tools)
    player.set_slots({"day": "Monday"})
    return await player.turn("book", [StartFlow("book")])


async def test_a_step_calls_the_tool_sets_the_slots_and_goes_on(tmp_path: Path) -> None:
    """The call is shown like one of an action."""
    tools = FakeTools({"structuredContent": {"code": "A7", "times": [1, 2]}})

    turn = await play(tmp_path, tools)

    assert tools.calls == [("clinic", "book", {"when": "Monday", "size": None})]
    assert (turn.slots["code"], turn.slots["times"]) == ("A7", "[1, 2]")
    assert turn.texts[0] == "Booked A7."
    (call,) = turn.calls
    assert (call.action, call.status, call.problem) == ("clinic:book", 200, "")
    assert call.changed_slots == {"code": (None, "A7"), "times": (None, "[1, 2]")}


FAILURES: dict[str, tuple[FakeTools, str, str]] = {
    "a server that fails": (FakeTools({}, "nobody listens"), MAPPING, "nobody listens"),
    "an error of the tool": (FakeTools({"isError": True, "content": [{"text": "bug"}]}), MAPPING, "bug"),
    "no output": (FakeTools({}), "{input: []}", "the step has no `output`"),
    "no mapping": (FakeTools({}), "{}", "the step has no `output`"),
    "an expression that raises": (
        FakeTools({}),
        "{output: [{slot: code, value: result.x.y}]}",
        "`result.x.y` cannot be evaluated",
    ),
}


@pytest.mark.parametrize(("tools", "mapping", "problem"), FAILURES.values(), ids=FAILURES)
async def test_a_call_that_fails_is_told_by_the_pattern_for_errors(
    tools: FakeTools, mapping: str, problem: str, tmp_path: Path
) -> None:
    """No slot is set, and the flow goes on; the failure says why, with the step's line."""
    turn = await play(tmp_path, tools, mapping)

    (failure,) = turn.failures
    assert failure.what.startswith("the tool clinic:book failed: ")
    assert problem in failure.what
    assert (failure.at.line if failure.at else 0) == 6
    assert turn.slots["code"] is None
    assert turn.texts[1] == "Booked None."


async def test_without_servers_the_step_is_not_played(tmp_path: Path) -> None:
    """It is said, where the step stands."""
    with pytest.raises(UnsupportedError, match="the tool 'book': no endpoints file names MCP servers"):
        await play(tmp_path, None)
