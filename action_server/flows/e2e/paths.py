"""Which way a test took, for comparing runs of the same words: a language model may take another one each time."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from action_server.flows.e2e.cases import Case
from action_server.flows.e2e.runner import Result
from action_server.flows.player.trace import Turn
from action_server.flows.session.show import describe_command

Path = tuple[str, ...]


@dataclass(frozen=True)
class Repetition:
    """The runs of one test: how many there were, how many took the most frequent way, and how another one differs.

    ``usual_passes``: all runs that took the most frequent way passed.
    """

    case: Case
    runs: int
    passed: int
    same: int
    ways: int
    difference: tuple[str, ...] = ()
    usual_passes: bool = True

    @property
    def percent(self) -> float:
        """How many of a hundred runs take the most frequent way."""
        return 100 * self.same / self.runs


def path_of(result: Result) -> Path:
    """Return a run's way, a line for each thing that was understood, decided or done; values of slots are left out."""
    lines: list[str] = []
    for played in result.turns:
        turn = played.turn
        if played.step is not None:
            lines.append(f"you: {played.step.meant}")
            lines.append(f"  understood: {understood(turn)}")
        lines += [f"  {step.flow}: {step.step} ({step.what})" for step in turn.steps if not step.skipped]
    if result.problem:
        lines.append(f"  error: {result.problem}")
    return tuple(lines)


def understood(turn: Turn) -> str:
    """Return the commands of a turn, in words."""
    return "; ".join(map(describe_command, turn.commands))


def compare(results: Sequence[Result]) -> list[Repetition]:
    """Return, for each test that ran more than once, how often it took the same way."""
    return [_compare_runs(runs) for runs in group_by_case(results) if len(runs) > 1]


def group_by_case(results: Sequence[Result]) -> list[list[Result]]:
    """Return the runs of each test."""
    by_case: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        by_case.setdefault((str(result.case.at), result.case.name), []).append(result)
    return list(by_case.values())


def _compare_runs(runs: Sequence[Result]) -> Repetition:
    ways = Counter(path_of(run) for run in runs).most_common()
    numbers: dict[Path, int] = {}
    for run in runs:
        numbers.setdefault(path_of(run), run.number)
    difference: tuple[str, ...] = ()
    if len(ways) > 1:
        (usual, _), (other, _) = ways[:2]
        names = (f"run {numbers[usual]}", f"run {numbers[other]}")
        difference = tuple(difflib.unified_diff(usual, other, *names, lineterm="", n=2))
    passed = sum(run.outcome == "passed" for run in runs)
    usual_passes = all(run.outcome == "passed" for run in runs if path_of(run) == ways[0][0])
    return Repetition(runs[0].case, len(runs), passed, ways[0][1], len(ways), difference, usual_passes)
