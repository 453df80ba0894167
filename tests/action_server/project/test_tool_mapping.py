"""The mapping of a tool's step is read, and what in it is none is told."""

from __future__ import annotations

from typing import Any

import pytest

from action_server.project.tool_mapping import ToolInput, ToolOutput, read_mapping

GOOD = {"input": [{"slot": "day", "param": "when"}], "output": [{"slot": "code", "value": "result.content"}]}


def test_inputs_and_outputs_are_read_in_their_order() -> None:
    """With an empty input a tool is called with nothing."""
    mapping = read_mapping(GOOD)

    assert mapping.inputs == (ToolInput("day", "when"),)
    assert mapping.outputs == (ToolOutput("code", "result.content"),)
    assert mapping.problems == ()
    assert read_mapping({"input": [], "output": GOOD["output"]}).problems == ()
    assert read_mapping({"output": GOOD["output"]}).problems == (
        "`mapping` has no `input`, which may be an empty list",
    )


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (None, "it has no `mapping` with `input` and `output`"),
        ([], "it has no `mapping` with `input` and `output`"),
        ({"input": []}, "`mapping` has no `output`"),
        ({**GOOD, "inputs": []}, "`mapping` has 'inputs', which engines do not know"),
        ({**GOOD, "input": {"day": "when"}}, "`input` of `mapping` has to be a list"),
        ({**GOOD, "input": [{"slot": "day"}]}, "an entry of `input` lacks `slot` or `param`"),
        ({**GOOD, "output": ["code"]}, "an entry of `output` lacks `slot` or `value`"),
        ({**GOOD, "output": [{"slot": "a", "value": 5}]}, "an entry of `output` lacks `slot` or `value`"),
    ],
)
def test_what_is_no_mapping_is_told(written: Any, problem: str) -> None:
    """In a sentence; what can be read is."""
    assert problem in read_mapping(written).problems[0]
