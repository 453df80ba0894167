"""What is asked for is run: with retries, limits, cancelling and progress, by coroutines and on threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence

import pytest
from sqlalchemy import update

from action_server import current_job, job, later, services
from action_server.errors import JobError
from action_server.jobs import asking as asking_module
from action_server.jobs.handover import DELIVER, engine_of
from action_server.jobs.queue import Claimed, JobQueue
from action_server.jobs.table import jobs
from tests.action_server.jobs.job_fixtures import asking, state_of
from tests.action_server.jobs.running_jobs import ended, opened_queue, running
from tests.processes import PATIENCE

pytest_plugins = ["tests.databases"]


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[JobQueue]:
    """A queue by the real clock, whose leases are short."""
    async with opened_queue(database_url) as found:
        yield found


@job
async def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@job
def add_on_thread(a: int) -> int:
    """Add with a service of the loop."""
    return services.blocking(_next(a))


async def _next(a: int) -> int:
    return a + 1


async def test_a_job_is_run_and_its_result_kept(queue: JobQueue) -> None:
    """A coroutine on the loop, a plain function on a thread, where services can be asked for."""
    async with running(queue, add, add_on_thread):
        first = await later(add, a=1, b=2)
        second = await later(add_on_thread, a=5)
        assert (await ended(queue, first.id))["result"] == "3"
        assert (await ended(queue, second.id))["result"] == "6"


async def test_what_this_process_asks_for_is_claimed_without_a_look(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One statement less for each; who knows of nothing looks first, as a claim takes SQLite's lock."""
    steps, looked = list[str](), asyncio.Event()
    look, claim = queue.next_due, queue.claim

    async def noted_look(names: Collection[str]) -> float | None:
        due = await look(names)
        steps.append("look")
        if len(steps) == 2:
            looked.set()
        return due

    async def noted_claim(names: Collection[str], limit: int) -> Sequence[Claimed]:
        steps.append("claim")
        return await claim(names, limit)

    monkeypatch.setattr(queue, "next_due", noted_look)
    monkeypatch.setattr(queue, "claim", noted_claim)
    async with running(queue, add, poll=60.0):
        # At the start, and when periodic jobs were looked for.
        await asyncio.wait_for(looked.wait(), PATIENCE)
        await ended(queue, (await later(add, a=1)).id)

    assert steps[:3] == ["look", "look", "claim"]


async def test_who_waits_longest_comes_first_whatever_this_process_asked_for(queue: JobQueue) -> None:
    """Also where jobs of one name have places of their own, and this process knows that there is more to do."""
    began, released = list[str](), asyncio.Event()

    @job
    async def hold() -> None:
        began.append("hold")
        await released.wait()

    @job(at_once=1)
    async def narrow() -> None:
        began.append("narrow")

    @job
    async def wide() -> None:
        began.append("wide")

    async with running(queue, hold, narrow, wide, concurrency=1):
        await later(hold)
        while not began:  # noqa: ASYNC110 - the job sets no event of ours
            await asyncio.sleep(0.01)
        ordered = [await later(one) for one in (narrow, wide)]
        released.set()
        for one in ordered:
            await ended(queue, one.id)

    assert began == ["hold", "narrow", "wide"]


async def test_a_failure_is_tried_again_and_then_parked(queue: JobQueue, caplog: pytest.LogCaptureFixture) -> None:
    """After pauses that double; the row has the type and place, the words are in the log alone."""
    runs: list[int] = []

    @job(retries=2, backoff=0.01)
    async def fail() -> None:
        runs.append(current_job().attempt)
        raise ValueError("Anna's number")

    async with running(queue, fail):
        ordered = await later(fail)
        row = await ended(queue, ordered.id, "parked")

    assert runs == [1, 2, 3]
    assert str(row["problem"]).startswith("ValueError at ")
    assert "Anna" not in str(row)
    assert "Anna's number" in caplog.text
    assert fail.rules.pause(1) == 0.01
    assert fail.rules.pause(3) == 0.04
    assert fail.rules.pause(5000) == 300


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
async def test_a_retry_comes_at_its_time(error: type[BaseException], queue: JobQueue) -> None:
    """Not when the queue is looked at next, which here is in an hour; whatever the job raised."""
    runs: list[int] = []

    @job(backoff=0.05)
    async def fail_once() -> None:
        runs.append(current_job().attempt)
        if len(runs) == 1:
            raise error

    async with running(queue, fail_once, poll=3600.0):
        row = await ended(queue, (await later(fail_once)).id)

    assert runs == [1, 2]
    assert row["attempt"] == 2


async def test_no_retry_after_the_deadline(queue: JobQueue) -> None:
    """One that would come too late is parked at once."""

    @job(backoff=100)
    async def fail() -> None:
        raise ValueError

    async with running(queue, fail):
        ordered = await later(fail.having(deadline=50))
        row = await ended(queue, ordered.id, "parked")

    assert "a retry would be after its deadline" in str(row["problem"])


async def test_what_takes_too_long_is_cut(queue: JobQueue) -> None:
    """A coroutine is cancelled; for a thread, `is_cancelled` says so."""
    released = asyncio.Event()

    @job(timeout=0.05, retries=0)
    async def hang() -> None:
        await released.wait()

    @job(timeout=0.05, retries=0)
    def hang_on_thread() -> None:
        run = current_job()
        while not run.is_cancelled:
            pass

    async with running(queue, hang, hang_on_thread):
        rows = [await ended(queue, (await later(one)).id, "parked") for one in (hang, hang_on_thread)]

    assert [row["problem"] for row in rows] == ["took longer than 0.05 s"] * 2


async def test_a_running_job_is_cancelled(queue: JobQueue) -> None:
    """From anywhere, by its id; it ends as cancelled and is not tried again."""
    started = asyncio.Event()

    @job
    async def hang() -> None:
        started.set()
        await asyncio.Event().wait()

    async with running(queue, hang):
        ordered = await later(hang)
        await started.wait()
        assert await asking_module.cancel(ordered.id)
        row = await ended(queue, ordered.id, "cancelled")
        assert not await asking_module.cancel(ordered.id)

    assert row["attempt"] == 1


async def test_a_shutdown_gives_jobs_back(queue: JobQueue) -> None:
    """What the grace does not suffice for is run elsewhere, at once and as the same attempt."""
    started: asyncio.Queue[int] = asyncio.Queue()
    attempts: list[int] = []
    is_held = True

    @job(retries=0)
    async def work() -> None:
        attempts.append(current_job().attempt)
        started.put_nowait(1)
        if is_held:
            await asyncio.Event().wait()

    async with running(queue, work):
        ordered = await later(work)
        await started.get()
    assert (await state_of(queue, ordered.id))["state"] == "waiting"
    is_held = False
    async with running(queue, work):
        await ended(queue, ordered.id)

    assert attempts == [1, 1]


async def test_progress_is_written(queue: JobQueue) -> None:
    """While it runs; a run that was taken over hears that it was."""
    said, go_on = asyncio.Event(), asyncio.Event()

    @job
    async def work() -> None:
        run = current_job()
        await run.progress(0.5, "half of it")
        said.set()
        await go_on.wait()

    async with running(queue, work):
        ordered = await later(work)
        await said.wait()
        row = await state_of(queue, ordered.id)
        go_on.set()
        await ended(queue, ordered.id)

    assert (row["progress"], row["said"]) == (0.5, "half of it")


async def test_a_job_whose_process_keeps_dying_is_parked(queue: JobQueue) -> None:
    """It is taken for the reason; each death leaves a lease that runs out."""

    @job
    async def work() -> None:
        raise AssertionError("it must not run")

    clock = [1_800_000_000.0]
    dying = JobQueue(queue.database, clock=lambda: clock[0])
    with asking(dying):
        ordered = await later(work)
    for _ in range(6):
        assert len(await dying.claim(["work"], 1)) == 1
        clock[0] += 16
    async with running(dying, work):
        row = await ended(queue, ordered.id, "parked")

    assert row["problem"] == "its process died 6 times"


async def test_a_result_that_is_not_its_type_is_not_run_again(queue: JobQueue) -> None:
    """It has done its work; a repeat would come to the same."""
    runs: list[int] = []

    @job
    async def work() -> int:
        runs.append(1)
        return "no number"  # type: ignore[return-value]

    async with running(queue, work):
        row = await ended(queue, (await later(work)).id, "parked")

    assert len(runs) == 1
    assert str(row["problem"]).startswith("job work: the result: ")


async def test_there_is_no_queue_outside_of_a_server() -> None:
    """The error says where there is one; so does what is asked for outside of a job."""
    with pytest.raises(JobError, match="there is no queue here"):
        await later(add, a=1)
    with pytest.raises(JobError, match="no job is running here"):
        current_job()


async def test_no_more_than_so_many_at_once(queue: JobQueue) -> None:
    """The rest waits, and comes as soon as there is a place."""
    now, most = 0, 0

    @job
    async def work() -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1

    async with running(queue, work, concurrency=3, poll=30.0):
        ordered = [await later(work) for _ in range(12)]
        for one in ordered:
            await ended(queue, one.id)

    assert 1 < most <= 3


async def test_a_process_that_is_about_to_stop_begins_nothing_more(queue: JobQueue) -> None:
    """What runs goes on, with its lease, and what is new is left to others."""
    started, go_on = asyncio.Event(), asyncio.Event()

    @job
    async def work() -> None:
        started.set()
        await go_on.wait()

    async with running(queue, work) as runner:
        first = await later(work)
        await started.wait()
        runner.claim_no_more()
        second = await later(work)
        before = (await state_of(queue, first.id))["due_at"]
        while (await state_of(queue, first.id))["due_at"] == before:  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.01)
        go_on.set()
        await ended(queue, first.id)
        assert (await state_of(queue, second.id))["state"] == "waiting"


@pytest.mark.parametrize("left", ["", "[]", "{", "null", "[" * 5_000])
async def test_arguments_that_are_no_json_stop_nobody_else(queue: JobQueue, left: str) -> None:
    """A hand in the database left them so: the job is parked, and those that were taken with it are run."""
    with asking(queue):
        damaged, whole = [await later(add, a=number) for number in (1, 2)]
    damaging = update(jobs).where(jobs.c.id == damaged.id).values(arguments=left)
    await queue.database.write(lambda connection: connection.execute(damaging))

    async with running(queue, job(name="add", retries=0)(add.function)):
        assert (await ended(queue, whole.id))["result"] == "3"
        problem = (await ended(queue, damaged.id, "parked"))["problem"]
    assert problem == "job add: what it was given is no JSON object any more"
    assert engine_of("add", left) == engine_of(DELIVER, left) == ""
