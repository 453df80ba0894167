"""Writes recorded calls as tests, as somebody would who knows the kit."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from keyword import iskeyword
from typing import Any

from action_server.project.domain import BUILT_IN_SLOTS
from action_server.testing.recordings import RecordedCall
from action_server.testing.result import CallAbout, CallResult, result_of

_WIDTH = 100
_HEAD = '"""Calls that were recorded, as tests. Made by `action-server replay --as-test`; yours to edit."""\n'
# Answers, rejections and failures.
_OF_ACTIONS = (200, 400, 500)
_NOT_SLOTS = frozenset({*BUILT_IN_SLOTS, "requested_slot", "return_value"})


def why_untestable(call: RecordedCall) -> str:
    """Return why a call makes no test, "" if it does.

    What a server says that is full or has no such action is no action's doing; nor is what it says to a request that no
    engine sends.
    """
    if call.status not in _OF_ACTIONS:
        return f"{call.status} is no answer of an action"
    try:
        list(_turn(call))
    except (AttributeError, TypeError):
        return "has no tracker as engines send it"
    return "" if call.action else "names no action"


def tests_of(calls: Sequence[RecordedCall]) -> str:
    """Return the text of a module with a test for each call that makes one; of calls that are the same there is one."""
    tests: dict[str, str] = {}
    names: dict[str, int] = {}
    for call in calls:
        if why_untestable(call):
            continue
        result = result_of(call.status, call.reply, call.milliseconds, CallAbout())
        lines = [*_call_lines(call), "", *_assertions(result)]
        body = "\n".join(f"    {line}".rstrip() for line in lines)
        if body not in tests:
            name = _name_of(call.action, result)
            names[name] = names.get(name, 0) + 1
            tests[body] = name if names[name] == 1 else f"{name}_{names[name]}"
    written = [f"def {name}(action_client):\n{body}\n" for body, name in tests.items()]
    return "\n\n".join([_HEAD, *written])


def _name_of(action: str, result: CallResult) -> str:
    what = "is_rejected" if result.rejected else "fails" if result.error else "answers"
    if result.slots:
        what = f"sets_{'_and_'.join(list(result.slots)[:2])}"
    elif result.texts:
        what = "says_something"
    return "test_" + re.sub(r"\W+", "_", f"{action.removeprefix('action_')}_{what}")


def _call_lines(call: RecordedCall) -> Iterator[str]:
    arguments = [_literal(call.action), *(f"{name}={_literal(value)}" for name, value in _turn(call))]
    if call.status >= 500:
        arguments.append("raises=False")
    line = f"result = action_client.call_sync({', '.join(arguments)})"
    if len(line) < _WIDTH:
        yield line
        return
    yield "result = action_client.call_sync("
    yield from (f"    {argument}," for argument in arguments)
    yield ")"


def _turn(call: RecordedCall) -> Iterator[tuple[str, Any]]:
    tracker = call.request.get("tracker") or {}
    starts = _starts(call.request.get("domain"))
    slots = {k: v for k, v in (tracker.get("slots") or {}).items() if k not in _NOT_SLOTS and v != starts.get(k)}
    if slots:
        yield "slots", slots
    message = tracker.get("latest_message") or {}
    if message.get("text"):
        yield "said", message["text"]
    intent = (message.get("intent") or {}).get("name")
    if intent and message.get("text"):
        yield "intent", intent
    if message.get("entities"):
        yield "entities", message["entities"]
    if tracker.get("latest_input_channel") not in (None, "rest"):
        yield "channel", tracker["latest_input_channel"]
    if (tracker.get("active_loop") or {}).get("name"):
        yield "active_form", tracker["active_loop"]["name"]
    if tracker.get("stack"):
        yield "stack", tracker["stack"]


def _starts(domain: Any) -> dict[str, Any]:
    """Return what the slots of a domain hold at the start of a conversation, also of one in a test."""
    slots = domain.get("slots") if isinstance(domain, dict) else None
    found = slots.items() if isinstance(slots, dict) else ()
    return {name: slot.get("initial_value") for name, slot in found if isinstance(slot, dict)}


def _assertions(result: CallResult) -> Iterator[str]:
    if result.rejected:
        yield "assert result.rejected"
        return
    if result.error:
        yield f"assert result.status == {result.status}"
        return
    if result.slots:
        # ASCII: Python reads other letters in a normal form, which may be another name.
        are_names = all(name.isidentifier() and name.isascii() and not iskeyword(name) for name in result.slots)
        pairs = ", ".join(f"{name}={_literal(value)}" for name, value in result.slots.items())
        yield f"result.sets({pairs})" if are_names else f"result.sets({_literal(result.slots)})"
    else:
        yield "assert result.slots == {}"
    said = [*result.texts, *(str(r["response"]) for r in result.responses if r.get("response"))]
    if said:
        yield f"result.says({', '.join(map(_literal, said))})"
    if result.followup:
        yield f"assert result.followup == {_literal(result.followup)}"


def _literal(value: Any) -> str:
    """Return a JSON value as Python, in double quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(k)}: {_literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, str):
        # JSON's short escapes are Python's as well; its way to write an emoji is not.
        text = json.dumps(value, ensure_ascii=False)
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)
