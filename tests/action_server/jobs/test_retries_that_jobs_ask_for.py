"""A job says how it is to go on: later, held with all others of its name while a system is down, or not at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from action_server import GiveUp, RetryLater, cancel, current_job, job, later
from action_server.errors import JobError
from action_server.jobs.origin import FORGOTTEN
from action_server.jobs.overview import retry_job
from action_server.jobs.queue import JobQueue
from action_server.telemetry.logs import CallContext, calling
from tests.action_server.jobs.job_fixtures import asking, state_of
from tests.action_server.jobs.running_jobs import ended, opened_queue, running
from tests.processes import PATIENCE

pytest_plugins = ["tests.databases"]


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[JobQueue]:
    """A queue by the real clock, whose leases no busy machine lets run out."""
    async with opened_queue(database_url) as found:
        yield JobQueue(found.database)


def lines(caplog: pytest.LogCaptureFixture, *events: str) -> list[str]:
    """Those of the log that are among the events, in their order."""
    return [record.getMessage() for record in caplog.records if record.getMessage() in events]


async def test_what_is_put_off_is_no_attempt(queue: JobQueue, caplog: pytest.LogCaptureFixture) -> None:
    """However often; the row has the author's words, the log no traceback."""
    attempts: list[int] = []

    @job(retries=0)
    async def work() -> None:
        attempts.append(current_job().attempt)
        if len(attempts) < 4:
            raise RetryLater("the calendar is busy", 0.01)

    caplog.set_level(logging.INFO)
    async with running(queue, work):
        await ended(queue, (await later(work)).id)

    assert attempts == [1, 1, 1, 1]
    postponed = [record for record in caplog.records if record.getMessage() == "job.postponed"]
    assert [(vars(one)["problem"], one.exc_info) for one in postponed] == [("the calendar is busy", None)] * 3


async def test_what_is_put_off_as_an_attempt_is_parked_in_the_end(queue: JobQueue) -> None:
    """After the retries of the job, at the pauses of the error."""
    attempts: list[int] = []

    @job(retries=1, backoff=3600)
    def work() -> None:
        attempts.append(current_job().attempt)
        raise RetryLater("it refuses the record", 0.01, is_attempt=True)

    async with running(queue, work):
        row = await ended(queue, (await later(work)).id, "parked")

    assert attempts == [1, 2]
    assert row["problem"] == "it refuses the record"


@pytest.mark.parametrize("is_attempt", [False, True])
async def test_without_a_pause_of_its_own_the_pause_is_that_of_the_job(
    queue: JobQueue, caplog: pytest.LogCaptureFixture, is_attempt: bool
) -> None:
    """It doubles with each run, up to the longest; a hold is as long."""
    runs: list[int] = []

    @job(retries=4, backoff=0.01, longest_backoff=0.04)
    async def work() -> None:
        runs.append(1)
        if len(runs) < 5:
            raise RetryLater("the calendar is busy", is_attempt=is_attempt, hold=True)

    caplog.set_level(logging.INFO)
    async with running(queue, work):
        await ended(queue, (await later(work)).id)

    said = [vars(one) for one in caplog.records]
    assert [one["retry_in"] for one in said if "retry_in" in one] == [0.01, 0.02, 0.04, 0.04]
    assert [one["pause"] for one in said if "pause" in one] == [0.01, 0.02, 0.04, 0.04]


async def test_what_no_run_would_help_is_parked_at_once(queue: JobQueue, caplog: pytest.LogCaptureFixture) -> None:
    """In the author's words, and without a traceback."""

    @job
    async def work() -> None:
        raise GiveUp("the record is closed")

    async with running(queue, work):
        row = await ended(queue, (await later(work)).id, "parked")

    assert (row["attempt"], row["problem"]) == (1, "the record is closed")
    assert "Traceback" not in caplog.text


async def test_jobs_of_a_system_that_is_down_are_held(queue: JobQueue, caplog: pytest.LogCaptureFixture) -> None:
    """All of them, and those of other names not; then one finds out, and the rest follows."""
    asked: list[bool] = []
    is_down = True

    @job
    async def tell(number: int) -> None:
        asked.append(is_down)
        if is_down:
            raise RetryLater("the CRM does not answer", 0.2, hold=True)

    @job
    async def other() -> None:
        pass

    caplog.set_level(logging.INFO)
    async with running(queue, tell, other, concurrency=1):
        ordered = [await later(tell, number=number) for number in range(5)]
        while len(asked) < 2:
            await ended(queue, (await later(other)).id)
        is_down = False
        for one in ordered:
            await ended(queue, one.id)

    # One that finds out for each pause, and then all five.
    down = sum(asked)
    assert asked[down:] == [False] * 5
    assert lines(caplog, "job.held", "job.resumed") == ["job.held"] * down + ["job.resumed"]


async def test_a_hold_may_be_shorter_than_the_pause_of_its_job(queue: JobQueue) -> None:
    """One that fails while others get through need not hold them up for as long as it waits itself."""
    told: list[int] = []

    @job
    async def tell(number: int) -> None:
        if number == 0:
            raise RetryLater("the CRM answers with 500", 3600, hold=0.01)
        told.append(number)

    async with running(queue, tell, concurrency=1):
        first, *rest = [await later(tell, number=number) for number in range(4)]
        for one in rest:
            await ended(queue, one.id)
        assert (await state_of(queue, first.id))["problem"] == "the CRM answers with 500"

    assert told == [1, 2, 3]


async def test_what_is_put_off_ends_with_its_deadline(queue: JobQueue) -> None:
    """And never before."""

    @job(retries=0)
    async def work() -> None:
        raise RetryLater("not yet", 60)

    async with running(queue, work):
        row = await ended(queue, (await later(work.having(deadline=50))).id, "parked")

    assert row["problem"] == "not yet; a retry would be after its deadline"


async def test_each_worker_holds_by_itself_and_a_held_one_stops_at_once(queue: JobQueue) -> None:
    """What one holds another may run; what waits when it stops is in the database."""
    is_down = True

    @job
    async def tell() -> int:
        if is_down:
            raise RetryLater("the CRM does not answer", 0.01, hold=3600)
        return 1

    other = JobQueue(queue.database)
    async with running(queue, tell):
        ordered = await later(tell)
        while not (await state_of(queue, ordered.id))["problem"]:  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.01)
        is_down = False
        begun = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begun < 10
    async with running(other, tell):
        assert (await ended(queue, ordered.id))["result"] == "1"


@pytest.mark.parametrize("error", [RetryLater("An\0na \ud800", 0.01, is_attempt=True), GiveUp("An\0na \ud800")])
async def test_words_are_kept_as_databases_can(queue: JobQueue, error: Exception) -> None:
    """NUL and lone surrogates, which no database keeps."""

    @job(retries=0)
    async def work() -> None:
        raise error

    async with running(queue, work):
        assert (await ended(queue, (await later(work)).id, "parked"))["problem"] == "An?na ?"


@pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
def test_a_pause_is_a_number_of_seconds(seconds: float) -> None:
    """What is none would never come, and is refused where it is made."""
    with pytest.raises(ValueError, match="are numbers of seconds"):
        RetryLater("not yet", seconds)
    with pytest.raises(ValueError, match="are numbers of seconds"):
        RetryLater("not yet", 1, hold=seconds)
    assert RetryLater("not yet", -1).after == 0


async def test_no_more_of_a_name_run_at_once_than_it_says(queue: JobQueue) -> None:
    """Others have the places that are left."""
    now = most = 0
    released, came = asyncio.Event(), asyncio.Event()

    @job(at_once=2)
    async def slow() -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await released.wait()
        now -= 1

    @job
    async def quick() -> None:
        came.set()

    async with running(queue, slow, quick, concurrency=4, poll=30.0):
        ordered = [await later(slow) for _ in range(6)]
        await later(quick)
        await asyncio.wait_for(came.wait(), PATIENCE)
        released.set()
        for one in ordered:
            await ended(queue, one.id)

    assert most == 2


async def test_a_job_that_forgets_keeps_nothing_when_it_is_over(queue: JobQueue) -> None:
    """Done, or cancelled in its run; one that is parked keeps what another try needs."""
    started = asyncio.Event()

    @job(forgets=True, retries=0)
    async def tell(name: str) -> None:
        if name == "hang":
            started.set()
            await asyncio.Event().wait()
        if name == "fail":
            raise ValueError

    async with running(queue, tell):
        with calling(CallContext("action_ask", "anna", request_id="r-1")):
            done, hanging, failing = [await later(tell, name=name) for name in ("Anna", "hang", "fail")]
        rows = [await ended(queue, done.id)]
        await started.wait()
        assert await cancel(hanging.id)
        rows.append(await ended(queue, hanging.id, "cancelled"))
        kept = await ended(queue, failing.id, "parked")

    assert [(row["arguments"], row["conversation"], row["request_id"]) for row in rows] == [
        ("{}", "", "r-1"),
        (FORGOTTEN, "", "r-1"),
    ]
    assert kept["conversation"] == "anna"
    assert "fail" in str(kept["arguments"])


async def test_a_job_that_forgets_does_so_when_it_is_cancelled(queue: JobQueue) -> None:
    """By who knows nothing of it but its row, while it waits or is parked; then it cannot be run again."""

    @job(forgets=True)
    async def tell(name: str) -> None: ...

    @job(name="tell", forgets=True)
    async def tell_nobody() -> None: ...

    keeps = job(name="tell")(tell.function)
    with asking(queue), calling(CallContext("action_ask", "anna", request_id="r-1", engine="calm")):
        told, nothing, kept = await later(tell, name="Anna"), await later(tell_nobody), await later(keeps, name="Anna")
        (parked,) = await queue.claim(["tell"], 1)
        await queue.park(parked, "refused")
        assert parked.id == told.id

    for one in (told, nothing, kept):
        assert await queue.cancel(one.id) in ("parked", "waiting")
    rows = [await state_of(queue, one.id) for one in (told, nothing, kept)]
    assert [row["arguments"] for row in rows[:2]] == [FORGOTTEN, "{}"]
    assert [row["conversation"] for row in rows] == ["", "", "anna"]
    assert "Anna" in str(rows[2]["arguments"])

    with pytest.raises(JobError, match="job tell: what it was given was deleted when it was cancelled"):
        await retry_job(queue.database, told.id)
    assert await retry_job(queue.database, nothing.id)
    assert await retry_job(queue.database, kept.id)
