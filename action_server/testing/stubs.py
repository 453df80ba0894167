"""Stubs of actions for end-to-end tests, made of recorded calls; and whether actions still answer what theirs say."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from action_server.flows.e2e.cases import Stub
from action_server.flows.e2e.stubs import BUTTON_KEYS, EVENT_KEYS, EVENTS, RESPONSE_KEYS, action_of
from action_server.testing.moved_times import settle_times, since_recorded
from action_server.testing.recordings import RecordedCall, differences
from action_server.testing.replay import Send, replay
from action_server.testing.result import CallAbout, result_of

SAME, CHANGED, UNCHECKED = "same", "changed", "not checked"


@dataclass(frozen=True)
class MadeStub:
    """A stub, the recording it was made of, and how many different answers of its action were recorded.

    ``lost`` names what of the answer the format of stubs has no word for: the values of a response's variables for one.
    """

    stub: Stub
    file: Path
    answers: int
    lost: Sequence[str] = ()


@dataclass(frozen=True)
class CheckedStub:
    """What became of a stub, whose ``key`` stands in ``file``. ``changes`` is a diff, ``problem`` a sentence."""

    file: Path
    key: str
    outcome: str
    changes: Sequence[str] = field(default_factory=tuple)
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "file": str(self.file),
            "stub": self.key,
            "action": action_of(self.key),
            "result": self.outcome,
            "problem": self.problem,
            "diff": list(self.changes),
        }


def stub_as_json(stub: Stub) -> dict[str, Any]:
    """Return a stub as it is written: in the words its format has, without times, and without what is sent empty."""
    found = result_of(200, {"events": list(stub.events), "responses": list(stub.responses)}, 0, CallAbout())
    events = [_only(event, EVENT_KEYS - {"timestamp"}) for event in found.events if _is_known(event)]
    responses = [_only(response, RESPONSE_KEYS) for response in found.responses]
    for response in responses:
        if "buttons" in response:
            response["buttons"] = [_only(button, BUTTON_KEYS) for button in _buttons(response)]
    return {"events": events, "responses": responses}


def _is_known(event: Mapping[str, Any]) -> bool:
    return str(event.get("event")) in EVENTS


def _buttons(response: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = response.get("buttons")
    return [button for button in found if isinstance(button, dict)] if isinstance(found, list) else []


def _only(entry: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key in known}


def _lost(stub: Stub) -> list[str]:
    """Name what an engine's schema of stubs refuses, so that :func:`stub_as_json` leaves it out."""
    found = result_of(200, {"events": list(stub.events), "responses": list(stub.responses)}, 0, CallAbout())
    lost = [f"the event {event.get('event')!r}" for event in found.events if not _is_known(event)]
    for event in filter(_is_known, found.events):
        lost += [f"{key!r} of the event {event['event']!r}" for key in event if key not in EVENT_KEYS]
    for response in found.responses:
        # `template` is an older word for `response`.
        name = response.get("response") or response.get("text") or ""
        lost += [f"{key!r} of the response {name!r}" for key in response if key not in RESPONSE_KEYS | {"template"}]
        lost += [f"{key!r} of a button" for button in _buttons(response) for key in button if key not in BUTTON_KEYS]
    return list(dict.fromkeys(lost))


def make_stubs(calls: Iterable[RecordedCall]) -> tuple[dict[str, MadeStub], dict[str, str]]:
    """Return a stub for each action by its name, and why there is none for the others.

    The newest call that was answered 200 counts: a stub knows neither rejections nor failures.
    """
    made: dict[str, MadeStub] = {}
    answers: dict[str, set[str]] = {}
    left_out: dict[str, str] = {}
    for call in calls:
        stub = _stub_of(call.status, call.reply)
        if stub is None:
            left_out[call.action] = f"no call of it was answered with events and responses; the last one: {call.status}"
            continue
        seen = answers.setdefault(call.action, set())
        seen.add(json.dumps(stub_as_json(stub), sort_keys=True))
        made[call.action] = MadeStub(stub, call.file, len(seen), _lost(stub))
    return made, {action: why for action, why in left_out.items() if action not in made}


async def check_stubs(
    files: Mapping[Path, Mapping[str, Stub]], calls: Sequence[RecordedCall], send: Send
) -> list[CheckedStub]:
    """Run the recorded calls of all actions that have a stub, in their order, and compare.

    A stub holds if one of the calls that it was made of gets its answer; where none of the recordings has that answer,
    if any call of the action gets it.
    """
    actions = {action_of(key) for stubs in files.values() for key in stubs}
    replayed = await replay([call for call in calls if call.action in actions], send)
    return [
        _check(file, key, stub, [(r.call, r.after.status, r.after.body) for r in replayed])
        for file, stubs in files.items()
        for key, stub in stubs.items()
    ]


def _check(file: Path, key: str, stub: Stub, ran: Sequence[tuple[RecordedCall, int, Any]]) -> CheckedStub:
    wanted = stub_as_json(stub)
    own = [one for one in ran if one[0].action == action_of(key)]
    if not own:
        return CheckedStub(file, key, UNCHECKED, problem="no call of this action is among the recordings")
    origins = [one for one in own if _answer_of(one[0].status, one[0].reply) == wanted] or own
    if any(settle_times(wanted, _answer_of(*reply), since_recorded(call)) == wanted for call, *reply in origins):
        return CheckedStub(file, key, SAME)
    call, status, body = origins[-1]
    answer = _answer_of(status, body)
    if answer is None:
        return CheckedStub(file, key, CHANGED, problem=f"it answers {status} ({call.file.name})")
    return CheckedStub(file, key, CHANGED, differences(wanted, answer), f"it answers otherwise ({call.file.name})")


def _answer_of(status: int, body: Any) -> dict[str, Any] | None:
    stub = _stub_of(status, body)
    return None if stub is None else stub_as_json(stub)


def _stub_of(status: int, body: Any) -> Stub | None:
    if status != 200 or not isinstance(body, dict):
        return None
    events, responses = body.get("events") or [], body.get("responses") or []
    return Stub(events, responses) if all(isinstance(part, dict) for part in [*events, *responses]) else None
