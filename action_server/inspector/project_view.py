"""The assistant's project, as far as there is one here: its slots, and which steps of its flows call an action."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from action_server.errors import SettingsError
from action_server.flows.check.stories import steps_of_all
from action_server.flows.graph.drawing import svg
from action_server.flows.graph.graph import graph_of
from action_server.project.domain import Slot
from action_server.project.flows import ActionStep, CollectStep, Flow, Step
from action_server.project.location import locate_project
from action_server.project.project import Project
from action_server.project.project_reader import read_project
from action_server.project.sources import Sources, read_sources
from action_server.project.yaml_node import Node
from action_server.project.yaml_tree import Trees
from action_server.source import Place
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


class ClassicCaller(NamedTuple):
    """A rule, a story or a form that calls an action, and its place."""

    what: str
    place: str


class ProjectView:
    """Reads the project of the working directory when somebody looks; may be used on any thread."""

    def __init__(self, domain: Path | None) -> None:
        self._domain_path = domain
        self._lock = threading.Lock()
        self._read_at = 0.0
        self._project: Project | None = None
        self._trees = Trees()

    @property
    def project(self) -> Project | None:
        """The project; None if there is none here, and no domain is named."""
        with self._lock:
            if time.monotonic() - self._read_at > _FRESH or not self._read_at:
                self._trees = Trees()
                folder = locate_project(Path.cwd())
                if folder is not None or self._domain_path is not None:
                    self._project = read_project(folder or Path.cwd(), domain=self._domain_path, trees=self._trees)
                else:
                    self._project = None
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

    def classic_callers(self, action: str) -> list[ClassicCaller]:
        """Return the rules, stories and forms that call an action."""
        project = self.project
        if project is None:
            return []
        found = [ClassicCaller(what, str(place)) for what, place in _of_forms(project, action)]
        if project.has_rules or project.has_stories:
            for what, step in steps_of_all(self._sources(project)):
                for key in ("action", "active_loop"):
                    if _names(step, key) & {action, action.removeprefix("validate_")}:
                        found.append(ClassicCaller(what, str(step.keys[key])))
        return list(dict.fromkeys(found))

    def _sources(self, project: Project) -> Sources:
        root = Path(project.root)
        # Beside the data, which was read already, nothing is of interest.
        return read_sources(project, root, self._domain_path, None, root / "data", self._trees)

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


def _of_forms(project: Project, action: str) -> Iterator[tuple[str, Place]]:
    for form in project.domain.forms.values():
        if action == f"validate_{form.name}":
            yield f"the form {form.name!r}, whose slots it validates", form.at
        for slot in form.required_slots:
            if action in (f"action_ask_{slot}", f"action_ask_{form.name}_{slot}"):
                yield f"the form {form.name!r}, to ask for {slot!r}", form.at


def _names(step: Node, key: str) -> set[str]:
    node = step.get(key)
    return {node.raw} if node is not None and node.is_scalar and node.raw else set()


def _called(flow: Flow) -> set[str]:
    found: set[str] = set()
    for step in flow.by_id.values():
        if isinstance(step, ActionStep):
            found.add(step.action)
        elif isinstance(step, CollectStep):
            found |= set(_of_collect(step))
    return found
