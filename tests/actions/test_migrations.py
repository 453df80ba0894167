"""The clinic's tables from nothing, from version 0.1.0 and from a version to come, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import importlib
import io
import logging
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, event, inspect, select, text

from action_server import Database
from actions.crm.tables import leases, outbox
from actions.database import open_database
from actions.errors import UnavailableError
from actions.migrations import VERSION_TABLE, upgrade
from actions.tables import metadata
from actions.wallclock import utc_now
from tests.actions.clinic import open_backend, slot_at
from tests.actions.scheduling.scheduling_contract import ELEVEN, TEN, key_of, try_to_book

pytest_plugins = ["tests.databases"]

# As `create_all` of version 0.1.0 made them; types are those of each database.
OF_0_1_0 = """
CREATE TABLE bookings (
    id {serial}, reference VARCHAR(16) NOT NULL, "key" VARCHAR(64) NOT NULL, conversation VARCHAR NOT NULL,
    appointment_type VARCHAR NOT NULL, resource VARCHAR NOT NULL, start {instant} NOT NULL, "end" {instant} NOT NULL,
    cancelled BOOLEAN DEFAULT {false} NOT NULL, PRIMARY KEY (id), UNIQUE (reference)
);
CREATE INDEX bookings_of_a_conversation ON bookings (conversation, start);
CREATE UNIQUE INDEX one_live_booking_per_key ON bookings ("key") WHERE NOT cancelled;
CREATE TABLE claims (
    booking_id INTEGER NOT NULL, resource VARCHAR NOT NULL, cell {instant} NOT NULL,
    CONSTRAINT one_claim_per_cell UNIQUE (resource, cell), FOREIGN KEY(booking_id) REFERENCES bookings (id)
);
CREATE INDEX ix_claims_booking_id ON claims (booking_id);
INSERT INTO bookings (reference, "key", conversation, appointment_type, resource, start, "end", cancelled) VALUES
    ('APT-AAAAAA', '{digest}', 'c', 'general', 'practice', '{day} 09:00:00', '{day} 09:30:00', {false}),
    ('APT-CCCCCC', 'other', 'd', 'general', 'practice', '{day} 10:00:00', '{day} 10:30:00', {true});
INSERT INTO claims SELECT id, resource, start FROM bookings WHERE NOT cancelled
"""
TYPES = {
    "sqlite": {"serial": "INTEGER NOT NULL", "instant": "DATETIME", "false": "0", "true": "1"},
    "postgresql": {"serial": "SERIAL NOT NULL", "instant": "TIMESTAMP", "false": "false", "true": "true"},
}


def make_0_1_0(connection: Connection) -> None:
    statements = OF_0_1_0.format(**TYPES[connection.dialect.name], digest=key_of("c").digest, day="2026-11-24")
    for statement in statements.split(";"):
        connection.execute(text(statement))


async def prepared(url: str, prepare: Callable[[Connection], None] | str) -> None:
    def execute(connection: Connection) -> None:
        connection.execute(text(str(prepare)))

    await (await Database.open(url, execute if isinstance(prepare, str) else prepare)).close()


async def seen(url: str, look: Callable[[Connection], object]) -> object:
    database = await Database.open(url, lambda _connection: None)
    found = await database.read(lambda connection: connection.run_sync(look))
    await database.close()
    return found


def differences(connection: Connection) -> list[object]:
    assert {*metadata.tables, VERSION_TABLE} == set(inspect(connection).get_table_names())
    context = MigrationContext.configure(connection, opts={"compare_server_default": True})
    return [found for found in compare_metadata(context, metadata) if VERSION_TABLE not in str(found)]


def guards(connection: Connection) -> set[str]:
    """Everything that is unique: indexes with their conditions, where the database tells them, and constraints."""
    tables = inspect(connection)
    found = set()
    for table in ("bookings", "claims"):
        for index in tables.get_indexes(table):
            if index["unique"]:
                options = index.get("dialect_options", {})
                condition = options.get("sqlite_where", options.get("postgresql_where"))
                found.add(f"{index['name']} {index['column_names']} {'partial' if condition is not None else ''}")
        found |= {f"{unique['column_names']}" for unique in tables.get_unique_constraints(table)}
    return found


@pytest.mark.parametrize("prepare", [lambda _connection: None, make_0_1_0], ids=["nothing", "0.1.0"])
async def test_the_tables_are_those_of_the_metadata(prepare: Callable[[Connection], None], database_url: str) -> None:
    """However the database began, and however often it is opened; the guards are there."""
    await prepared(database_url, prepare)
    for _ in range(2):
        await (await open_database(database_url)).close()

    assert await seen(database_url, differences) == []
    assert {
        "['uid']",
        "['resource', 'cell']",
        "one_live_booking_per_key ['key'] partial",
        "one_booking_per_reference ['reference'] partial",
    } <= await seen(database_url, guards)  # type: ignore[operator]


def outbox_of_earlier_versions(connection: Connection) -> list[str]:
    """The holders of its leases; empty where it is not there."""
    tables = {outbox.name, leases.name} & set(inspect(connection).get_table_names())
    assert len(tables) in (0, 2)
    return list(connection.scalars(select(leases.c.holder))) if tables else []


@pytest.mark.parametrize("had_a_crm", [False, True])
async def test_the_outbox_of_earlier_versions_stays_where_one_of_them_may_still_run(
    had_a_crm: bool, database_url: str
) -> None:
    """For a day, and not where no CRM was ever told of anything."""
    secret = "INSERT INTO crm_secrets (name, value) VALUES ('contact keys', 'x')"

    def make(connection: Connection) -> None:
        upgrade(connection, "0007")
        if had_a_crm:
            connection.execute(text(secret))

    await prepared(database_url, make)
    await (await open_database(database_url)).close()

    assert await seen(database_url, outbox_of_earlier_versions) == (["jobs"] if had_a_crm else [])

    def is_for_a_day(connection: Connection) -> bool:
        until = connection.scalar(select(leases.c.until))
        return until is not None and timedelta(hours=23) < until - utc_now() < timedelta(hours=25)

    if had_a_crm:
        assert await seen(database_url, is_for_a_day)


LATE = {"bookings_asked_for", "bookings_of_a_resource"}


def indexes(connection: Connection) -> set[str]:
    tables = inspect(connection)
    return {str(index["name"]) for table in tables.get_table_names() for index in tables.get_indexes(table)}


async def test_large_tables_get_their_indexes_outside_of_the_migrations_transaction(database_url: str) -> None:
    """Calls would wait for all of them; so each is built by itself, and on PostgreSQL nobody waits at all."""
    await (await Database.open(database_url, upgrade)).close()
    assert LATE.isdisjoint(await seen(database_url, indexes))  # type: ignore[arg-type]

    statements: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        await (await open_database(database_url)).close()
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    assert await seen(database_url, indexes) >= LATE  # type: ignore[operator]
    built = [at for at, statement in enumerate(statements) if statement.startswith("CREATE INDEX")]
    assert len(built) == len(LATE)
    if "postgresql" in database_url:
        assert all(statements[at].startswith("CREATE INDEX CONCURRENTLY") for at in built)
    else:
        assert not [one for one in statements[built[0] : built[-1]] if one.startswith("BEGIN")]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_an_index_whose_building_was_cut_off_is_built_anew(database_url: str) -> None:
    """PostgreSQL keeps it, and uses it for nothing."""
    await (await open_database(database_url)).close()
    await prepared(
        database_url,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('bookings_of_a_resource')",
    )

    await (await open_database(database_url)).close()

    def valid(connection: Connection) -> object:
        return connection.scalar(
            text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('bookings_of_a_resource')")
        )

    assert await seen(database_url, valid) is True


async def test_bookings_of_version_0_1_0_are_kept(database_url: str) -> None:
    """They are found by their key, keep their time, and can be moved and cancelled; new ones come after them."""
    await prepared(database_url, make_0_1_0)
    backend = await open_backend(database_url)

    booking = await backend.get(key_of("c"))
    assert booking is not None
    assert (booking.reference, booking.slot) == ("APT-AAAAAA", TEN)
    assert await backend.get(key_of("d")) is None
    assert await try_to_book(backend, "another", TEN) == "taken"
    assert await try_to_book(backend, "d", ELEVEN) == "booked"
    moved = await backend.reschedule(key_of("c"), slot_at("2026-11-24T12:30"))
    assert moved is not None
    assert moved.reference == booking.reference
    assert await backend.cancel(key_of("c")) == moved
    assert await try_to_book(backend, "another", TEN) == "booked"
    await backend.close()


async def test_processes_take_version_0_1_0_over_together(database_url: str) -> None:
    """One of them changes the tables, the others wait for it."""
    await prepared(database_url, make_0_1_0)

    databases = await asyncio.gather(*(open_database(database_url) for _ in range(4)))

    for database in databases:
        await database.close()
    assert await seen(database_url, differences) == []


async def test_a_database_of_a_newer_version_is_left_alone(database_url: str) -> None:
    """Whoever goes back to an older version hears why it does not start."""
    await (await open_database(database_url)).close()
    await prepared(database_url, "UPDATE clinic_version SET version_num = '9999'")

    with pytest.raises(UnavailableError, match="a newer version of this program made the clinic's database"):
        await open_database(database_url)


async def test_another_programs_table_is_not_taken_over(database_url: str) -> None:
    """A table of that name is left as it is."""
    await prepared(database_url, "CREATE TABLE bookings (hotel VARCHAR)")

    with pytest.raises(UnavailableError, match="another program's"):
        await open_database(database_url)
    assert await seen(database_url, lambda connection: inspect(connection).get_table_names()) == ["bookings"]


async def test_a_failed_migration_leaves_the_tables_as_they_were(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start finds what there was before."""
    await prepared(database_url, make_0_1_0)
    with monkeypatch.context() as patch:
        patch.setattr("alembic.op.create_index", _fail)
        with pytest.raises(UnavailableError):
            await open_database(database_url)

    backend = await open_backend(database_url)
    assert await backend.get(key_of("c")) is not None
    await backend.close()


def _fail(*_: object, **__: object) -> None:
    raise UnavailableError("the disk is full")


async def test_migrations_are_quiet(database_url: str) -> None:
    """Logging is the server's, and so is its output."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("alembic").level)
    output = io.StringIO()
    with redirect_stdout(output):
        await (await open_database(database_url)).close()

    assert output.getvalue() == ""
    assert (root.level, list(root.handlers), logging.getLogger("alembic").level) == before


def test_the_server_can_import_every_module_below_actions() -> None:
    """It does so at its start; what is alembic's alone is in no package."""
    module = importlib.import_module("actions.migrations")

    assert module.upgrade is upgrade
    assert not any((folder / "__init__.py").exists() for folder in module._FOLDER.iterdir() if folder.is_dir())


async def test_a_password_is_asked_for_also_when_indexes_are_built(empty_postgresql: str) -> None:
    """They are built over a connection of their own."""
    asked: list[str] = []

    def password() -> str:
        asked.append("opensesame")
        return asked[-1]

    await (await open_database(empty_postgresql, password)).close()

    assert len(asked) > 1
