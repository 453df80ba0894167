"""Reads what an engine answers about a conversation: megabytes, of which few facts are needed, on a busy loop."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from action_server.delivery.routes import Conversation
from action_server.jobs.marks import MARK


@dataclass(frozen=True)
class TrackerRead:
    """The conversation that an engine answered for, and what it told of it."""

    sender_id: str
    conversation: Conversation


class _Tracker(msgspec.Struct, gc=False):
    events: list[msgspec.Raw]
    sender_id: str = ""
    latest_input_channel: str | None = None
    stack: list[dict[str, Any]] | None = None


class _Event(msgspec.Struct, gc=False):
    event: str = ""


_split = msgspec.json.Decoder(_Tracker).decode
_glance = msgspec.json.Decoder(_Event).decode
_MARK = MARK.encode("ascii")


def read_tracker(answered: bytes) -> TrackerRead:
    """Read a tracker. Of its events those are whole that have a mark; of the others only the kind is known.

    Raises:
        ValueError: it is none.
    """
    try:
        found = _split(answered)
        events = list(_events_of(found.events))
        return TrackerRead(found.sender_id, Conversation(events, found.latest_input_channel or "", found.stack or ()))
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Engines write NaN and lone surrogates, which the fast decoder does not take.
        return _read_plainly(answered)


def _events_of(raws: Sequence[msgspec.Raw]) -> Iterator[Mapping[str, Any]]:
    for raw in raws:
        yield msgspec.json.decode(raw) if _MARK in bytes(raw) else {"event": _glance(raw).event}


def _read_plainly(answered: bytes) -> TrackerRead:
    found = json.loads(answered.decode("utf-8", "replace"))
    events = found.get("events") if isinstance(found, dict) else None
    if not isinstance(events, list):
        raise ValueError("no tracker")
    stack = found.get("stack")
    conversation = Conversation(
        [event for event in events if isinstance(event, dict)],
        str(found.get("latest_input_channel") or ""),
        [frame for frame in stack if isinstance(frame, dict)] if isinstance(stack, list) else [],
    )
    return TrackerRead(str(found.get("sender_id") or ""), conversation)
