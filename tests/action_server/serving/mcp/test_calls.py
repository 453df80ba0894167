"""What a call of a tool answers, whatever becomes of the action."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from action_server.runtime.tool_options import McpSettings, ToolOptions
from tests.action_server.serving.mcp import tool_actions
from tests.action_server.serving.mcp.tool_server import ToolServer, message_of, tool_server
from tests.action_server.telemetry.recorded_spans import PARENT, TRACEPARENT, Recorded, attributes_of, parent_of

ALL = McpSettings(actions=("*",))
CONVERSATION = {"conversation_id": "c-1"}


def structure(result: Any) -> Any:
    """The structure of a result, which is also its one text, compact."""
    [block] = result["content"]
    assert block["type"] == "text"
    assert json.loads(block["text"]) == result["structuredContent"]
    assert block["text"] == json.dumps(result["structuredContent"], separators=(",", ":"), ensure_ascii=False)
    found = result["structuredContent"]
    assert (found["error"] is None) is found["ok"]
    assert not {"result", "errors"} & set(found)
    return found


async def test_an_answer_has_all_keys_always(tools: ToolServer) -> None:
    """Slots that were not set are null; what was said is joined, and a response of an unknown domain keeps its name."""
    found = structure(await tools.call("action_echo", city="Ulm", guests=[1, {"a": None}], outside=True))

    assert found == {
        "ok": True,
        "error": None,
        "text": "Ulm, [1, {'a': None}], True",
        "responses": [
            {"text": "Ulm, [1, {'a': None}], True"},
            {"response": "utter_bye", "city": "Ulm"},
        ],
        "echoed": ["Ulm", [1, {"a": None}], True],
        "facts": {"city": "Ulm"},
    }


async def test_a_list_holds_what_an_engine_has_in_it(tmp_path: Path) -> None:
    """A slot of type `list` may hold anything: numbers stay numbers, and objects come through, as over the webhook."""
    domain = tmp_path / "domain.yml"
    domain.write_text("slots: {city: {type: list}}\n", encoding="utf-8")
    values = [1, 2.5, True, None, "5", {"day": 1}, ["a"]]
    async with tool_server(domain=domain) as tools:
        [echo] = [t for t in (await tools.ask("tools/list"))["result"]["tools"] if t["name"] == "action_echo"]
        as_list, as_text = [structure(await tools.call("action_echo", city=v)) for v in (values, json.dumps(values))]

    assert echo["inputSchema"]["properties"]["city"]["anyOf"][0] == {"type": "array", "items": {"type": "string"}}
    assert as_list["echoed"][0] == as_text["echoed"][0] == values


async def test_a_failure_nobody_foresaw_is_an_error_with_an_id(
    tools: ToolServer, caplog: pytest.LogCaptureFixture
) -> None:
    """What it was stands in the log under that id, and nowhere else."""
    result = await tools.call("action_fail")

    found = structure(result)
    assert result["isError"] is True
    [line] = [r for r in caplog.records if r.message == "action.failed"]
    assert vars(line)["error_id"] in found["error"]
    assert "hunter2" not in json.dumps(result)


@pytest.mark.parametrize(("tool", "said"), [("action_reject", "not today"), ("action_fail_softly", "failed")])
async def test_what_went_wrong_in_the_business_is_a_result(tools: ToolServer, tool: str, said: str) -> None:
    """Engines end the flow at an error: a rejection and a failure policy are results that a flow can branch on."""
    result = await tools.call(tool)

    assert "isError" not in result
    assert structure(result)["ok"] is False
    assert said in result["structuredContent"]["error"]


async def test_a_failure_policy_sets_its_slot_and_keeps_what_was_said(tools: ToolServer) -> None:
    """As for the webhook."""
    found = structure(await tools.call("action_fail_softly"))

    assert found["lookup_failed"] is True
    assert found["text"] == "let me see"


async def test_a_slow_action_is_cut_below_the_patience_of_the_engine() -> None:
    """Eight seconds unless something else is set; the result says so."""
    assert McpSettings().timeout == 8
    async with tool_server(McpSettings(actions=("*",), timeout=0.05)) as tools:
        result = await tools.call("action_wait")

    assert "isError" not in result
    assert "did not finish within its 0.05 s" in structure(result)["error"]


async def test_a_tool_may_have_a_time_of_its_own() -> None:
    """For clients that wait longer."""
    mcp = McpSettings(actions=("*",), tools={"action_w*": ToolOptions(timeout=0.06)})
    async with tool_server(mcp) as tools:
        assert "its 0.06 s" in structure(await tools.call("action_wait"))["error"]


async def test_a_busy_server_says_so_in_a_result() -> None:
    """A status of HTTP would end the session, and with it the calls of others."""
    mcp = McpSettings(actions=("*",), timeout=300)
    async with tool_server(mcp, max_calls=1, max_queue=0) as tools:
        first = asyncio.create_task(tools.call("action_wait"))
        while not tools.assembly.executor.admission.running:  # noqa: ASYNC110 - nothing tells of a call that began
            await asyncio.sleep(0)
        second = structure(await tools.call("action_echo"))
        first.cancel()

    assert second["ok"] is False
    assert second["error"].startswith("busy")


async def test_the_conversation_comes_from_meta(tools: ToolServer) -> None:
    """And the action that is to follow is named."""
    found = structure(await tools.call("action_who", CONVERSATION))

    assert found["text"] == "you are c-1"
    assert found["followup_action"] == "action_echo"


@pytest.mark.parametrize("tool", ["action_who", "action_helped", "action_asks_the_call", "action_order_in_turn"])
@pytest.mark.parametrize(
    "meta",
    [
        None,
        *({"conversation_id": value} for value in ("", None, "null", " Null ", True, ["c-1"], float("inf"))),
        {"sender_id": "c-1"},
    ],
)
async def test_without_a_conversation_nobody_is_taken_for_somebody_else(
    tools: ToolServer, tool: str, meta: dict[str, Any] | None
) -> None:
    """Whoever asks for it, however deep in the code, or runs once in it: the result says what has to be set."""
    found = structure(await tools.call(tool, meta))

    assert found["ok"] is False
    assert "'conversation_id' in _meta" in found["error"]


@pytest.mark.parametrize(("sent", "who"), [(" c-1 ", "c-1"), (5, "5"), (5.0, "5"), (5.5, "5.5"), ("Null-1", "Null-1")])
async def test_a_number_may_stand_for_a_conversation(tools: ToolServer, sent: object, who: str) -> None:
    """Slots of an engine hold numbers as fractions."""
    assert structure(await tools.call("action_who", {"conversation_id": sent}))["text"] == f"you are {who}"


async def test_the_key_in_meta_is_a_setting() -> None:
    """Flows give it the name of their slot."""
    async with tool_server(McpSettings(actions=("*",), conversation="sender")) as tools:
        assert structure(await tools.call("action_who", {"sender": "s-1"}))["text"] == "you are s-1"


async def test_the_argument_for_the_conversation_is_known_to_every_tool(caplog: pytest.LogCaptureFixture) -> None:
    """One that needs none passes it over without a word."""
    async with tool_server(McpSettings(actions=("*",), conversation_argument="patient")) as tools:
        await tools.call("action_echo", patient="C-1")

    assert not [r for r in caplog.records if r.message == "mcp.unknown_argument"]


async def test_an_argument_stands_for_the_conversation_where_a_client_sends_none() -> None:
    """It is of a room of its own: nobody comes into an engine's conversation by naming it."""
    mcp = McpSettings(actions=("*",), conversation_argument="patient")
    async with tool_server(mcp) as tools:
        [tool] = [t for t in (await tools.ask("tools/list"))["result"]["tools"] if t["name"] == "action_who"]
        by_argument = structure(await tools.call("action_who", patient=" C-1 "))
        by_meta = structure(await tools.call("action_who", CONVERSATION, patient="c-1"))
        by_none = structure(await tools.call("action_who", patient=None))
        by_number, by_fraction = [structure(await tools.call("action_who", patient=n)) for n in (491, 491.0)]

    assert list(tool["inputSchema"]["properties"]) == ["patient"]
    assert "Who this is for: always the same" in tool["inputSchema"]["properties"]["patient"]["description"]
    assert (by_argument["text"], by_meta["text"]) == ("you are patient:c-1", "you are c-1")
    assert by_none["error"] == "patient is missing: it says who this is for"
    assert by_number["text"] == by_fraction["text"] == "you are patient:491"


async def test_a_key_of_the_business_makes_a_repeat_the_same(tmp_path: Path) -> None:
    """Without a turn and without a conversation."""
    tool_actions.ActionOrder.runs = 0
    async with tool_server(store=tmp_path / "store.sqlite3") as tools:
        first, repeat = [await tools.call("action_order", order="A") for _ in range(2)]
        other = await tools.call("action_order", order="B")

    assert first == repeat
    assert structure(first)["reference"] == "A-1"
    assert structure(other)["reference"] == "B-2"


async def test_in_a_conversation_the_same_arguments_are_the_same_turn(tmp_path: Path) -> None:
    """Nothing else tells a call that was sent again; other arguments, and other conversations, are other jobs."""
    tool_actions.ActionOrderInTurn.runs = 0
    async with tool_server(store=tmp_path / "store.sqlite3") as tools:
        first, repeat = [await tools.call("action_order_in_turn", CONVERSATION, order="A") for _ in range(2)]
        other = await tools.call("action_order_in_turn", CONVERSATION, order="B")
        elsewhere = await tools.call("action_order_in_turn", {"conversation_id": "c-2"}, order="A")

    assert first == repeat
    assert [structure(r)["reference"] for r in (first, other, elsewhere)] == ["A-1", "B-2", "A-3"]


async def test_what_json_and_javascript_do_not_take_is_put_right(tools: ToolServer) -> None:
    """Identifiers that would be rounded are texts, NaN is null, half a character is none, and some keys are others'."""
    found = structure(await tools.call("action_strange"))

    assert found["id"] == str(2**53 + 1)
    assert found["nan"] is None
    assert (found["slot_result"], found["slot_errors"]) == (1, 2)
    assert found["text"] == "half ? of a smile"


async def test_what_an_action_looks_for_in_vain_is_said_once(
    tools: ToolServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A tool's call has no history."""
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        assert structure(await tools.call("action_history"))["text"] == "0 {} []"

    [line] = [r for r in caplog.records if r.message == "mcp.missed"]
    assert vars(line)["action"] == "action_history"
    assert vars(line)["missed"] == "events, latest_message, stack"


async def test_an_argument_nobody_knows_is_passed_over_and_said_once(
    tools: ToolServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Models invent some."""
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        assert structure(await tools.call("action_echo", city="Ulm", weather="fine"))["ok"] is True

    await tools.ask("tools/call", {"name": "action_strange", "arguments": {"wetter heute": "fine"}})

    said = [vars(r)["argument"] for r in caplog.records if r.message == "mcp.unknown_argument"]
    assert said == ["weather", "wetter_heute"]


async def test_a_long_answer_is_said_once(tools: ToolServer, caplog: pytest.LogCaptureFixture) -> None:
    """A model reads all of it."""
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        await tools.call("action_long")

    [line] = [r for r in caplog.records if r.message == "mcp.long_answer"]
    assert vars(line)["characters"] > 20_000


async def test_the_line_of_a_call_says_how_much_a_model_reads(
    tools: ToolServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The characters of the text, at the level of every call; of one without an answer nothing."""
    caplog.set_level(logging.INFO)
    result = await tools.call("action_echo", city="Ulm")
    await tools.call("action_fail")

    first, second = (vars(r) for r in caplog.records if r.message == "action.finished")
    assert first["characters"] == len(result["content"][0]["text"])
    assert "characters" not in second


async def test_the_domain_gives_types_and_responses(tmp_path: Path) -> None:
    """A value that does not fit is told in a result, without the value; responses are rendered."""
    domain = tmp_path / "domain.yml"
    domain.write_text(
        "slots: {city: {type: categorical, values: [Ulm, Bonn]}, guests: {type: float, max_value: 8}, "
        "outside: {type: text, initial_value: 2026-12-01}}\n"
        "responses: {utter_bye: [{text: 'bye from {city} for {guests}'}]}\n",
        encoding="utf-8",
    )
    async with tool_server(domain=domain) as tools:
        found = structure(await tools.call("action_echo", city="ulm", guests="5"))
        wrong = structure(await tools.call("action_echo", city="Paris", guests=9))
        seen = [structure(await tools.call("action_changes_domain"))["seen"] for _ in range(2)]

    # An argument that is not sent is null; what the action does not take as one is as at the start.
    assert found["text"] == "Ulm, 5.0, None\nbye from Ulm for 5.0"
    assert wrong["error"] == "city has to be one of Ulm, Bonn; guests has to be a number, at most 8"
    assert seen == [["utter_bye"]] * 2


async def test_a_call_is_logged_and_counted_as_every_other(tools: ToolServer, caplog: pytest.LogCaptureFixture) -> None:
    """One line, with the way it came, from whom, and how long it was."""
    caplog.set_level(logging.INFO)
    params = {"name": "action_who", "arguments": {}, "_meta": CONVERSATION}
    await tools.ask("tools/call", params)

    [line] = [vars(r) for r in caplog.records if r.message == "action.finished"]
    assert (line["transport"], line["outcome"]) == ("mcp", "ok")
    assert (line["client"], line["bytes"]) == ("127.0.0.1", len(json.dumps(message_of(params))))


async def test_a_call_is_part_of_its_callers_trace(tools: ToolServer) -> None:
    """Which is in the headers, as for the webhook."""
    tools.assembly.executor.tracing = recorded = Recorded()

    await tools.ask("tools/call", {"name": "action_echo", "arguments": {}}, **TRACEPARENT)

    [span] = [span for span in recorded.spans.values() if parent_of(span) == PARENT]
    assert attributes_of(span)["next_action"] == "action_echo"
