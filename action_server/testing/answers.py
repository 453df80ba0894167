"""Checks one answer of an action: what is wrong with it, by requirement."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from action_server.project.domain import BUILT_IN_SLOTS, Domain, Slot
from action_server.project.engine_names import DEFAULT_ACTIONS
from action_server.protocol.events import known_to, repair
from action_server.testing import requirements as must
from action_server.testing.requirements import Violation

# Of every assistant, whatever its domain says.
_ALWAYS = frozenset({"requested_slot", "return_value", *BUILT_IN_SLOTS})
# Shorter texts are in an error by chance.
_SECRET = 5
_TELLTALE = ("request_body", "Traceback (most recent call last)")


@dataclass(frozen=True)
class Answered:
    """An answer and what it is judged by.

    ``body`` is the decoded reply, ``sent`` the call; a ``domain`` without slots of its own judges no names.
    ``exception`` is the text of what the action raised, where it is known.
    """

    action: str
    status: int
    body: Any
    sent: Mapping[str, Any] = field(default_factory=dict)
    domain: Domain = field(default_factory=Domain)
    version: str | None = None
    exception: str = ""


def violations(answered: Answered) -> list[Violation]:
    """Return what is wrong with an answer. No slot's value is repeated."""
    found = _wrong_json(answered)
    if not found:
        found = _of_success(answered) if answered.status == 200 else _of_error(answered)
    return [Violation(violation.requirement, violation.problem, answered.action) for violation in found]


def _wrong_json(answered: Answered) -> list[Violation]:
    try:
        json.dumps(answered.body, allow_nan=False).encode()
    except (TypeError, ValueError):
        return [Violation(must.STRICT_JSON, "it has a value that JSON has no word for")]
    return []


def _of_success(answered: Answered) -> list[Violation]:
    body = answered.body
    if not isinstance(body, dict) or not all(isinstance(body.get(key, []), list) for key in ("events", "responses")):
        return [Violation(must.SHAPE, f"it is {_shape(body)}")]
    events, responses = body.get("events", []), body.get("responses", [])
    found = [v for n, event in enumerate(events) for v in _of_event(event, f"events[{n}]", answered.version)]
    if not all(isinstance(response, dict) for response in responses):
        found.append(Violation(must.SHAPE, "one of its responses is no object"))
    if not found:
        found += [*_of_slots(events, answered.domain), *_of_names(events, responses, answered.domain)]
        found += _of_faces(events, responses)
    return found


def _of_event(event: object, place: str, version: str | None) -> Iterator[Violation]:
    name = event.get("event") if isinstance(event, dict) else None
    if not isinstance(event, dict) or not isinstance(name, str):
        yield Violation(must.EVENTS, f"{place} is no object with the name of an event")
    elif name not in known_to(version):
        yield Violation(must.EVENTS, f"{place}: an engine {version or 'of an unknown version'} has no event {name!r}")
    else:
        repaired: list[str] = []
        problem = repair(copy.deepcopy(event), lambda path, kind: repaired.append(f"its {path!r} is {kind}"))
        problems = [problem] if problem else repaired
        if name == "user" and event.get("parse_data") is None:
            problems = ["its 'parse_data' is null"]
        yield from (Violation(must.EVENTS, f"{place} ({name}): {p}") for p in problems)


def _of_slots(events: list[dict[str, Any]], domain: Domain) -> Iterator[Violation]:
    if not _has_names(domain):
        return
    for event in events:
        if event["event"] != "slot" or event["name"] in _ALWAYS:
            continue
        slot = domain.slots.get(event["name"])
        if slot is None:
            yield Violation(must.SLOTS_KNOWN, f"it sets {event['name']!r}, which is no slot of the domain")
        elif event["value"] is not None and not fits(slot, event["value"]):
            kind = type(event["value"]).__name__
            what = f"not one of {', '.join(map(str, slot.values))}" if slot.is_categorical else f"a {kind}"
            yield Violation(must.SLOTS_FIT, f"it sets the {slot.type} slot {slot.name!r} to what is {what}")


def fits(slot: Slot, value: Any) -> bool:
    """Tell whether a value is one of the slot's type; null is nobody's."""
    if slot.is_categorical:
        return str(value).lower() in {str(known).lower() for known in slot.values}
    if slot.type == "float":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    kinds = {"text": str, "bool": bool, "list": list}
    return slot.type not in kinds or isinstance(value, kinds[slot.type])


def _of_names(events: list[dict[str, Any]], responses: list[dict[str, Any]], domain: Domain) -> Iterator[Violation]:
    for response in responses:
        name = response.get("response") or response.get("template")
        if name and domain.responses and name not in domain.responses:
            yield Violation(must.RESPONSES_KNOWN, f"it says {name!r}, which is no response of the domain")
    known = {*domain.actions, *domain.forms, *domain.responses, *DEFAULT_ACTIONS}
    for event in events:
        name = event.get("name")
        if event["event"] == "followup" and domain.actions and name not in known:
            yield Violation(must.FOLLOWUPS_KNOWN, f"{name!r} is to follow, which is no action of the domain")


def _has_names(domain: Domain) -> bool:
    return bool(domain.own_slots)


def _of_faces(events: list[dict[str, Any]], responses: list[dict[str, Any]]) -> Iterator[Violation]:
    for kind, items in (("events", events), ("responses", responses)):
        for number, item in enumerate(items):
            place = _changed_by_grpc(item, f"{kind}[{number}]")
            if place:
                yield Violation(must.SAME_OVER_FACES, f"{place} is another number over gRPC, which has only floats")


def _changed_by_grpc(value: Any, place: str) -> str:
    """Return where a value has an integer that a float cannot hold: gRPC makes a float of every number."""
    if isinstance(value, dict):
        return next((p for k, v in value.items() if (p := _changed_by_grpc(v, f"{place}.{k}"))), "")
    if isinstance(value, list):
        return next((p for n, v in enumerate(value) if (p := _changed_by_grpc(v, f"{place}[{n}]"))), "")
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return "" if int(float(value)) == value else place
        except OverflowError:
            return place
    return ""


def _of_error(answered: Answered) -> list[Violation]:
    body, found = answered.body, []
    if answered.status == 400 and not _names_its_action(body):
        found.append(Violation(must.REJECTION, f"it is {_shape(body)}"))
    if answered.status >= 500:
        found.append(Violation(must.ANSWERS, f"it answers {answered.status}"))
    leak = leaked(answered)
    if leak:
        found.append(Violation(must.NOTHING_SECRET, leak))
    return found


def _names_its_action(body: object) -> bool:
    return isinstance(body, dict) and all(isinstance(body.get(key), str) for key in ("action_name", "error"))


def leaked(answered: Answered) -> str:
    """Return what an error tells that it should not, in words, "" if nothing."""
    text = json.dumps(answered.body, ensure_ascii=False)
    for telltale in _TELLTALE:
        if telltale in text:
            return f"it has a {telltale!r}"
    if answered.exception and answered.exception in text:
        return "it repeats the text of the exception"
    tracker = answered.sent.get("tracker") or {}
    for name, value in (tracker.get("slots") or {}).items():
        if any(len(secret) >= _SECRET and secret in text for secret in _texts_in(value)):
            return f"it repeats the value of the slot {name!r}"
    said = (tracker.get("latest_message") or {}).get("text")
    if isinstance(said, str) and len(said) >= _SECRET and said in text:
        return "it repeats what the user said"
    return ""


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _shape(body: object) -> str:
    if isinstance(body, dict):
        return f"an object with {', '.join(sorted(map(str, body))) or 'nothing in it'}"
    return "null" if body is None else f"a {type(body).__name__}"
