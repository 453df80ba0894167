"""What an operation costs is the same however much lies in the tables: counted in SQLite's steps, without a clock."""

from __future__ import annotations

from pathlib import Path

from actions.database import open_database
from benchmarks import history
from tests.actions.walk_of_the_databases import Steps, crm_steps, ledger_steps
from tests.statements import machine_steps

ROWS = 500


async def counted(path: Path, rows: int) -> dict[str, int]:
    """Return for each operation how many instructions SQLite's virtual machine took for it."""
    with machine_steps() as steps:
        database = await open_database(path)
    walks: list[Steps] = [ledger_steps(database), await crm_steps(database)]
    await database.write(lambda connection: history.fill_bookings(connection, rows))
    await database.write(lambda connection: history.fill_contacts(connection, rows))
    await database.write(lambda connection: history.fill_changes(connection, rows))
    found = {}
    for name, operation in ((name, one) for walk in walks for name, one in walk.items()):
        found[name] = await steps.of(operation)
    await database.close()
    return found


async def test_an_operation_costs_no_more_among_many_rows(tmp_path: Path) -> None:
    """At eight times the rows it takes at most a fifth more steps; a scan would take eight times as many."""
    few = await counted(tmp_path / "few.sqlite3", ROWS)
    many = await counted(tmp_path / "many.sqlite3", 8 * ROWS)

    assert min(few.values()) > 0
    assert {name: (few[name], many[name]) for name in few if many[name] > 1.2 * few[name]} == {}
