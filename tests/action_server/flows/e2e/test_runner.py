"""What of a turn holds, and how tests are played one after the other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, cast

import pytest

from action_server.config.settings import Settings
from action_server.errors import SettingsError
from action_server.flows.commands.offline import OfflineCommandGenerator
from action_server.flows.e2e.cases import Case, Stub, UserStep
from action_server.flows.e2e.checks import ANY_VALUE, Check, slot_was_not_set
from action_server.flows.e2e.runner import Result, StubbedWebhook, events_of, failed_checks, play, play_all
from action_server.flows.player.results import Results
from action_server.flows.player.trace import Turn
from action_server.flows.player.webhook import ActionReply, Webhook
from action_server.flows.session.failures import FailureLog
from action_server.flows.session.stage import Stage
from action_server.project.project import Project
from action_server.project.project_reader import read_project
from action_server.source import Place
from tests.action_server.flows.cafe import DOMAIN, FLOWS
from tests.action_server.flows.e2e.results import check, step
from tests.engine_calls import call_body
from tests.projects import project

ONE, TWO = check("action_one", 1), check("action_two", 2)
EVENTS = [{"event": "action", "name": "action_one"}, {"event": "action", "name": "action_two"}]


class Asked:
    """A webhook that counts its calls, and says what it was asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.senders: list[str] = []

    async def post(self, body: bytes) -> ActionReply:
        call = json.loads(body)
        self.names.append(call["next_action"])
        self.senders.append(call.get("sender_id", ""))
        return ActionReply(200, {"events": [{"event": "slot", "name": "served", "value": True}], "responses": []}, 0.0)


class OpenStage(Stage):
    """A stage whose webhook is a fake, another one for each test."""

    opened: ClassVar[list[Asked]] = []

    @asynccontextmanager
    async def webhook(self, results: Results | None = None) -> AsyncIterator[Webhook]:
        self.opened.append(Asked())
        yield self.opened[-1]


@pytest.fixture
def cafe(tmp_path: Path) -> Project:
    return read_project(project(tmp_path, {"domain.yml": DOMAIN, "data/flows.yml": FLOWS}))


@pytest.fixture
def stage(cafe: Project, monkeypatch: pytest.MonkeyPatch) -> OpenStage:
    monkeypatch.setattr(OpenStage, "opened", [])
    return OpenStage(cafe, Settings(), OfflineCommandGenerator)


def case(name: str, *messages: str, checks: tuple[Check, ...] = ()) -> Case:
    place = Place(file="tests/cases.yml", line=3)
    return Case(name, place, tuple(UserStep(message, place, checks) for message in messages))


def test_checks_hold_in_any_order_unless_it_counts() -> None:
    """Ordered, each is looked for behind what proved the one before; but the last event of all leads back."""
    more = [*EVENTS, {"event": "action", "name": "action_listen"}]

    assert failed_checks([TWO, ONE], more, is_ordered=False) == ()
    assert failed_checks([ONE, TWO], more, is_ordered=True) == ()
    assert failed_checks([TWO, ONE], more, is_ordered=True) == (ONE,)
    assert failed_checks([TWO, ONE], EVENTS, is_ordered=True) == ()


def test_the_first_step_sees_what_came_before_it() -> None:
    """Slots, messages and actions do; in order, a proof from there cannot be followed by anything."""
    seeing = replace(ONE, sees_opening=True)

    assert failed_checks([seeing, TWO], EVENTS[1:], is_ordered=False, opening=EVENTS[:1]) == ()
    assert failed_checks([ONE, TWO], EVENTS[1:], is_ordered=False, opening=EVENTS[:1]) == (ONE,)
    assert failed_checks([seeing, TWO], EVENTS[1:], is_ordered=True, opening=EVENTS[:1]) == (seeing,)


async def test_each_run_has_a_conversation_of_its_own(stage: OpenStage) -> None:
    """Actions that keep files by the sender's id find none of an earlier run."""
    await play_all([case("a test", "order a drink", "tea")], stage, FailureLog(), repeat=2)

    senders = [sender for webhook in stage.opened for sender in set(webhook.senders)]
    assert len(set(senders)) == 2
    assert all(sender.startswith("a test_") for sender in senders)


async def test_one_test_that_cannot_be_judged_is_an_outcome_of_that_test(stage: OpenStage) -> None:
    """With its reason; the others are played."""
    asks = replace(ONE, cannot_be_judged="it asks a model")
    twice = replace(case("two", "hi"), problem="a test of this name also stands elsewhere")
    tests = [case("one", "hi", checks=(asks,)), twice, case("three", "order a drink")]

    results = await play_all(tests, stage, FailureLog())

    assert [(r.outcome, r.problem) for r in results] == [
        ("error", "it asks a model"),
        ("error", "a test of this name also stands elsewhere"),
        ("passed", ""),
    ]


def test_what_is_absent_does_not_move_the_order_on() -> None:
    """It is proved by no place among the events."""
    nothing = Check("slot_was_not_set: x", Place(file=""), slot_was_not_set([("x", ANY_VALUE)]))

    assert failed_checks([nothing, ONE, nothing, TWO], EVENTS, is_ordered=True) == ()


def test_events_have_what_tests_ask_for_beyond_the_engines(cafe: Project) -> None:
    """The last step of a flow that is completed, and what a clarification offers."""
    asks = {"event": "flow_started", "flow_id": "pattern_clarification", "metadata": {"names": ["pay the bill"]}}
    done = {"event": "flow_completed", "flow_id": "order_drink"}
    other = {"event": "flow_completed", "flow_id": "look_up"}
    turn = Turn("x", steps=[step("order_drink", "serve"), step("order_drink", "thank")], events=[asks, done, other])

    assert events_of(turn, cafe) == [
        {**asks, "offered": ["pay the bill"], "offered_ids": ["pay_bill"]},
        {**done, "last_step": "thank"},
        other,
    ]


async def test_a_stub_answers_for_its_action_and_for_no_other() -> None:
    """The webhook behind it hears of the others only."""
    behind = Asked()
    webhook = StubbedWebhook(behind, {"action_pay": Stub([{"event": "slot"}], [{"text": "Paid."}])})

    answer = await webhook.post(call_body("action_pay"))
    await webhook.post(call_body("action_serve"))

    assert (answer.status, answer.body) == (200, {"events": [{"event": "slot"}], "responses": [{"text": "Paid."}]})
    assert behind.names == ["action_serve"]


async def test_each_test_has_a_webhook_of_its_own(stage: OpenStage) -> None:
    """Opened for it, each run counted."""
    tests = [case("one", "order a drink", "tea"), case("two", "pay the bill")]
    heard: list[Result] = []

    results = await play_all(tests, stage, FailureLog(), repeat=2, on_result=heard.append)

    assert [(r.case.name, r.number, r.outcome) for r in results] == [
        ("one", 1, "passed"),
        ("one", 2, "passed"),
        ("two", 1, "passed"),
        ("two", 2, "passed"),
    ]
    assert heard == results
    assert len(stage.opened) == 4
    assert "action_serve" in stage.opened[0].names


async def test_fail_fast_ends_with_the_first_that_does_not_pass(stage: OpenStage) -> None:
    """Neither its other runs nor the tests behind it are played."""
    tests = [case("one", "order a drink"), case("two", "pay the bill", checks=(ONE,)), case("three", "tea")]

    results = await play_all(tests, stage, FailureLog(), repeat=2, fail_fast=True)

    assert [(r.case.name, r.outcome) for r in results] == [("one", "passed"), ("one", "passed"), ("two", "failed")]


async def test_what_follows_a_failure_is_not_played(stage: OpenStage) -> None:
    """It would only fail because of it."""
    result = await play(case("one", "order a drink", "tea", checks=(TWO,)), stage, FailureLog())

    assert result.outcome == "failed"
    assert [played.turn.message for played in result.turns if played.step is not None] == ["order a drink"]
    assert result.failures == [(result.turns[-1], TWO)]


async def test_actions_that_cannot_be_opened_end_the_run(cafe: Project) -> None:
    """There is no use in going on to the next test."""

    class Broken(Stage):
        @asynccontextmanager
        async def webhook(self, results: Results | None = None) -> AsyncIterator[Webhook]:
            raise SettingsError("services.book", "there is no file")
            yield cast("Webhook", None)

    with pytest.raises(SettingsError):
        await play_all([case("one", "hi")], Broken(cafe, Settings(), OfflineCommandGenerator), FailureLog())
