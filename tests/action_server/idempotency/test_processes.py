"""Once between real processes, on SQLite and on PostgreSQL: races, waiting, and deaths in the middle."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections import Counter
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from action_server.errors import OutcomeUnknownError, StillRunningError
from action_server.idempotency.store import LEASE, IdempotencyStore
from action_server.protocol.answers import Answer
from tests.action_server.idempotency.store_process import CALLS, KEY, write_down
from tests.processes import hear, python_module, say_go

pytest_plugins = ["tests.databases"]


def after_the_lease() -> float:
    """The clock of somebody who comes later."""
    return time.time() + LEASE + 1


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    file = tmp_path / "runs"
    file.touch()
    return file


def who_ran(runs: Path) -> list[str]:
    return runs.read_text().splitlines()


def process(mode: str, url: str, runs: Path) -> AbstractContextManager[subprocess.Popen[str]]:
    return python_module("tests.action_server.idempotency.store_process", mode, url, str(runs))


def at_once(mode: str, url: str, runs: Path, count: int) -> list[str]:
    """Let several processes do the same at the same moment; return the last line of each."""
    with ExitStack() as stack:
        children = [stack.enter_context(process(mode, url, runs)) for _ in range(count)]
        assert [hear(child) for child in children] == ["ready"] * count
        for child in children:
            say_go(child)
        answers = [hear(child) for child in children]
        assert [child.wait(60) for child in children] == [0] * count
        return answers


def test_of_the_same_call_in_three_processes_one_runs(database_url: str, runs: Path) -> None:
    """Sixty calls: one run, one first answer, fifty-nine repeats of it."""
    said = [json.loads(line) for line in at_once("race", database_url, runs, 3)]

    (winner,) = who_ran(runs)
    came = Counter((text, repeated) for line in said for text, repeated in line)
    assert came == {(f"by {winner}", False): 1, (f"by {winner}", True): 3 * CALLS - 1}


def test_processes_that_start_at_once_create_the_table_together(database_url: str, runs: Path) -> None:
    """On an empty database nobody fails."""
    assert at_once("create", database_url, runs, 2) == ["created"] * 2


async def test_a_repeat_waits_for_the_process_that_runs(database_url: str, runs: Path) -> None:
    """It gets that process's answer when it is there, and runs nothing itself."""
    store = await IdempotencyStore.open(database_url)
    with process("hold", database_url, runs) as child:
        assert await asyncio.to_thread(hear, child) == "in the middle"

        async def run() -> Answer:
            return write_down(runs)

        with pytest.raises(StillRunningError):
            await store.run_once(KEY, run, ttl=60, wait=0)
        waiting = asyncio.create_task(store.run_once(KEY, run, ttl=60, wait=60))
        say_go(child)
        answer, repeated = await waiting
        assert await asyncio.to_thread(hear, child) == "ended"
        assert (answer, repeated) == (Answer([], [{"text": f"by {child.pid}"}]), True)
    await store.close()

    assert who_ran(runs) == [str(child.pid)]


@pytest.mark.parametrize("on_crash", ["refuse", "rerun"])
async def test_a_process_killed_in_the_middle_is_no_success(on_crash: str, database_url: str, runs: Path) -> None:
    """While its lease lasts, nobody else runs; after it a repeat is refused, or runs where the rule says so."""

    async def run() -> Answer:
        return write_down(runs)

    with process("hold", database_url, runs) as child:
        assert await asyncio.to_thread(hear, child) == "in the middle"
        child.kill()
        child.wait(60)
    now = await IdempotencyStore.open(database_url)
    later = await IdempotencyStore.open(database_url, clock=after_the_lease)

    with pytest.raises(StillRunningError):
        await now.run_once(KEY, run, ttl=60, wait=0, on_crash="rerun")
    if on_crash == "refuse":
        with pytest.raises(OutcomeUnknownError) as caught:
            await later.run_once(KEY, run, ttl=60, wait=30)
        assert (caught.value.key, caught.value.state) == (KEY, "running")
    else:
        _, repeated = await later.run_once(KEY, run, ttl=60, wait=30, on_crash="rerun")
        assert not repeated
        _, repeated = await later.run_once(KEY, run, ttl=60, wait=30)
        assert repeated
    await now.close()
    await later.close()

    assert len(who_ran(runs)) == (1 if on_crash == "refuse" else 2)
