"""Results of tests as JSON, for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from action_server.flows.e2e.coverage import FlowCoverage, percentage
from action_server.flows.e2e.paths import Repetition
from action_server.flows.e2e.runner import Result
from action_server.flows.e2e.stability import find_flips, spent_by
from action_server.flows.session.script import command_as_json
from action_server.flows.session.turn_json import turn_as_json
from action_server.protocol.jsonable import JsonObject


def results_as_json(
    results: Sequence[Result], coverages: Sequence[FlowCoverage], repetitions: Sequence[Repetition]
) -> JsonObject:
    """Return all there is to know of a run; ``coverage`` is null where none was wanted."""
    return {
        "tests": [_result(result) for result in results],
        "coverage": _coverage(coverages) if coverages else None,
        "repeats": [
            {"test": r.case.name, "runs": r.runs, "passed": r.passed, "same": r.same, "difference": list(r.difference)}
            for r in repetitions
        ],
        "flips": [
            {
                "test": flip.case.name,
                "turn": flip.turn,
                "message": flip.message,
                "commands": [{"commands": o.commands, "runs": o.runs, "said": list(o.said)} for o in flip.outcomes],
            }
            for flip in find_flips(results)
        ],
        "turns": asdict(spent_by(results)),
    }


def turns_as_json(results: Sequence[Result]) -> Iterator[JsonObject]:
    """Yield a small object for each message of each run, for files of lines."""
    for result in results:
        messages = [played for played in result.turns if played.step is not None]
        for number, played in enumerate(messages, 1):
            details = played.turn.details
            yield {
                "test": result.case.name,
                "at": str(result.case.at),
                "run": result.number,
                "outcome": result.outcome,
                "turn": number,
                "message": played.step.meant if played.step else "",
                "said": played.turn.message,
                "commands": [command_as_json(command) for command in played.turn.commands],
                "steps": [f"{step.flow}:{step.step}" for step in played.turn.steps if not step.skipped],
                "milliseconds": played.milliseconds,
                "model_milliseconds": details.get("milliseconds"),
                "prompt_tokens": details.get("prompt_tokens"),
                "completion_tokens": details.get("completion_tokens"),
                "cost": details.get("cost"),
            }


def _result(result: Result) -> JsonObject:
    return {
        "test": result.case.name,
        "at": str(result.case.at),
        "run": result.number,
        "outcome": result.outcome,
        "seconds": round(result.seconds, 3),
        "problem": result.problem or None,
        "failures": [{"at": str(check.at), "expected": str(check)} for _, check in result.failures],
        "turns": [turn_as_json(played.turn, played.failed_calls) for played in result.turns],
    }


def _coverage(coverages: Sequence[FlowCoverage]) -> JsonObject:
    return {
        "percent": round(percentage(coverages), 2),
        "flows": [
            {
                "flow": c.flow.id,
                "file": c.flow.at.file,
                "steps": c.steps,
                "covered": c.covered,
                "missing": [{"step": step.id, "line": step.at.line} for step in c.missing],
            }
            for c in coverages
        ],
    }
