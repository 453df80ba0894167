"""Plays test cases: each in a conversation, and with services, of its own."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from action_server.errors import ActionServerError, FixtureError, StartupError
from action_server.flows.e2e.cases import Case, Stub, UserStep
from action_server.flows.e2e.checks import ABSENT, Check
from action_server.flows.player.player import Player
from action_server.flows.player.trace import Turn
from action_server.flows.player.webhook import ActionReply, Webhook
from action_server.flows.session.failures import FailedCall, FailureLog
from action_server.flows.session.stage import Stage
from action_server.project.places import UnsupportedError
from action_server.project.project import Project
from action_server.protocol.jsonable import JsonObject
from action_server.source import Place

Outcome = Literal["passed", "failed", "error"]


@dataclass(frozen=True)
class PlayedTurn:
    """A turn of a test, with what did not hold. ``step`` is None for what happened before the first message."""

    turn: Turn
    step: UserStep | None = None
    failed: tuple[Check, ...] = ()
    failed_calls: tuple[FailedCall, ...] = ()


@dataclass(frozen=True)
class Result:
    """How a test ended. ``number`` counts its runs from 1; ``problem`` is why it could not be played to the end."""

    case: Case
    number: int
    outcome: Outcome
    seconds: float
    turns: Sequence[PlayedTurn] = field(default=())
    problem: str = ""
    at: Place | None = None

    @property
    def failures(self) -> list[tuple[PlayedTurn, Check]]:
        """Return what did not hold, with the turn in which it was to."""
        return [(played, check) for played in self.turns for check in played.failed]


class StubbedWebhook:
    """A webhook that answers some actions itself."""

    def __init__(self, webhook: Webhook, stubs: Mapping[str, Stub]) -> None:
        self._webhook = webhook
        self._stubs = stubs

    async def post(self, body: bytes) -> ActionReply:
        """Answer the action a request names, or pass it on."""
        stub = self._stubs.get(json.loads(body).get("next_action"))
        if stub is None:
            return await self._webhook.post(body)
        return ActionReply(200, {"events": list(stub.events), "responses": list(stub.responses)}, 0.0)


async def play(case: Case, stage: Stage, log: FailureLog, number: int = 1) -> Result:
    """Play a test until something does not hold.

    Raises:
        StartupError: the actions or their services cannot be opened, for which there is no use in going on.
    """
    start = time.perf_counter()
    done: list[PlayedTurn] = []
    problem, at = "", None
    log.take()
    try:
        async with stage.webhook() as webhook:
            await _converse(case, stage, StubbedWebhook(webhook, case.stubs), log, done)
    except StartupError:
        raise
    except ActionServerError as exc:
        problem, at = str(exc), exc.place if isinstance(exc, UnsupportedError) else None
    outcome: Outcome = "error" if problem else "failed" if any(played.failed for played in done) else "passed"
    return Result(case, number, outcome, time.perf_counter() - start, done, problem, at)


async def play_all(
    cases: Sequence[Case],
    stage: Stage,
    log: FailureLog,
    *,
    repeat: int = 1,
    fail_fast: bool = False,
    on_result: Callable[[Result], None] = lambda _: None,
) -> list[Result]:
    """Play tests one after the other, each ``repeat`` times; with ``fail_fast`` up to the first that does not pass.

    ``on_result`` hears of each result at once.

    Raises:
        StartupError: as :func:`play` does.
    """
    results: list[Result] = []
    for case in cases:
        for number in range(1, repeat + 1):
            results.append(await play(case, stage, log, number))
            on_result(results[-1])
            if fail_fast and results[-1].outcome != "passed":
                return results
    return results


async def _converse(case: Case, stage: Stage, webhook: Webhook, log: FailureLog, done: list[PlayedTurn]) -> None:
    # A server elsewhere remembers conversations of earlier runs; what is opened for the test does not.
    sender = f"test-{uuid.uuid4().hex[:12]}" if stage.url else "test"
    player = Player(stage.project, webhook, sender_id=sender)
    understanding = stage.understanding()
    unknown = player.set_slots(case.slots)
    if unknown:
        raise FixtureError(unknown)
    opening = await player.start(metadata=case.metadata)
    if opening is not None:
        failed = failed_checks(case.opening, events_of(opening, stage.project), is_ordered=False)
        done.append(PlayedTurn(opening, None, failed, tuple(log.take())))
    for step in case.steps:
        if any(played.failed for played in done):
            # What follows would only fail because of it.
            return
        try:
            turn = await player.say(step.message, understanding, metadata={**case.metadata, **step.metadata})
        except ActionServerError:
            done.append(PlayedTurn(player.last_turn, step, (), tuple(log.take())))
            raise
        failed = failed_checks(step.checks, events_of(turn, stage.project), is_ordered=step.is_ordered)
        done.append(PlayedTurn(turn, step, failed, tuple(log.take())))


def failed_checks(checks: Sequence[Check], events: Sequence[JsonObject], *, is_ordered: bool) -> tuple[Check, ...]:
    """Return the checks that do not hold. ``is_ordered``: each looks only behind what proved the one before."""
    failed = []
    start = 0
    for check in checks:
        index = check.find(events[start:])
        if index is None:
            failed.append(check)
        elif is_ordered and index != ABSENT:
            start += index + 1
    return tuple(failed)


def events_of(turn: Turn, project: Project) -> list[JsonObject]:
    """Return the events of a turn, with what tests ask for beyond what engines tell.

    ``flow_completed`` has the flow's last step (``last_step``); the start of pattern_clarification the names and ids of
    the flows it offers (``offered``, ``offered_ids``).
    """
    flows = project.all_flows
    last = {step.flow: step.step for step in turn.steps if step.kind not in ("end", "followup")}
    found = []
    for event in turn.events:
        more: JsonObject = {}
        if event["event"] == "flow_completed" and event.get("flow_id") in last:
            more["last_step"] = last[event["flow_id"]]
        elif event["event"] == "flow_started" and event.get("flow_id") == "pattern_clarification":
            names = (event.get("metadata") or {}).get("names") or []
            more = {"offered": names, "offered_ids": [f.id for f in flows.values() if f.readable_name in names]}
        found.append({**event, **more})
    return found
