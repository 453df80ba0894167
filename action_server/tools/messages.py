"""What an action said, as text: its own words, or a response of the domain as an engine would say it.

A tool has no channel, so variations of a channel are not said; of several that fit it is the first, as an answer is the
same each time. Conditions written as predicates and texts of Jinja need the extra `flows`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from action_server.errors import ResponseError
from action_server.project.wordings import fill_braces, fill_in, is_same_value, render_jinja
from action_server.protocol.jsonable import JsonObject

_PARTS = ("text", "image", "attachment", "custom", "quick_replies", "elements")
# The one part that engines leave as it is.
_AS_WRITTEN = "elements"
_logger = logging.getLogger(__name__)


def messages_of(
    responses: Sequence[JsonObject], domain: Mapping[str, Any], slots: Mapping[str, Any]
) -> list[JsonObject]:
    """Return what was said, each message with what it has; a response that the domain lacks keeps its name.

    ``slots`` are those that the action had: engines say what it says before they set what it sets.
    """
    known, written = {**_empty_slots(domain.get("slots")), **slots}, domain.get("responses")
    wordings = written if isinstance(written, Mapping) else {}
    return [_message(response, wordings, known) for response in responses]


def text_of_messages(messages: Sequence[JsonObject]) -> str:
    """Return all that was said, joined; "" for nothing."""
    return "\n".join(text for message in messages if isinstance(text := message.get("text"), str) and text)


def _message(response: JsonObject, known: Mapping[str, Any], slots: Mapping[str, Any]) -> JsonObject:
    name = response.get("response") or response.get("template")
    own = {k: v for k, v in response.items() if k not in ("response", "template") and v not in (None, "", [], {})}
    if not name:
        return own
    variation = _choose(known.get(name), slots)
    if variation is None:
        return {"response": name, **own}
    said = _fill(str(name), variation, {**slots, **own})
    buttons = [*said.pop("buttons", []), *own.get("buttons", [])]
    said |= {k: own[k] for k in _PARTS if k in own}
    return {**said, "buttons": buttons} if buttons else said


def _empty_slots(slots: object) -> dict[str, Any]:
    """Return the slots of the domain as an engine has them before anybody fills them."""
    if not isinstance(slots, Mapping):
        return {}
    return {name: slot.get("initial_value") if isinstance(slot, Mapping) else None for name, slot in slots.items()}


def _choose(variations: object, slots: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first variation that fits: one with a condition before one without, none of a single channel."""
    if not isinstance(variations, list):
        return None
    fitting = [v for v in variations if isinstance(v, Mapping) and not v.get("channel")]
    conditional = (v for v in fitting if v.get("condition") and _holds(v["condition"], slots))
    return next(conditional, next((v for v in fitting if not v.get("condition")), None))


def _holds(condition: object, slots: Mapping[str, Any]) -> bool:
    if isinstance(condition, str):
        return _evaluates(condition, slots)
    return isinstance(condition, list) and all(
        isinstance(c, Mapping) and is_same_value(slots.get(str(c.get("name"))), c.get("value")) for c in condition
    )


def _evaluates(condition: str, slots: Mapping[str, Any]) -> bool:
    try:
        from action_server.project.conditions import evaluate
    except ModuleNotFoundError:
        _warn_once("a response's condition is not evaluated: it needs the extra `flows`")
        return False
    return evaluate(condition, slots).value


def _fill(name: str, variation: Mapping[str, Any], values: Mapping[str, Any]) -> JsonObject:
    parts = {k: v for k, v in variation.items() if k in (*_PARTS, "buttons") and v not in (None, "", [])}
    metadata = variation.get("metadata")
    is_jinja = isinstance(metadata, Mapping) and metadata.get("template") == "jinja"
    fill = render_jinja if is_jinja else fill_braces
    try:
        return {k: v if k == _AS_WRITTEN else fill_in(v, fill, values) for k, v in parts.items()}
    except ModuleNotFoundError:
        _warn_once(f"the response {name!r} is said as it is written: Jinja needs the extra `flows`")
    except ResponseError as exc:
        # An engine says nothing then; whoever called a tool learns more from the text.
        _warn_once(f"the response {name!r} is said as it is written: {exc}")
    return parts


@lru_cache(maxsize=256)
def _warn_once(problem: str) -> None:
    _logger.warning("tool.response", extra={"problem": problem})
