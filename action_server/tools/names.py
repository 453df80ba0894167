"""Names that every client takes: of tools, of arguments, of the keys of an answer."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from action_server.runtime.tool_options import LONGEST_TOOL_NAME

LONGEST_ARGUMENT = 64
# What a tool's answer says of itself, and what clients understand in their own way: `result` is all that a sub agent's
# model sees, `errors` is a failure to some.
RESERVED_KEYS = frozenset({"ok", "error", "errors", "text", "responses", "result", "followup_action"})

_ARGUMENT = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_NOT_OF_A_TOOL = re.compile(r"[^A-Za-z0-9_-]+")
_NOT_OF_AN_ARGUMENT = re.compile(r"[^a-zA-Z0-9_.-]+")


def tool_name(action: str) -> str:
    """Return what an action is called as a tool: its own name, if that will do."""
    name = _fitting(action, _NOT_OF_A_TOOL, LONGEST_TOOL_NAME)
    # Gemini refuses all tools where the name of one begins otherwise (public reports).
    return name if name[0].isalpha() else _fitting(f"x_{action}", _NOT_OF_A_TOOL, LONGEST_TOOL_NAME)


def argument_name(slot: str) -> str:
    """Return the name of the argument for a slot: the slot's own, if that will do."""
    return slot if _ARGUMENT.fullmatch(slot) else _fitting(slot, _NOT_OF_AN_ARGUMENT, LONGEST_ARGUMENT)


def answer_key(slot: str) -> str:
    """Return the key of a slot in an answer: what it is called as an argument, if an answer says nothing else by it."""
    name = argument_name(slot)
    return f"slot_{name}" if name in RESERVED_KEYS else name


def twice(names: Iterable[str]) -> str | None:
    """Return the first name that stands there a second time."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _fitting(name: str, unfit: re.Pattern[str], longest: int) -> str:
    # An umlaut becomes its letter, whatever has none becomes a low line.
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode("ascii")
    fitting = unfit.sub("_", plain).lstrip("_.-")
    if fitting and len(fitting) <= longest:
        return fitting
    # Of two long names that begin alike, each keeps its own.
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{fitting[: longest - 7]}_{digest}" if fitting else f"x_{digest}"
