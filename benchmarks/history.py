"""Fills a database with what years of work leave behind; made by the database itself, a million rows in seconds."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.jobs.ordering import line_of

# The moment that everything here lies before: the tests' clinic has it as its clock.
NOW = "2026-11-22 16:20:00"
# Over an index, as real keys are; of a million, the product is larger than an INTEGER of PostgreSQL.
_SPREAD = "((CAST(i AS BIGINT) * 7919) % 1000003)"
_NUMBERS = "WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < :count)"
# What the two databases write differently: `NOW`, so many five minutes earlier.
_EARLIER = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S.000000', '{now}', (-5 * ({steps})) || ' minutes')",
    "postgresql": "(TIMESTAMP '{now}' - ({steps}) * INTERVAL '5 minutes')",
}


async def fill_bookings(connection: AsyncConnection, count: int) -> None:
    """Add so many bookings that are over, each of somebody else, with the time they have claimed.

    They lie close: five minutes each, one after the other, so that there is room for a million.
    """
    start, end = _earlier(connection, "i + 1"), _earlier(connection, "i")
    columns = 'uid, reference, "key", conversation, name, appointment_type, resource, start, "end", state'
    await _insert(
        connection,
        f"bookings ({columns}, confirmed_at, changed, system)",
        "'uid-' || i, 'OLD-' || i, 'key-' || i, 'conversation-' || i, 'Erika', 'general', 'practice', "
        f"{start}, {end}, 'confirmed', {start}, {start}, 'calendar'",
        count,
    )
    await connection.execute(
        text("INSERT INTO claims (booking_id, resource, cell) SELECT id, resource, start FROM bookings"),
    )


async def fill_contacts(connection: AsyncConnection, count: int) -> None:
    """Add so many contacts to the embedded CRM, with an activity each."""
    then = _earlier(connection, "i")
    columns = '"key", name, created_at, updated_at'
    await _insert(connection, f"crm_contacts ({columns})", f"'contact-' || i, 'Erika', {then}, {then}", count)
    await connection.execute(
        text(
            'INSERT INTO crm_activities (id, contact_id, change, reference, appointment_type, start, "end", at,'
            " logged_at) SELECT 'activity-' || id, id, 'booked', 'OLD', 'general', created_at, created_at, created_at,"
            " created_at FROM crm_contacts"
        )
    )


async def fill_outbox(connection: AsyncConnection, count: int, *, state: str = "waiting", each: int = 1) -> None:
    """Add so many rows to the outbox, `each` for one contact; those that wait have waited for long."""
    then = _earlier(connection, "20000")
    settled = "NULL" if state == "waiting" else then
    columns = "id, contact, state, not_before, failures, refusals, written_at, settled_at, change, reference, "
    await _insert(
        connection,
        f'crm_outbox ({columns} appointment_type, start, "end", at)',
        f"'{state}-' || i, '{state}-' || (i / {each}), '{state}', {then}, 0, 0, {then}, {settled}, 'booked', 'OLD', "
        f"'general', {then}, {then}, {then}",
        count,
    )
    # What an earlier version's tables are brought to by their migration. A table without it has nobody to ask.
    if state == "waiting":
        await connection.execute(
            text(
                "INSERT INTO crm_leases (contact, holder, until) SELECT contact, '', MIN(not_before) FROM crm_outbox"
                " WHERE state = 'waiting' GROUP BY contact ON CONFLICT (contact) DO NOTHING"
            )
        )


async def fill_store(connection: AsyncConnection, count: int, expires_at: float) -> None:
    """Add so many answers to the idempotency store, of 200 bytes, whose time is over then and the second before."""
    await _insert(
        connection,
        "action_server_once (key, state, owner, lease_until, expires_at, answer)",
        f"{_SPREAD} || '-{'k' * 40}-' || i, 'done', 'owner', 0, {expires_at} - (i * 1.0 / :count), '{'x' * 200}'",
        count,
    )


async def fill_jobs(connection: AsyncConnection, count: int, name: str, state: str, due_at: float | None) -> None:
    """Add so many jobs of a name and a state, due then and a second after it; those that have ended did so now."""
    now = time.time()
    due = "NULL" if due_at is None else f"{due_at} + i * 1.0 / :count"
    await _insert(
        connection,
        "action_server_jobs (id, name, arguments, state, due_at, attempt, losses, fence, cancel_asked, created_at, "
        "deadline_at, ended_at, conversation, request_id, traceparent)",
        f"{_SPREAD} || '-{name}-{state}-' || i, '{name}', '{{}}', '{state}', {due}, 0, 0, 0, false, "
        f"{now}, {now + 86400}, {'NULL' if due_at else now}, '', '', ''",
        count,
    )


async def fill_lines(connection: AsyncConnection, count: int, name: str, ordering_key: str, due_at: float) -> None:
    """Add so many jobs of a name with one ordering key, and a job behind another one for each of so many other keys.

    The first one of the line is due then; those of the other keys are due two days later.
    """
    long = line_of(name, ordering_key)
    columns = "job_id, name, ordering_key, position, blocked, not_before"
    for kind, line, position, is_first, due in (
        ("long", f"'{long}'", "i", "i = 1", due_at),
        ("first", f"'{name}-' || i", "1", "true", due_at + 172_800),
        ("behind", f"'{name}-' || i", "2", "false", due_at),
    ):
        await _insert(
            connection,
            "action_server_jobs (id, name, arguments, state, due_at, attempt, losses, fence, cancel_asked, created_at, "
            "deadline_at, conversation, request_id, traceparent)",
            f"'{name}-{kind}-' || i, '{name}', '{{}}', 'waiting', CASE WHEN {is_first} THEN {due} END, 0, 0, 0, false, "
            f"{due}, {due + 864_000}, '', '', ''",
            count,
        )
        values = f"'{name}-{kind}-' || i, '{name}', {line}, {position}, NOT ({is_first}), {due}"
        await _insert(connection, f"action_server_job_order ({columns})", values, count)


def _earlier(connection: AsyncConnection, steps: str) -> str:
    return _EARLIER[connection.dialect.name].format(now=NOW, steps=steps)


async def _insert(connection: AsyncConnection, into: str, values: str, count: int) -> None:
    parameters: dict[str, Any] = {"count": count}
    # Every part of it is a constant of this file.
    await connection.execute(text(f"INSERT INTO {into} {_NUMBERS} SELECT {values} FROM numbers"), parameters)  # noqa: S608
