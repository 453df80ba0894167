"""The outbox while a CRM, a database or a backend fails: nothing is lost, and bookings never notice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database, DatabaseError
from actions.crm import outbox as outbox_module
from actions.crm import tables
from actions.crm.delivery import OutboxSettings
from actions.crm.models import Activity, Contact
from actions.crm.outbox import Outbox
from actions.crm.queue import Queue
from actions.errors import (
    AuthFailedError,
    BackendError,
    InvalidRequestError,
    OutcomeUnknownError,
    RateLimitedError,
    UnavailableError,
)
from actions.scheduling.models import Patient
from tests.actions.clinic import NOW, FixedClock
from tests.actions.crm.memory_crm import PATIENCE, QUICK, MemoryCrm, change, events, eventually, rows, tell, until_empty

pytest_plugins = ["tests.databases"]


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
    async with Outbox(database, crm, QUICK) as outbox:
        await tell(database, outbox, *(change(number) for number in range(1, 6)))
        await until_empty(outbox)

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
    async with Outbox(database, crm, QUICK) as outbox:
        await tell(database, outbox, slow, *(change(number, Patient(f"{number}")) for number in range(2, 20)))
        await crm.until(lambda: len(crm.told) == 18)
        hold.set()
        await until_empty(outbox)

    assert crm.told[-1][1] == slow.id


async def test_a_refused_change_is_parked_and_those_after_it_are_delivered(
    database: Database, crm: MemoryCrm, caplog: pytest.LogCaptureFixture
) -> None:
    """Loudly; after the third refusal, here, the order has a hole."""
    crm.failing = lambda activity: InvalidRequestError("no such field") if activity.id == "change-1" else None
    async with Outbox(database, crm, QUICK.model_copy(update={"refusals": 3})) as outbox:
        await tell(database, outbox, change(1), change(2))
        await until_empty(outbox)
        pending = await outbox.pending()

    assert (list(crm.activities), pending.waiting, pending.parked) == (["change-2"], 0, 1)
    assert [event["refusals"] for event in events(caplog, "crm.refused")] == [1, 2]
    (parked,) = events(caplog, "crm.parked")
    assert (parked["levelname"], parked["problem"]) == ("ERROR", "no such field")


async def test_what_is_parked_is_tried_again_when_a_worker_starts(database: Database, crm: MemoryCrm) -> None:
    """Once; and by hand at any time."""
    crm.failing = lambda _: InvalidRequestError("no such field")
    async with Outbox(database, crm, QUICK) as outbox:
        await tell(database, outbox, change(1), change(2, Patient("another")))
        await until_empty(outbox)
        assert (await outbox.pending()).parked == 2
    async with Outbox(database, crm, QUICK) as outbox:
        await until_empty(outbox)
        assert (await outbox.pending()).parked == 2
        crm.failing = lambda _: None
        assert await outbox.retry_parked() == 2
        await until_empty(outbox)
        assert (await outbox.pending()).parked == 0

    assert sorted(crm.activities) == ["change-1", "change-2"]


async def test_a_defect_in_a_backend_loses_nothing_and_shows_nothing(
    database: Database, crm: MemoryCrm, caplog: pytest.LogCaptureFixture
) -> None:
    """The class of the exception is told, its text may hold anything."""
    errors = [KeyError("Erika Geheim")]
    crm.failing = lambda _: errors.pop() if errors else None
    with caplog.at_level(logging.DEBUG, logger="actions"):
        async with Outbox(database, crm, QUICK) as outbox:
            await tell(database, outbox, change())
            await until_empty(outbox)

    assert list(crm.activities) == ["change-1"]
    assert events(caplog, "crm.refused")[0]["problem"] == "the delivery failed with KeyError"
    shown = " ".join(str(vars(record)) for record in caplog.records if record.name.startswith("actions"))
    assert not any(secret in shown for secret in ("Geheim", "geheim", "5550123", "oncology"))


async def test_a_delivery_that_hangs_is_given_up_and_repeated(
    database: Database, crm: MemoryCrm, caplog: pytest.LogCaptureFixture
) -> None:
    """It may have been carried out: the CRM knows it by its id."""
    crm.hold = asyncio.Event()
    settings = QUICK.model_copy(update={"delivery_timeout": 0.05})
    async with Outbox(database, crm, settings) as outbox:
        await tell(database, outbox, change())
        await crm.until(lambda: bool(events(caplog, "crm.unavailable")))
        crm.hold.set()
        await until_empty(outbox)

    assert list(crm.activities) == ["change-1"]


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
async def test_how_long_the_outbox_leaves_a_crm_alone(
    database: Database, crm: MemoryCrm, error: BackendError, least: float, most: float
) -> None:
    """With one change waiting, on a clock that stands still."""
    crm.failing = lambda _: error
    async with Outbox(database, crm, OutboxSettings(), clock=FixedClock()) as outbox:
        await tell(database, outbox, change())

        async def has_failed() -> bool:
            return bool((await rows(database))[0]["failures"])

        await eventually(has_failed)
        (row,) = await rows(database)

    assert least <= (row["not_before"] - NOW).total_seconds() <= most
    assert row["state"] == "waiting"


async def test_a_booking_is_made_though_the_outbox_cannot_be_written(
    database: Database, crm: MemoryCrm, caplog: pytest.LogCaptureFixture
) -> None:
    """Its transaction goes on, and the log says what the CRM will not be told."""
    outbox = Outbox(database, crm, QUICK)

    async def book(connection: AsyncConnection) -> None:
        await connection.execute(text("ALTER TABLE crm_outbox RENAME TO gone"))
        await outbox.on_change(connection, change())
        lease = {"contact": "the booking", "holder": "x", "until": NOW}
        await connection.execute(insert(tables.leases).values(lease))

    await database.write(book)

    async def booked(connection: AsyncConnection) -> int:
        return len((await connection.execute(select(tables.leases))).all())

    assert await database.read(booked) == 1
    assert events(caplog, "crm.change_lost")[0]["change"] == "change-1"


async def test_nothing_is_lost_if_the_booking_comes_to_nothing_too(
    database: Database, crm: MemoryCrm, caplog: pytest.LogCaptureFixture
) -> None:
    """What fails with the outbox may fail the booking as well; then there is no change that the CRM could miss."""
    outbox = Outbox(database, crm, QUICK)

    async def book(connection: AsyncConnection) -> None:
        await connection.execute(text("ALTER TABLE crm_outbox RENAME TO gone"))
        await outbox.on_change(connection, change())
        await connection.execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises(DatabaseError):
        await database.write(book)

    assert events(caplog, "crm.change_lost") == []


async def test_what_an_earlier_version_wrote_is_queued(database: Database, crm: MemoryCrm) -> None:
    """It knows the outbox only, may still run when this version starts, and deletes a contact's place in the queue."""
    await tell(database, Outbox(database, crm), *(change(number, Patient(f"{number}")) for number in range(3)))

    async def forget(connection: AsyncConnection) -> None:
        await connection.execute(delete(tables.leases))

    await database.write(forget)
    async with Outbox(database, crm, QUICK) as outbox:
        await until_empty(outbox)

    assert len(crm.activities) == 3


async def test_a_database_that_is_gone_for_a_while_stops_nothing(
    database: Database, crm: MemoryCrm, caplog: pytest.LogCaptureFixture
) -> None:
    """What waits is delivered when it is back; until then the port's error says so."""

    def rename(old: str, new: str) -> Callable[[AsyncConnection], Awaitable[None]]:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

        return work

    crm.hold = asyncio.Event()
    async with Outbox(database, crm, QUICK) as outbox:
        await tell(database, outbox, change())
        await database.write(rename("crm_outbox", "gone"))
        crm.hold.set()

        async def is_noticed() -> bool:
            return bool(events(caplog, "crm.outbox_unavailable"))

        await eventually(is_noticed)
        with pytest.raises(UnavailableError):
            await outbox.ping()
        with pytest.raises(UnavailableError):
            await outbox.pending()
        await database.write(rename("gone", "crm_outbox"))
        await outbox.ping()
        await until_empty(outbox)

    assert list(crm.activities) == ["change-1"]


@pytest.mark.parametrize("patience", [5.0, 0.01], ids=["is waited for", "is cut off"])
async def test_a_delivery_that_runs_when_the_worker_ends(
    database: Database, crm: MemoryCrm, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    """It is finished, or somebody else repeats it at once: no lease is left behind."""
    monkeypatch.setattr(outbox_module, "_LAST_WORDS", patience)
    crm.hold = asyncio.Event()
    started = asyncio.Event()
    upsert = crm.upsert_contact

    async def noted(contact: Contact) -> str:
        started.set()
        return await upsert(contact)

    crm.upsert_contact = noted  # type: ignore[method-assign]
    async with Outbox(database, crm, QUICK) as outbox:
        await tell(database, outbox, change())
        await asyncio.wait_for(started.wait(), PATIENCE)
        if patience > 1:
            crm.hold.set()

    assert len(crm.activities) == (1 if patience > 1 else 0)
    crm.hold.set()
    async with Outbox(database, crm, QUICK) as outbox:
        await until_empty(outbox)
    assert [activity for _, activity in crm.told] == ["change-1"]


async def test_one_delivery_finds_out_whether_the_crm_is_back(database: Database, crm: MemoryCrm) -> None:
    """Not as many as there are contacts; when it is, all go on at once."""
    failures = 0

    def fail(_: Activity) -> BaseException | None:
        nonlocal failures
        failures += 1
        if failures <= QUICK.at_once:  # these were on their way together
            crm.most_inside = 0
        return UnavailableError("no") if failures < 30 else None

    crm.failing = fail
    async with Outbox(database, crm, QUICK) as outbox:
        await tell(database, outbox, *(change(number, Patient(f"{number}")) for number in range(20)))
        await crm.until(lambda: failures == 29)
        assert crm.most_inside == 1
        await until_empty(outbox)

    assert crm.most_inside > 1


async def test_a_contact_that_is_taken_in_vain_is_given_back(database: Database) -> None:
    """What somebody saw waiting may be delivered, or postponed, when he has the lease."""
    clock = FixedClock()
    queue = Queue(database, "me", clock)
    await tell(database, Outbox(database, MemoryCrm(), clock=clock), change())
    (delivery,) = await queue.claim(1, timedelta(seconds=30))
    contact, later = delivery.contact.key, clock.now + timedelta(seconds=30)

    async def take(connection: AsyncConnection) -> object:
        return await queue._take(connection, contact, clock.now, later)

    await queue.postpone(delivery, timedelta(seconds=5), "no")
    assert await database.write(take) is None
    clock.now += timedelta(seconds=5)
    assert await queue.claim(1, timedelta(seconds=30)) == [replace(delivery, failures=1)]
    await queue.mark_delivered(delivery)
    assert await database.write(take) is None
    await tell(database, Outbox(database, MemoryCrm(), clock=clock), change(2))
    assert len(await queue.claim(1, timedelta(seconds=30))) == 1
