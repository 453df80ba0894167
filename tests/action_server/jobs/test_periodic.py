"""Periodic jobs: one row for ever, run by one worker at a time, again and again."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import delete, update

from action_server import GiveUp, RetryLater, current_job, job, later
from action_server.errors import RegistrationError
from action_server.jobs.definitions import Job
from action_server.jobs.handover import DELIVER
from action_server.jobs.overview import list_jobs, retry_job
from action_server.jobs.periodic import PeriodicJobs, id_of, run_again
from action_server.jobs.queue import JobQueue, Order
from action_server.jobs.table import jobs
from tests.action_server.jobs.job_fixtures import Clock, Opening, claim_one, state_of
from tests.action_server.jobs.running_jobs import ended, opened_queue, running
from tests.processes import PATIENCE

pytest_plugins = ["tests.databases", "tests.action_server.jobs.job_fixtures"]

ROW = id_of("sweep")


@pytest.fixture
async def live(database_url: str) -> AsyncIterator[JobQueue]:
    """A queue by the real clock, whose leases no busy machine lets run out."""
    async with opened_queue(database_url) as found:
        yield JobQueue(found.database)


def sweep_every(seconds: float, **options: Any) -> Mapping[str, Job[..., Any]]:
    """A periodic job that is never run, by its name."""

    @job(every=seconds, **options)
    async def sweep() -> None:
        raise AssertionError("it must not run")

    return {"sweep": sweep}


async def until(look: Callable[[], Awaitable[object]]) -> None:
    """Wait until it is true."""

    async def wait() -> None:
        while not await look():  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), PATIENCE)


async def set_row(queue: JobQueue, **values: Any) -> None:
    """Write into the row as somebody else would."""
    changing = update(jobs).where(jobs.c.id == ROW).values(**values)
    await queue.database.write(lambda connection: connection.execute(changing))


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "thread"])
async def test_it_runs_by_itself_again_and_again(
    live: JobQueue, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody asks for it, a failure is no end, and one that ends well has its line at DEBUG alone."""
    attempts: list[int] = []
    came = asyncio.Event()

    def work() -> None:
        attempts.append(current_job().attempt)
        if len(attempts) in (2, 3):
            raise ValueError
        if len(attempts) == 4:
            raise RetryLater("not yet", 0.01)
        if len(attempts) > 5:
            loop.call_soon_threadsafe(came.set)

    async def work_on_loop() -> None:
        work()

    loop = asyncio.get_running_loop()
    sweep = job(name="sweep", every=0.01, backoff=0.01, retries=0)(work_on_loop if is_async else work)
    caplog.set_level(logging.DEBUG, "action_server.jobs")
    async with running(live, sweep):
        await asyncio.wait_for(came.wait(), PATIENCE)

    assert attempts[:6] == [1, 1, 2, 3, 3, 1]
    levels = {record.getMessage(): record.levelname for record in caplog.records}
    assert levels == {"job.done": "DEBUG", "job.failed": "WARNING", "job.postponed": "INFO"}
    row = await state_of(live, ROW)
    assert (row["state"], row["problem"], row["name"]) == ("waiting", None, "sweep")


@pytest.mark.parametrize("how", ["gives up", "returns no number"])
async def test_it_is_never_given_up(live: JobQueue, how: str) -> None:
    """Whatever would park another job: it pauses, and is tried again."""
    runs: asyncio.Queue[int] = asyncio.Queue()

    @job(every=3600, backoff=0.01, retries=0)
    async def sweep() -> int:
        runs.put_nowait(1)
        if how == "gives up":
            raise GiveUp("there is nothing to sweep")
        return "no number"  # type: ignore[return-value]

    async with running(live, sweep):
        for _ in range(3):
            await asyncio.wait_for(runs.get(), PATIENCE)

    assert (await state_of(live, ROW))["state"] in ("waiting", "running")


async def test_runs_without_news_are_seen_by_nobody(live: JobQueue) -> None:
    """They would fill the list of whoever watches; those that fail are in it."""
    seen: list[str] = []
    came = asyncio.Event()

    class Seeing:
        def begin(self, face: str, request_id: str = "") -> Seeing:
            return self

        def take(self, body: bytes | memoryview) -> None:
            raise AssertionError("no call")

        def end(self, status: int, reply: bytes) -> None:
            seen.append("kept")

        def leave(self) -> None:
            raise AssertionError("nobody waited")

        def dismiss(self) -> None:
            seen.append("let be")
            if len(seen) > 2:
                came.set()

    @job(every=0.01, backoff=0.01)
    async def sweep() -> None:
        if len(seen) == 1:
            raise ValueError

    async with running(live, sweep, witnesses=Seeing):
        await asyncio.wait_for(came.wait(), PATIENCE)

    assert seen[:3] == ["let be", "kept", "let be"]


async def test_one_worker_runs_it_at_a_time(live: JobQueue) -> None:
    """Of two that begin at once, one makes the row; and each run is one of them's."""
    now = most = runs = 0
    came = asyncio.Event()

    @job(every=0.001)
    async def sweep() -> None:
        nonlocal now, most, runs
        now += 1
        most, runs = max(most, now), runs + 1
        await asyncio.sleep(0.002)
        now -= 1
        if runs == 10:
            came.set()

    async with running(live, sweep), running(JobQueue(live.database), sweep):
        await asyncio.wait_for(came.wait(), PATIENCE)

    assert most == 1


async def test_what_each_turn_says_is_a_result_of_its_own(live: JobQueue) -> None:
    """By the id of the row, which is the same for ever, the second one would be taken for the first."""
    turns: list[str] = []

    @job(every=0.01)
    async def sweep() -> None:
        turns.append(current_job().id)
        current_job().delivers(f"turn {len(turns)}", to="ann")
        if len(turns) == 3:
            # Written with the end of the turn: of one that is taken over nothing is said.
            await set_row(live, owner="somebody else")

    async def has_three() -> bool:
        return len(turns) >= 3

    async with running(live, sweep):
        await until(has_three)
    deliveries = await list_jobs(live.database, ["waiting"], DELIVER, 10)
    said = [json.loads(str((await state_of(live, one.id))["arguments"]))["texts"] for one in deliveries]
    assert sorted(said) == [["turn 1"], ["turn 2"]]
    assert set(turns) == {ROW}


async def test_it_is_due_at_its_time_after_a_run(opened: Opening, clock: Clock) -> None:
    """And not before, whoever looks; what was asked for before is a thing of the past."""
    queue, other = await opened(), await opened()
    periodic = PeriodicJobs(queue, sweep_every(10))
    await periodic.look()
    assert await queue.next_due(["sweep"]) == 0
    claimed = await claim_one(queue, "sweep")
    clock.time += 3
    assert await run_again(queue, claimed, 10, 60)

    await periodic.look()
    assert await other.claim(["sweep"], 1) == []
    assert await other.next_due(["sweep"]) == 10
    clock.time += 10
    again = await claim_one(other, "sweep")
    assert (again.id, again.attempt, again.fence, again.waited, again.left) == (ROW, 1, 2, 10, 60)
    assert not await run_again(queue, claimed, 10, 60)


async def test_one_whose_process_was_killed_is_taken_over(opened: Opening, clock: Clock) -> None:
    """By another worker, when the lease is over."""
    queue, other = await opened(), await opened()
    await PeriodicJobs(queue, sweep_every(10)).look()
    await claim_one(queue, "sweep")
    await PeriodicJobs(other, sweep_every(10)).look()
    assert await other.claim(["sweep"], 1) == []

    clock.time += queue.lease
    assert (await claim_one(other, "sweep")).losses == 1


async def test_what_kills_its_processes_pauses_and_is_tried_again(opened: Opening, clock: Clock) -> None:
    """Any other job would be parked."""
    queue = await opened()
    periodic = sweep_every(10, longest_backoff=300)
    await PeriodicJobs(queue, periodic).look()
    for _ in range(6):
        await claim_one(queue, "sweep")
        clock.time += queue.lease
    async with running(queue, periodic["sweep"]):
        await until(lambda: _has(queue, problem="its process died 6 times"))

    row = await state_of(queue, ROW)
    assert (row["state"], row["due_at"], row["losses"]) == ("waiting", clock.time + 300, 0)


async def _has(queue: JobQueue, **values: object) -> bool:
    return (await state_of(queue, ROW)).items() >= values.items()


async def test_one_that_was_cancelled_stays_so_until_it_is_retried(opened: Opening, clock: Clock) -> None:
    """Whoever starts, and however old it is; and then it begins again."""
    queue = await opened()
    await PeriodicJobs(queue, sweep_every(10)).look()
    assert await queue.cancel(ROW) == "waiting"

    clock.time += 365 * 86_400
    assert await queue.sweep(7 * 86_400, 30 * 86_400) == 0
    await PeriodicJobs(await opened(), sweep_every(10)).look()
    assert (await state_of(queue, ROW))["state"] == "cancelled"
    assert await retry_job(queue.database, ROW)
    assert (await state_of(queue, ROW))["state"] == "waiting"


async def test_one_that_is_cancelled_in_its_run_stays_so(live: JobQueue) -> None:
    """As any other job that runs."""
    started = asyncio.Event()

    @job(every=0.01)
    async def sweep() -> None:
        started.set()
        await asyncio.Event().wait()

    async with running(live, sweep):
        await asyncio.wait_for(started.wait(), PATIENCE)
        await live.cancel(ROW)
        await ended(live, ROW, "cancelled")


async def test_a_row_that_somebody_deleted_is_made_again(opened: Opening) -> None:
    """When it is looked for."""
    queue = await opened()
    periodic = PeriodicJobs(queue, sweep_every(10))
    await periodic.look()
    await queue.database.write(lambda connection: connection.execute(delete(jobs)))
    await periodic.look()
    assert await queue.next_due(["sweep"]) == 0


@pytest.mark.parametrize("state", ["done", "parked"])
async def test_one_that_ended_as_it_was_not_periodic_begins_again(state: str, opened: Opening) -> None:
    """In another version of the package."""
    queue = await opened()
    await PeriodicJobs(queue, sweep_every(10)).look()
    await set_row(queue, state=state, due_at=None, ended_at=1.0)
    await PeriodicJobs(queue, sweep_every(10)).look()
    assert await queue.next_due(["sweep"]) == 0
    assert (await state_of(queue, ROW))["ended_at"] is None


async def test_another_every_counts_from_the_next_start(opened: Opening, clock: Clock) -> None:
    """A shorter one at once, a longer one after the next run; what waits behind a failure keeps its pause."""
    queue = await opened()
    await PeriodicJobs(queue, sweep_every(86_400)).look()
    await run_again(queue, await claim_one(queue, "sweep"), 86_400, 60)
    await PeriodicJobs(queue, sweep_every(10)).look()
    assert await queue.next_due(["sweep"]) == 10
    await PeriodicJobs(queue, sweep_every(86_400)).look()
    assert await queue.next_due(["sweep"]) == 10

    clock.time += 10
    await queue.retry(await claim_one(queue, "sweep"), 300, "ValueError")
    await PeriodicJobs(queue, sweep_every(10)).look()
    assert await queue.next_due(["sweep"]) == 300


async def test_a_clock_that_is_set_back_does_not_stop_it(opened: Opening, clock: Clock) -> None:
    """A day later it would be due by the new time; one that was set ahead makes it due at once."""
    queue = await opened()
    periodic = PeriodicJobs(queue, sweep_every(10))
    await periodic.look()
    await run_again(queue, await claim_one(queue, "sweep"), 10, 60)
    clock.time -= 86_400
    await periodic.look()
    assert await queue.next_due(["sweep"]) == 10
    clock.time += 86_400
    assert len(await queue.claim(["sweep"], 2)) == 1


async def test_one_that_is_asked_for_is_as_any_other(live: JobQueue) -> None:
    """It runs once and is done, beside the one that comes by itself."""

    @job(every=3600)
    async def sweep() -> int:
        return 7

    async with running(live, sweep):
        assert (await ended(live, (await later(sweep)).id))["result"] == "7"
        await until(lambda: _has(live, state="waiting", fence=1))


def test_what_nobody_could_give_it_is_refused() -> None:
    """An argument; one with a default is there by itself."""
    with pytest.raises(RegistrationError, match="is periodic, and nobody could give it its argument 'of'"):

        @job(every=10)
        async def of_somebody(of: str) -> None: ...

    @job(every=10)
    async def of_all(most: int = 100) -> None: ...


async def test_one_that_no_version_has_any_more_is_forgotten(opened: Opening, clock: Clock) -> None:
    """Nobody waits for it: it is not said, and its row goes when it was due for as long as others are kept."""
    queue = await opened()
    await PeriodicJobs(queue, sweep_every(10, deadline=60)).look()
    await queue.enqueue(Order("other", "{}", delay=0, deadline=60))

    clock.time += 100
    assert set(await queue.forsaken([])) == {"other"}
    await queue.sweep(keep=101, keep_parked=101)
    assert (await state_of(queue, ROW))["state"] == "waiting"
    await queue.sweep(keep=99, keep_parked=101)

    assert await queue.next_due(["sweep"]) is None
    assert await queue.next_due(["other"]) == -100
