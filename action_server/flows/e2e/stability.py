"""What differs between runs of the same tests: the commands that flip, and what the turns cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from action_server.flows.e2e.cases import Case
from action_server.flows.e2e.paths import group_by_case, understood
from action_server.flows.e2e.runner import PlayedTurn, Result


@dataclass(frozen=True)
class Outcome:
    """What a message was understood as, in how many runs; ``said`` are the words of these, each once."""

    commands: str
    runs: int
    said: tuple[str, ...]


@dataclass(frozen=True)
class Flip:
    """A message of a test that is not understood in one way; the most frequent way stands first."""

    case: Case
    turn: int
    message: str
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class Spent:
    """What turns took: milliseconds each, those of a model by themselves, tokens and money (None where unknown)."""

    turns: int
    milliseconds: float | None
    model_milliseconds: float | None
    tokens: float | None
    cost: float | None


def find_flips(results: Sequence[Result]) -> list[Flip]:
    """Return the messages that were understood in more than one way, in tests that ran more than once.

    A message counts only in runs in which those before it were understood as usual: after another beginning the same
    words mean something else.
    """
    return [flip for runs in group_by_case(results) for flip in _flips_of(runs)]


def _flips_of(runs: Sequence[Result]) -> Iterator[Flip]:
    alive = [[played for played in run.turns if played.step is not None] for run in runs]
    turn = 0
    while alive := [turns for turns in alive if len(turns) > turn]:
        ways = Counter(understood(turns[turn].turn) for turns in alive).most_common()
        step = alive[0][turn].step
        if len(ways) > 1 and step is not None:
            outcomes = tuple(Outcome(way, count, _said(alive, turn, way)) for way, count in ways)
            yield Flip(runs[0].case, turn + 1, step.meant, outcomes)
        alive = [turns for turns in alive if understood(turns[turn].turn) == ways[0][0]]
        turn += 1


def _said(runs: Sequence[Sequence[PlayedTurn]], turn: int, way: str) -> tuple[str, ...]:
    found = (turns[turn].turn for turns in runs)
    return tuple(dict.fromkeys(played.message for played in found if understood(played) == way))


def spent_by(results: Sequence[Result]) -> Spent:
    """Return what the messages of all runs took on average."""
    turns = [played for result in results for played in result.turns if played.step is not None]
    details = [played.turn.details for played in turns]
    tokens = [d["prompt_tokens"] + d["completion_tokens"] for d in details if "prompt_tokens" in d]
    return Spent(
        len(turns),
        _mean([played.milliseconds for played in turns]),
        _mean([d["milliseconds"] for d in details if "milliseconds" in d]),
        _mean(tokens),
        _mean([d["cost"] for d in details if "cost" in d]),
    )


def _mean(numbers: Sequence[Any]) -> float | None:
    return round(sum(numbers) / len(numbers), 6) if numbers else None
