"""Where the parts of a step that calls a tool stand."""

from __future__ import annotations

from action_server.flows.check.subject import Subject
from action_server.project.flows import CallStep
from action_server.source import Place


class ToolPlaces:
    """The places of one step."""

    def __init__(self, subject: Subject, step: CallStep) -> None:
        self._step = step
        self._node = subject.sources.mapping_at(step.at)

    def key(self, name: str) -> Place:
        """Return the place of a key, or of the step."""
        return self._step.at if self._node is None else self._node.keys.get(name, self._step.at)

    def slot(self, part: str, name: str) -> Place:
        """Return the place of a slot in `input` or `output` of the mapping, or of the mapping."""
        mapping = self._node.get("mapping") if self._node is not None else None
        entries = mapping.get(part) if mapping is not None else None
        for entry in entries.elements() if entries is not None else ():
            slot = entry.get("slot")
            if slot is not None and slot.is_scalar and slot.raw == name:
                return slot.place
        return self.key("mapping")
