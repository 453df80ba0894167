"""Plays test cases: each in a conversation, and with services, of its own.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from action_server.errors import ActionServerError, FixtureError, StartupError
from action_server.flows.e2e.cases import Case, Stub, UserStep
from action_server.flows.e2e.checks import ABSENT, Check
from action_server.flows.player.player import Player
from action_server.flows.player.tools import ToolReply, Tools, result_as_engines_have_it
from action_server.flows.player.trace import Turn
from action_server.flows.player.webhook import ActionReply, Webhook
from action_server.flows.session.failures import FailedCall, FailureLog
from action_server.flows.session.stage import Stage
from action_server.project.places import UnsupportedError
from action_server.project.project import Project
from action_server.protocol.jsonable import JsonObject
from action_server.source import Place
from action_server.telemetry.durations import milliseconds

Outcome = Literal["passed", "failed", "error"]


@dataclass(frozen=True)
class PlayedTurn:
    """A turn of a test, with what did not hold. ``step`` is None for what happened before the first message.

    ``milliseconds`` is how long it took, understanding and actions included.
    """

    turn: Turn
    step: UserStep | None = None
    failed: tuple[Check, ...] = ()
    failed_calls: tuple[FailedCall, ...] = ()
    milliseconds: float = 0.0


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
        return _reply_of(stub)


def _reply_of(stub: Stub) -> ActionReply:
    return ActionReply(200, {"events": list(stub.events), "responses": list(stub.responses)}, 0.0)


class StubbedTools:
    """Tools of which some answer with what a test says. ``tools`` are the others; None if there are none."""

    def __init__(self, tools: Tools | None, stubs: Mapping[str, JsonObject]) -> None:
        self._tools = tools
        self._stubs = stubs

    async def call(self, server: str, tool: str, arguments: JsonObject, slots: Mapping[str, Any]) -> ToolReply:
        """Answer for a tool, or pass the call on."""
        stub = self._stubs.get(f"{server}:{tool}")
        if stub is not None:
            return ToolReply(result_as_engines_have_it(stub), 0.0)
        if self._tools is None:
            return ToolReply({}, 0.0, "no endpoints file names MCP servers, and the test has no stub for it")
        return await self._tools.call(server, tool, arguments, slots)


async def play(case: Case, stage: Stage, log: FailureLog, number: int = 1) -> Result:
    """Play a test until something does not hold.

    Raises:
        StartupError: the actions or their services cannot be opened, for which there is no use in going on.
    """
    start = time.perf_counter()
    done: list[PlayedTurn] = []
    unjudged = next((c for step in case.steps for c in step.checks if c.cannot_be_judged), None)
    if case.problem or unjudged:
        problem = case.problem or (unjudged.cannot_be_judged if unjudged else "")
        return Result(case, number, "error", 0.0, done, problem, unjudged.at if unjudged else case.at)
    problem, at = "", None
    log.take()
    try:
        async with stage.webhook() as webhook, stage.tools(webhook) as tools:
            await _converse(case, stage, StubbedWebhook(webhook, case.stubs), tools, log, done)
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
    runs: Counter[tuple[str, str]] = Counter()
    for case in cases:
        for _ in range(repeat):
            # A test in other words is one more run of it.
            same = (str(case.at), case.name)
            runs[same] += 1
            results.append(await play(case, stage, log, runs[same]))
            on_result(results[-1])
            if fail_fast and results[-1].outcome != "passed":
                return results
    return results


async def _converse(
    case: Case, stage: Stage, webhook: Webhook, tools: Tools | None, log: FailureLog, done: list[PlayedTurn]
) -> None:
    # As engines make it. Servers elsewhere, and actions that keep files by it, remember conversations of earlier runs.
    sender = f"{case.name}_{datetime.now():%Y-%m-%dT%H:%M:%S}_{uuid.uuid4().hex[:12]}"
    stubbed = StubbedTools(tools, case.tools) if case.tools else tools
    agents = {name: _reply_of(stub) for name, stub in case.sub_agents.items()}
    player = Player(stage.project, webhook, sender_id=sender, tools=stubbed, sub_agents=agents)
    understanding = stage.understanding()
    unknown = player.set_slots(case.slots)
    if unknown:
        raise FixtureError(unknown)
    judge = _Judge(case)
    opening = await player.start(metadata=case.metadata)
    if opening is not None:
        events = judge.opening = events_of(opening, stage.project)
        failed = failed_checks(case.opening, events, is_ordered=False)
        done.append(PlayedTurn(opening, None, failed, tuple(log.take())))
    for step in case.steps:
        if any(played.failed for played in done):
            # What follows would only fail because of it.
            return
        if not step.message:
            # Engines pass over it.
            continue
        began = time.perf_counter()
        try:
            turn = await player.say(step.message, understanding, metadata={**case.metadata, **step.metadata})
        except ActionServerError:
            done.append(PlayedTurn(player.last_turn, step, (), tuple(log.take())))
            raise
        took = milliseconds(time.perf_counter() - began)
        failed = judge.failed_checks(step, events_of(turn, stage.project))
        done.append(PlayedTurn(turn, step, failed, tuple(log.take()), took))


class _Judge:
    """Finds the events that a step's checks look at, as rasa-pro 3.21.0 (read) does."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._heard: list[tuple[UserStep, list[JsonObject]]] = []
        self.opening: list[JsonObject] = []

    def failed_checks(self, step: UserStep, events: list[JsonObject]) -> tuple[Check, ...]:
        """Return the checks of a step that do not hold."""
        self._heard.append((step, events))
        if self._case.has_assertions:
            # The turn is found by its message: of two with the same words, it is the first that is judged.
            events = next(found for other, found in self._heard if _is_same_message(step, other))
        opening = self.opening if step.is_first else []
        return failed_checks(step.checks, events, is_ordered=step.is_ordered, opening=opening)


def _is_same_message(step: UserStep, other: UserStep) -> bool:
    is_same = all(other.metadata.get(key) == value for key, value in step.metadata.items())
    return step.message == other.message and is_same


def failed_checks(
    checks: Sequence[Check],
    events: Sequence[JsonObject],
    *,
    is_ordered: bool,
    opening: Sequence[JsonObject] = (),
) -> tuple[Check, ...]:
    """Return the checks that do not hold. ``is_ordered``: each looks only behind what proved the one before.

    Engines keep what lies before as a part of the ``opening``, which they only have in a test's first step, and go on
    from the turn's beginning if it was the last event of all. A proof in the opening itself cannot be followed: they
    fail there.
    """
    failed = []
    before, after = list(opening), list(events)
    for check in checks:
        seen = before if check.sees_opening else []
        index = check.find([*seen, *after])
        if index is None:
            failed.append(check)
        elif is_ordered and index != ABSENT:
            place = index - len(seen)
            if place < 0:
                failed.append(check)
            elif place + 1 < len(after):
                before += after[: place + 1] if opening else []
                after = after[place + 1 :]
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
            said = {flow.id: {flow.readable_name, *flow.translation.values()} for flow in flows.values()}
            more = {"offered": names, "offered_ids": [flow for flow, known in said.items() if known & {*names}]}
        found.append({**event, **more})
    return found
