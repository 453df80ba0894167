"""Which steps of a project's flows its tests came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from action_server.flows.e2e.runner import Result
from action_server.flows.model import END, Flow, Step


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
        for played in result.played:
            for step in played.turn.steps:
                if not step.skipped and step.step:
                    found.setdefault(step.flow, set()).add(END if step.kind == "end" else step.step)
    return found


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
