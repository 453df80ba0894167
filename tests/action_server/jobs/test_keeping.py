"""Jobs that a package keeps in a database of its own: written with its data, and run like any other."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import svcs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database, cancel, current_job, job, keep_jobs, later, services
from action_server.delivery.opening import open_delivery
from action_server.errors import DatabaseError, JobError, RegistrationError
from action_server.jobs import opening
from action_server.jobs.engine_settings import DeliverySettings
from action_server.jobs.keeping import kept_here, one_for_each_database, queues_of
from action_server.jobs.opening import open_queue, queued_jobs, running_jobs
from action_server.jobs.queue import JobQueue, Order
from action_server.runtime.services import Services
from action_server.runtime.threads import ThreadPool
from action_server.telemetry.logs import CallContext, calling
from tests.action_server.jobs.running_jobs import ended
from tests.databases import restart_postgresql
from tests.processes import PATIENCE

pytest_plugins = ["tests.databases"]

PACKAGE = "package_of_test_keeping"


@job
async def tell(number: int) -> int:
    """Tell somebody."""
    return number


@job
def ask(number: int) -> int:
    """Ask somebody, on a thread."""
    return number


class Opened:
    """The services of a package without a server, and its own database."""

    def __init__(self, services: Services, stack: AsyncExitStack, database: Database, folder: Path) -> None:
        self.services = services
        self.stack = stack
        self.database = database
        self.folder = folder

    async def keep(self, *jobs: Any, database: Database | None = None, **options: Any) -> JobQueue:
        """Keep jobs in the package's own database, or in another one; return their queue."""
        assert self.services.registry is not None
        await keep_jobs(self.services.registry, database or self.database, jobs, **options)
        return kept_here(self.services)[-1].queue

    async def open_servers(self) -> JobQueue:
        """Open the server's own queue, in a file."""
        place = self.folder / "server.sqlite3"
        queue = await open_queue(self.stack, PACKAGE, self.services, lambda: place, None)
        assert queue is not None
        self.services.jobs = queue
        return queue

    @asynccontextmanager
    async def working(self, **options: Any) -> AsyncIterator[None]:
        """Run the jobs within the block, as a worker does."""
        threads = ThreadPool(2)
        try:
            async with running_jobs(PACKAGE, self.services, threads, 2, **options):
                yield
        finally:
            threads.close()


@pytest.fixture
async def opened(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Opened]:
    """A package with two jobs, neither of which is kept yet."""
    package = ModuleType(PACKAGE)
    vars(package).update(tell=tell, ask=ask)
    monkeypatch.setitem(sys.modules, PACKAGE, package)
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(svcs.Registry())
        active = stack.enter_context(services.activate(registry))
        database = await Database.open(database_url, lambda _: None)
        stack.push_async_callback(database.close)
        yield Opened(active, stack, database, tmp_path)


async def test_jobs_are_written_with_the_data_of_the_package(opened: Opened) -> None:
    """In its transaction, or not at all; from coroutines and from threads."""
    queue = await opened.keep(tell, ask)

    async def write(connection: AsyncConnection) -> str:
        return (await later(tell.having(connection=connection), number=3)).id

    async def write_and_fail(connection: AsyncConnection) -> None:
        await later(tell.having(connection=connection), number=4)
        raise KeyError

    def ask_on_thread() -> str:
        return services.blocking(later(ask, number=5)).id

    first = await opened.database.write(write)
    with pytest.raises(KeyError):
        await opened.database.write(write_and_fail)
    second = await asyncio.to_thread(ask_on_thread)
    async with opened.working():
        assert (await ended(queue, first))["result"] == "3"
        assert (await ended(queue, second))["result"] == "5"
        assert await count_of(queue) == 2


async def count_of(queue: JobQueue) -> int:
    """How many rows there are."""

    async def count(connection: AsyncConnection) -> int:
        return int((await connection.execute(text("SELECT count(*) FROM action_server_jobs"))).scalar_one())

    return await queue.database.read(count)


async def test_a_package_that_keeps_all_its_jobs_needs_no_database_of_the_server(opened: Opened) -> None:
    """One that keeps some has both, each job in its own."""
    await opened.keep(tell)
    servers = await opened.open_servers()
    assert [sorted(one.jobs) for one in queued_jobs(PACKAGE, opened.services, 3)] == [["ask", "tell"], ["tell"]]

    async with opened.working():
        asked, told = await later(ask, number=1), await later(tell, number=2)
        await ended(servers, asked.id)
        await ended(kept_here(opened.services)[0].queue, told.id)

    await opened.keep(ask)
    assert await open_queue(opened.stack, PACKAGE, opened.services, _nowhere, None) is None


def _nowhere() -> Path:
    raise AssertionError("nobody should ask where it is")


async def test_what_waited_in_the_servers_database_is_still_run(opened: Opened) -> None:
    """When a package begins to keep a job; but a periodic one has its row where it is kept alone."""

    @job(every=3600)
    async def sweep() -> None:
        """Sweep."""

    servers = await opened.open_servers()
    before = await later(tell, number=1)
    queue = await opened.keep(tell, sweep)
    after = await later(tell, number=2)
    async with opened.working():
        assert (await ended(servers, before.id))["result"] == "1"
        assert (await ended(queue, after.id))["result"] == "2"
        while await queue.next_due(["sweep"]) in (None, 0):  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.01)
        assert await servers.next_due(["sweep"]) is None


async def test_the_same_database_may_be_that_of_both(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    """Each runs its own, and neither says of the other's that nobody knows them."""
    queue = await opened.keep(tell)
    servers = opened.services.jobs = JobQueue(opened.database)
    assert [sorted(one.jobs) for one in queued_jobs(PACKAGE, opened.services, 1)] == [["ask"], ["tell"]]
    assert one_for_each_database(queues_of(opened.services)) == [servers]

    for name in ("tell", "ask"):
        # By an hour too late, and not due for an hour more: who does not know it says so.
        await queue.enqueue(Order(name, '{"number": 1}', 0.0, -3600.0))
    async with opened.working():
        while await servers.next_due(["tell", "ask"]) is not None:  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.01)

    lines = [record.getMessage() for record in caplog.records]
    assert lines.count("job.parked") == 2
    assert "job.not_known" not in lines


async def test_a_job_is_cancelled_wherever_it_is(opened: Opened) -> None:
    """By its id alone."""
    await opened.keep(tell)
    servers = await opened.open_servers()
    for ordered in (await later(tell, number=1), await later(ask, number=1)):
        assert await cancel(ordered.id)
        assert await cancel(ordered.id) is False
    assert await cancel("ab") is False

    told = await later(tell, number=2)
    assert servers.database.file is not None
    servers.database.file.unlink()
    assert await cancel(told.id)
    with pytest.raises(DatabaseError):
        await cancel("ab")


async def test_a_connection_to_another_database_is_refused(opened: Opened) -> None:
    """The job would be looked for where it is kept."""
    await opened.keep(tell)
    servers = await opened.open_servers()

    async def write(connection: AsyncConnection) -> None:
        await later(tell.having(connection=connection), number=1)

    with pytest.raises(JobError, match="another database than that of the job"):
        await servers.database.write(write)


async def test_a_name_is_kept_once(opened: Opened) -> None:
    """And no more than one function has it."""
    other = job(name="tell")(ask.function)
    with pytest.raises(JobError, match="a job tell is kept already"):
        await opened.keep(tell, other)
    await opened.keep(other)
    with pytest.raises(JobError, match="a job tell is kept already"):
        await opened.keep(tell)
    with pytest.raises(RegistrationError, match="job 'tell' has the name of the one at tests/"):
        await opened.open_servers()


async def test_a_job_that_no_worker_would_find_is_said_when_it_is_asked_for(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """Its function is in a module beside the package, or in a lifespan that did not keep it: it would wait for ever."""
    await opened.keep(tell)
    await opened.open_servers()
    lost = job(name="lost")(unmarked)
    for one in (later(lost), later(ask, number=1), later(tell, number=1)):
        await one

    (said,) = [vars(one) for one in caplog.records if one.getMessage() == "job.not_known"]
    assert said["job"] == "lost"
    assert said["place"].startswith("tests/action_server/jobs/test_keeping.py:")
    assert "import it in one" in said["problem"]


async def test_what_is_kept_is_checked(opened: Opened) -> None:
    """Otherwise the start would end with words of Python's own."""
    registry = opened.services.registry
    assert registry is not None
    with pytest.raises(JobError, match="`concurrency` is a whole number, 1 or more, and not 0"):
        await opened.keep(tell, concurrency=0)
    with pytest.raises(JobError, match="unmarked is no function that is marked @job"):
        await opened.keep(unmarked)
    with pytest.raises(JobError, match="and not the job tell"):
        await keep_jobs(registry, opened.database, tell)  # type: ignore[arg-type]
    with pytest.raises(JobError, match=r"what `await Database\.open"):
        await keep_jobs(registry, "own.sqlite3", [tell])  # type: ignore[arg-type]


async def unmarked() -> None:
    """Do something that is no job."""


async def test_its_jobs_are_measured_wherever_they_are(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits in two databases is counted together; of one that does not answer what was seen last."""
    monkeypatch.setattr(opening, "MEASURED_EVERY", 0.01)
    metrics = Measured()
    servers = await opened.open_servers()
    ordered = await later(tell.having(delay=3600), number=1)
    await opened.keep(tell)
    await later(tell.having(delay=3600), number=2)
    async with opened.working(metrics=metrics):
        await metrics.until(waiting=2)
        await servers.cancel(ordered.id)
        await metrics.until(waiting=1)


class Measured:
    """Metrics that know the last number of jobs that wait."""

    def __init__(self) -> None:
        self._waiting: dict[str, int] = {}

    def job_ran(self, *_: object) -> None:
        """Count nothing."""

    def queue_measured(self, job: str, waiting: int, running: int, parked: int, late: float) -> None:
        """Keep it."""
        self._waiting[job] = waiting

    async def until(self, *, waiting: int) -> None:
        """Wait until so many jobs ``tell`` wait."""

        async def wait() -> None:
            while self._waiting.get("tell") != waiting:  # noqa: ASYNC110 - nobody sets an event
                await asyncio.sleep(0.01)

        await asyncio.wait_for(wait(), PATIENCE)


async def test_one_database_that_goes_away_keeps_no_other_from_its_jobs(opened: Opened) -> None:
    """And when it is back, its own go on."""
    place = opened.folder / "kept.sqlite3"
    database = await Database.open(place, lambda _: None)
    opened.stack.push_async_callback(database.close)
    queue = await opened.keep(tell, database=database)
    servers = await opened.open_servers()
    ordered = await later(tell.having(delay=0.1), number=1)
    away = place.rename(opened.folder / "away.sqlite3")
    async with opened.working():
        with pytest.raises(DatabaseError):
            await later(tell, number=2)
        await ended(servers, (await later(ask, number=3)).id)
        away.rename(place)
        assert (await ended(queue, ordered.id))["result"] == "1"


async def test_all_stop_within_one_grace(opened: Opened) -> None:
    """Not one after the other."""
    cut: list[str] = []
    ended: list[str] = []
    both = asyncio.Event()

    @job
    async def hang(name: str) -> None:
        try:
            started.put_nowait(name)
            await asyncio.Event().wait()
        finally:
            cut.append(name)
            if len(cut) == 2:
                both.set()
            # If the other one were stopped afterwards, nobody would set it.
            await asyncio.wait_for(both.wait(), 5)
            ended.append(name)

    started: asyncio.Queue[str] = asyncio.Queue()
    vars(sys.modules[PACKAGE])["hang"] = hang
    hang_too = job(name="hang_too")(hang.function)
    await opened.keep(hang_too)
    await opened.open_servers()
    async with opened.working():
        await later(hang, name="a")
        await later(hang_too, name="b")
        assert {await started.get(), await started.get()} == {"a", "b"}

    assert sorted(ended) == ["a", "b"]


async def test_what_kept_jobs_say_is_delivered(opened: Opened) -> None:
    """By a job beside them; it waits to be picked up where there is no engine."""

    @job
    async def say() -> None:
        current_job().delivers("It is done.")

    queue = await opened.keep(say)
    await open_delivery(opened.stack, opened.services, None, DeliverySettings())
    async with opened.working():
        with calling(CallContext("action_ask", "anna")):
            await ended(queue, (await later(say)).id)
        store: Any = opened.services.deliveries
        while not (kept := await store.pick_up("anna", ())):  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.01)

    assert [one.texts for one in kept] == [["It is done."]]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("how", ["fast", "immediate"])
async def test_its_server_is_restarted_while_one_runs(opened: Opened, database_url: str, how: str) -> None:
    """The run goes on or is taken over; those that wait behind it, and new ones, are run after it."""
    began, may_end = asyncio.Event(), asyncio.Event()

    @job(name="tell")
    async def hang(number: int) -> int:
        began.set()
        await may_end.wait()
        return number

    queue = await opened.keep(hang)

    async def write(number: int, connection: AsyncConnection) -> str:
        return (await later(hang.having(connection=connection, ordering_key="ann"), number=number)).id

    async with opened.working():
        asked = [await opened.database.write(partial(write, number)) for number in range(3)]
        await asyncio.wait_for(began.wait(), PATIENCE)
        await asyncio.to_thread(restart_postgresql, database_url, how)
        may_end.set()
        while len(asked) < 4:
            with suppress(DatabaseError):
                asked.append(await opened.database.write(partial(write, 3)))
        assert [(await ended(queue, one))["result"] for one in asked] == ["0", "1", "2", "3"]
