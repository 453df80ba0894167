"""What people see of runs: one line in the log, a trace, counts. And how few statements there are for many."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from action_server import current_call, job, later
from action_server.errors import JobError
from action_server.jobs.queue import JobQueue
from action_server.telemetry.logs import CallContext, calling
from tests.action_server.jobs.job_fixtures import asking
from tests.action_server.jobs.running_jobs import ended, opened_queue, running
from tests.action_server.telemetry.recorded_spans import TRACE, TRACEPARENT, Recorded, attributes_of

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


async def test_a_job_knows_the_call_that_asked_for_it(queue: JobQueue, caplog: pytest.LogCaptureFixture) -> None:
    """Its conversation and request id; each run has one line, without arguments or result."""
    seen: list[CallContext] = []

    @job
    async def look(text: str) -> str:
        seen.append(current_call())
        return text

    caplog.set_level(logging.INFO, "action_server.jobs")
    async with running(queue, look):
        with calling(CallContext("action_ask", "anna", request_id="r-1")):
            ordered = await later(look, text="secret words")
        await ended(queue, ordered.id)

    assert [(one.action, one.sender_id, one.request_id, one.transport) for one in seen] == [
        ("look", "anna", "r-1", "job")
    ]
    assert [record.getMessage() for record in caplog.records if record.getMessage() == "job.done"] == ["job.done"]
    assert "secret" not in caplog.text + repr([vars(record) for record in caplog.records])


async def test_a_run_is_a_trace_linked_to_the_call_that_asked_for_it(queue: JobQueue) -> None:
    """Of its own, as the call's has long ended; with the name of the job, and marked where it fails."""
    traced = Recorded()

    @job(retries=0)
    async def fail() -> None:
        raise ValueError("Anna's number")

    async with running(queue, add, fail, tracing=traced):
        with traced.call(TRACEPARENT):
            ordered = [await later(add, a=1), await later(fail)]
        await ended(queue, ordered[0].id)
        await ended(queue, ordered[1].id, "parked")

    call, *runs = sorted(traced.memory.get_finished_spans(), key=lambda span: str(attributes_of(span).get("job", "")))
    assert [attributes_of(span)["job"] for span in runs] == ["add", "fail"]
    for span in runs:
        assert span.parent is None
        assert span.context is not None
        assert call.context is not None
        assert f"{span.context.trace_id:032x}" != TRACE
        assert [link.context.span_id for link in span.links] == [call.context.span_id]
    assert [span.status.is_ok for span in runs] == [True, False]
    assert "Anna" not in str([span.to_json() for span in runs])


async def test_runs_are_counted_by_outcome(queue: JobQueue) -> None:
    """With the seconds that they waited and ran."""
    counted: list[tuple[str, str, bool, bool]] = []

    def tally(job: str, outcome: str, waited: float, ran: float) -> None:
        counted.append((job, outcome, waited >= 0, ran >= 0))

    @job(retries=1, backoff=0.01)
    async def fail() -> None:
        raise ValueError

    async with running(queue, add, fail, tally=tally):
        await ended(queue, (await later(fail)).id, "parked")
        await ended(queue, (await later(add, a=1)).id)

    assert counted == [("fail", "failed", True, True), ("fail", "parked", True, True), ("add", "done", True, True)]


async def test_jobs_that_end_together_are_written_together(queue: JobQueue) -> None:
    """Ten that end at one moment are a few statements, and each has its own result."""
    release = asyncio.Event()
    waiting: list[int] = []

    @job
    async def wait(number: int) -> int:
        waiting.append(number)
        if len(waiting) == 10:
            release.set()
        await release.wait()
        return number

    async with running(queue, wait, concurrency=10):
        ordered = [await later(wait, number=number) for number in range(10)]
        with counted_statements() as statements:
            rows = [await ended(queue, one.id) for one in ordered]

    assert [row["result"] for row in rows] == [str(number) for number in range(10)]
    assert len([text for text in statements if text.startswith("UPDATE") and "result=" in text]) <= 3


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Collect what this process asks its databases within the block."""
    found: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        found.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def test_a_call_with_odd_ids_asks_for_jobs_as_any_other(queue: JobQueue) -> None:
    """NUL and lone surrogates, which engines send and no database keeps."""
    async with running(queue, add):
        with calling(CallContext("action_ask", "an\0na \ud800", request_id="r\0")):
            ordered = await later(add, a=1)
        row = await ended(queue, ordered.id)

    assert (row["conversation"], row["request_id"]) == ("an?na ?", "r?")


@pytest.mark.parametrize("value", [math.nan, "a\0b", "\ud800", {1: "one"}], ids=["nan", "nul", "surrogate", "keys"])
async def test_what_cannot_be_kept_is_refused_before_the_database_hears_of_it(queue: JobQueue, value: object) -> None:
    """No transaction is begun for it, with a key or without."""

    @job
    async def take(value: Any) -> None:
        """Take anything."""

    with asking(queue), counted_statements() as statements:
        for asked in (take, take.having(key="key")):
            with pytest.raises(JobError, match="argument 'value'"):
                await later(asked, value=value)

    assert statements == []
