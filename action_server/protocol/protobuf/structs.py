"""JSON's values in protobuf's ``Struct`` and back, changing as little as a message of doubles lets one.

Numbers are doubles on the wire. An integral one comes back as an integer where that is exact, and stays a float where
something says that it is one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from struct import Struct as Packer
from typing import Any

from google.protobuf.message import DecodeError

from action_server.errors import RequestError
from action_server.protocol.jsonable import JsonObject
from action_server.protocol.protobuf import messages

# Every integer up to here is a double of its own.
EXACT = 2**53 - 1
# Of what the user said and of an event: floats in JSON, too.
FLOATS = frozenset({"timestamp", "confidence"})
EVENT_FLOATS = frozenset({"timestamp"})
_SAID = "parse_data"
# Messages within messages that readers of protobuf take, less the two around a chunk.
_DEEPEST = 99
_OBJECT, _LIST = 3, 2
_double = Packer("<d").pack
# Told what could not be written as it was.
Note = Callable[[str], None]


class TooDeep(ValueError):  # noqa: N818 - a signal: who writes the answer says what it means
    """A value nests deeper than protobuf's readers follow."""


def read_struct(raw: bytes, place: str, depth: int, floats: Collection[str] = (), note: Note | None = None) -> Any:
    """Return the object in a serialized ``Struct``, nested no deeper than ``depth``.

    ``floats`` are keys whose numbers stay floats: the object's own, and with :data:`FLOATS` those below it.
    ``note`` is told of an integral number that may have been another one.

    Raises:
        RequestError: it is malformed or too deep; the message names the ``place``.
    """
    try:
        message = messages.Struct.FromString(raw)
    except DecodeError:
        raise RequestError(f"{place} is no message of protobuf, or is nested too deeply for one") from None
    return read_message(message, place, depth, floats, note)


def read_message(message: Any, place: str, depth: int, floats: Collection[str] = (), note: Note | None = None) -> Any:
    """Do what :func:`read_struct` does, with a message."""
    return _Reader(place, depth, note or _ignore).object(message, 1, floats)


def _ignore(_: str) -> None:
    return None


class _Reader:
    """Reads one part."""

    def __init__(self, place: str, depth: int, note: Note) -> None:
        self._place = place
        self._depth = depth
        self._note = note

    def object(self, message: Any, level: int, floats: Collection[str]) -> JsonObject:
        if level > self._depth:
            raise RequestError(f"{self._place} nests objects and lists deeper than --max-json-depth allows")
        below = floats if floats is FLOATS else ()
        found: JsonObject = {}
        for key, value in message.fields.items():
            kind = value.WhichOneof("kind")
            if kind == "number_value" and key in floats:
                found[key] = value.number_value
            else:
                inner = FLOATS if key == _SAID and floats is EVENT_FLOATS else below
                found[key] = self._value(kind, value, level, inner)
        return found

    def _value(self, kind: str | None, value: Any, level: int, floats: Collection[str]) -> Any:
        if kind == "string_value":
            return value.string_value
        if kind == "number_value":
            return self._number(value.number_value)
        if kind == "bool_value":
            return value.bool_value
        if kind == "struct_value":
            return self.object(value.struct_value, level + 1, floats)
        if kind != "list_value":
            return None
        if level >= self._depth:
            raise RequestError(f"{self._place} nests objects and lists deeper than --max-json-depth allows")
        return [self._value(item.WhichOneof("kind"), item, level + 1, floats) for item in value.list_value.values]

    def _number(self, number: float) -> float:
        if not number.is_integer():
            return number
        if not -EXACT <= number <= EXACT:
            self._note(f"{self._place} holds an integral number that a double may not hold exactly; it stays a float")
            return number
        # -0.0 is no integer.
        return int(number) if number or str(number) == "0.0" else number


def write_text(text: str, note: Note = _ignore) -> bytes:
    """Return a text in UTF-8, with two surrogates as the character they mean; ``note`` is told of a lone one."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if whole.count("\ufffd") > text.count("\ufffd"):
            note("a lone surrogate, which protobuf's texts cannot hold, was replaced")
        return whole.encode()


def write_struct(value: Mapping[str, Any], note: Note = _ignore) -> bytes:
    """Return a serialized ``Struct`` of an object of plain JSON.

    ``note`` is told of numbers that a double does not hold and of texts that UTF-8 does not.

    Raises:
        TooDeep: protobuf's readers would not follow.
    """
    return _Writer(note).object(value, 0)


class _Writer:
    """Writes one object. The tags are those of google/protobuf/struct.proto."""

    def __init__(self, note: Note) -> None:
        self._note = note

    def object(self, value: Mapping[str, Any], depth: int) -> bytes:
        if depth + _OBJECT > _DEEPEST:
            raise TooDeep
        below = depth + _OBJECT
        entries = []
        for key, item in value.items():
            entries.append(field(1, field(1, write_text(key, self._note)) + field(2, self._value(item, below))))
        return b"".join(entries)

    def _value(self, value: Any, depth: int) -> bytes:
        if isinstance(value, str):
            return field(3, write_text(value, self._note))
        if value is None:
            return b"\x08\x00"
        if isinstance(value, bool):
            return b"\x20\x01" if value else b"\x20\x00"
        if isinstance(value, (int, float)):
            return self._number(value)
        if isinstance(value, Mapping):
            return field(5, self.object(value, depth))
        if depth + _LIST > _DEEPEST:
            raise TooDeep
        return field(6, b"".join([field(1, self._value(item, depth + _LIST)) for item in value]))

    def _number(self, value: float) -> bytes:
        try:
            number = float(value)
        except OverflowError:
            self._note("an integer beyond every double was left empty")
            return b"\x08\x00"
        if number != value and value == value:
            self._note("an integer that a double does not hold was rounded to the nearest one")
        return b"\x11" + _double(number)


def field(number: int, content: bytes) -> bytes:
    """Return a field of a message, whose content is bytes, a text in UTF-8 or a message."""
    size = len(content)
    if size < 0x80:
        return bytes((number << 3 | 2, size)) + content
    head = bytearray((number << 3 | 2,))
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + content
