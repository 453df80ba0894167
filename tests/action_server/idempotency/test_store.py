"""The store makes one run of many calls, and gives its answer to all of them."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from rasa_sdk import ActionExecutionRejection
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.interfaces import ActionMissingDomainException
from sqlalchemy import text

from action_server.errors import (
    ActionFailedError,
    ActionRejectedError,
    DatabaseError,
    MissingDomainError,
    OutcomeUnknownError,
    StillRunningError,
    StoreUnavailableError,
    UnreadableAnswerError,
)
from action_server.idempotency import store as store_module
from action_server.idempotency.rules import Idempotent, idempotent
from action_server.idempotency.store import LEASE, IdempotencyStore
from action_server.protocol.answers import Answer
from action_server.runtime.executor import Executor
from action_server.runtime.registry import Registry
from tests.action_server.idempotency.store_fixtures import (
    BOOKED,
    KEY,
    Clock,
    Job,
    Opening,
    call,
    connected,
    locked,
    rows,
)
from tests.action_server.idempotency.turns import said, turn, with_slots

pytest_plugins = ["tests.databases", "tests.action_server.idempotency.store_fixtures"]


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
        return await store.run_once(KEY, run, ttl=60, wait=30)
    except BaseException as exc:  # noqa: BLE001
        return exc


STRANGE = [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError("not the caller's")]


@pytest.mark.parametrize("end", STRANGE, ids=["exits", "interrupts", "closes", "awaits what was cancelled"])
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


ODD = ["\x00", "\ud800", "🦷 é", 10**4000, -0.0, 1e308, {"": []}, None, True]


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
        with pytest.raises(DatabaseError):
            await store.ping()
    assert job.runs == 0

    await store.ping()
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
    # A line for each, which names the key; a traceback for each would fill what is left of a disk.
    assert [r.exc_info for r in caplog.records if r.levelno == logging.ERROR] == [None]

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
