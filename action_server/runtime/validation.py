"""Runs the synchronous ``validate_<slot>`` and ``extract_<slot>`` methods of validation actions on threads.

rasa-sdk's ``ValidationAction`` calls them on the event loop, from inside of two of its methods. Those two are replaced
on the class, not on a subclass of ours: authors derive from rasa-sdk's classes, and ``super()`` in their overrides has
to come here too. Where no worker of ours is running, the replacements call rasa-sdk's originals.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from rasa_sdk import ActionExecutionRejection, Tracker, ValidationAction
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.interfaces import ActionMissingDomainException, ActionNotFoundException

from action_server.errors import ActionServerError
from action_server.runtime.slot_results import read_result
from action_server.runtime.threads import Threads, current_threads

logger = logging.getLogger(__name__)

Domain = dict[str, Any]

# Said when a value was rejected because its validator failed, if the assistant's domain has such a response.
REJECTED_RESPONSE = "utter_slot_rejected"
# What authors raise on purpose.
_MEANT = (ActionExecutionRejection, ActionNotFoundException, ActionMissingDomainException, ActionServerError)

_original_validate: Callable[..., Awaitable[list[EventType]]] = ValidationAction.get_validation_events
_original_extract: Callable[..., Awaitable[dict[str, Any]]] = ValidationAction._extract_slot


def install() -> None:
    """Make rasa-sdk's validation actions use the worker's threads. Doing it again changes nothing."""
    ValidationAction.get_validation_events = _get_validation_events
    ValidationAction._extract_slot = _extract_slot


async def _get_validation_events(
    self: ValidationAction, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain
) -> list[EventType]:
    threads = current_threads.get()
    if threads is None:
        return await _original_validate(self, dispatcher, tracker, domain)
    wanted = await self.required_slots(self.domain_slots(domain), dispatcher, tracker, domain)
    slots: dict[str, Any] = tracker.slots_to_validate()
    for name, value in list(slots.items()):
        if name not in wanted:
            slots.pop(name)
            continue
        method = getattr(self, f"validate_{name.replace('-', '_')}", None)
        if method is None:
            logger.warning("slot.not_validated", extra={"slot": name, "problem": "there is no validate method"})
            continue
        found = await _validate_slot(threads, method, name, value, dispatcher, tracker, domain)
        slots.update(found)
        # So that the next validate method sees what this one decided.
        tracker.slots.update(found)
    return [SlotSet(name, value) for name, value in slots.items()]


async def _extract_slot(
    self: ValidationAction, slot_name: str, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Domain
) -> dict[str, Any]:
    threads = current_threads.get()
    method = getattr(self, f"extract_{slot_name.replace('-', '_')}", None)
    if threads is None or method is None:
        return await _original_extract(self, slot_name, dispatcher, tracker, domain)
    return await _extract_from(threads, method, slot_name, dispatcher, tracker, domain)


async def _validate_slot(
    threads: Threads,
    method: Callable[..., Any],
    slot: str,
    value: object,
    dispatcher: CollectingDispatcher,
    tracker: Tracker,
    domain: Domain,
) -> dict[str, Any]:
    """Return what a validate method decided. One that fails has not accepted the value, so the slot is emptied."""
    try:
        found = await threads.call(method, value, dispatcher, tracker, domain)
        # A generator may fail only now.
        slots = _slots_of(found, slot, "slot.not_validated")
    except _MEANT:
        raise
    except Exception:
        logger.exception("slot.not_validated", extra={"slot": slot, "problem": "the validate method failed"})
    else:
        if slots is not None:
            return slots
    if REJECTED_RESPONSE in (domain.get("responses") or {}):
        dispatcher.utter_message(response=REJECTED_RESPONSE, slot=slot)
    return {slot: None}


async def _extract_from(threads: Threads, method: Callable[..., Any], slot: str, *args: object) -> dict[str, Any]:
    try:
        found = await threads.call(method, *args)
        return _slots_of(found, slot, "slot.not_extracted") or {}
    except _MEANT:
        raise
    except Exception:
        logger.exception("slot.not_extracted", extra={"slot": slot, "problem": "the extract method failed"})
        return {}


def _slots_of(found: object, slot: str, failure: str) -> dict[str, Any] | None:
    """Return the slots a method meant, and say in the log if that was not what it should return; None for nothing."""
    if isinstance(found, dict) and "event" not in found and dict not in map(type, found.values()):
        return found
    result = read_result(found, slot)
    if result is None:
        problem = f"the method returned {type(found).__name__}, not a dict of slots"
        logger.warning(failure, extra={"slot": slot, "problem": problem})
        return None
    if result.slots != found:
        facts = {"slot": slot, "found": type(found).__name__, "left_out": ",".join(result.left_out)}
        logger.warning("slot.repaired", extra=facts)
    return result.slots
