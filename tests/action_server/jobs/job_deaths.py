"""Hosts whose workers die at every step while they ask for jobs and run them, and what must be true afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import Database
from action_server.jobs.table import jobs, keys, metadata
from tests.action_server.delivery.engine_stand_in import engine_stand_in
from tests.action_server.jobs.job_host import CONVERSATION, STEPS, Ledger, is_ordered
from tests.processes import PATIENCE, ROOT

# For each host, for each of its workers: where its lives end.
Schedule = Sequence[Sequence[Sequence[str]]]


@dataclass(frozen=True)
class Deaths:
    """What was seen: jobs that were asked for, deaths by step, and runs beyond the first of each job."""

    jobs: int
    deaths: Counter[str]
    repeats: int


def every_step(hosts: int, workers: int) -> Schedule:
    """Return the schedule by which every worker dies at every step, each in an order of its own."""
    return [[_turned(host * workers + worker) for worker in range(workers)] for host in range(hosts)]


def each_step_once(hosts: int, workers: int) -> Schedule:
    """Return the schedule by which the workers share the steps among them."""
    shares = [STEPS[number :: hosts * workers] for number in range(hosts * workers)]
    return [shares[host * workers : (host + 1) * workers] for host in range(hosts)]


def _turned(number: int) -> Sequence[str]:
    first = 3 * number % len(STEPS)
    return [*STEPS[first:], *STEPS[:first]]


async def count_deaths(
    url: str,
    folder: Path,
    schedule: Schedule,
    *,
    meanwhile: Callable[[], Awaitable[object]] | None = None,
    kills_a_host: bool = False,
    patience: float = PATIENCE,
) -> Deaths:
    """Run the hosts until every worker has died as it should and nothing waits any more; check what there is then.

    ``meanwhile`` is done when the first job has been run. With ``kills_a_host`` the first one is killed as a whole, and
    started again.

    Raises:
        AssertionError: a job was lost or never run, or something is left over.
    """
    database = await Database.open(url if "://" in url else Path(url), metadata.create_all)
    ledgers = [Ledger(folder / f"host-{number}") for number in range(len(schedule))]
    try:
        async with engine_stand_in() as engine:
            await engine.user_says(CONVERSATION, "hello")
            places = url, engine.url, folder
            async with _hosts(*places, schedule) as running:
                if meanwhile is not None:
                    await asyncio.wait_for(_has_begun(ledgers), patience)
                    await meanwhile()
                await asyncio.wait_for(asyncio.gather(*(_idle(one) for one in running)), patience)
                if kills_a_host:
                    await _end(running[0], ledgers[0])
                again = [[()] * len(schedule[0])] if kills_a_host else []
                async with _hosts(*places, again) as restarted:
                    await asyncio.wait_for(asyncio.gather(*(_idle(one) for one in restarted)), patience)
                    await asyncio.wait_for(_all_ended(database), patience)
            rows = await database.read(_read)
    finally:
        await database.close()
    # By the route tracker-events: each result exactly once, whoever died on the way.
    assert engine.marked == Counter({row.job_id: 1 for row in rows}), "a result was lost, or said twice"
    return _checked(rows, ledgers, schedule)


def _checked(rows: Sequence[Any], ledgers: Sequence[Ledger], schedule: Schedule) -> Deaths:
    asked = [words[1] for ledger in ledgers for words in ledger.read("asked")]
    runs = Counter(words[1] for ledger in ledgers for words in ledger.read("run"))
    deaths = Counter(words[1] for ledger in ledgers for words in ledger.read("died"))
    wanted = Counter(step for host in schedule for worker in host for step in worker)
    assert {step: deaths[step] for step in wanted} == wanted
    assert set(asked) <= set(runs), "asked for and never run"
    # Also what was asked for by a process that died before it was told so: it is asked for again, by the same key.
    assert len(rows) == len(set(asked)) == len(asked), "a key made two jobs, or a job was lost"
    assert {row.state for row in rows} == {"done"}
    # The result is the fence of the run that wrote it: no run that was taken over has written over the last one.
    assert [row for row in rows if row.result != str(row.fence)] == []
    _check_order(rows, ledgers)
    return Deaths(len(rows), deaths, sum(runs.values()) - len(runs))


def _check_order(rows: Sequence[Any], ledgers: Sequence[Ledger]) -> None:
    """No run began before the job had ended that was asked for before it with the same ordering key."""
    ended = {json.loads(row.arguments)["key"]: row.ended_at for row in rows}
    for _, key, began in (words for ledger in ledgers for words in ledger.read("run")):
        worker, number = key.rsplit(".", 1)
        before = f"{worker}.{int(number) - 2}"
        if is_ordered(int(number)) and before in ended:
            assert ended[before] <= float(began), f"{key} began before {before} had ended"


async def _read(connection: AsyncConnection) -> Sequence[Any]:
    columns = (jobs.c.state, jobs.c.fence, jobs.c.result, jobs.c.arguments, jobs.c.ended_at)
    wanted = select(keys.c.job_id, *columns).join(jobs, jobs.c.id == keys.c.job_id)
    return (await connection.execute(wanted.where(jobs.c.name == "work"))).all()


async def _all_ended(database: Database) -> None:
    async def left(connection: AsyncConnection) -> bool:
        return (await connection.execute(select(jobs.c.id).where(jobs.c.due_at.is_not(None)).limit(1))).first() is None

    while not await database.read(left):  # noqa: ASYNC110 - rows set no event
        await asyncio.sleep(0.05)


async def _has_begun(ledgers: Sequence[Ledger]) -> None:
    while not any(ledger.read("run") for ledger in ledgers):  # noqa: ASYNC110 - files set no event
        await asyncio.sleep(0.02)


@asynccontextmanager
async def _hosts(
    url: str, engine: str, folder: Path, schedule: Schedule
) -> AsyncIterator[Sequence[asyncio.subprocess.Process]]:
    """Start a process group for each host; it is killed at the end of the block."""
    running: list[asyncio.subprocess.Process] = []
    try:
        for number, workers in enumerate(schedule):
            places = [url, engine, str(folder / f"host-{number}")]
            module = [sys.executable, "-m", "tests.action_server.jobs.job_host", *places]
            steps = [",".join(worker) for worker in workers]
            options = {"cwd": ROOT, "stdout": asyncio.subprocess.PIPE, "start_new_session": True}
            running.append(await asyncio.create_subprocess_exec(*module, f"h{number}", *steps, **options))  # type: ignore[arg-type]
        yield running
    finally:
        for one in running:
            _kill(one)
            await one.wait()


async def _idle(host: asyncio.subprocess.Process) -> None:
    assert host.stdout is not None
    assert await host.stdout.readline() == b"idle\n"


def _kill(host: asyncio.subprocess.Process) -> None:
    if host.returncode is None:
        os.killpg(host.pid, signal.SIGKILL)


async def _end(host: asyncio.subprocess.Process, ledger: Ledger) -> None:
    _kill(host)
    await host.wait()
    ledger.note("died", "host", "all")
