"""Whether a worker should get calls, and what its probes are told."""

from __future__ import annotations

import asyncio

import pytest
import svcs

from action_server.errors import DatabaseError, DegradedError
from action_server.runtime import health
from action_server.runtime.health import Readiness, ping_all
from action_server.runtime.services import Services

SECRET = "hunter2"


class Store:
    """A service with a ping."""


class Crm:
    """Another one."""


def services(**failures: Exception) -> Services:
    """Two services; one whose name is given fails its ping like this."""
    registry = svcs.Registry()
    for service in (Store, Crm):
        failure = failures.get(service.__name__)

        async def ping(_: object, failure: Exception | None = failure) -> None:
            if failure is not None:
                raise failure

        registry.register_value(service, service(), ping=ping)
    return Services(registry, asyncio.get_running_loop())


def ready(opened: Services | None = None) -> Readiness:
    return Readiness(opened, state="ready")


async def test_a_worker_is_ready_when_its_services_answer() -> None:
    """Details are passed on as they are."""
    readiness = Readiness(services(), details=lambda: {"threads": 3}, state="ready")

    body = {"status": "ready", "reasons": [], "degraded": [], "threads": 3}
    assert await readiness.check() == (True, body)


@pytest.mark.parametrize(("state", "reason"), [("starting", "is starting"), ("draining", "is stopping")])
async def test_a_worker_that_starts_or_stops_gets_no_calls(state: str, reason: str) -> None:
    """Its services are not even asked."""
    is_ready, body = await Readiness(services(Store=OSError(SECRET)), state=state).check()

    assert (is_ready, body["reasons"]) == (False, [f"the worker {reason}"])


async def test_a_worker_whose_store_cannot_be_written_gets_no_calls() -> None:
    """Its disk may be full: calls of actions that run once would fail, though every service answers."""
    problems: list[Exception] = [DatabaseError(SECRET)]

    async def write() -> None:
        if problems:
            raise problems[0]

    readiness = Readiness(services(), state="ready", ping_store=write)
    is_ready, body = await readiness.check()
    assert (is_ready, body["reasons"]) == (False, ["service idempotency store fails: DatabaseError"])

    problems.clear()
    assert (await readiness.check())[0]


async def test_a_saturated_worker_gets_no_calls() -> None:
    """Calls in its place may go to another one."""
    is_ready, body = await Readiness(is_saturated=lambda: True, state="ready").check()

    assert (is_ready, body["status"]) == (False, "not ready")


async def test_a_service_that_fails_is_named_without_its_words() -> None:
    """Whoever probes may be anybody, and an error may hold a password."""
    is_ready, body = await ready(services(Store=ConnectionError(SECRET))).check()

    assert not is_ready
    assert body["reasons"] == [f"service {Store.__module__}.Store fails: ConnectionError"]
    assert SECRET not in str(body)


async def test_a_degraded_service_keeps_the_worker_ready() -> None:
    """Calls do not need it; the page says so, by the kind of its cause."""
    degraded = DegradedError("the CRM is down")
    degraded.__cause__ = TimeoutError(SECRET)

    is_ready, body = await ready(services(Crm=degraded)).check()

    assert is_ready
    assert body["degraded"] == [f"service {Crm.__module__}.Crm fails: TimeoutError"]


async def test_a_service_that_does_not_answer_in_time_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe gives up after seconds, so the ping does before it."""
    registry = svcs.Registry()

    async def ping(_: object) -> None:
        await asyncio.Event().wait()

    registry.register_value(Store, Store(), ping=ping)
    monkeypatch.setattr(health, "PING_TIMEOUT", 0.01)

    is_ready, body = await ready(Services(registry, asyncio.get_running_loop())).check()

    assert (is_ready, body["reasons"]) == (False, [f"service {Store.__module__}.Store does not answer within 0.01 s"])


async def test_the_operator_reads_the_words_of_the_failure() -> None:
    """`ping_all` keeps them apart from what everybody may see."""
    store, crm = await ping_all(services(Store=ConnectionError("refused\nby host")), 1)

    assert (store.works, store.problem, store.is_needed) == (False, "refused by host", True)
    assert (crm.works, crm.failure, crm.problem) == (True, "", "")
    assert await ping_all(None, 1) == []


async def test_a_failure_is_said_once_a_minute_and_again_after_it_was_gone(caplog: pytest.LogCaptureFixture) -> None:
    """A page that is open to everybody would fill the disk of the log otherwise, a traceback for each request."""
    problems: list[Exception] = [DatabaseError(SECRET)]
    now = [100.0]

    async def write() -> None:
        if problems:
            raise problems[0]

    readiness = Readiness(services(), state="ready", ping_store=write, clock=lambda: now[0])

    async def said(asked: int) -> int:
        caplog.clear()
        for _ in range(asked):
            await readiness.check()
        return len([record for record in caplog.records if record.getMessage() == "service.failing"])

    assert await said(30) == 1
    now[0] += 59
    assert await said(30) == 0
    now[0] += 1
    assert await said(30) == 1
    broken = problems.pop()
    assert await said(1) == 0
    problems.append(broken)
    assert await said(30) == 1


async def test_those_who_ask_at_once_make_one_ping() -> None:
    """Each ping writes to the store; the next one to ask after it makes another."""
    begun = asyncio.Event()
    go_on = asyncio.Event()
    pings: list[None] = []

    async def write() -> None:
        pings.append(None)
        begun.set()
        await go_on.wait()

    readiness = Readiness(services(), state="ready", ping_store=write)
    first = asyncio.create_task(readiness.check())
    await begun.wait()
    more = [asyncio.create_task(readiness.check()) for _ in range(50)]
    await asyncio.sleep(0)
    # Nor does one of them end it for the others by leaving.
    first.cancel()
    go_on.set()

    assert [is_ready for is_ready, _ in await asyncio.gather(*more)] == [True] * 50
    assert len(pings) == 1
    assert (await readiness.check())[0]
    assert len(pings) == 2
