"""The assistant's project, as far as there is one here: its slots, and which steps of its flows call an action."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from action_server.errors import SettingsError
from action_server.flows.graph.drawing import svg
from action_server.flows.graph.graph import graph_of
from action_server.project.domain import Slot
from action_server.project.flows import ActionStep, CollectStep, Flow, Step
from action_server.project.location import locate_project
from action_server.project.project import Project
from action_server.project.project_reader import read_project
from action_server.tools.domain import read_domain

# For how long what was read counts, in seconds: a page and those opened from it are of one state.
_FRESH = 2.0


@dataclass(frozen=True)
class Caller:
    """A flow that calls an action: the steps that do, each with its place, and the flow drawn."""

    flow: str
    name: str
    steps: Sequence[tuple[str, str]]
    drawing: str


class ProjectView:
    """Reads the project of the working directory when somebody looks; may be used on any thread."""

    def __init__(self, domain: Path | None) -> None:
        self._domain_path = domain
        self._lock = threading.Lock()
        self._read_at = 0.0
        self._project: Project | None = None

    @property
    def project(self) -> Project | None:
        """The project; None if there is none here."""
        with self._lock:
            if time.monotonic() - self._read_at > _FRESH or not self._read_at:
                folder = locate_project(Path.cwd())
                self._project = None if folder is None else read_project(folder)
                self._read_at = time.monotonic()
            return self._project

    @property
    def slots(self) -> Mapping[str, Slot]:
        """The slots of the domain, without those of the engine."""
        project = self.project
        slots = {} if project is None else project.domain.slots
        return {name: slot for name, slot in slots.items() if not slot.is_default}

    def domain(self) -> Mapping[str, Any]:
        """Return the domain as it is sent with calls; empty if there is none."""
        path = self._domain_path
        project = self.project
        if path is None and project is not None:
            root = Path(project.root)
            path = next((root / n for n in ("domain.yml", "domain.yaml", "domain") if (root / n).exists()), None)
        try:
            return {} if path is None else read_domain(path, "domain")
        except SettingsError:
            return {}

    def callers(self, action: str) -> list[Caller]:
        """Return the flows that call an action, each drawn with the steps that do."""
        project = self.project
        if project is None:
            return []
        found = []
        for flow in project.flows.values():
            steps = [step for step in flow.by_id.values() if calls(step, action)]
            if steps:
                drawing = svg(graph_of(flow, {step.id for step in steps}, ()), is_styled=False)
                named = [(step.id, str(step.at)) for step in steps]
                found.append(Caller(flow.id, flow.readable_name, named, drawing))
        return found

    def names_of_callers(self) -> Mapping[str, Collection[str]]:
        """Return the names of the flows that call each action."""
        project = self.project
        found: dict[str, list[str]] = {}
        for flow in project.flows.values() if project is not None else ():
            for name in sorted(_called(flow)):
                found.setdefault(name, []).append(flow.id)
        return found


def calls(step: Step, action: str) -> bool:
    """Tell whether a step calls an action, or asks for a slot that it asks for or validates."""
    if isinstance(step, ActionStep):
        return step.action == action
    return isinstance(step, CollectStep) and action in _of_collect(step)


def _of_collect(step: CollectStep) -> tuple[str, ...]:
    return step.ask_action, f"validate_{step.collect}"


def _called(flow: Flow) -> set[str]:
    found: set[str] = set()
    for step in flow.by_id.values():
        if isinstance(step, ActionStep):
            found.add(step.action)
        elif isinstance(step, CollectStep):
            found |= set(_of_collect(step))
    return found
