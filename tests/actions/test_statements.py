"""No statement reads what grows with the years: neither a whole table, nor most of it by an index that fits badly."""

from __future__ import annotations

import asyncio
import time

import pytest
from sqlalchemy import Connection

from action_server import Database
from action_server.idempotency.store import IdempotencyStore
from actions.database import open_database
from benchmarks import history
from tests.action_server.idempotency.store_fixtures import Job, call
from tests.actions.walk_of_the_databases import Steps, crm_steps, ledger_steps, store_steps
from tests.statements import Statements, analyse, is_used, large_reads, statements_of_this_process

pytest_plugins = ["tests.databases"]

ROWS = 10_000
# Of a table with so many rows a statement may read this many: what is deleted or queued at once, and a patient's own.
MOST = 600
# Parts of statements that may read more, and why.
EXCEPTIONS = {
    # Twice a minute, what a day has left there.
    "DELETE FROM crm_leases WHERE crm_leases.holder": "a day's contacts",
    "FROM crm_leases \nWHERE crm_leases.until >": "a day's contacts",
    # The first row there is.
    "SELECT crm_contacts.id \nFROM crm_contacts\n LIMIT": "reads one row",
    "SELECT crm_activities.id \nFROM crm_activities\n LIMIT": "reads one row",
}


async def walk(steps: Steps) -> None:
    for step in steps.values():
        await step()


async def filled_clinic(url: str) -> tuple[Database, Steps]:
    database = await open_database(url)
    steps = {**ledger_steps(database), **await crm_steps(database)}
    await database.write(lambda connection: history.fill_bookings(connection, ROWS))
    await database.write(lambda connection: history.fill_contacts(connection, ROWS))
    await database.write(lambda connection: history.fill_changes(connection, ROWS))
    await database.write(lambda connection: connection.run_sync(analyse))
    return database, steps


def offenders(connection: Connection, statements: Statements) -> list[str]:
    """Return the statements that read too much, with the reason; nothing is changed."""
    found = []
    for statement, parameters in statements.found.items():
        with connection.begin_nested() as undone:
            reads = large_reads(connection, statement, parameters, MOST)
            undone.rollback()
        if reads and not any(part in statement for part in EXCEPTIONS):
            found.append(f"{reads}: {statement}")
    return found


async def test_no_statement_of_the_clinic_reads_what_grows(database_url: str) -> None:
    """All that the ledger, the outbox and the embedded CRM execute, on both databases."""
    database, steps = await filled_clinic(database_url)
    with statements_of_this_process() as statements:
        await walk(steps)

    assert len(statements.found) > 40
    found = await database.write(lambda connection: connection.run_sync(offenders, statements))
    await database.close()
    assert found == []


async def test_no_statement_of_the_idempotency_store_reads_what_grows(database_url: str) -> None:
    """Its calls, the renewing of what runs, and the deleting of what is over."""
    store = await IdempotencyStore.open(database_url)
    database = store._database
    later = time.time() + 3600
    await database.write(lambda connection: history.fill_store(connection, ROWS, later))
    await database.write(lambda connection: connection.run_sync(analyse))
    with statements_of_this_process() as statements:
        await walk(store_steps(store))
        job = Job.held()
        held = asyncio.create_task(call(store, job, "r" * 64))
        await job.running.wait()
        await store.renew()
        await store.sweep()
        job.released.set()
        await held

    assert len(statements.found) > 6
    found = await database.write(lambda connection: connection.run_sync(offenders, statements))
    await store.close(grace=0)
    assert found == []


@pytest.mark.parametrize(
    ("index", "part"),
    [
        ("one_booking_per_reference", "bookings.reference ="),
        ("bookings_asked_for", "bookings.requested = 1"),
        ("bookings_of_a_resource", "bookings.resource ="),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_index_is_used_by_the_statements_it_was_made_for(index: str, part: str, database_url: str) -> None:
    """SQLite would rather search by a state that most rows are in, and calls that no scan."""
    database, steps = await filled_clinic(database_url)
    with statements_of_this_process() as statements:
        await walk(steps)

    def unused(connection: Connection) -> list[str]:
        made_for = [(one, values) for one, values in statements.found.items() if part in one]
        assert made_for
        return [one for one, values in made_for if not is_used(connection, index, one, values)]

    found = await database.read(lambda connection: connection.run_sync(unused))
    await database.close()
    assert found == []
