"""What the log says of parts of an answer that were put right or left out, and who else hears of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

logger = logging.getLogger(__name__)

# Told of each event that was ``dropped`` or ``repaired``: which of the two, the action and the event's name.
Count = Callable[[Literal["dropped", "repaired"], str, str], None]


def ignore(*_: str) -> None:
    """Count nothing."""


@dataclass(frozen=True)
class Notes:
    """The notes on one answer. Fields and types are named, never values: those may be anybody's name."""

    action: str
    count: Count = ignore

    def event_repaired(self, event: str, field: str, found: str) -> None:
        """Say that a field of an event was put right; ``found`` is the type that was there."""
        # UserUttered of rasa_sdk.events writes `parse_data: null` itself; that one is no mistake of the author's.
        level = logging.DEBUG if found == "NoneType" else logging.WARNING
        facts = {"action": self.action, "event": event, "field": field, "found": found}
        logger.log(level, "event.repaired", extra=facts)
        self.count("repaired", self.action, event)

    def event_dropped(self, event: str, problem: str) -> None:
        """Say that an event does not go out, and why."""
        logger.warning("event.dropped", extra={"action": self.action, "event": event, "problem": problem})
        self.count("dropped", self.action, event)

    def response_repaired(self, field: str, found: str) -> None:
        """Say that a field of a response was put right or left out; ``found`` is what was there."""
        logger.warning("response.repaired", extra={"action": self.action, "field": field, "found": found})

    def response_dropped(self, problem: str) -> None:
        """Say that a response does not go out, and why."""
        logger.warning("response.dropped", extra={"action": self.action, "problem": problem})
