"""Where a job was asked for: what the call told of its engine and channel, kept with the job's arguments.

It stands in the arguments' JSON under the one name that no parameter can have, so that every queue keeps it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from action_server.protocol.calls import Call
from action_server.protocol.tool_calls import ToolCall
from action_server.runtime.engine_call import engine_call
from action_server.telemetry.logs import running_call

ORIGIN = ""
# Beside the origin: the job forgets what it was given when it is over, and did so before it was done.
_FORGETS = "forgets"
FORGOTTEN = f'{{"{ORIGIN}": {{"is_forgotten": true}}}}'
# What stands for the channel of a call that came as a tool's.
TOOLS = "mcp"


@dataclass(frozen=True)
class Origin:
    """What the call that asked for a job told.

    Attributes:
        channel: the engine's name of the channel the user wrote on last, :data:`TOOLS` for a tool; empty if unknown.
        version: the engine's own.
        has_flows: a flow was running.
        has_user: the user had said something, so that a conversation without a message is another one.
        engine: the name by which the call told its engine, where one server works for several.
    """

    channel: str = ""
    version: str = ""
    has_flows: bool = False
    has_user: bool = False
    engine: str = ""

    @classmethod
    def of(cls, call: Call | None, engine: str = "") -> Origin:
        """Return what a call tells, which came from the engine of this name."""
        if call is None:
            return cls(engine=engine)
        if isinstance(call, ToolCall):
            return cls(channel=TOOLS, engine=engine)
        latest = call.part("latest_message") or {}
        return cls(
            channel=str(call.part("latest_input_channel") or ""),
            version=str(call.version or ""),
            has_flows=bool(call.part("stack")),
            has_user=latest.get("text") is not None,
            engine=engine,
        )

    @classmethod
    def here(cls) -> Origin:
        """Return that of the action that is running."""
        context = running_call.get(None)
        return cls.of(engine_call.get(), context.engine if context else "")

    @classmethod
    def read(cls, written: Any) -> Origin:
        """Return what :meth:`as_json` made a mapping of; another version may have written it."""
        known = written if isinstance(written, dict) else {}
        return cls(**{name: known[name] for name in cls.__dataclass_fields__ if name in known})

    def as_json(self) -> dict[str, Any]:
        """Return what is known, as a mapping of JSON."""
        return {name: value for name, value in asdict(self).items() if value}


def add_origin(arguments: str, origin: Origin, *, forgets: bool = False) -> str:
    """Return the JSON text of a job's arguments with where it was asked for, and whether it `forgets` them."""
    told = {**origin.as_json(), **({_FORGETS: True} if forgets else {})}
    if not told:
        return arguments
    rest = arguments[1:] if arguments == "{}" else f", {arguments[1:]}"
    return f"{{{json.dumps(ORIGIN)}: {json.dumps(told)}{rest}"


def read_origin(arguments: str) -> Origin:
    """Return where the job of these arguments was asked for."""
    return Origin.read(stored_arguments(arguments).get(ORIGIN))


def is_to_forget(arguments: str) -> bool:
    """Tell whether the job of these arguments forgets them when it is over: known also to who does not know the job."""
    told = stored_arguments(arguments).get(ORIGIN)
    return isinstance(told, dict) and told.get(_FORGETS) is True


def forgotten(arguments: str) -> str:
    """Return what is kept of a job's arguments when they are forgotten: whether there were any."""
    return FORGOTTEN if stored_arguments(arguments).keys() - {ORIGIN} else "{}"


def stored_arguments(text: str) -> dict[str, Any]:
    """Return what the JSON text of a job's arguments holds; nothing if it is none, as a hand may have left it."""
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return stored if isinstance(stored, dict) else {}
