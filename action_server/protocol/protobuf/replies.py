"""Answers and the events of a stream as serialized messages; their fields' numbers are the published ones."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from action_server.protocol.jsonable import JsonObject, jsonable
from action_server.protocol.protobuf.structs import field, write_struct, write_text

logger = logging.getLogger(__name__)

_TEXTS = {"text": 2, "image": 3, "attachment": 5}
_OBJECTS = {"buttons": 6, "elements": 7}
_CUSTOM = 4
_CHUNK = {"event", "custom", *_TEXTS, *_OBJECTS}


def encode_response(events: Iterable[JsonObject], responses: Iterable[JsonObject], *, is_plain: bool = True) -> bytes:
    """Return a ``WebhookResponse``. Values that are not plain JSON yet, as a middleware's, become it.

    Raises:
        TooDeep: a value nests deeper than protobuf's readers follow.
        NotJsonableError: a value has no form in JSON.
    """
    parts = ((1, events), (2, responses)) if is_plain else ((1, jsonable(events)), (2, jsonable(responses)))
    return b"".join([field(number, write_struct(one, _note)) for number, many in parts for one in many])


def encode_actions(names: Iterable[str]) -> bytes:
    """Return an ``ActionsResponse``."""
    return b"".join([field(1, write_struct({"name": name})) for name in names])


def chunk_start(response_id: str) -> bytes:
    """Return the event with which the chunks of a response begin."""
    return field(1, field(1, response_id.encode()))


def chunk(response_id: str, piece: Mapping[str, Any]) -> bytes:
    """Return the event of one chunk. What the message has no field for is left out, and the log says so.

    Raises:
        TooDeep, NotJsonableError: as for an answer.
    """
    fields = [field(1, response_id.encode())]
    for key, number in _TEXTS.items():
        if piece.get(key) is not None:
            fields.append(field(number, _text(piece[key])))
    custom = piece.get("custom")
    if custom:
        fields.append(field(_CUSTOM, write_struct(_object(custom), _note)))
    for key, number in _OBJECTS.items():
        many = jsonable(piece.get(key) or [])
        for one in [many] if isinstance(many, dict) else many:
            fields.append(field(number, write_struct(_object(one), _note)))
    lost = sorted(str(key) for key in piece if key not in _CHUNK and piece[key] is not None)
    if lost:
        logger.warning("stream.keys_lost", extra={"keys": lost, "problem": "a chunk of gRPC has no field for them"})
    return field(2, b"".join(fields))


def chunk_end(response_id: str) -> bytes:
    """Return the event with which the chunks of a response end."""
    return field(3, field(1, response_id.encode()))


def final_result(response: bytes) -> bytes:
    """Return the last event of a stream, of a serialized response."""
    return field(4, response)


def stream_error(action: str, message: str) -> bytes:
    """Return the event that stands for the result of an action that failed."""
    return field(5, field(1, write_text(action)) + field(2, write_text(message)))


def _text(value: object) -> bytes:
    plain = jsonable(value)
    return write_text(plain if isinstance(plain, str) else str(plain), _note)


def _object(value: object) -> JsonObject:
    plain = jsonable(value)
    return plain if isinstance(plain, dict) else {"value": plain}


def _note(problem: str) -> None:
    logger.warning("grpc.value_changed", extra={"problem": problem})
