"""Which steps of a project's flows its tests came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from action_server.flows.e2e.runner import Result
from action_server.flows.graph.graph import ELSE, Edge, condition_label
from action_server.flows.player.trace import StepTaken
from action_server.project.flows import END, START, Flow, Step


@dataclass(frozen=True)
class FlowCoverage:
    """The steps of one flow, and those no test came to."""

    flow: Flow
    missing: tuple[Step, ...]

    @property
    def steps(self) -> int:
        """Return how many steps there are."""
        return len(self.flow.by_id)

    @property
    def covered(self) -> int:
        """Return how many steps a test came to."""
        return self.steps - len(self.missing)

    @property
    def missing_lines(self) -> list[int]:
        """Return the lines of the steps that are missing, in order."""
        return sorted({step.at.line for step in self.missing})


def executed_steps(results: Iterable[Result]) -> dict[str, set[str]]:
    """Return the ids of the steps that were taken, END among them, by flow."""
    found: dict[str, set[str]] = {}
    for result in results:
        for played in result.turns:
            for step in played.turn.steps:
                if not step.skipped and step.step:
                    found.setdefault(step.flow, set()).add(END if step.kind == "end" else step.step)
    return found


def taken_ways(results: Iterable[Result]) -> dict[str, set[Edge]]:
    """Return the ways that were taken from step to step, by flow."""
    found: dict[str, set[Edge]] = {}
    for result in results:
        last: dict[str, StepTaken] = {}
        for step in (step for played in result.turns for step in played.turn.steps):
            if step.skipped or not step.step:
                continue
            before = last.get(step.flow)
            target = END if step.kind == "end" else step.step
            way = Edge(before.step, target, _label(before, target)) if before else Edge(START, target)
            found.setdefault(step.flow, set()).add(way)
            last[step.flow] = step
            if step.kind == "end":
                del last[step.flow]
    return found


def _label(step: StepTaken, target: str) -> str:
    """Return what decided for a way, as the graph of the flow names it."""
    branches = [decision for decision in step.decisions if decision.led_to]
    decided = next((decision for decision in branches if decision.value), None)
    if decided is not None:
        return condition_label(decided.condition) if decided.led_to == target else ""
    return ELSE if branches else ""


def coverage_of(flows: Mapping[str, Flow], results: Iterable[Result]) -> list[FlowCoverage]:
    """Return the coverage of each flow, in the order of the files."""
    executed = executed_steps(results)
    found = []
    for flow in flows.values():
        taken = executed.get(flow.id, set())
        found.append(FlowCoverage(flow, tuple(step for step in flow.by_id.values() if step.id not in taken)))
    return found


def percentage(coverages: Sequence[FlowCoverage]) -> float:
    """Return how many of all steps a test came to, in percent; 100 if there are none."""
    steps = sum(coverage.steps for coverage in coverages)
    return 100 * sum(coverage.covered for coverage in coverages) / steps if steps else 100.0
