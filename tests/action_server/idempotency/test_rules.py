"""Running once: the rule of an action, the key of a call, and the store that makes one run of many calls."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from rasa_sdk import Action, ActionExecutionRejection
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.interfaces import ActionMissingDomainException
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from action_server.database import Database
from action_server.errors import (
    ActionFailedError,
    ActionRejectedError,
    DatabaseError,
    MissingDomainError,
    OutcomeUnknownError,
    RequestError,
    RuleError,
    SettingsError,
    StillRunningError,
    StoreUnavailableError,
    UnreadableAnswerError,
)
from action_server.idempotency import store as store_module
from action_server.idempotency.rules import (
    A_DAY,
    A_MINUTE,
    Idempotent,
    OnCrash,
    idempotent,
    key_of,
    lifetime_of,
    rule_from,
    rule_of,
)
from action_server.idempotency.store import LEASE, IdempotencyStore
from action_server.protocol.answers import Answer
from action_server.protocol.calls import Call, call_from, decode_call
from action_server.runtime.executor import Executor
from action_server.runtime.registry import Registry

pytest_plugins = ["tests.databases"]

PAYLOADS = Path(__file__).parents[2] / "contract" / "payloads"
PAGE = Path(__file__).parents[3] / "docs" / "howto" / "run-actions-once.md"
HOUR = timedelta(hours=1)
TURN = Idempotent()
JOB = Idempotent(key=("appointment_type", "preferred_date"), within=HOUR)
KEY = "a" * 64
BOOKED = Answer([{"event": "slot", "name": "reference", "value": "APT-1", "timestamp": None}], [{"text": "Booked."}])


def test_a_mark_changes_nothing_but_what_it_says() -> None:
    """The same class and function come back, and the rule is found on the class, an instance, a function or a run."""

    class ActionBook(Action):
        def name(self) -> str:
            return "action_book"

        @idempotent(key=["appointment_type", "preferred_date"], within=3600)
        def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
            return [self.name()]

    class ActionSend(ActionBook): ...

    def function(dispatcher: Any, tracker: Any, domain: Any) -> None: ...

    assert rule_of(ActionBook(), ActionBook().run) == JOB
    assert ActionBook().run(None, None, None) == ["action_book"]
    assert idempotent(ActionSend) is ActionSend
    assert rule_of(ActionSend) == rule_of(ActionSend()) == TURN
    assert idempotent(key="order", within=HOUR)(function) is function
    assert rule_of(function) == Idempotent(key=("order",), within=HOUR)
    assert rule_of(ActionBook, object()) is None


BAD_RULES: list[tuple[str, dict[str, Any], str]] = [
    ("a key without a window", {"key": ["a"]}, "`key` needs `within`"),
    ("no slot", {"key": [], "within": 60}, "`key` names no slot"),
    ("an empty key", {"key": None, "within": 60}, "`key` names no slot"),
    ("a number for a slot", {"key": [1], "within": 60}, "`key` must be a list of slots' names"),
    ("a number for the key", {"key": 1, "within": 60}, "`key` must be a list of slots' names"),
    ("a slot twice", {"key": ["a", "a"], "within": 60}, "`key` names a slot twice"),
    ("no time", {"key": ["a"], "within": 0}, "`within` must be a time above zero"),
    ("a word for a time", {"key": ["a"], "within": "1h"}, "`within` must be a time above zero"),
    ("true for a time", {"key": ["a"], "within": True}, "`within` must be a time above zero"),
    ("no number for a time", {"key": ["a"], "within": float("nan")}, "`within` must be a time above zero"),
    ("for ever", {"key": ["a"], "within": 1e300}, "`within` is longer than can be counted"),
    ("an unknown scope", {"key": ["a"], "within": 60, "scope": "user"}, "`scope` must be conversation or everyone"),
    ("everyone's turn", {"scope": "everyone"}, "`scope: everyone` needs a `key`"),
    ("an unknown policy", {"on_crash": "ignore"}, "`on_crash` must be refuse or rerun"),
    ("a word for a switch", {"keep_failures": "yes"}, "`keep_failures` must be true or false"),
    (
        "an unknown option",
        {"window": 60},
        "there is no `window`; there are key, within, scope, on_crash, keep_failures",
    ),
]


@pytest.mark.parametrize(("options", "problem"), [r[1:] for r in BAD_RULES], ids=[r[0] for r in BAD_RULES])
def test_a_rule_that_makes_no_sense_is_refused(options: dict[str, Any], problem: str) -> None:
    """In the code and in the settings alike, with the name of the part that is wrong."""
    with pytest.raises(RuleError, match="^" + problem.replace("(", r"\(")):
        idempotent(**options)
    with pytest.raises(RuleError):
        rule_from(options)


def test_a_mark_on_what_is_no_action_is_refused() -> None:
    """A slot's name without `key=`, a rule as an argument, something that takes no attributes."""
    untyped: Any = idempotent
    for arguments, options in ((("slot",), {}), ((print,), {"within": 1})):
        with pytest.raises(RuleError, match="write @idempotent, or @idempotent"):
            untyped(*arguments, **options)
    with pytest.raises(RuleError, match="a builtin_function_or_method cannot be marked"):
        idempotent(print)


RULES: list[tuple[object, object]] = [
    ("turn", TURN),
    (True, TURN),
    (False, False),
    ({}, TURN),
    ({"on_crash": "rerun", "keep_failures": True}, Idempotent(on_crash="rerun", keep_failures=True)),
    ({"key": ["appointment_type", "preferred_date"], "within": 3600}, JOB),
    ({"key": "a", "within": 0.5}, Idempotent(key=("a",), within=timedelta(seconds=0.5))),
    ({"key": ["a"], "within": 9, "scope": "everyone"}, Idempotent(("a",), timedelta(seconds=9), "everyone")),
]


@pytest.mark.parametrize(("value", "rule"), RULES, ids=[json.dumps(value) for value, _ in RULES])
def test_a_rule_is_read_from_the_settings(value: object, rule: object) -> None:
    """The turn, a key, a switch."""
    assert rule_from(value) == rule


@pytest.mark.parametrize("value", [None, "yes", 1, ["a"]])
def test_a_setting_that_is_no_rule_says_what_one_is(value: object) -> None:
    """As pydantic's message too, without the value."""

    class Entry(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True)
        idempotent: Annotated[object, BeforeValidator(rule_from)]

    with pytest.raises(ValidationError, match="Value error, must be `turn`, `false` or a group with `key`"):
        Entry(idempotent=value)


def test_a_server_without_such_actions_pays_nothing() -> None:
    """The mark and its rule load no database."""
    code = "import action_server.idempotency.rules, sys; sys.exit('sqlalchemy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def turn(*events: dict[str, Any], action: str = "action_book", sender_id: str = "alice", **tracker: Any) -> Call:
    return Call(action, sender_id, {"sender_id": sender_id, "events": list(events), **tracker})


def said(message_id: str | None = "m-1", at: float | None = 100.0) -> dict[str, Any]:
    return {"event": "user", "timestamp": at, "text": "book it", "message_id": message_id}


def done(action: str, at: float | None = 101.0) -> dict[str, Any]:
    return {"event": "action", "name": action, "timestamp": at}


def with_slots(call: Call | None = None, **slots: Any) -> Call:
    call = call or turn(said())
    return replace(call, tracker={**call.tracker, "slots": slots})


def test_every_captured_request_has_its_own_place() -> None:
    """Of all requests of a real engine no two share a key, and each has the one it had when it is read again."""
    files = sorted(PAYLOADS.glob("classic_rules/*.json"))
    bodies = [json.loads(file.read_text())["request_body"] for file in files]

    keys = [key_of(TURN, call_from(body)) for body in bodies]

    assert len(set(keys)) == len(keys) == 50
    assert keys == [key_of(TURN, decode_call(json.dumps(body).encode())) for body in bodies]


def test_the_repeat_that_brings_the_domain_is_the_same_call() -> None:
    """The engine asks again after 449; that is no second turn."""
    first, again = (
        call_from(json.loads((PAYLOADS / "calm_constructed" / f"calm_{name}.json").read_text())["request_body"])
        for name in ("first_call_without_domain", "retry_with_domain")
    )

    assert first != again
    assert key_of(TURN, first) == key_of(TURN, again)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
events = st.lists(
    st.fixed_dictionaries(
        {"event": st.sampled_from(["user", "action", "slot", "bot"]), "timestamp": st.none() | st.floats(0, 1e10)},
        optional={"name": st.text(), "message_id": st.text(), "value": json_values},
    ),
    max_size=6,
)
calls = st.builds(
    lambda action, sender, **tracker: Call(action, sender, tracker),
    st.text(min_size=1),
    st.text(),
    events=events,
    slots=st.dictionaries(st.sampled_from(["appointment_type", "preferred_date", "name"]), json_values),
    stack=st.lists(st.fixed_dictionaries({"frame_id": st.text(), "step_id": st.text()}), max_size=3),
    active_loop=st.fixed_dictionaries({}, optional={"name": st.text()}),
)


@given(call=calls, rule=st.sampled_from([TURN, JOB]))
def test_equal_calls_have_equal_keys(call: Call, rule: Idempotent) -> None:
    """Whatever stands in them, after a journey as JSON too, whatever the order of their members; a key is a digest."""
    payload = {"next_action": call.action, "sender_id": call.sender_id, "tracker": dict(reversed(call.tracker.items()))}
    again = replace(call, tracker=json.loads(json.dumps(payload))["tracker"], domain={"slots": {}}, version="3.21")

    assert key_of(rule, call) == key_of(rule, again)
    assert len(key_of(rule, call)) == 64


@given(call=calls, event=events.filter(bool), word=st.text())
def test_another_place_has_another_key(call: Call, event: list[dict[str, Any]], word: str) -> None:
    """More events, another stack, another loop, another action, another conversation: each alone makes another call."""
    tracker = call.tracker
    places = [
        call,
        replace(call, tracker={**tracker, "events": [*event, *tracker["events"]]}),
        replace(call, tracker={**tracker, "stack": [{"frame_id": word}, *tracker["stack"]]}),
        replace(call, tracker={**tracker, "active_loop": {"name": f"{tracker['active_loop'].get('name')}{word}!"}}),
        replace(call, action=f"{call.action}{word}!"),
        replace(call, sender_id=f"{call.sender_id}{word}!"),
    ]

    assert len({key_of(TURN, place) for place in places}) == len(places)


PLACES: list[tuple[str, Call]] = [
    ("the second time in a turn", turn(said(), done("action_book"))),
    ("after another action", turn(said(), done("action_other"))),
    ("the same words in a new message", turn(said("m-2"))),
    ("a message without an id later", turn(said(None, 200.0))),
    ("the same turn later in the conversation", turn(done("action_listen"), said())),
    ("another flow", turn(said(), stack=[{"frame_id": "B"}])),
    ("in a form", turn(said(), active_loop={"name": "booking_form"})),
    ("in an old engine's form", turn(said(), active_form={"name": "old_form"})),
    ("in another conversation", turn(said(), sender_id="bob")),
    ("of another action", turn(said(), action="action_cancel")),
    ("before any message", turn()),
]


def test_places_are_told_apart() -> None:
    """Each of these is a call of its own."""
    keys = {name: key_of(TURN, call) for name, call in [("the first", turn(said())), *PLACES]}

    assert len(set(keys.values())) == len(keys), keys


def test_slots_are_no_place() -> None:
    """What a repeat finds in its slots does not matter: events say where it is."""
    assert key_of(TURN, with_slots(name="Ada")) == key_of(TURN, with_slots(name=None))


SAME_JOBS: list[tuple[str, Call]] = [
    ("in a new message", with_slots(turn(said("m-2", 200.0)), appointment_type="cleaning", preferred_date=3)),
    ("in another order", with_slots(preferred_date=3, appointment_type="cleaning")),
    ("with other slots", with_slots(appointment_type="cleaning", preferred_date=3, name="Ada")),
    ("with a number as gRPC has it", with_slots(appointment_type="cleaning", preferred_date=3.0)),
]
OTHER_JOBS: list[tuple[str, Call]] = [
    ("with another value", with_slots(appointment_type="checkup", preferred_date=3)),
    ("with another type", with_slots(appointment_type="cleaning", preferred_date="3")),
    ("with true for a number", with_slots(appointment_type="cleaning", preferred_date=True)),
    ("with the values swapped", with_slots(appointment_type=3, preferred_date="cleaning")),
    ("in another conversation", with_slots(turn(sender_id="bob"), appointment_type="cleaning", preferred_date=3)),
    ("of another action", with_slots(turn(action="action_x"), appointment_type="cleaning", preferred_date=3)),
    ("with a null", with_slots(appointment_type="cleaning", preferred_date=None)),
]


@pytest.mark.parametrize("call", [c for _, c in SAME_JOBS], ids=[n for n, _ in SAME_JOBS])
def test_the_same_values_are_the_same_job(call: Call) -> None:
    """Wherever in the conversation; a message that a channel delivers twice is the usual case."""
    assert key_of(JOB, call) == key_of(JOB, with_slots(appointment_type="cleaning", preferred_date=3))


@pytest.mark.parametrize("call", [c for _, c in OTHER_JOBS], ids=[n for n, _ in OTHER_JOBS])
def test_other_values_are_another_job(call: Call) -> None:
    """Also those that Python would call equal."""
    assert key_of(JOB, call) != key_of(JOB, with_slots(appointment_type="cleaning", preferred_date=3))


def test_a_job_may_be_everyones() -> None:
    """Then two conversations share it; a rule's scope, slots and kind are part of its keys."""
    everyone = replace(JOB, scope="everyone")
    mine, yours = (with_slots(turn(sender_id=s), appointment_type="a", preferred_date="b") for s in ("me", "you"))

    assert key_of(everyone, mine) == key_of(everyone, yours) != key_of(JOB, mine)
    assert key_of(replace(JOB, key=("appointment_type",)), mine) != key_of(JOB, mine) != key_of(TURN, mine)


def test_a_slot_that_is_not_there_is_null_and_worth_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Engines send every slot, so its name is most likely misspelt in the rule; no value is logged."""
    missing = key_of(JOB, with_slots(appointment_type="cleaning"))

    assert [(r.message, vars(r)["slot"]) for r in caplog.records] == [("idempotent.slot_missing", "preferred_date")]
    assert missing == key_of(JOB, with_slots(appointment_type="cleaning", preferred_date=None))
    assert len(caplog.records) == 1
    assert key_of(JOB, turn(slots=None)) == key_of(JOB, with_slots(turn(), appointment_type=None, preferred_date=None))


@pytest.mark.parametrize("rule", [TURN, JOB], ids=["turn", "key"])
def test_values_too_deep_to_compare_are_the_requests_fault(rule: Idempotent) -> None:
    """A 400 that names the action."""
    deep: Any = []
    for _ in range(200_000):
        deep = [deep]
    call = with_slots(turn({**said(), "metadata": deep}), appointment_type=deep, preferred_date=None)

    with pytest.raises(RequestError, match="nested too deeply") as caught:
        key_of(rule, call)
    assert caught.value.action == "action_book"
    while deep:
        deep = deep[0]  # or the interpreter frees it recursively


def test_an_answer_lives_as_long_as_its_rule_says() -> None:
    """A turn for a day, or a minute if the request does not say when it is; a job for its window."""
    no_time = turn({"event": "user", "text": "hello"})

    assert lifetime_of(TURN, turn(said())) == lifetime_of(TURN, turn(said(at=None))) == A_DAY
    assert lifetime_of(TURN, no_time) == lifetime_of(TURN, turn()) == A_MINUTE
    assert lifetime_of(Idempotent(within=timedelta(days=2)), turn(said())) == timedelta(days=2)
    assert lifetime_of(Idempotent(within=timedelta(seconds=9)), turn()) == timedelta(seconds=9)
    assert lifetime_of(JOB, turn(said())) == lifetime_of(JOB, no_time) == HOUR


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = time.time()

    def __call__(self) -> float:
        return self.time


class Job:
    """An action that counts its runs. While it is held, a run waits in the middle."""

    def __init__(self, *outcomes: Answer | Exception) -> None:
        self.outcomes = outcomes or (BOOKED,)
        self.runs = 0
        self.running = asyncio.Event()
        self.released = asyncio.Event()
        self.released.set()

    @classmethod
    def held(cls, *outcomes: Answer | Exception) -> Job:
        job = cls(*outcomes)
        job.released.clear()
        return job

    async def __call__(self) -> Answer:
        outcome = self.outcomes[min(self.runs, len(self.outcomes) - 1)]
        self.runs += 1
        self.running.set()
        await self.released.wait()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


Opening = Callable[..., Awaitable[IdempotencyStore]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def opened(database_url: str, clock: Clock) -> AsyncIterator[Opening]:
    """Opens stores on one database: each stands for a worker of its own."""
    stores = []

    async def open_store(**options: Any) -> IdempotencyStore:
        stores.append(await IdempotencyStore.open(database_url, **{"clock": clock, **options}))
        return stores[-1]

    yield open_store
    for store in stores:
        await store.close(grace=0)


@pytest.fixture
async def store(opened: Opening) -> IdempotencyStore:
    return await opened()


async def call(store: IdempotencyStore, job: Job, key: str = KEY, **options: Any) -> tuple[Answer, bool]:
    return await store.once(key, job, **{"ttl": 60, "wait": 30, "action": "action_book", **options})


async def rows(database_url: str) -> list[tuple[Any, ...]]:
    async with connected(database_url) as connection:
        found = await connection.execute(text("SELECT key, state, answer FROM action_server_once ORDER BY key"))
        return [tuple(row) for row in found]


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[Any]:
    """A plain connection next to the store's."""
    url = database_url.replace("sqlite:", "sqlite+aiosqlite:").replace("postgresql:", "postgresql+asyncpg:")
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()


@asynccontextmanager
async def locked(database_url: str) -> AsyncIterator[None]:
    """Let the database answer nobody within the block."""
    async with connected(database_url) as connection:
        lock = "LOCK TABLE action_server_once IN ACCESS EXCLUSIVE MODE"
        await connection.execute(
            text("DELETE FROM action_server_once WHERE 1 = 0" if "sqlite" in database_url else lock)
        )
        yield


async def test_a_repeat_gets_the_first_answer(store: IdempotencyStore, opened: Opening) -> None:
    """In the same worker and in another one; another key is another call."""
    job, other = Job(), Job(Answer([], []))

    assert await call(store, job) == (BOOKED, False)
    assert await call(store, job) == (BOOKED, True)
    assert await call(await opened(), job) == (BOOKED, True)
    assert await call(store, other, "b" * 64) == (Answer([], []), False)
    assert (job.runs, other.runs) == (1, 1)


async def test_of_fifty_calls_at_once_one_runs(store: IdempotencyStore) -> None:
    """The others wait for it and get its answer."""
    job = Job.held()
    waiting = [asyncio.create_task(call(store, job)) for _ in range(50)]
    await job.running.wait()
    job.released.set()

    came = await asyncio.gather(*waiting)

    assert [answer for answer, _ in came] == [BOOKED] * 50
    assert sorted(repeated for _, repeated in came) == [False] + [True] * 49
    assert job.runs == 1


async def test_a_repeat_in_another_worker_waits(store: IdempotencyStore, opened: Opening) -> None:
    """As long as it may; then it says that the first call still runs."""
    job, second = Job.held(), await opened()
    first = asyncio.create_task(call(store, job))
    await job.running.wait()

    for impatient in (store, second):
        with pytest.raises(StillRunningError) as caught:
            await call(impatient, job, wait=0)
        assert caught.value.action == "action_book"
    repeats = [asyncio.create_task(call(second, job)) for _ in range(3)]
    await asyncio.sleep(0)
    job.released.set()

    assert await first == (BOOKED, False)
    assert await asyncio.gather(*repeats) == [(BOOKED, True)] * 3
    assert job.runs == 1


async def test_each_repeat_waits_as_long_as_it_may(store: IdempotencyStore, opened: Opening) -> None:
    """One that gives up takes none with it, one that is patient makes none wait, and a first call just runs."""
    job, second = Job.held(), await opened()
    first = asyncio.create_task(call(store, job, wait=0))
    await job.running.wait()
    impatient = asyncio.create_task(call(second, job, wait=0.05))
    await asyncio.sleep(0)
    patient = asyncio.create_task(call(second, job, wait=30))

    with pytest.raises(StillRunningError):
        await impatient
    await asyncio.sleep(0.05)
    job.released.set()

    assert await first == (BOOKED, False)
    assert await patient == (BOOKED, True)


async def test_a_run_that_failed_may_be_tried_again(store: IdempotencyStore, database_url: str) -> None:
    """The repeats that were waiting for it share its error; the next one runs, and leaves the first answer."""
    job = Job.held(ActionFailedError("action_book", "e1"), BOOKED)
    waiting = [asyncio.create_task(call(store, job)) for _ in range(3)]
    await job.running.wait()
    job.released.set()

    came = await asyncio.gather(*waiting, return_exceptions=True)

    assert came == [job.outcomes[0]] * 3
    assert await rows(database_url) == []
    assert await call(store, job) == (BOOKED, False)
    assert await call(store, job) == (BOOKED, True)
    assert job.runs == 2


async def test_a_failure_may_be_final(store: IdempotencyStore, opened: Opening, clock: Clock) -> None:
    """Where the rule keeps failures, a repeat is refused within the window, even where crashes may run again."""
    job = Job(ActionFailedError("action_book", "e1"), BOOKED)
    with pytest.raises(ActionFailedError):
        await call(store, job, keep_failures=True)

    for worker in (store, await opened()):
        with pytest.raises(OutcomeUnknownError, match="raised before") as caught:
            await call(worker, job, keep_failures=True, on_crash="rerun")
        assert caught.value.state == "failed"
    clock.time += 61

    assert await call(store, job, keep_failures=True) == (BOOKED, False)


DECLINED = [
    MissingDomainError("x"),
    ActionRejectedError("no", "x"),
    ActionMissingDomainException("x"),
    ActionExecutionRejection("x"),
]


@pytest.mark.parametrize("declined", DECLINED, ids=[type(exc).__name__ for exc in DECLINED])
async def test_an_action_that_declined_did_not_fail(declined: Exception, store: IdempotencyStore) -> None:
    """The engine's second request, with the domain, runs; `keep_failures` or not."""
    job = Job(declined, BOOKED)
    with pytest.raises(type(declined)):
        await call(store, job, keep_failures=True)

    assert await call(store, job, keep_failures=True) == (BOOKED, False)


async def test_a_run_goes_on_when_its_caller_went_away(store: IdempotencyStore) -> None:
    """Its repeat finds the answer, whether it comes before or after the end."""
    job = Job.held()
    first = asyncio.create_task(call(store, job))
    await job.running.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    repeat = asyncio.create_task(call(store, job))
    await asyncio.sleep(0)
    job.released.set()

    assert await repeat == (BOOKED, True)
    assert await call(store, job) == (BOOKED, True)
    assert job.runs == 1


async def heard(store: IdempotencyStore, run: Callable[[], Awaitable[Answer]]) -> object:
    """What a caller gets, as a value: a task that raises SystemExit ends the whole loop."""
    try:
        return await store.once(KEY, run, ttl=60, wait=30)
    except BaseException as exc:  # noqa: BLE001
        return exc


STRANGE: list[BaseException] = [SystemExit(3), asyncio.CancelledError("not the caller's")]


@pytest.mark.parametrize("end", STRANGE, ids=["exits", "awaits what was cancelled"])
async def test_an_action_that_ends_strangely_has_failed(
    end: BaseException, store: IdempotencyStore, database_url: str
) -> None:
    """Its caller and its repeats hear it, the worker goes on, and the call may be tried again."""
    running, go_on = asyncio.Event(), asyncio.Event()

    async def run() -> Answer:
        running.set()
        await go_on.wait()
        raise end

    callers = [asyncio.create_task(heard(store, run)) for _ in range(2)]
    await running.wait()
    go_on.set()

    came = await asyncio.gather(*callers)
    if isinstance(end, asyncio.CancelledError) and sys.version_info < (3, 11):
        # It cannot be told from a run that the worker cut off, whose outcome is unknown.
        assert [type(exc) for exc in came] == [OutcomeUnknownError] * 2
    else:
        assert came == [end, end]
        assert await rows(database_url) == []


async def test_a_failure_that_nobody_hears_is_no_trouble(store: IdempotencyStore, database_url: str) -> None:
    """The run's caller is gone: nothing is left of it, no complaint of asyncio's either."""
    job = Job.held(ActionFailedError("action_book", "e1"))
    first = asyncio.create_task(call(store, job))
    await job.running.wait()
    first.cancel()
    job.released.set()
    await store.close()

    assert await rows(database_url) == []


async def test_a_closing_store_lets_runs_end(store: IdempotencyStore, opened: Opening) -> None:
    """Within its grace; new calls are refused meanwhile, and repeats are not."""
    job = Job.held()
    first = asyncio.create_task(call(store, job))
    await job.running.wait()
    closing_store = asyncio.create_task(store.close(grace=30))
    await asyncio.sleep(0)

    with pytest.raises(StoreUnavailableError):
        await call(store, job, "b" * 64)
    repeat = asyncio.create_task(call(store, job))
    await asyncio.sleep(0)
    job.released.set()
    await closing_store

    assert await first == (BOOKED, False)
    assert await repeat == (BOOKED, True)
    assert await call(await opened(), job) == (BOOKED, True)


@pytest.mark.parametrize("on_crash", ["refuse", "rerun"])
async def test_a_run_that_was_cut_off_is_no_success(
    on_crash: OnCrash, store: IdempotencyStore, opened: Opening, clock: Clock
) -> None:
    """Until its lease is over it counts as running; then repeats are refused, or run where the rule says so."""
    job = Job.held()
    first = asyncio.create_task(call(store, job))
    await job.running.wait()
    await store.close(grace=0)
    with pytest.raises(OutcomeUnknownError, match="was cut off before"):
        await first
    job.released.set()
    second = await opened()

    clock.time += LEASE - 0.1
    with pytest.raises(StillRunningError):
        await call(second, job, wait=0, on_crash=on_crash)
    clock.time += 0.1
    if on_crash == "refuse":
        for _ in range(2):
            with pytest.raises(OutcomeUnknownError) as caught:
                await call(second, job)
            assert (caught.value.action, caught.value.key, caught.value.state) == ("action_book", KEY, "running")
        clock.time += 60 - LEASE
        assert await call(second, job) == (BOOKED, False)
    else:
        assert await call(second, job, on_crash=on_crash) == (BOOKED, False)
        assert await call(second, job) == (BOOKED, True)


async def test_a_long_run_renews_its_lease(store: IdempotencyStore, opened: Opening, clock: Clock) -> None:
    """However long it takes, it counts as alive, its lifetime over or not, and no sweep takes its row."""
    job, second = Job.held(), await opened()
    first = asyncio.create_task(call(store, job, ttl=1))
    await job.running.wait()

    for _ in range(3):
        clock.time += LEASE - 0.1
        await store.renew()
        assert await second.sweep() == 0
        with pytest.raises(StillRunningError):
            await call(second, Job(), wait=0, on_crash="rerun")
    job.released.set()

    assert await first == (BOOKED, False)
    assert await call(second, job) == (BOOKED, True)


async def test_a_store_keeps_its_house_by_itself(opened: Opening, caplog: pytest.LogCaptureFixture) -> None:
    """By the database's own clock: leases are renewed while a run lasts, and a failure of that is logged and no end."""
    lease = 0.3
    store, second = await opened(clock=None, lease=lease), await opened(clock=None, lease=lease)
    job = Job.held()
    failures = [DatabaseError()]

    async def sometimes(renew: Callable[[], Awaitable[None]] = store.renew) -> None:
        if failures:
            raise failures.pop()
        await renew()

    store.renew = sometimes  # type: ignore[method-assign]
    first = asyncio.create_task(call(store, job))
    await asyncio.sleep(3 * lease)
    with pytest.raises(StillRunningError):
        await call(second, Job(), wait=0, on_crash="rerun")
    job.released.set()

    assert await first == (BOOKED, False)
    assert [r.message for r in caplog.records if r.name.startswith("action_server")] == ["idempotent.upkeep_failed"]


async def test_who_lost_its_lease_overwrites_nothing(
    store: IdempotencyStore, opened: Opening, caplog: pytest.LogCaptureFixture
) -> None:
    """A run taken for dead comes back: its caller gets its answer, everybody else the one of the second run."""
    slow, quick = Job.held(Answer([], [{"text": "slow"}])), Job()
    first = asyncio.create_task(call(store, slow))
    await slow.running.wait()
    second = await opened(clock=lambda: time.time() + LEASE + 1)
    assert await call(second, quick, on_crash="rerun") == (BOOKED, False)
    slow.released.set()

    assert await first == (slow.outcomes[0], False)
    assert await call(store, slow) == (BOOKED, True)
    assert [r.message for r in caplog.records] == ["idempotent.lease_lost"]


async def test_an_answer_is_forgotten_after_its_time(store: IdempotencyStore, clock: Clock, database_url: str) -> None:
    """The same call then runs again; a sweep deletes what is over, and nothing else."""
    job = Job()
    await call(store, job, ttl=60)
    await call(store, job, "b" * 64, ttl=120)
    clock.time += 59.9
    assert await call(store, job) == (BOOKED, True)
    assert await store.sweep() == 0
    clock.time += 0.1

    assert await call(store, job, ttl=10) == (BOOKED, False)
    clock.time += 10
    assert await store.sweep() == 1
    assert [key for key, *_ in await rows(database_url)] == ["b" * 64]


ODD = ["\x00", "\ud800", "🦷 é", 10**4000, -0.0, 1e308, float("inf"), {"": []}, None, True]


async def test_whatever_stands_in_an_answer_comes_back(store: IdempotencyStore, opened: Opening) -> None:
    """All that JSON can say, and what Python's and the engines' JSON says besides."""
    odd = Answer([{"event": "slot", "name": "x", "value": ODD, "timestamp": None}], [{"text": t} for t in ODD])
    await call(store, Job(odd))

    assert await call(await opened(), Job()) == (odd, True)


@pytest.mark.parametrize("stored", ["", "{", "[]", "null", '{"events": []}', '{"events": [1], "responses": []}', None])
async def test_a_broken_answer_is_an_error_and_no_second_run(
    stored: str | None, store: IdempotencyStore, database_url: str
) -> None:
    """The work was done; saying so is all that is left."""
    job = Job()
    await call(store, job)
    async with connected(database_url) as connection:
        await connection.execute(text("UPDATE action_server_once SET answer = :answer"), {"answer": stored})

    with pytest.raises(UnreadableAnswerError) as caught:
        await call(store, job)
    assert (caught.value.action, caught.value.key) == ("action_book", KEY)
    assert job.runs == 1


async def test_without_its_database_nothing_runs(opened: Opening, database_url: str) -> None:
    """The call is refused, a check of the server's health fails, and both work again afterwards."""
    store, job = await opened(patience=0.2), Job()
    async with locked(database_url):
        with pytest.raises(StoreUnavailableError) as caught:
            await call(store, job)
        assert isinstance(caught.value.__cause__, DatabaseError)
        assert caught.value.action == "action_book"
    assert job.runs == 0

    await store.ping()
    assert await call(store, job) == (BOOKED, False)


async def test_an_answer_that_cannot_be_stored_is_given_once(
    opened: Opening,
    database_url: str,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The caller gets it, as it is true; the repeat hears that the outcome is unknown, and nothing runs twice."""
    monkeypatch.setattr(store_module, "_END_PAUSES", (0.0, 0.01))
    store, job = await opened(patience=0.2), Job.held()
    first = asyncio.create_task(call(store, job))
    await job.running.wait()
    async with locked(database_url):
        job.released.set()
        assert await first == (BOOKED, False)
    assert [r.message for r in caplog.records if r.levelno == logging.ERROR] == ["idempotent.not_stored"]

    clock.time += LEASE
    with pytest.raises(OutcomeUnknownError):
        await call(store, job)
    assert job.runs == 1


async def test_a_short_silence_of_the_database_does_not_cost_the_answer(opened: Opening, database_url: str) -> None:
    """Storing it is tried more than once."""
    store, job = await opened(patience=0.2), Job.held()
    first = asyncio.create_task(call(store, job))
    await job.running.wait()
    async with locked(database_url):
        job.released.set()
        await asyncio.sleep(0.25)

    assert await first == (BOOKED, False)
    assert await call(store, job) == (BOOKED, True)


async def test_a_call_is_answered_by_its_rule(store: IdempotencyStore, clock: Clock) -> None:
    """The key, the lifetime and the policies are the rule's; nothing of the call stands in the key's row."""
    job = Job(ActionFailedError("action_book", "e1"), BOOKED)
    rule = Idempotent(key=("appointment_type",), within=timedelta(seconds=5), keep_failures=True)
    mine, yours = with_slots(appointment_type="cleaning"), with_slots(appointment_type="checkup")

    with pytest.raises(ActionFailedError):
        await store.answer(rule, mine, job)
    with pytest.raises(OutcomeUnknownError):
        await store.answer(rule, mine, job)
    assert await store.answer(rule, yours, job) == (BOOKED, False)
    assert await store.answer(rule, yours, job, wait=0) == (BOOKED, True)
    clock.time += 5
    assert await store.answer(rule, yours, job) == (BOOKED, False)


FORGED = {"key": KEY, "state": "done", "owner": "", "lease_until": 0, "expires_at": 0, "answer": ""}


async def test_the_executor_runs_a_marked_action_once(store: IdempotencyStore) -> None:
    """A repeated request gets the answer, events and messages, without a run; the next turn runs."""
    runs = []

    @idempotent
    def book(dispatcher: CollectingDispatcher, tracker: Any, domain: Any) -> list[dict[str, Any]]:
        runs.append(tracker.sender_id)
        dispatcher.utter_message(text=f"Booking {len(runs)}.")
        return [{"event": "slot", "name": "reference", "value": len(runs), "timestamp": None}]

    registry = Registry()
    registry.register_function("action_book", book)
    executor = Executor(registry, store=store)

    first, *repeats = await asyncio.gather(*(executor.run(turn(said())) for _ in range(5)))
    next_turn = await executor.run(turn(said("m-2", 200.0)))
    executor.close()

    assert first.responses[0]["text"] == "Booking 1."
    assert repeats == [first] * 4
    assert next_turn.events[0]["value"] == 2
    assert len(runs) == 2


async def test_a_transaction_ends_though_its_caller_went_away(database_url: str) -> None:
    """It is all there, and its connection is free again; closing waits for it."""
    database = await Database.open(database_url, store_module.metadata.create_all)
    began, go_on = asyncio.Event(), asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(store_module.calls.insert().values(FORGED))
        began.set()
        await go_on.wait()

    caller = asyncio.create_task(database.write(work))
    await began.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    asyncio.get_running_loop().call_later(0.05, go_on.set)
    await database.close()

    assert await rows(database_url) == [(KEY, "done", "")]


async def test_a_transaction_that_fails_leaves_nothing(database_url: str) -> None:
    """Also when nobody is there any more to hear of it."""
    database = await Database.open(database_url, store_module.metadata.create_all)

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(store_module.calls.insert().values(FORGED))
        await connection.execute(text("SELECT nonsense FROM nowhere"))

    caller = asyncio.create_task(database.write(work))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(DatabaseError):
        await database.write(work)
    await database.close()

    assert await rows(database_url) == []


async def test_stores_opened_at_once_create_the_table_together(opened: Opening) -> None:
    """On an empty database nobody fails."""
    stores = await asyncio.gather(*(opened() for _ in range(8)))
    job = Job()

    came = await asyncio.gather(*(call(store, job) for store in stores))

    assert sorted(repeated for _, repeated in came) == [False] + [True] * 7


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_table_of_the_manual_is_the_stores(database_url: str) -> None:
    """Who creates it by hand gets what the store uses."""
    statements = re.findall(r"CREATE [^;]+;", PAGE.read_text(encoding="utf-8"))
    async with connected(database_url) as connection:
        for statement in statements:
            await connection.execute(text(statement))
        by_hand = await connection.run_sync(columns)
        await connection.execute(text("DROP TABLE action_server_once"))
    store = await IdempotencyStore.open(database_url)
    await store.close()

    async with connected(database_url) as connection:
        assert await connection.run_sync(columns) == by_hand
    assert len(statements) == 2


def columns(connection: Connection) -> list[object]:
    found = inspect(connection)
    types = [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns("action_server_once")]
    return [
        types,
        found.get_pk_constraint("action_server_once")["constrained_columns"],
        found.get_indexes("action_server_once"),
    ]


async def test_a_path_is_a_sqlite_file_for_its_owner_alone(tmp_path: Path) -> None:
    """Answers stand in it. The folder is made; the file survives in WAL mode."""
    file = tmp_path / "new" / "state.sqlite3"
    store = await IdempotencyStore.open(file)
    await call(store, Job())
    await store.close()
    again = await IdempotencyStore.open(str(file))

    assert await call(again, Job()) == (BOOKED, True)
    await again.close()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


BAD_URLS: list[tuple[str, str, str]] = [
    ("empty", "", "is empty"),
    ("another database", "mysql://user:hunter2@host/x", "must be the path of a SQLite file"),
    ("another driver", "postgresql+psycopg://user:hunter2@host/x", "must be the path of a SQLite file"),
    ("no URL", "://user:hunter2@host", "is not an URL"),
    ("a port that is none", "postgresql://user:hunter2@host:port/x", "is not an URL"),
    ("memory", "sqlite://", "names no file"),
    ("memory by name", "sqlite:///:memory:", "names no file"),
]


@pytest.mark.parametrize(("url", "problem"), [u[1:] for u in BAD_URLS], ids=[u[0] for u in BAD_URLS])
async def test_a_bad_url_is_the_settings_fault(url: str, problem: str) -> None:
    """The setting is named and its value is not: a password may stand in it."""
    with pytest.raises(SettingsError, match=f"^idempotency.database: {problem}") as caught:
        await IdempotencyStore.open(url, where="idempotency.database")
    assert "hunter2" not in str(caught.value)


async def test_a_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL is an optional install."""
    monkeypatch.setitem(sys.modules, "asyncpg", None)

    with pytest.raises(SettingsError, match=r"^database: needs the package asyncpg, which is not installed"):
        await IdempotencyStore.open("postgresql://localhost/x")


async def test_a_database_that_does_not_answer_is_an_error_of_its_own(tmp_path: Path) -> None:
    """No server, a folder that cannot be, a file that is no database."""
    (tmp_path / "text").write_text("This is no database, and long enough to be seen as none. " * 20)

    for url in ("postgresql://127.0.0.1:1/x", tmp_path / "text" / "state", tmp_path / "text", tmp_path):
        with pytest.raises(DatabaseError, match="did not answer"):
            await IdempotencyStore.open(url)
