"""Claims of which nobody heard whether they were made: the connection broke at the commit. None of them was run."""

from __future__ import annotations

import secrets
from itertools import islice

from sqlalchemy import ColumnElement, and_, delete
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import Database
from action_server.idempotency.table import calls

# So many are remembered, a hundred bytes each: a database may be down for long. The rest is of unknown outcome.
_MOST = 10_000
_BATCH = 500


class UnheardClaims:
    """The tokens of claims that failed. A row that is `running` has its token where its answer will be."""

    def __init__(self) -> None:
        # By their keys, the oldest first.
        self._tokens: dict[str, str] = {}

    def token_for(self, key: str) -> str:
        """Return the token to claim a key with: that of the claim that failed, whose row it takes if there is one."""
        return self._tokens.get(key) or secrets.token_hex(8)

    def add(self, key: str, token: str) -> None:
        """Note that a claim failed."""
        self._tokens[key] = token
        if len(self._tokens) > _MOST:
            del self._tokens[next(iter(self._tokens))]

    def discard(self, key: str) -> None:
        """Note that a claim was heard of."""
        self._tokens.pop(key, None)

    async def give_back(self, database: Database) -> None:
        """Delete what rows there are, so that repeats on other workers run and do not wait for ever.

        Raises:
            DatabaseError: the database does not answer; the next try may do better.
        """
        while some := dict(islice(self._tokens.items(), _BATCH)):
            ours = and_(calls.c.state == "running", calls.c.key.in_(some), calls.c.answer.in_(some.values()))

            async def work(connection: AsyncConnection, ours: ColumnElement[bool] = ours) -> None:
                await connection.execute(delete(calls).where(ours))

            # First: who claims the key now must not take a row that is just being deleted.
            for key in some:
                del self._tokens[key]
            try:
                await database.write(work)
            except BaseException:
                self._tokens = some | self._tokens
                raise
