"""The webhook's JSON on one side, our objects on the other; the only module that knows its keys.

The rules are those of real engines (Rasa Open Source 3.6 and Rasa Pro 3.21): which keys may be missing, which
may be null. The standard library's decoder is used on purpose: engines write ``NaN`` and lone surrogates, and
integers of any size have to come back as they went out. :mod:`action_server.protocol.lazy` reads most requests
faster and must come to the same.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from action_server.errors import CallError, RequestError
from action_server.protocol.jsonable import JsonObject, jsonable

_WORDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}

# Of the call and of its tracker: all of these may be missing or null. What is not listed is not looked at.
_CALL_FIELDS: tuple[tuple[str, type], ...] = (
    ("sender_id", str),
    ("domain", dict),
    ("domain_digest", str),
    ("version", str),
)
_TRACKER_FIELDS: tuple[tuple[str, type], ...] = (
    ("sender_id", str),
    ("slots", dict),
    ("latest_message", dict),
    ("events", list),
    ("paused", bool),
    ("followup_action", str),
    ("active_loop", dict),
    ("active_form", dict),
    ("latest_action_name", str),
    ("stack", list),
    ("user_id", str),
)
# What a domain's format says of these is all that actions and rasa-sdk's forms rely on.
_DOMAIN_FIELDS: tuple[tuple[str, type], ...] = (
    ("slots", dict),
    ("responses", dict),
    ("session_config", dict),
    ("intents", list),
    ("entities", list),
    ("actions", list),
)


@dataclass(frozen=True)
class Call:
    """One request of an engine, decoded and checked.

    ``tracker`` is the tracker's JSON object as it came; ``domain`` is ``None`` when the engine did not send one;
    ``domain_digest`` is ``None`` for engines that never send digests; ``version`` is the engine's own version.
    """

    action: str
    sender_id: str
    tracker: JsonObject
    domain: JsonObject | None = None
    domain_digest: str | None = None
    version: str | None = None

    @property
    def brings_domain(self) -> bool:
        """Whether the engine sent a domain."""
        return self.domain is not None

    @property
    def domain_bytes(self) -> bytes | None:
        """The domain as it came, to tell it from another one; None if there is none, or it came in no form."""
        return None

    @property
    def domain_json(self) -> bytes | None:
        """The domain's JSON as it came; None if there is no domain, or it came in another form."""
        return None

    def part(self, name: str) -> Any:
        """Return one field of the tracker, None if it is missing."""
        return self.tracker.get(name)


def decode_call(body: bytes, max_depth: int = 100) -> Call:
    """Decode the body of ``POST /webhook``.

    Raises:
        RequestError: the body is not such a request, or nests objects and lists deeper than ``max_depth``; the message
            names the place and the problem, no values.
    """
    if is_deeper(body, max_depth):
        raise RequestError(
            f"the body nests objects and lists deeper than {max_depth}; raise --max-json-depth if it must"
        )
    return call_from(_parse(body))


def call_from(payload: object) -> Call:
    """Check a decoded request and give it a shape. Raises :class:`RequestError` as :func:`decode_call`."""
    if not isinstance(payload, dict):
        raise RequestError(f"the body must be a JSON object, not {_word(payload)}")
    action = _next_action(payload)
    try:
        _check_fields(payload, _CALL_FIELDS, "")
        tracker = _tracker(payload)
        sender_id = tracker.get("sender_id") or payload.get("sender_id")
        if sender_id is None:
            raise RequestError("tracker.sender_id is missing; it must be a string")
    except RequestError as exc:
        exc.action = action
        raise
    return Call(
        action=action,
        sender_id=sender_id,
        tracker=tracker,
        domain=payload.get("domain"),
        domain_digest=payload.get("domain_digest"),
        version=payload.get("version"),
    )


def encode_call(
    action: str,
    *,
    slots: Mapping[str, Any],
    message: str | None = None,
    sender_id: str = "default",
    domain: Mapping[str, Any] | None = None,
    version: str,
) -> bytes:
    """Encode a request as an engine would send it in the first turn of a conversation, which begins now.

    The slots stand at the end of the events, as a form's candidates do, so that ``validate_*`` actions see them.
    """
    # Without a time, two calls would look like one that was sent again, to actions that run once.
    now = time.time()
    events: list[JsonObject] = [
        {"event": "action", "timestamp": now, "name": "action_session_start"},
        {"event": "session_started", "timestamp": now},
        {"event": "action", "timestamp": now, "name": "action_listen"},
    ]
    latest: JsonObject = {"intent": {}, "entities": [], "text": message, "message_id": None, "metadata": {}}
    if message is not None:
        events.append({"event": "user", "timestamp": now, "text": message, "parse_data": latest})
    events += [{"event": "slot", "timestamp": now, "name": k, "value": v} for k, v in slots.items()]
    tracker = {
        "sender_id": sender_id,
        "slots": dict(slots),
        "latest_message": latest,
        "latest_event_time": now,
        "followup_action": None,
        "paused": False,
        "stack": [],
        "events": events,
        "latest_input_channel": None,
        "active_loop": {},
        "latest_action": {"action_name": "action_listen"},
        "latest_action_name": "action_listen",
    }
    call = {"next_action": action, "sender_id": sender_id, "tracker": tracker, "version": version}
    return _dump({**call, "domain": dict(domain or {})})


def encode_reply(events: Sequence[JsonObject], responses: Sequence[JsonObject]) -> bytes:
    """Encode the body of a 200: both keys always, in rasa-sdk's order.

    The values are JSON already, unless a middleware made them: then they become JSON here, and NaN becomes null.
    Raises :class:`~action_server.protocol.jsonable.NotJsonableError`.
    """
    if not (events or responses):
        return _EMPTY_REPLY
    reply = {"events": events, "responses": responses}
    try:
        return _to_strict_json(reply).encode("ascii")
    except (TypeError, ValueError, RecursionError):
        return _to_strict_json(jsonable(reply)).encode("ascii")


def encode_plain_reply(events: Sequence[JsonObject], responses: Sequence[JsonObject]) -> bytes:
    """Encode the body of a 200 whose values are JSON already, in a fifth of the time; texts go out as UTF-8."""
    if not (events or responses):
        return _EMPTY_REPLY
    try:
        return _to_plain_json({"events": events, "responses": responses})
    except (TypeError, ValueError, RecursionError):
        # A lone surrogate of a user's message, which UTF-8 cannot hold, among others.
        return encode_reply(events, responses)


_EMPTY_REPLY = b'{"events":[],"responses":[]}'


def encode_error(error: CallError) -> bytes:
    """Encode the body that goes with an error.

    ``action_name`` is always there: Rasa Open Source reads it from every 400 without looking whether it exists.
    """
    body = {"error": error.message, "action_name": error.action}
    if error.error_id is not None:
        body["error_id"] = error.error_id
    return _dump(body)


# ASCII only: a lone surrogate of a user's message survives as an escape, and could not be encoded otherwise.
_to_json = json.JSONEncoder(separators=(",", ":")).encode
# Without NaN and infinity, which parsers of other languages refuse; requests have them, as engines write them.
_to_strict_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_to_plain_json = msgspec.json.Encoder().encode


def _dump(value: object) -> bytes:
    return _to_json(value).encode("ascii")


_TEXTS = re.compile(rb'"[^"]*"')
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))
# One kind of brackets is enough to count levels; whether they match is the decoder's business.
_BRACKETS = bytes.maketrans(b"{}", b"[]")


def is_deeper(body: bytes, limit: int) -> bool:
    """Tell whether objects and lists are nested deeper than ``limit``, without decoding anything.

    First everything goes that is no bracket, in a few passes in C over the whole body; then one pass for each level
    takes the innermost pairs away.
    """
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    structure = body
    if b"\\" in structure:
        # Escaped backslashes first: of the quotes that are left, each one opens or closes a text.
        structure = structure.replace(b"\\\\", b"").replace(b'\\"', b"")
    structure = structure.translate(_BRACKETS, _NOT_STRUCTURE)
    brackets = _TEXTS.sub(b"", structure.replace(b'""', b""))
    for _ in range(limit):
        rest = brackets.replace(b"[]", b"")
        if len(rest) == len(brackets):
            # Nothing, or brackets that do not match: the decoder will say so, if they do not open for ever.
            return rest.count(b"[") > limit
        brackets = rest
    return bool(brackets)


def _parse(body: bytes) -> object:
    if not body.strip():
        raise RequestError("the request has no body; send a JSON object")
    try:
        return json.loads(body)
    except json.JSONDecodeError as exc:
        place = f"line {exc.lineno}, column {exc.colno}"
        raise RequestError(f"the body is not JSON: {exc.msg} ({place})") from None
    except UnicodeDecodeError as exc:
        raise RequestError(f"the body is not {exc.encoding} text (at byte {exc.start})") from None
    except RecursionError:
        raise RequestError("the body is nested too deeply") from None
    except ValueError:
        # Python refuses to read integers of more than 4300 digits: reading them takes quadratic time.
        raise RequestError("the body holds a number with too many digits") from None


def _next_action(payload: JsonObject) -> str:
    action = payload.get("next_action")
    if action is None or action == "":
        raise RequestError("next_action is missing; it must be the name of an action")
    if not isinstance(action, str):
        raise RequestError(f"next_action must be a string, not {_word(action)}")
    return action


def _tracker(payload: JsonObject) -> JsonObject:
    tracker = payload.get("tracker")
    if not isinstance(tracker, dict):
        problem = "is missing; it must be" if tracker is None else f"is {_word(tracker)}; it must be"
        raise RequestError(f"tracker {problem} an object")
    _check_fields(tracker, _TRACKER_FIELDS, "tracker.")
    for name in ("events", "stack", "latest_message"):
        check_part(name, tracker.get(name))
    return tracker


def check_part(name: str, value: Any) -> None:
    """Check what is inside of a field of the tracker, which is of its type already. Raises :class:`RequestError`."""
    if name == "events":
        for index, event in enumerate(value or ()):
            if problem := _problem_of_event(event):
                raise RequestError(f"tracker.events[{index}]{problem}")
    elif name == "stack":
        _check_objects(value, "tracker.stack")
    elif name == "latest_message":
        message = value or {}
        _check_fields(message, (("entities", list),), "tracker.latest_message.")
        _check_objects(message.get("entities"), "tracker.latest_message.entities")


def check_domain(domain: JsonObject) -> None:
    """Check what is inside of a domain, as far as its format fixes it. Raises :class:`RequestError`.

    https://rasa.com/docs/reference/config/domain; forms were a list once, and what else there is is not looked at.
    """
    forms = (("forms", list if isinstance(domain.get("forms"), list) else dict),)
    _check_fields(domain, (*_DOMAIN_FIELDS, *forms), "domain.")
    for key in ("slots", "forms"):
        found = domain.get(key)
        for name, value in found.items() if isinstance(found, dict) else ():
            _check_fields({name: value}, ((name, dict),), f"domain.{key}.")
    for name, variations in (domain.get("responses") or {}).items():
        _check_fields({name: variations}, ((name, list),), "domain.responses.")
        _check_objects(variations, f"domain.responses.{name}")


def _check_fields(value: JsonObject, fields: Sequence[tuple[str, type]], prefix: str) -> None:
    for key, kind in fields:
        found = value.get(key)
        if found is not None and not isinstance(found, kind):
            raise RequestError(f"{prefix}{key} must be {_WORDS[kind]}, not {_word(found)}")


def _problem_of_event(event: object) -> str:
    """Say what is wrong with an event; empty if nothing is. A history may have thousands."""
    if not isinstance(event, dict):
        return f" must be an object, not {_word(event)}"
    name = event.get("event")
    if not isinstance(name, str):
        return f".event must be a string, not {_word(name)}"
    if name == "slot" and not (isinstance(event.get("name"), str) and "value" in event):
        return " sets a slot, so it needs a name (a string) and a value"
    return ""


def _check_objects(items: list[object] | None, prefix: str) -> None:
    for index, item in enumerate(items or ()):
        if not isinstance(item, dict):
            raise RequestError(f"{prefix}[{index}] must be an object, not {_word(item)}")


def _word(value: object) -> str:
    return _WORDS[type(value)]
