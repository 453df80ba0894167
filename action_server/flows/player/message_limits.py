"""Messages that nobody is asked to understand: empty ones, and those over the length limit of config.yml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Where the command generator's `user_input: max_characters` says nothing (rasa-pro 3.21.0, read).
DEFAULT_MOST_CHARACTERS = 420


def most_characters(config: Mapping[str, Any]) -> int:
    """Return how long a message may be; a negative number is no limit."""
    pipeline = config.get("pipeline")
    for component in pipeline if isinstance(pipeline, list) else ():
        if isinstance(component, Mapping) and "CommandGenerator" in str(component.get("name")):
            said = component.get("user_input")
            limit = said.get("max_characters") if isinstance(said, Mapping) else None
            return limit if isinstance(limit, int) else DEFAULT_MOST_CHARACTERS
    return DEFAULT_MOST_CHARACTERS


def fault_of(message: str, most: int) -> tuple[str, dict[str, Any]] | None:
    """Return the type of the error and its facts, as the pattern for errors has them; None if there is none."""
    if not message.strip():
        return "rasa_internal_error_user_input_empty", {}
    if 0 <= most < len(message):
        return "rasa_internal_error_user_input_too_long", {"max_characters": most}
    return None
