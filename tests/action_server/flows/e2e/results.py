"""Results of tests made by hand, for what counts, compares and writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from action_server.flows.e2e.cases import Case, UserStep
from action_server.flows.e2e.checks import Check, action_executed
from action_server.flows.e2e.runner import Outcome, PlayedTurn, Result
from action_server.flows.player.trace import Decision, StepTaken, Turn
from action_server.source import Place

FILE = "tests/cases.yml"


def check(name: str, line: int) -> Check:
    return Check(f"action_executed: {name}", Place(file=FILE, line=line), action_executed(name))


def step(
    flow: str, name: str, kind: str = "action", *, skipped: bool = False, led_to: Sequence[Decision] = ()
) -> StepTaken:
    return StepTaken(flow, name, kind, f"{kind} {name}", skipped=skipped, decisions=list(led_to))


def end(flow: str, last: str = "last") -> StepTaken:
    return StepTaken(flow, last, "end", "the end")


def turn(
    message: str, *steps: StepTaken, events: Sequence[Mapping[str, Any]] = (), failed: Sequence[Check] = ()
) -> PlayedTurn:
    played = Turn(message, steps=list(steps), events=[dict(event) for event in events], because="the test says so")
    return PlayedTurn(played, UserStep(message, Place(file=FILE, line=5)), tuple(failed))


def result(
    *turns: PlayedTurn,
    name: str = "a case",
    file: str = FILE,
    line: int = 3,
    number: int = 1,
    outcome: Outcome = "passed",
    problem: str = "",
) -> Result:
    case = Case(name, Place(file=file, line=line), tuple(t.step for t in turns if t.step is not None))
    return Result(case, number, outcome, 0.25, turns, problem)
