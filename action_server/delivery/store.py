"""What is remembered of results on their way, in the database of the jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import Database
from action_server.delivery.table import deliveries, metadata
from action_server.idempotency.host_clock import host_clock, plain_clock
from action_server.idempotency.table import time_of

# Seconds. What nobody picks up is deleted after a week, what was picked up an hour later.
_KEEP, _KEEP_PICKED_UP = 7 * 86_400.0, 3600.0


@dataclass(frozen=True)
class Kept:
    """A result that waits to be picked up, by calls of the engine of this name."""

    job_id: str
    texts: Sequence[str]
    slots: Mapping[str, Any]
    engine: str = ""


class DeliveryStore:
    """Results on their way, in one database; ``clock`` is that of a SQLite file's host. All raise `DatabaseError`."""

    def __init__(self, database: Database, clock: Callable[[], float] | None = None) -> None:
        self._database = database
        self._clock = clock or plain_clock(database)
        self._insert = sqlite.insert if database.dialect == "sqlite" else postgresql.insert

    @classmethod
    async def open(cls, database: Database) -> DeliveryStore:
        """Make the table if it is not there."""
        await database.create(metadata.create_all)
        return cls(database, await host_clock(database))

    async def asked_for(self, job_id: str) -> float | None:
        """Return how many seconds ago the engine was asked and did not answer; None if it was not."""
        query = select(self._now() - deliveries.c.asked_at).where(deliveries.c.job_id == job_id)

        async def read(connection: AsyncConnection) -> float | None:
            found: float | None = (await connection.execute(query)).scalar()
            return found

        return await self._database.read(read)

    async def note_asked(self, job_id: str, conversation: str) -> None:
        """Write down that the engine is asked now, before it is: a killed process cannot do so afterwards."""
        await self._put(job_id, conversation, {"asked_at": self._now()})

    async def forget(self, job_ids: Collection[str]) -> None:
        """Forget results: they are said, or it is known that the engine did nothing."""

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(delete(deliveries).where(deliveries.c.job_id.in_(job_ids)))

        await self._database.write(write)

    async def keep(self, kept: Kept, conversation: str) -> None:
        """Keep a result until it is picked up; with this, what is old is deleted."""
        content = json.dumps({"texts": list(kept.texts), "slots": dict(kept.slots), "engine": kept.engine})
        values = {"content": content, "kept_at": self._now(), "asked_at": None}
        now = self._now()
        old = or_(
            func.coalesce(deliveries.c.kept_at, deliveries.c.asked_at) < now - _KEEP,
            deliveries.c.picked_up_at < now - _KEEP_PICKED_UP,
        )

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(delete(deliveries).where(old))
            await self._put_into(connection, kept.job_id, conversation, values)

        await self._database.write(write)

    async def pick_up(self, conversation: str, said: Collection[str], engine: str = "") -> Sequence[Kept]:
        """Return what is kept for a conversation, oldest first, but for what was ``said`` there, which is forgotten.

        ``engine`` is the name of that whose conversation it is: another one may have one with the same id.
        A result is handed out again until the conversation shows that it was said, for an hour at most: whoever asked
        may have been killed before it was.
        """
        now = self._now()
        of_it = and_(deliveries.c.conversation == conversation, deliveries.c.content.is_not(None))
        old = deliveries.c.picked_up_at < now - _KEEP_PICKED_UP
        first = and_(of_it, deliveries.c.picked_up_at.is_(None))
        columns = (deliveries.c.job_id, deliveries.c.content)
        kept = select(*columns).where(of_it).order_by(deliveries.c.kept_at, deliveries.c.job_id)

        async def write(connection: AsyncConnection) -> list[Kept]:
            await connection.execute(delete(deliveries).where(of_it, or_(deliveries.c.job_id.in_(said), old)))
            rows = (await connection.execute(kept)).all()
            found = [Kept(row.job_id, **json.loads(row.content)) for row in rows]
            found = [one for one in found if one.engine == engine]
            handed_out = and_(first, deliveries.c.job_id.in_([one.job_id for one in found]))
            await connection.execute(update(deliveries).where(handed_out).values(picked_up_at=now))
            return found

        return await self._database.write(write)

    async def _put(self, job_id: str, conversation: str, values: Mapping[str, Any]) -> None:
        async def write(connection: AsyncConnection) -> None:
            await self._put_into(connection, job_id, conversation, values)

        await self._database.write(write)

    async def _put_into(
        self, connection: AsyncConnection, job_id: str, conversation: str, values: Mapping[str, Any]
    ) -> None:
        putting = self._insert(deliveries).values(job_id=job_id, conversation=conversation, **values)
        await connection.execute(putting.on_conflict_do_update(index_elements=["job_id"], set_=dict(values)))

    def _now(self) -> ColumnElement[float]:
        return time_of(self._clock)
