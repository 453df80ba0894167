"""The outbox while a CRM, a database or a backend fails: nothing is lost, and bookings never notice."""

from __future__ import annotations

import asyncio
import logging

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database, DatabaseError
from action_server.jobs.overview import retry_parked
from actions.crm import tables
from actions.crm.delivery import OutboxSettings
from actions.crm.models import Activity, Contact
from actions.errors import (
    AuthFailedError,
    BackendError,
    InvalidRequestError,
    OutcomeUnknownError,
    RateLimitedError,
    UnavailableError,
)
from actions.scheduling.models import Patient
from tests.actions.crm.memory_crm import PATIENCE, MemoryCrm, change, events, eventually
from tests.actions.crm.outbox_kit import QUICK, renaming, states, tell, telling, until_told, writing

pytest_plugins = ["tests.databases"]

AT_ONCE = 4


@pytest.mark.parametrize(
    "error",
    [UnavailableError("no"), OutcomeUnknownError("no"), RateLimitedError("no", 0.01), AuthFailedError("no")],
    ids=lambda error: type(error).__name__,
)
async def test_the_order_of_a_contact_holds_while_the_crm_fails(
    database: Database, crm: MemoryCrm, error: BackendError
) -> None:
    """However often the first one fails, it is not parked, and the second one waits for it."""
    errors: list[BaseException] = [error] * (QUICK.refusals + 3)
    crm.failing = lambda _: errors.pop() if errors else None
    async with telling(database, crm) as outbox:
        await tell(database, outbox, *(change(number) for number in range(1, 6)))
        await until_told(database)

    assert [activity for _, activity in crm.told] == [f"change-{number}" for number in range(1, 6)]


async def test_a_contact_that_takes_long_is_in_nobodys_way(database: Database, crm: MemoryCrm) -> None:
    """Others are delivered meanwhile."""
    slow = change(1, Patient("slow"))
    hold = asyncio.Event()
    log = crm.log_activity

    async def slowly(contact_id: str, activity: Activity) -> None:
        if activity.id == slow.id:
            await hold.wait()
        await log(contact_id, activity)

    crm.log_activity = slowly  # type: ignore[method-assign]
    async with telling(database, crm) as outbox:
        await tell(database, outbox, slow, *(change(number, Patient(f"{number}")) for number in range(2, 20)))
        await crm.until(lambda: len(crm.told) == 18)
        hold.set()
        await until_told(database)

    assert crm.told[-1][1] == slow.id


async def test_a_refused_change_is_parked_and_those_after_it_are_delivered(
    database: Database, crm: MemoryCrm, caplog: pytest.LogCaptureFixture
) -> None:
    """Loudly; after the third refusal, here, the order has a hole."""
    crm.failing = lambda activity: InvalidRequestError("no such field") if activity.id == "change-1" else None
    async with telling(database, crm, QUICK.model_copy(update={"refusals": 3})) as outbox:
        await tell(database, outbox, change(1), change(2))
        await until_told(database)

    assert list(crm.activities) == ["change-2"]
    assert sorted(await states(database)) == ["done", "parked"]
    assert [event["attempt"] for event in events(caplog, "job.failed")] == [1, 2]
    (parked,) = events(caplog, "job.parked")
    assert (parked["levelname"], parked["problem"], parked["attempt"]) == ("ERROR", "no such field", 3)


async def test_what_is_parked_is_told_when_somebody_has_it_tried_again(database: Database, crm: MemoryCrm) -> None:
    """All of it; what is refused again is parked again."""
    crm.failing = lambda _: InvalidRequestError("no such field")
    async with telling(database, crm, QUICK.model_copy(update={"refusals": 2})) as outbox:
        await tell(database, outbox, change(1), change(2, Patient("another")))
        await until_told(database)
        assert await states(database) == ["parked", "parked"]
        assert await retry_parked(database, "crm.tell") == 2
        await until_told(database)
        assert await states(database) == ["parked", "parked"]
        crm.failing = lambda _: None
        assert await retry_parked(database, "crm.tell") == 2
        await until_told(database)

    assert sorted(crm.activities) == ["change-1", "change-2"]


async def test_a_defect_in_a_backend_loses_nothing_and_shows_nothing(
    database: Database, crm: MemoryCrm, caplog: pytest.LogCaptureFixture
) -> None:
    """The class of the exception is told, its text may hold anything."""
    errors = [KeyError("Erika Geheim")]
    crm.failing = lambda _: errors.pop() if errors else None
    with caplog.at_level(logging.DEBUG):
        async with telling(database, crm) as outbox:
            await tell(database, outbox, change())
            await until_told(database)

    assert list(crm.activities) == ["change-1"]
    (failed,) = events(caplog, "job.failed")
    assert (failed["problem"], failed["exc_info"]) == ("the delivery failed with KeyError", None)
    ours = [record for record in caplog.records if record.name.startswith(("actions", "action_server"))]
    shown = " ".join(str(vars(record)) for record in ours)
    assert not any(secret in shown for secret in ("Geheim", "geheim", "5550123", "oncology"))


async def test_a_delivery_that_hangs_is_given_up_and_repeated(
    database: Database, crm: MemoryCrm, caplog: pytest.LogCaptureFixture
) -> None:
    """It may have been carried out: the CRM knows it by its id."""
    crm.hold = asyncio.Event()
    settings = QUICK.model_copy(update={"delivery_timeout": 0.05})
    async with telling(database, crm, settings) as outbox:
        await tell(database, outbox, change())
        await crm.until(lambda: bool(events(caplog, "job.held")))
        crm.hold.set()
        await until_told(database)

    assert list(crm.activities) == ["change-1"]
    assert events(caplog, "job.held")[0]["problem"] == "the delivery took too long"


@pytest.mark.parametrize(
    ("error", "least", "most"),
    [
        (RateLimitedError("no", 7.0), 7.0, 8.0),
        (RateLimitedError("no", 90_000.0), 3600.0, 3601.0),
        (RateLimitedError("no"), 5.0, 10.0),
        (UnavailableError("no"), 0.5, 1.0),
        (AuthFailedError("no"), 0.5, 1.0),
    ],
    ids=["as long as it says", "an hour at most", "without a word", "down", "credentials"],
)
@pytest.mark.parametrize("chance", [0.0, 1.0])
async def test_how_long_the_outbox_leaves_a_crm_alone(
    database: Database,
    crm: MemoryCrm,
    caplog: pytest.LogCaptureFixture,
    error: BackendError,
    least: float,
    most: float,
    chance: float,
) -> None:
    """With one change waiting: that one, and all others."""
    caplog.set_level(logging.INFO)
    crm.failing = lambda _: error
    async with telling(database, crm, OutboxSettings(), chance=lambda: chance) as outbox:
        await tell(database, outbox, change())

        async def is_postponed() -> bool:
            return bool(events(caplog, "job.postponed"))

        await eventually(is_postponed)

    (held,), (postponed,) = events(caplog, "job.held"), events(caplog, "job.postponed")
    expected = least + chance * (most - least)
    assert (held["pause"], postponed["retry_in"]) == (pytest.approx(expected, abs=0.01),) * 2
    assert await states(database) == ["waiting"]
    refused = [event["levelname"] for event in events(caplog, "crm.credentials_refused")]
    assert refused == (["ERROR"] if isinstance(error, AuthFailedError) else [])


async def test_a_change_that_alone_fails_waits_longer_and_longer_and_the_others_do_not(
    database: Database, crm: MemoryCrm, caplog: pytest.LogCaptureFixture
) -> None:
    """What is wrong may be the change, though the CRM says that it is not there."""
    caplog.set_level(logging.INFO)
    failures = [UnavailableError("no")] * 4
    crm.failing = lambda activity: failures.pop() if activity.id == "change-1" and failures else None
    settings = QUICK.model_copy(update={"first_pause": 0.01, "longest_pause": 0.06})
    async with telling(database, crm, settings, chance=lambda: 1.0) as outbox:
        for number in range(1, 5):
            await tell(database, outbox, change(number, Patient(f"{number}")))
            await crm.until(lambda number=number: number == 1 or f"change-{number}" in crm.activities)  # type: ignore[misc]
        await until_told(database)

    pauses = [event["retry_in"] for event in events(caplog, "job.postponed")]
    assert pauses == pytest.approx([0.01, 0.02, 0.04, 0.06])
    assert len(crm.activities) == 4


async def test_a_booking_is_made_though_the_outbox_cannot_be_written(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Its transaction goes on, and the log says what the CRM will not be told."""
    async with writing(database) as outbox:

        async def book(connection: AsyncConnection) -> None:
            await renaming("action_server_jobs", "gone")(connection)
            await outbox.on_change(connection, change())
            booking = {"contact": "the booking", "system": "x", "record": "y"}
            await connection.execute(insert(tables.records).values(booking))

        await database.write(book)

    async def booked(connection: AsyncConnection) -> int:
        return len((await connection.execute(select(tables.records))).all())

    assert await database.read(booked) == 1
    assert events(caplog, "crm.change_lost")[0]["change"] == "change-1"


async def test_nothing_is_lost_if_the_booking_comes_to_nothing_too(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """What fails with the outbox may fail the booking as well; then there is no change that the CRM could miss."""
    async with writing(database) as outbox:

        async def book(connection: AsyncConnection) -> None:
            await renaming("action_server_jobs", "gone")(connection)
            await outbox.on_change(connection, change())
            await connection.execute(text("SELECT nothing FROM nowhere"))

        with pytest.raises(DatabaseError):
            await database.write(book)

    assert events(caplog, "crm.change_lost") == []


async def test_a_database_that_fails_in_the_middle_is_no_refusal(
    database: Database, crm: MemoryCrm, caplog: pytest.LogCaptureFixture
) -> None:
    """However often; what waits is delivered when it is back."""
    caplog.set_level(logging.INFO)
    settings = QUICK.model_copy(update={"refusals": 1})
    await database.write(renaming("crm_records", "gone"))
    async with telling(database, crm, settings) as outbox:
        await tell(database, outbox, change())

        async def is_noticed() -> bool:
            return len(events(caplog, "job.postponed")) > 2

        await eventually(is_noticed)
        await database.write(renaming("gone", "crm_records"))
        await until_told(database)

    assert list(crm.activities) == ["change-1"]
    assert events(caplog, "job.held") == []


@pytest.mark.parametrize("grace", [5.0, 0.01], ids=["is waited for", "is cut off"])
async def test_a_delivery_that_runs_when_the_worker_ends(database: Database, crm: MemoryCrm, grace: float) -> None:
    """It is finished, or somebody else repeats it at once: no lease is left behind."""
    crm.hold = asyncio.Event()
    started = asyncio.Event()
    upsert = crm.upsert_contact

    async def noted(contact: Contact) -> str:
        started.set()
        return await upsert(contact)

    crm.upsert_contact = noted  # type: ignore[method-assign]
    async with telling(database, crm, grace=grace) as outbox:
        await tell(database, outbox, change())
        await asyncio.wait_for(started.wait(), PATIENCE)
        if grace > 1:
            crm.hold.set()

    assert len(crm.activities) == (1 if grace > 1 else 0)
    crm.hold.set()
    async with telling(database, crm):
        await until_told(database)
    assert [activity for _, activity in crm.told] == ["change-1"]


async def test_one_delivery_finds_out_whether_the_crm_is_back(
    database: Database, crm: MemoryCrm, caplog: pytest.LogCaptureFixture
) -> None:
    """Not as many as there are contacts; when it is, all go on at once."""
    caplog.set_level(logging.INFO)
    failures = arrived = 0
    together = asyncio.Event()
    log = crm.log_activity

    def fail(_: Activity) -> BaseException | None:
        nonlocal failures
        failures += 1
        if failures <= AT_ONCE:  # these were on their way together
            crm.most_inside = 0
        return UnavailableError("no") if failures < 30 else None

    async def log_beside_another(contact_id: str, activity: Activity) -> None:
        nonlocal arrived
        if crm.told:
            arrived += 1
            if arrived > 1:
                together.set()
            await together.wait()
        await log(contact_id, activity)

    crm.failing = fail
    crm.log_activity = log_beside_another  # type: ignore[method-assign]
    async with writing(database) as outbox:
        await tell(database, outbox, *(change(number, Patient(f"{number}")) for number in range(20)))
    async with telling(database, crm):
        await crm.until(lambda: failures == 29)
        assert crm.most_inside == 1
        await until_told(database)

    assert len(events(caplog, "job.resumed")) == 1
