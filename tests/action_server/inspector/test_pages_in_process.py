"""What pages show of calls and jobs that are there already, served in this process."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import svcs

from action_server.assembly import Assembly
from action_server.config.settings import Settings
from action_server.database import Database
from action_server.inspector.calls_file import CallsFile
from action_server.inspector.serving import inspect
from action_server.jobs.keeping import keep_jobs, kept_in
from action_server.jobs.queue import JobQueue, Order
from action_server.jobs.table import metadata
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.registry import Registry
from action_server.runtime.services import Services
from action_server.serving.server import listen
from action_server.serving.worker import serve_http
from tests.action_server.inspector.test_calls_file import ended

Ask = Callable[[str], Awaitable[tuple[int, str]]]
RULES = """
privacy:
  rules:
    - slot: text
      anonymization: {type: mask}
"""


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[JobQueue]:
    database = await Database.open(tmp_path / "jobs.sqlite3", metadata.create_all)
    yield JobQueue(database)
    await database.close()


@asynccontextmanager
async def pages(
    settings: Settings, folder: Path, queue: JobQueue | None = None, registry: svcs.Registry | None = None
) -> AsyncIterator[Ask]:
    """Serve the pages of production, without a credential: that is the server's business."""
    services = Services(registry)
    services.jobs = queue
    executor = Executor(Registry())
    assembly, sock = Assembly(settings, executor, Readiness(services)), listen("127.0.0.1", 0)
    extend = partial(inspect, shared_directory=folder)
    async with (
        serve_http(assembly, sock, f"test-{uuid4().hex}", only_one=False, extend=extend),
        aiohttp.ClientSession(f"http://127.0.0.1:{sock.getsockname()[1]}") as session,
    ):

        async def ask(path: str) -> tuple[int, str]:
            async with session.get(path) as response:
                return response.status, await response.text()

        yield ask
    sock.close()
    executor.close()


async def test_older_calls_follow_on_those_that_are_shown(tmp_path: Path) -> None:
    """The way to them comes with the rows, as the list moves on while somebody looks; no call is left out or twice."""
    file = CallsFile(tmp_path / "inspector", 1000, 1 << 20, 1)
    # Workers write one after the other what came to them at the same time.
    file.write([ended(number) for number in range(0, 140, 2)])
    file.write([ended(number) for number in range(1, 20, 2)])
    async with pages(Settings(), tmp_path) as ask:
        _, rows = await ask("/inspector/rows?q=sender-")
        (older,) = re.findall(r"before=(\d+)", rows)
        _, more = await ask(f"/inspector/rows?q=sender-&before={older}")
        _, whole = await ask("/inspector/")
    shown = [re.findall(r'title="sender-(\d+)"', page) for page in (rows, more)]

    assert [len(numbers) for numbers in shown] == [50, 30]
    assert sorted(map(int, shown[0] + shown[1])) == sorted([*range(0, 140, 2), *range(1, 20, 2)])
    assert [sorted(map(int, numbers), reverse=True) == list(map(int, numbers)) for numbers in shown] == [True, True]
    assert "before=" not in more
    assert f"before={older}" in whole


@pytest.mark.parametrize("rules", ["", RULES])
async def test_rules_hide_what_a_job_was_given_and_production_runs_none(
    tmp_path: Path, queue: JobQueue, rules: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules know the slots of calls, and nothing of jobs."""
    from action_server.config import settings as reading

    monkeypatch.chdir(tmp_path)
    (tmp_path / "endpoints.yml").write_text(rules, encoding="utf-8")
    ordered = await queue.enqueue(Order("send", '{"text": "0171-555"}', 0.0, 60.0, conversation="ann", request_id="r7"))
    file = CallsFile(tmp_path / "inspector", 1000, 1 << 20, 1)
    file.write([ended(7)])
    async with pages(reading.read({}, {}), tmp_path, queue) as ask:
        status, page = await ask(f"/inspector/jobs/{ordered.id}")
        _, listed = await ask("/inspector/jobs")
        retried, _ = await ask(f"/inspector/jobs/{ordered.id}/retry")
        missing, _ = await ask(f"/inspector/jobs/{ordered.id[:8]}")

    assert (status, retried, missing) == (200, 405, 404)
    assert ("0171-555" in page) is (not rules)
    assert "<form" not in page
    assert 'href="/inspector/calls/1"' in page
    assert f'href="/inspector/jobs/{ordered.id}"' in listed
    assert 'href="/inspector/calls/1"' in listed


async def test_jobs_of_all_databases_are_on_one_page(tmp_path: Path, queue: JobQueue) -> None:
    """Those that need somebody first; each has its page, and its call shows those of both."""
    file = CallsFile(tmp_path / "inspector", 1000, 1 << 20, 1)
    file.write([ended(7)])
    database = await Database.open(tmp_path / "own.sqlite3", lambda _: None)
    async with svcs.Registry() as registry:
        await keep_jobs(registry, database, [])
        await keep_jobs(registry, queue.database, [])
        own = kept_in(registry)[0].queue
        servers, given_up = [await one.enqueue(Order("send", "{}", 0.0, 60.0, request_id="r7")) for one in (queue, own)]
        [claimed] = await own.claim(["send"], 1)
        await own.park(claimed, "it is refused")
        async with pages(Settings(), tmp_path, queue, registry) as ask:
            _, listed = await ask("/inspector/jobs")
            _, call = await ask("/inspector/calls/1")
            found = [await ask(f"/inspector/jobs/{one.id}") for one in (servers, given_up)]
    await database.close()

    for page in (listed, call):
        assert [page.count(f'"/inspector/jobs/{one.id}"') for one in (given_up, servers)] == [1, 1]
    assert listed.index(given_up.id) < listed.index(servers.id)
    assert [status for status, _ in found] == [200, 200]
