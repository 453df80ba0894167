"""The dialogue stack: flows and patterns that run, the active one on top.

What engines do here was read in rasa-pro 3.21.0 (rasa/dialogue_understanding/stack).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from action_server.project.flows import END, START, Condition, Rejection
from action_server.protocol.jsonable import JsonObject
from action_server.source import Place

FrameType = Literal["regular", "interrupt", "link", "call"]
FLOW = "flow"
PATTERN_COLLECT = "pattern_collect_information"
PATTERN_VALIDATE = "pattern_validate_slot"
# Too many and too small to be told as flows of their own.
QUIET_PATTERNS = (PATTERN_COLLECT, PATTERN_VALIDATE)
# In front of a step's id: the step that comes next, instead of the one that was done last.
NEXT = "NEXT:"
_OWN_KEYS = ("frame_id", "flow_id", "step_id", "frame_type", "type")


@dataclass
class Frame:
    """One flow or pattern that runs. ``step_id`` is the step done last, START or END.

    ``context`` is what a pattern is about ("collect", "reason", ...), in the engine's own words.
    """

    frame_id: str
    flow_id: str
    kind: str = FLOW
    step_id: str = START
    frame_type: FrameType = "regular"
    context: JsonObject = field(default_factory=dict)
    # Not part of what engines send: the steps that were entered.
    visited: list[str] = field(default_factory=list)
    # Of a pattern that checks a slot: its rules with their places in the files.
    rejections: tuple[Rejection, ...] = ()

    @property
    def is_flow(self) -> bool:
        """Tell a flow from a pattern."""
        return self.kind == FLOW

    @property
    def is_root(self) -> bool:
        """Tell a flow of its own from one that another flow called."""
        return self.is_flow and self.frame_type != "call"

    @property
    def is_standalone(self) -> bool:
        """Tell a flow that a user or an action started from one that another flow called or linked to."""
        return self.is_flow and self.frame_type in ("regular", "interrupt")

    @property
    def has_steps_left(self) -> bool:
        """Tell whether it is not about to end."""
        return self.step_id not in (END, f"{NEXT}{END}")

    def copy(self) -> Frame:
        """Return a frame that what happens to this one does not change."""
        return replace(self, context=dict(self.context), visited=list(self.visited))

    def wrap_up(self) -> None:
        """Let it end when its turn comes, without another step."""
        self.step_id = f"{NEXT}{END}"

    def as_json(self) -> JsonObject:
        """Return the frame as engines send it."""
        ids: JsonObject = {"frame_id": self.frame_id, "flow_id": self.flow_id, "step_id": self.step_id}
        if self.is_flow:
            return {**ids, "frame_type": self.frame_type, "type": FLOW}
        return {**ids, **self.context, "type": self.kind}

    @property
    def for_conditions(self) -> JsonObject:
        """Return what conditions and responses call `context`."""
        return {**self.as_json(), **self.context}


def frame_from(found: JsonObject) -> Frame:
    """Make a frame of what engines send."""
    nowhere = Place(file="(the stack)")
    rejections = tuple(
        Rejection(condition=Condition(text=str(r.get("if")), at=nowhere), utter=str(r.get("utter")), at=nowhere)
        for r in found.get("rejections") or ()
    )
    return Frame(
        rejections=rejections,
        frame_id=str(found.get("frame_id", "")),
        flow_id=str(found.get("flow_id", "")),
        kind=str(found.get("type", FLOW)),
        step_id=str(found.get("step_id", START)),
        frame_type=found.get("frame_type", "regular"),
        context={key: value for key, value in found.items() if key not in _OWN_KEYS},
    )


class Stack(list[Frame]):
    """Frames from the bottom to the top."""

    @property
    def top(self) -> Frame | None:
        """Return the frame that runs."""
        return self[-1] if self else None

    @property
    def active(self) -> Frame | None:
        """Return the topmost flow that is no pattern; one that was called counts."""
        return next((frame for frame in reversed(self) if frame.is_flow), None)

    @property
    def active_standalone(self) -> Frame | None:
        """Return the topmost flow that was neither called nor linked to; it is the one that others interrupt."""
        return next((frame for frame in reversed(self) if frame.is_standalone), None)

    def open_pattern(self, flow_id: str) -> Frame | None:
        """Return the topmost frame of a pattern, None if a flow lies above it."""
        for frame in reversed(self):
            if frame.is_flow:
                return None
            if frame.flow_id == flow_id:
                return frame
        return None

    @property
    def roots(self) -> list[Frame]:
        """Return the flows that are no patterns and were not called, from the bottom to the top."""
        return [frame for frame in self if frame.is_root]

    def group(self, root: Frame) -> list[Frame]:
        """Return a root's frame and those above it up to the next root: what it called, what it asks."""
        start = self.index(root)
        end = next((i for i in range(start + 1, len(self)) if self[i].is_root), len(self))
        return self[start:end]

    def standalone_group(self, flow_id: str) -> list[Frame]:
        """Return a flow's frame and those above it up to the next flow that stands alone; empty if it does not run."""
        start = next((i for i, f in enumerate(self) if f.is_standalone and f.flow_id == flow_id), None)
        if start is None:
            return []
        end = next((i for i in range(start + 1, len(self)) if self[i].is_standalone), len(self))
        return self[start:end]

    def root_of(self, frame: Frame) -> Frame | None:
        """Return the root a frame belongs to, None for a pattern below all flows."""
        return next((f for f in reversed(self[: self.index(frame) + 1]) if f.is_root), None)

    def find(self, flow_id: str) -> Frame | None:
        """Return the topmost frame of a flow or pattern."""
        return next((frame for frame in reversed(self) if frame.flow_id == flow_id), None)

    @property
    def asking(self) -> Frame | None:
        """Return the frame of the question that waits for an answer, None if none does."""
        return self.top if self.top is not None and self.top.flow_id in QUIET_PATTERNS else None

    @property
    def asked_slot(self) -> str:
        """Return the slot that is asked for, empty if none is."""
        frame = self.asking
        return str(frame.context.get("collect") or frame.context.get("validate") or "") if frame else ""

    def context_of(self, frame: Frame | None) -> JsonObject:
        """Return what conditions and responses call `context`; a question also has that of who asks."""
        if frame is None:
            return {}
        index = next((i for i, other in enumerate(self) if other is frame), 0)
        if frame.flow_id == PATTERN_COLLECT and index:
            return {**frame.for_conditions, **self.context_of(self[index - 1])}
        return frame.for_conditions

    def remove_frames(self, frames: list[Frame]) -> None:
        """Remove frames."""
        gone = {id(frame) for frame in frames}
        self[:] = [frame for frame in self if id(frame) not in gone]

    def move_to_top(self, frames: list[Frame]) -> None:
        """Move frames to the top, in their order. Each flow that stands alone is one that interrupts from then on."""
        self.remove_frames(frames)
        self.extend(frames)
        for frame in self:
            if frame.is_standalone:
                frame.frame_type = "interrupt"

    def as_json(self) -> list[JsonObject]:
        """Return the stack as engines send it."""
        return [frame.as_json() for frame in self]


def patch_between(old: list[JsonObject], new: list[JsonObject]) -> str:
    """Return the JSON patch (RFC 6902) from one stack to another, as the text of a `stack` event."""
    return json.dumps(list(_operations(old, new)))


def _operations(old: list[JsonObject], new: list[JsonObject]) -> Iterator[JsonObject]:
    common = 0
    for before, after in zip(old, new, strict=False):
        if before["frame_id"] != after["frame_id"]:
            break
        for key in {**before, **after} if before != after else ():
            path = f"/{common}/{key}"
            if key not in after:
                yield {"op": "remove", "path": path}
            elif before.get(key) != after[key]:
                yield {"op": "replace" if key in before else "add", "path": path, "value": after[key]}
        common += 1
    for index in reversed(range(common, len(old))):
        yield {"op": "remove", "path": f"/{index}"}
    for index in range(common, len(new)):
        yield {"op": "add", "path": f"/{index}", "value": new[index]}


def apply_patch(stack: list[JsonObject], update: str) -> list[JsonObject]:
    """Apply the text of a `stack` event. Raises ValueError if it does not fit."""
    try:
        result = json.loads(json.dumps(stack))
        for operation in json.loads(update):
            _apply_operation(result, operation)
        return [frame for frame in result if isinstance(frame, dict)]
    except (TypeError, KeyError, IndexError, AttributeError) as exc:
        raise ValueError(f"the update does not fit the stack ({type(exc).__name__})") from exc


def _apply_operation(document: Any, operation: JsonObject) -> None:
    *parents, last = operation["path"].strip("/").split("/")
    for part in parents:
        document = document[int(part)] if isinstance(document, list) else document[part]
    name, value = operation["op"], operation.get("value")
    if isinstance(document, dict):
        document.pop(last, None) if name == "remove" else document.update({last: value})
        return
    index = len(document) if last == "-" else int(last)
    if name == "add":
        document.insert(index, value)
    elif name == "replace":
        document[index] = value
    else:
        del document[index]
