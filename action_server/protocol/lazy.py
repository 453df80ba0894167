"""The webhook's JSON decoded no further than it is used: a history of megabytes, of which an action reads two slots.

One pass of a fast decoder splits the body into its parts and checks the syntax of all of them. Their contents are
decoded, and checked by the rules of :mod:`action_server.protocol.calls`, when something reads them. Wherever the fast
decoder hesitates (``NaN``, lone surrogates, another encoding, any mistake), the body is decoded whole by
``calls``, whose outcome is the one that counts: the same values, or the same :class:`RequestError`, then or when the
part is read.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from typing import Any

import msgspec

from action_server.errors import RequestError
from action_server.protocol import calls
from action_server.protocol.calls import Call
from action_server.protocol.jsonable import JsonObject

_NOTHING = msgspec.Raw()


class TrackerFields(msgspec.Struct, gc=False):
    """The fields of a tracker; what may be large stays as it came."""

    sender_id: str | None = None
    slots: msgspec.Raw = _NOTHING
    latest_message: msgspec.Raw = _NOTHING
    events: msgspec.Raw = _NOTHING
    paused: bool | None = None
    followup_action: str | None = None
    active_loop: msgspec.Raw = _NOTHING
    active_form: msgspec.Raw = _NOTHING
    latest_action_name: str | None = None
    stack: msgspec.Raw = _NOTHING
    user_id: str | None = None


class Body(msgspec.Struct, gc=False):
    """The fields of a call."""

    next_action: str
    tracker: TrackerFields
    sender_id: str | None = None
    domain: msgspec.Raw = _NOTHING
    domain_digest: str | None = None
    version: str | None = None


_split = msgspec.json.Decoder(Body).decode
_decode = msgspec.json.Decoder().decode
# The first byte of a part: half of what a memoryview of it takes.
_first = struct.Struct("c").unpack_from
_NULL = (b"n",)
_OBJECT_OR_NULL, _LIST_OR_NULL = frozenset({(b"{",), _NULL}), frozenset({(b"[",), _NULL})
# How engines begin an event; in a text the quotes would be escaped.
_EVENT = b'{"event":'
_BLANKS = b" \t\r\n"
# What msgspec raises for what it does not read; its own errors are ValueErrors as well.
_DECODING_ERRORS = (ValueError, RecursionError)
# Of the two threads that read a part at once, both have to get the same object.
_reading = threading.RLock()


class _NeedsDecoder(Exception):  # noqa: N818 - answered by decoding everything
    """The fast decoder, or a check of what it gave, refuses a body; ``calls.decode_call`` has the word."""


def read_call(body: bytes | memoryview, max_depth: int = 100) -> Call:
    """Read the body of ``POST /webhook``, as :func:`action_server.protocol.calls.decode_call` does and with its errors.

    What is wrong inside of events, slots, entities, the stack or the domain shows when they are read: then the
    attribute raises the :class:`RequestError`. What nothing reads is not looked at beyond its syntax.
    """
    try:
        found = _split(body)
    except _DECODING_ERRORS:
        return calls.decode_call(bytes(body), max_depth)
    tracker = found.tracker
    sender = tracker.sender_id or found.sender_id
    if sender is None or not found.next_action or not _are_of_their_kinds(tracker, found.domain):
        return calls.decode_call(bytes(body), max_depth)
    return LazyCall.of(found, sender, Parts(body, found, max_depth))


class LazyCall(Call):
    """A call whose tracker and domain are decoded when they are first read; otherwise a :class:`Call` like any."""

    _parts: Parts

    def __new__(cls, *args: Any, **fields: Any) -> Any:
        """Make a plain call: that is what ``dataclasses.replace`` of a lazy one comes to."""
        return Call(*args, **fields)

    @classmethod
    def of(cls, found: Body, sender: str, parts: Parts) -> LazyCall:
        """Make one."""
        call: LazyCall = object.__new__(cls)
        fields = call.__dict__
        fields["action"] = found.next_action
        fields["sender_id"] = sender
        fields["domain_digest"] = found.domain_digest
        fields["version"] = found.version
        fields["_parts"] = parts
        return call

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Call) and _fields(self) == _fields(other)

    __hash__ = Call.__hash__

    def __reduce__(self) -> tuple[type[Call], tuple[object, ...]]:
        return Call, _fields(self)

    @property
    def tracker(self) -> JsonObject:
        """The tracker's JSON object as it came. Reading it decodes everything."""
        return self._parts.whole().tracker

    @property
    def domain(self) -> JsonObject | None:
        """The domain, or None."""
        found: JsonObject | None = self._parts.value("domain")
        return found

    @property
    def brings_domain(self) -> bool:
        """Whether there is a domain, without decoding it."""
        return self._parts.has("domain")

    @property
    def domain_bytes(self) -> bytes | None:
        """The domain as it came, or None."""
        return self._parts.raw("domain") if self.brings_domain else None

    @property
    def domain_json(self) -> bytes | None:
        """The domain's JSON as it came, or None."""
        return self.domain_bytes

    @property
    def parts(self) -> Parts | None:
        """What the tracker's parts are read from; None once the tracker is a dict, which anybody may change."""
        return None if self._parts.found_whole is not None else self._parts

    def part(self, name: str) -> Any:
        """Return one field of the tracker, decoding no more than that."""
        return self._parts.value(name)


class Parts:
    """The parts of one body: each is decoded once, and everybody gets the same object."""

    __slots__ = ("_body", "_found", "_later", "_max_depth", "_tail", "_values", "fields", "found_whole")

    def __init__(self, body: bytes | memoryview, found: Body, max_depth: int) -> None:
        self._body = body
        self._found = found
        # The tracker's plain fields, as attributes.
        self.fields = found.tracker
        self._max_depth = max_depth
        self._values: dict[str, Any] = {}
        # The whole call, once it was decoded.
        self.found_whole: Call | None = None
        # Events that were read from the end, and that were added, before all of them were decoded.
        self._tail: list[JsonObject] = []
        self._later: list[Any] = []

    def whole(self) -> Call:
        """Decode everything, by the exact rules. Raises :class:`RequestError`."""
        with _reading:
            if self.found_whole is None:
                whole = calls.decode_call(bytes(self._body), self._max_depth)
                for name, value in self._values.items():
                    if name != "domain" and whole.tracker.get(name):
                        whole.tracker[name] = value
                self.found_whole = whole
            return self.found_whole

    def has(self, name: str) -> bool:
        """Tell whether a part is there and not null."""
        raw = getattr(self._found if name == "domain" else self._found.tracker, name)
        return raw is not _NOTHING and _first(raw) != _NULL

    def raw(self, name: str) -> bytes:
        """Return a part as it came."""
        return bytes(getattr(self._found if name == "domain" else self._found.tracker, name))

    def value(self, name: str) -> Any:
        """Return a part, decoded; None if it is missing or null. Raises :class:`RequestError`."""
        try:
            return self._values[name]
        except KeyError:
            pass
        with _reading:
            if name not in self._values:
                self._values[name] = self._read(name)
            return self._values[name]

    def add_event(self, event: Any) -> None:
        """Add an event at the end, without decoding those before it."""
        with _reading:
            events = self._values.get("events")
            (self._later if events is None else events).append(event)

    def trailing_slots(self) -> list[JsonObject] | None:
        """Return the slot events after the last event of any other kind; None if all events have to be decoded."""
        with _reading:
            if "events" in self._values or not self.has("events"):
                return None
            if not self._tail:
                try:
                    self._tail = list(_trailing_slots(self.raw("events"), self._max_depth - 3))
                except _NeedsDecoder:
                    return None
            return [*self._tail, *self._later]

    def _read(self, name: str) -> Any:
        if not hasattr(self._found if name == "domain" else self._found.tracker, name):
            return self.whole().tracker.get(name)
        if name == "events":
            return self._events()
        if self.found_whole is not None:
            return self.found_whole.domain if name == "domain" else self.found_whole.tracker.get(name)
        if not self.has(name):
            return None
        try:
            value = _decode_part(self.raw(name), self._max_depth - (1 if name == "domain" else 2))
            calls.check_part(name, value)
        except (_NeedsDecoder, RequestError):
            # The first mistake of the whole body is the one to be named, at its place in the body.
            whole = self.whole()
            return whole.domain if name == "domain" else whole.tracker.get(name)
        return value

    def _events(self) -> list[Any]:
        events: list[Any] | None = None
        if self.found_whole is None and self.has("events"):
            try:
                events = _decode_part(self.raw("events"), self._max_depth - 2)
                calls.check_part("events", events)
            except (_NeedsDecoder, RequestError):
                events = None
        if events is None:
            events = self.whole().tracker.get("events") or [] if self.has("events") else []
        # Who has seen some of them already goes on seeing the same ones.
        events[len(events) - len(self._tail) :] = self._tail
        events += self._later
        return events


def _fields(call: Call) -> tuple[object, ...]:
    return call.action, call.sender_id, call.tracker, call.domain, call.domain_digest, call.version


def _are_of_their_kinds(tracker: TrackerFields, domain: msgspec.Raw) -> bool:
    """Tell whether each part is the object or list it must be, or null, or missing, by its first byte."""
    # One by one: each call asks, and a loop over them costs as much as the checks.
    return (
        ((part := tracker.slots) is _NOTHING or _first(part) in _OBJECT_OR_NULL)
        and ((part := tracker.latest_message) is _NOTHING or _first(part) in _OBJECT_OR_NULL)
        and ((part := tracker.active_loop) is _NOTHING or _first(part) in _OBJECT_OR_NULL)
        and ((part := tracker.active_form) is _NOTHING or _first(part) in _OBJECT_OR_NULL)
        and (domain is _NOTHING or _first(domain) in _OBJECT_OR_NULL)
        and ((part := tracker.events) is _NOTHING or _first(part) in _LIST_OR_NULL)
        and ((part := tracker.stack) is _NOTHING or _first(part) in _LIST_OR_NULL)
    )


def _decode_part(part: bytes, depth: int) -> Any:
    if calls.is_deeper(part, depth):
        raise _NeedsDecoder
    try:
        return _decode(part)
    except _DECODING_ERRORS:
        raise _NeedsDecoder from None


def _trailing_slots(events: bytes, depth: int) -> Iterator[JsonObject]:
    """Read slot events from the end of a list until another event comes; give them in their order."""
    found: list[JsonObject] = []
    # Where the event ends that is read next.
    end = len(events) - 1
    while True:
        start = events.rfind(_EVENT, 0, end)
        if start < 0:
            raise _NeedsDecoder
        # Were it an object within an event, what encloses it would be closed before `end`, and this were no JSON.
        event = _decode_part(events[start:end], depth)
        if event["event"] != "slot":
            break
        if not isinstance(event.get("name"), str) or "value" not in event:
            raise _NeedsDecoder
        found.append(event)
        before = start - 1
        while events[before] in _BLANKS:
            before -= 1
        if before == 0:
            break
        end = before
    return reversed(found)
