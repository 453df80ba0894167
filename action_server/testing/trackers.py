"""Trackers to test with: of a new conversation, of an engine's export, of a captured request, of a recorded call."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from action_server.errors import SettingsError
from action_server.flows.player.request_body import ENGINE_VERSION, message_as_json, request_body
from action_server.flows.player.stack import frame_from
from action_server.flows.player.state import State
from action_server.nearest import did_you_mean
from action_server.project.domain import domain_digest
from action_server.protocol.events import OPEN_SOURCE_EVENTS, known_to
from action_server.testing.tested_project import TestedProject

_ALWAYS = frozenset({"requested_slot", "return_value"})
TrackerSource = str | Path | Mapping[str, Any]


@dataclass(frozen=True)
class Turn:
    """What a test says about the turn in which the action is called; what is None stays as it was."""

    slots: Mapping[str, Any] = field(default_factory=dict)
    said: str | None = None
    intent: str = ""
    entities: Sequence[Mapping[str, Any]] = ()
    channel: str | None = None
    stack: Sequence[Mapping[str, Any]] | None = None
    active_form: str | None = None
    metadata: Mapping[str, Any] | None = None


def begin(project: TestedProject, sender: str, clock: Callable[[], float]) -> State:
    """Return the state of a conversation in which nobody has said anything."""
    state = State(project.domain, sender_id=sender, channel="rest", clock=clock)
    for event in ({"event": "action", "name": "action_session_start"}, {"event": "session_started"}):
        state.add(event)
    state.add({"event": "action", "name": "action_listen"})
    return state


def restore(project: TestedProject, source: TrackerSource, recordings: Path, clock: Callable[[], float]) -> State:
    """Return the state that a tracker describes.

    ``source`` is the tracker, or a file with it: an export of Rasa's (`GET /conversations/<id>/tracker`), the body of a
    request, a captured exchange, a recorded call. A text that is no file is a request id of the log; the recorded call
    of that request is looked for in ``recordings``.

    Raises:
        SettingsError: there is no such file, no such recording, or no tracker in it.
    """
    found = _tracker_in(source if isinstance(source, Mapping) else _read(source, recordings))
    if found is None:
        raise SettingsError("tracker", "has neither slots nor events: it is no tracker, request or recording")
    state = State(
        project.domain,
        sender_id=str(found.get("sender_id") or "default"),
        channel=str(found.get("latest_input_channel") or "rest"),
        clock=clock,
    )
    for event in found.get("events") or []:
        learn_slots(project, state, [event.get("name")] if event.get("event") == "slot" else [])
        state.add(event)
    slots = found.get("slots") or {}
    learn_slots(project, state, slots)
    state.slots.update({name: value for name, value in slots.items() if name in state.slots})
    if found.get("latest_message"):
        state.latest_message = found["latest_message"]
    state.active_loop = found.get("active_loop") or state.active_loop
    if found.get("stack"):
        state.stack[:] = [frame_from(frame) for frame in found["stack"]]
    return state


def _read(source: str | Path, recordings: Path) -> Any:
    path = Path(source)
    if not path.is_file():
        names = sorted(recordings.glob(f"*{source}*.json")) if str(source).isprintable() else []
        path = next((name for name in names if _request_id_of(name) == str(source)), path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problem = f"there is no file {source}, and no call in {recordings} was recorded under that request id"
        raise SettingsError("tracker", problem) from None
    except (OSError, ValueError) as exc:
        raise SettingsError("tracker", f"{path} cannot be read as JSON") from exc


def _request_id_of(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8")).get("request_id", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def _tracker_in(content: Any) -> Mapping[str, Any] | None:
    if isinstance(content, list):
        return {"events": content}
    if not isinstance(content, Mapping):
        return None
    for key in ("request_body", "request", "tracker"):
        if isinstance(content.get(key), Mapping):
            return _tracker_in(content[key])
    return content if "events" in content or "slots" in content else None


def refuse_unknown_slots(project: TestedProject, names: Iterable[str]) -> None:
    """Refuse slots that the domain lacks, if it has any.

    Raises:
        SettingsError: names the slot, and the one that may have been meant.
    """
    known = {*project.domain.slots, *_ALWAYS}
    known |= {slot for form in project.domain.forms.values() for slot in form.required_slots}
    for name in names:
        if project.knows_slots and name not in known:
            hint = did_you_mean(name, known) or f"; it has {', '.join(sorted(project.domain.own_slots)[:10])}"
            raise SettingsError(f"slot {name!r}", f"is not in the domain{hint}")


def refuse_unknown_form(project: TestedProject, name: str) -> None:
    """Refuse a form that the domain lacks, if it has any.

    Raises:
        SettingsError: names the form, and the one that may have been meant.
    """
    known = project.domain.forms
    if name and known and name not in known:
        hint = did_you_mean(name, known) or f"; it has {', '.join(sorted(known)[:10])}"
        raise SettingsError(f"active_form={name!r}", f"is not in the domain{hint}")


def learn_slots(project: TestedProject, state: State, names: Iterable[Any]) -> None:
    """Let a conversation have these slots, where no domain says which there are."""
    for name in names:
        if name in _ALWAYS or not project.knows_slots:
            state.slots.setdefault(name, None)


def take_turn(project: TestedProject, state: State, turn: Turn) -> None:
    """Bring a conversation to the point where the action is called.

    The slots come last, as a form's candidates do, so that ``validate_*`` actions see them.

    Raises:
        SettingsError: the domain lacks a slot, or the form.
    """
    refuse_unknown_slots(project, turn.slots)
    refuse_unknown_form(project, turn.active_form or "")
    state.channel = turn.channel or state.channel
    if turn.active_form is not None:
        state.add({"event": "active_loop", "name": turn.active_form or None})
    if turn.said is not None:
        message = message_as_json(
            turn.said,
            (),
            message_id=uuid4().hex,
            intent=turn.intent,
            entities=turn.entities,
            metadata=turn.metadata,
        )
        said = {"event": "user", "text": turn.said, "parse_data": message, "input_channel": state.channel}
        state.add({**said, "message_id": message["message_id"], "metadata": message["metadata"]})
    if turn.stack is not None:
        state.stack[:] = [frame_from(dict(frame)) for frame in turn.stack]
    learn_slots(project, state, turn.slots)
    for name, value in turn.slots.items():
        state.add({"event": "slot", "name": name, "value": value})


def call_of(action: str, state: State, project: TestedProject, version: str = ENGINE_VERSION) -> dict[str, Any]:
    """Return the request that an engine of this version would send now, with the domain."""
    raw = project.domain.raw
    body = request_body(action, state, domain=raw, digest=domain_digest(raw), with_domain=True)
    call: dict[str, Any] = json.loads(body)
    call["version"] = version
    if known_to(version).names == OPEN_SOURCE_EVENTS:
        # Rasa Open Source never sends one.
        del call["domain_digest"]
    return call


def apply_reply(project: TestedProject, state: State, action: str, body: Mapping[str, Any]) -> None:
    """Let a conversation take in what an action answered: first its messages, then its events, as engines do."""
    state.add({"event": "action", "name": action})
    state.followup = ""
    for response in body.get("responses") or []:
        data = {key: value for key, value in response.items() if key != "text" and value}
        state.add({"event": "bot", "text": response.get("text"), "data": data, "metadata": {}})
    for event in body.get("events") or []:
        learn_slots(project, state, [event.get("name")] if event.get("event") == "slot" else [])
        state.add(event)
