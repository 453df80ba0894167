"""JSON-RPC as MCP uses it: one message in a request, and the errors that clients understand."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec

from action_server.errors import CallError
from action_server.protocol.calls import is_deeper
from action_server.protocol.jsonable import JsonObject

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603
HEADER_MISMATCH, UNSUPPORTED_PROTOCOL_VERSION = -32020, -32022

# The engine's client drops the whole session at any other status, and with it the calls of others: only where no id
# could be read nobody waits for an answer to it.
NO_ID = 400

MessageId = str | int | float


class MessageError(Exception):
    """A message is answered with an error of JSON-RPC. ``problem`` holds nothing of what was sent.

    ``id`` is that of the message where it could be read of one that is malformed.
    """

    def __init__(
        self, code: int, problem: str, data: Mapping[str, Any] | None = None, id: MessageId | None = None
    ) -> None:
        super().__init__(problem)
        self.code, self.problem, self.data, self.id = code, problem, data, id


@dataclass(frozen=True)
class Message:
    """A request; without an ``id`` a notification. ``is_response`` is what nobody asked for."""

    method: str
    params: JsonObject = field(default_factory=dict)
    id: MessageId | None = None
    is_response: bool = False

    @property
    def meta(self) -> Mapping[str, Any]:
        """What stands in ``_meta``."""
        found = self.params.get("_meta")
        return found if isinstance(found, dict) else {}


def read_message(body: bytes, max_depth: int) -> Message:
    """Read a message. Raises :class:`MessageError`."""
    found = _parse(body, max_depth)
    if not isinstance(found, dict):
        what = "a batch; send one message in a request" if isinstance(found, list) else "no object"
        raise MessageError(INVALID_REQUEST, f"the body is {what}")
    if "id" not in found and isinstance(found.get("method"), str):
        # Whatever else it says: nothing is answered to a notification, not even that it is wrong.
        return Message(found["method"])
    identifier = found.get("id")
    if "id" in found and not _is_id(identifier):
        raise MessageError(INVALID_REQUEST, "id has to be a string or a number")
    return _message(found, identifier)


def _is_id(value: object) -> bool:
    if isinstance(value, float):
        # Python reads NaN and 1e999, which nobody could read in an answer.
        return math.isfinite(value)
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def _parse(body: bytes, max_depth: int) -> Any:
    if is_deeper(body, max_depth):
        raise MessageError(
            INVALID_REQUEST, f"the body nests objects and lists deeper than {max_depth}", id=_read_id(body)
        )
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        pass
    try:
        # An integer may have more digits than Python takes for one; the message is read, and its id.
        return json.loads(body, parse_int=_integer)
    except (ValueError, RecursionError):
        raise MessageError(PARSE_ERROR, "the body is not JSON") from None


class _Envelope(msgspec.Struct):
    id: Any = None


def _read_id(body: bytes) -> MessageId | None:
    """Return the id of a message whose other parts nobody reads: one deep argument must not end the calls of others."""
    try:
        # What is no part of the envelope is passed over, to the depth that msgspec bounds itself.
        found = msgspec.json.decode(body, type=_Envelope).id
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return found if _is_id(found) else None


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def _message(found: JsonObject, identifier: MessageId | None) -> Message:
    method, params = found.get("method"), found.get("params")
    if method is None and ("result" in found or "error" in found):
        return Message("", {}, identifier, is_response=True)
    if found.get("jsonrpc") != "2.0":
        raise MessageError(INVALID_REQUEST, 'jsonrpc has to be "2.0"', id=identifier)
    if not isinstance(method, str) or not method:
        raise MessageError(INVALID_REQUEST, "method has to be a string", id=identifier)
    if params is not None and not isinstance(params, dict):
        raise MessageError(INVALID_PARAMS, "params has to be an object", id=identifier)
    return Message(method, params or {}, identifier)


def encode_result(identifier: MessageId, result: bytes) -> bytes:
    """Encode the answer to a request."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (_id(identifier), result)


def encode_error(identifier: MessageId | None, error: MessageError) -> bytes:
    """Encode an error. Without an id it has none: there are clients that do not read one that is null."""
    told: JsonObject = {"code": error.code, "message": error.problem}
    if error.data is not None:
        told["data"] = error.data
    known = b"" if identifier is None else b'"id":%b,' % _id(identifier)
    return b'{"jsonrpc":"2.0",%b"error":%b}' % (known, dump(told))


def encode_refusal(error: CallError) -> bytes:
    """Encode what a request is answered with that was refused before anybody read its message."""
    code = INTERNAL_ERROR if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR else INVALID_REQUEST
    data = None if error.error_id is None else {"error_id": error.error_id}
    return encode_error(None, MessageError(code, error.message, data))


def _id(identifier: MessageId) -> bytes:
    # Escaped, so that half a character comes back as it came.
    return json.dumps(identifier).encode("ascii")


def dump(value: object) -> bytes:
    """Return a value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")
