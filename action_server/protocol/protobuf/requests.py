"""A serialized request, read into a call that decodes the tracker's parts and the domain when they are read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec
from google.protobuf.message import DecodeError

from action_server.errors import RequestError
from action_server.protocol import calls
from action_server.protocol.calls import Call
from action_server.protocol.domains import floats_of
from action_server.protocol.jsonable import JsonObject
from action_server.protocol.lazy import Body, LazyCall, Parts, TrackerFields
from action_server.protocol.protobuf import messages
from action_server.protocol.protobuf.structs import EVENT_FLOATS, FLOATS, read_message, read_struct

logger = logging.getLogger(__name__)

_OBJECTS = ("config", "session_config", "slots", "responses", "forms")
# Entries are a name, or an object of a name and options.
_NAMES = ("intents", "entities", "actions")
_SLOTS = "tracker.slots"
# The slots that are floats, by the digest of a domain.
FloatSlots = Callable[[str | None], frozenset[str]]


def read_request(
    body: bytes, max_depth: int = 100, float_slots: FloatSlots = lambda digest: frozenset()
) -> Call | None:
    """Read a serialized ``WebhookRequest``; None if it names no action, which rasa-sdk answers with nothing.

    What is wrong inside of events, the last message, the stack or the domain shows when they are read: then the
    attribute raises the :class:`RequestError`. ``float_slots`` says which slots are floats where no domain comes.

    Raises:
        RequestError: it is malformed.
    """
    try:
        request = messages.Request.FromString(body)
    except DecodeError:
        problem = "the request is no message of protobuf as the service publishes it, or is nested too deeply for one"
        raise RequestError(problem) from None
    if not request.next_action:
        return None
    if not request.HasField("tracker"):
        raise RequestError("tracker is missing; it must be an object", request.next_action)
    sender: str = request.tracker.sender_id or request.sender_id
    if not sender:
        raise RequestError("tracker.sender_id is missing; it must be a string", request.next_action)
    parts = MessageParts(request, max_depth, float_slots)
    return MessageCall.of(parts.found, sender, parts)


class MessageCall(LazyCall):
    """A call that came as protobuf."""

    @property
    def domain_bytes(self) -> bytes | None:
        """The domain as it came, in protobuf, or None."""
        return self._parts.raw("domain") if self.brings_domain else None

    @property
    def domain_json(self) -> bytes | None:
        """None: it came in another form."""
        return None


class MessageParts(Parts):
    """The parts of one request: each is decoded once, and everybody gets the same object."""

    __slots__ = ("_floats", "_floats_by_digest", "_request")

    def __init__(self, request: Any, max_depth: int, float_slots: FloatSlots) -> None:
        tracker = request.tracker
        fields = TrackerFields(
            sender_id=tracker.sender_id or None,
            paused=tracker.paused,
            followup_action=tracker.followup_action if tracker.HasField("followup_action") else None,
            latest_action_name=tracker.latest_action_name if tracker.HasField("latest_action_name") else None,
            user_id=tracker.user_id if tracker.HasField("user_id") else None,
        )
        found = Body(next_action=request.next_action, tracker=fields, version=request.version or None)
        if request.HasField("domain_digest"):
            found.domain_digest = request.domain_digest
        super().__init__(b"", found, max_depth)
        self._request = request
        self._floats_by_digest = float_slots
        self._floats: frozenset[str] | None = None

    @property
    def found(self) -> Body:
        """The plain fields of the call."""
        return self._found

    def whole(self) -> Call:
        """Decode everything. Raises :class:`RequestError`."""
        if self.found_whole is None:
            fields = msgspec.structs.asdict(self.fields)
            tracker: JsonObject = {name: value for name, value in fields.items() if isinstance(value, (str, bool))}
            for name in ("slots", "latest_message", "events", "active_loop", "stack"):
                tracker[name] = self.value(name)
            found = self._found
            sender = self.fields.sender_id or self._request.sender_id
            domain = self.value("domain")
            self.found_whole = Call(found.next_action, sender, tracker, domain, found.domain_digest, found.version)
        return self.found_whole

    def has(self, name: str) -> bool:
        """Tell whether a part is there."""
        if name == "domain":
            return bool(self._request.domain)
        if name == "slots":
            return bool(self._request.tracker.HasField("slots"))
        return bool(getattr(self._request.tracker, name, None))

    def raw(self, name: str) -> bytes:
        """Return a part as it came."""
        return b"".join(self._request.domain if name == "domain" else getattr(self._request.tracker, name))

    def trailing_slots(self) -> list[JsonObject] | None:
        """Return the slot events after the last event of any other kind; None if all events have to be decoded."""
        if "events" in self._values or not self.has("events"):
            return None
        if not self._tail:
            for raw in reversed(self._request.tracker.events):
                event = self._event(raw)
                if event.get("event") != "slot":
                    break
                calls.check_part("events", [event])
                self._tail.insert(0, event)
        return [*self._tail, *self._later]

    def _read(self, name: str) -> Any:
        if name == "events":
            return self._read_events()
        if not self.has(name):
            return None
        tracker = self._request.tracker
        if name == "slots":
            slots: JsonObject = read_message(tracker.slots, _SLOTS, self._max_depth - 2, (), self._note)
            for slot in self._float_slots():
                if type(slots.get(slot)) is int:
                    slots[slot] = float(slots[slot])
            return slots
        if name == "active_loop":
            return dict(tracker.active_loop)
        if name == "domain":
            return read_domain(self.raw("domain"), self._max_depth - 1)
        value: Any
        if name == "stack":
            value = [read_struct(raw, "tracker.stack", self._max_depth - 3, (), self._note) for raw in tracker.stack]
        else:
            value = read_struct(self.raw(name), f"tracker.{name}", self._max_depth - 2, FLOATS, self._note)
        calls.check_part(name, value)
        return value

    def _read_events(self) -> list[Any]:
        raw = self._request.tracker.events
        events: list[Any] = [self._event(one) for one in raw[: len(raw) - len(self._tail)]] + self._tail
        calls.check_part("events", events)
        return events + self._later

    def _event(self, raw: bytes) -> JsonObject:
        event: JsonObject = read_struct(raw, "tracker.events", self._max_depth - 3, EVENT_FLOATS, self._note)
        is_integer = event.get("event") == "slot" and type(event.get("value")) is int
        if is_integer and event.get("name") in self._float_slots():
            event["value"] = float(event["value"])
        return event

    def _float_slots(self) -> frozenset[str]:
        """Return the slots that the call's domain, or the one known under its digest, says to be floats."""
        if self._floats is None:
            if self._request.domain and (declared := messages.Domain.FromString(self.raw("domain")).slots):
                self._floats = _floats_of_message(b"".join(declared))
            else:
                self._floats = self._floats_by_digest(self._found.domain_digest)
        return self._floats

    def _note(self, problem: str) -> None:
        logger.warning("grpc.number_inexact", extra={"problem": problem})


def read_domain(raw: bytes, depth: int) -> JsonObject:
    """Return a serialized domain; of names that the client's encoding has emptied, there is ``{}``.

    Raises:
        RequestError: it is malformed.
    """
    try:
        message = messages.Domain.FromString(raw)
    except DecodeError:
        raise RequestError("domain is no message of protobuf, or is nested too deeply for one") from None
    domain: JsonObject = {}
    for key in _OBJECTS:
        if pieces := getattr(message, key):
            domain[key] = read_struct(b"".join(pieces), f"domain.{key}", depth - 1, ())
    for key in _NAMES:
        if entries := getattr(message, key):
            domain[key] = [
                entry.string_value or read_message(entry.dict_value, f"domain.{key}", depth - 2, ())
                for entry in entries
            ]
    if message.e2e_actions:
        domain["e2e_actions"] = [read_struct(one, "domain.e2e_actions", depth - 2, ()) for one in message.e2e_actions]
    return domain


@lru_cache(maxsize=16)
def _floats_of_message(slots: bytes) -> frozenset[str]:
    try:
        return floats_of({"slots": read_struct(slots, "domain.slots", 100, ())})
    except RequestError:
        # Said where the domain is read.
        return frozenset()
