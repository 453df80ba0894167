"""The store behind ``@idempotent``: one run for a key, whichever task, worker or host asks, and its answer for all.

A row of the table is a key. ``running`` is somebody's, until its lease is over; ``done`` holds the answer; ``failed``
holds that there is none. A run that raised leaves no row, unless its rule keeps failures.

Time is the database's on PostgreSQL, so that hosts need not agree, and the host's on SQLite, whose processes share one:
an even one there, so that a clock that is set anew ends no lease and forgets no answer.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rasa_sdk import ActionExecutionRejection
from rasa_sdk.interfaces import ActionMissingDomainException, ActionNotFoundException
from sqlalchemy import (
    ColumnElement,
    Delete,
    Row,
    Update,
    and_,
    delete,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import PATIENCE, Database
from action_server.errors import (
    ActionNotFoundError,
    ActionRejectedError,
    DatabaseError,
    MissingDomainError,
    OutcomeUnknownError,
    StillRunningError,
    StoreUnavailableError,
    UnreadableAnswerError,
)
from action_server.idempotency.expiry import delete_expired
from action_server.idempotency.host_clock import host_clock
from action_server.idempotency.rules import Idempotent, OnCrash, key_of, lifetime_of, running_key
from action_server.idempotency.table import calls, is_free, metadata, started_of, time_of
from action_server.idempotency.unheard import UnheardClaims
from action_server.protocol.answers import Answer
from action_server.protocol.calls import Call, encode_reply
from action_server.source import is_closed, one_line

logger = logging.getLogger(__name__)

Run = Callable[[], Awaitable[Answer]]

# Seconds. A run whose process did not renew its lease for so long is taken for dead.
LEASE = 10.0
# How long a repeat waits for the first run: half of the 60 s that an engine locks a conversation for.
WAIT = 30.0
# How long a closing store lets runs end whose callers went away.
GRACE = 5.0
_SWEEP_EVERY = 600.0
_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.5
# Before each try to write how a run ended: the database may be restarting just now.
_END_PAUSES = (0.0, 0.2, 1.0)

# They say that the action did not run; the engine's 449 comes again with the same key.
_DECLINED = (
    ActionExecutionRejection,
    ActionMissingDomainException,
    ActionNotFoundException,
    ActionNotFoundError,
    ActionRejectedError,
    MissingDomainError,
)


@dataclass
class _Job:
    """One key that this process runs or waits for. ``until`` is when its first caller gives up waiting for another."""

    key: str
    run: Run
    action: str
    ttl: float
    rerun: bool
    keep_failures: bool
    until: float


@dataclass(frozen=True)
class _Ended:
    """How a job ended. Errors travel as values: a ``SystemExit`` that a task raises ends the worker."""

    answer: Answer | BaseException
    repeated: bool


class IdempotencyStore:
    """Runs what has a key once. Made by :meth:`open`, on the event loop it is used on."""

    def __init__(self, database: Database, *, lease: float, clock: Callable[[], float] | None) -> None:
        self._database = database
        self._lease = lease
        self._clock = clock
        self._insert = sqlite.insert if database.dialect == "sqlite" else postgresql.insert
        self._owner = secrets.token_hex(8)
        self._jobs: dict[str, tuple[_Job, asyncio.Task[_Ended]]] = {}
        self._unheard = UnheardClaims()
        self._closed = False
        self._upkeep = [asyncio.create_task(self._keep()), asyncio.create_task(self._sweep_now_and_then())]

    @classmethod
    async def open(
        cls,
        url: str | Path,
        *,
        lease: float = LEASE,
        clock: Callable[[], float] | None = None,
        patience: float = PATIENCE,
        where: str = "database",
        password: Callable[[], str] | None = None,
    ) -> IdempotencyStore:
        """Open the store in a SQLite file or at an URL, which the setting ``where`` gave.

        ``lease`` and ``patience`` are seconds: how long a silent run counts as alive, and how long the database may
        take for one step. ``clock`` is for tests: seconds since 1970. ``password`` is PostgreSQL's, as for
        :meth:`Database.open`.

        Raises:
            SettingsError: the URL is none, or its driver is not installed.
            DatabaseError: the database does not answer.
        """
        database = await Database.open(url, metadata.create_all, patience=patience, where=where, password=password)
        try:
            return cls(database, lease=lease, clock=clock or await host_clock(database))
        except BaseException:
            await database.close()
            raise

    async def close(self, *, grace: float = GRACE) -> None:
        """Let what is running end for ``grace`` seconds, give up what is left, and close the database.

        What was given up stays ``running``: when its lease is over, its repeats hear that its outcome is unknown.
        """
        self._closed = True
        tasks = [task for _, task in self._jobs.values()]
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=grace)
            for task in left:
                task.cancel()
        for upkeep in self._upkeep:
            upkeep.cancel()
        await asyncio.gather(*tasks, *self._upkeep, return_exceptions=True)
        await self._database.close()

    async def ping(self) -> None:
        """Return if the database takes what a run writes; raises ``DatabaseError`` if not.

        A database whose disk is full, or that became a read-only replica, still answers who only asks. The row is there
        within the transaction alone; nobody sees it.
        """

        async def try_to_write(connection: AsyncConnection) -> None:
            key = f"ping {self._owner}"
            row = {"key": key, "state": "failed", "owner": self._owner, "lease_until": 0.0, "expires_at": 0.0}
            await connection.execute(self._insert(calls).values(**row))
            await connection.execute(delete(calls).where(calls.c.key == key))

        await self._database.write(try_to_write)

    async def answer(self, rule: Idempotent, call: Call, run: Run, *, wait: float = WAIT) -> tuple[Answer, bool]:
        """Answer a call by its rule: :meth:`run_once` with the key, the lifetime and the policies of both."""
        return await self.run_once(
            key_of(rule, call),
            run,
            ttl=lifetime_of(rule, call).total_seconds(),
            wait=wait,
            action=call.action,
            on_crash=rule.on_crash or "refuse",
            keep_failures=rule.keep_failures,
        )

    async def run_once(
        self,
        key: str,
        run: Run,
        *,
        ttl: float,
        wait: float,
        action: str = "",
        on_crash: OnCrash = "refuse",
        keep_failures: bool = False,
    ) -> tuple[Answer, bool]:
        """Return the answer of the one run that ``key`` gets within ``ttl`` seconds, and whether this is a repeat.

        ``run`` goes on to its end though its caller is cancelled, so that a repeat finds the answer. A repeat waits for
        it ``wait`` seconds. Repeats within this process share the first run's outcome, its error too.

        Raises:
            StillRunningError: the first run takes longer than ``wait``.
            OutcomeUnknownError: the first run was cut off, and ``on_crash`` is not ``rerun``.
            UnreadableAnswerError: the stored answer is none.
            StoreUnavailableError: the database does not answer, or the store is closed.
        """
        until = asyncio.get_running_loop().time() + wait
        first = await self._wait_for_run_here(key, until)
        if first is not None:
            return first, True
        if self._closed:
            raise StoreUnavailableError(action)
        job = _Job(key, run, action, ttl, on_crash == "rerun", keep_failures, until)
        task = asyncio.create_task(self._perform(job))
        self._jobs[key] = job, task
        task.add_done_callback(partial(self._forget, key))
        return await self._outcome(job, task, None)

    async def _wait_for_run_here(self, key: str, until: float) -> Answer | None:
        """Return the answer of the run that this process has for a key already; None if there is none."""
        loop = asyncio.get_running_loop()
        while key in self._jobs:
            job, task = self._jobs[key]
            try:
                answer, _ = await self._outcome(job, task, max(0.0, until - loop.time()))
                return answer
            except StillRunningError:
                if loop.time() >= until:
                    raise
                # Whoever was waiting for another process before us gave up: now it is our turn to wait.
                await asyncio.sleep(0)
        return None

    async def renew(self) -> None:
        """Renew the leases of what runs here. The store does so by itself, every third of a lease."""
        keys = list(self._jobs)

        async def renew(connection: AsyncConnection) -> None:
            mine = and_(calls.c.key.in_(keys), calls.c.owner == self._owner, calls.c.state == "running")
            await connection.execute(update(calls).where(mine).values(lease_until=self._now() + self._lease))

        if keys:
            await self._database.write(renew)

    async def sweep(self) -> int:
        """Delete what is over, in batches, and return how many rows. The store does so by itself, every ten minutes."""
        return await delete_expired(self._database, partial(started_of, self._clock))

    def _forget(self, key: str, task: asyncio.Task[_Ended]) -> None:
        del self._jobs[key]
        if not task.cancelled():
            task.exception()  # or asyncio complains when every caller is gone

    async def _outcome(self, job: _Job, task: asyncio.Task[_Ended], wait: float | None) -> tuple[Answer, bool]:
        # asyncio.wait leaves the task alone, whether its own time is up or its caller is cancelled.
        await asyncio.wait({task}, timeout=wait)
        if not task.done():
            raise StillRunningError(job.action)
        if task.cancelled():
            raise OutcomeUnknownError(job.action, job.key, "running")
        ended = task.result()
        if isinstance(ended.answer, BaseException):
            raise ended.answer
        return ended.answer, ended.repeated

    async def _perform(self, job: _Job) -> _Ended:
        stored = await self._claim_or_wait(job)
        if stored is not None:
            return _Ended(stored, repeated=True)
        try:
            running_key.set(job.key)
            answer = await job.run()
        except BaseException as exc:
            if (isinstance(exc, asyncio.CancelledError) and self._is_cut_off()) or is_closed(exc):
                # It may have done its work or not, and its row has to say so: it stays `running`.
                raise
            kept = job.keep_failures and not isinstance(exc, _DECLINED)
            await self._end(job, update(calls).values(state="failed") if kept else delete(calls))
            return _Ended(exc, repeated=False)
        text = encode_reply(answer.events, answer.responses).decode("ascii")
        await self._end(job, update(calls).values(state="done", answer=text, expires_at=self._now() + job.ttl))
        return _Ended(answer, repeated=False)

    def _is_cut_off(self) -> bool:
        """Tell a run that this process gives up from one that awaited something of its own which was cancelled."""
        cancelling = getattr(asyncio.current_task(), "cancelling", None)
        # Python 3.10 cannot tell the two apart; unknown is the safe side.
        return self._closed or cancelling is None or cancelling() > 0

    async def _claim_or_wait(self, job: _Job) -> Answer | None:
        """Return None once the key is ours to run, or the answer somebody else came to."""
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        while True:
            claimed, row = await self._claim(job)
            if claimed:
                return None
            if row is not None:
                if row.state == "done":
                    return _read_answer(job, row.answer)
                if row.state == "failed" or not row.alive:
                    logger.warning("idempotent.outcome_unknown", extra={"key": job.key, "state": row.state})
                    raise OutcomeUnknownError(job.action, job.key, row.state)
                if loop.time() >= job.until:
                    raise StillRunningError(job.action)
            await asyncio.sleep(min(pause, max(0.0, job.until - loop.time())))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    async def _claim(self, job: _Job) -> tuple[bool, Row[Any] | None]:
        """Take the key if it is free; return whether, and the row of who has it."""
        token = self._unheard.token_for(job.key)

        async def claim(connection: AsyncConnection) -> tuple[bool, Row[Any] | None]:
            now = self._now()
            values = {
                "state": "running",
                "owner": self._owner,
                "lease_until": now + self._lease,
                "expires_at": now + job.ttl,
                "answer": token,
            }
            taking = self._insert(calls).values(key=job.key, **values)
            taking = taking.on_conflict_do_update(
                index_elements=[calls.c.key], set_=values, where=is_free(now, rerun=job.rerun, token=token)
            )
            if (await connection.execute(taking.returning(calls.c.key))).first():
                return True, None
            alive = (calls.c.lease_until > now).label("alive")
            row = select(calls.c.state, calls.c.answer, alive).where(calls.c.key == job.key)
            return False, (await connection.execute(row)).first()

        try:
            found = await self._database.write(claim)
        except DatabaseError as exc:
            self._unheard.add(job.key, token)
            raise StoreUnavailableError(job.action) from exc
        self._unheard.discard(job.key)
        return found

    async def _end(self, job: _Job, statement: Update | Delete) -> None:
        """Write how a run ended. It has ended: what goes wrong here is for the log, its caller gets what it came to."""

        async def end(connection: AsyncConnection) -> int:
            mine = and_(calls.c.key == job.key, calls.c.owner == self._owner, calls.c.state == "running")
            count: int = (await connection.execute(statement.where(mine))).rowcount
            return count

        problem = ""
        for pause in _END_PAUSES:
            await asyncio.sleep(pause)
            try:
                if not await self._database.write(end):
                    logger.warning("idempotent.lease_lost", extra={"key": job.key})
                return
            except DatabaseError as exc:
                problem = one_line(exc)
        # The row stays `running`; when its lease is over, repeats hear that the outcome is unknown.
        logger.error("idempotent.not_stored", extra={"key": job.key, "problem": problem})

    async def _keep(self) -> None:
        while True:
            try:
                await self.renew()
                await self._unheard.give_back(self._database)
            except Exception:
                logger.exception("idempotent.upkeep_failed")  # without a heartbeat, every run would look dead
            await asyncio.sleep(self._lease / 3)

    async def _sweep_now_and_then(self) -> None:
        # A task of its own: with much to delete it takes longer than a lease may go without a heartbeat.
        while True:
            try:
                await self.sweep()
            except Exception:
                # Whatever it is, the next one may do better.
                logger.exception("idempotent.upkeep_failed")
            await asyncio.sleep(_SWEEP_EVERY)

    def _now(self) -> ColumnElement[float]:
        return time_of(self._clock)


def _read_answer(job: _Job, text: str | None) -> Answer:
    try:
        value = json.loads(text or "")
        events, responses = value["events"], value["responses"]
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise UnreadableAnswerError(job.action, job.key) from exc
    for items in (events, responses):
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise UnreadableAnswerError(job.action, job.key)
    return Answer(events, responses)
