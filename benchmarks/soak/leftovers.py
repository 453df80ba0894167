"""What workers have open before a soak and after it: threads, files, memory and tasks."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator

from benchmarks.soak.books import Books
from benchmarks.soak.checks import Check
from benchmarks.soak.client import PATIENCE, TOKEN, Client
from benchmarks.soak.server import SYNC_WORKERS, Server
from benchmarks.soak.vitals import Vitals, vitals_of

# What a worker may have more than at its start: its threads for actions, SQLAlchemy's five connections with a thread
# and three files each, and a little.
MORE_THREADS = SYNC_WORKERS + 5 + 2
MORE_FILES = 5 * 3 + 5
MORE_MEMORY_KB = 100 * 1024


def most_of(server: Server) -> Vitals:
    """Return the most that any worker has open."""
    found = [vitals for pid in server.alive() if (vitals := vitals_of(pid))]
    return Vitals(*(max(getattr(v, name) for v in found) for name in ("threads", "files", "memory_kb")))


async def look(server: Server, books: Books, most: int | None = None) -> dict[int, int]:
    """Return how many tasks the event loop of each worker has while it answers one call, that call's own included.

    On a busy machine calls meet, and count each other: it is looked again while a worker has more than ``most``.
    """
    client = Client(server.port, books, random.Random(0), limit=8)  # noqa: S311
    found: dict[int, int] = {}
    deadline = time.monotonic() + PATIENCE

    def is_unsure() -> bool:
        return set(found) != set(server.alive()) or (most is not None and max(found.values()) > most)

    while is_unsure() and time.monotonic() < deadline:
        # Several at once, or the same worker answers all; one after the other, so that the last one is alone.
        outcomes = await asyncio.gather(*(client.call("soak_look", {"number": number}) for number in range(1, 9)))
        for answer in (o.body["responses"][0]["custom"] for o in outcomes if o.status == 200):
            found[answer["pid"]] = min(answer["tasks"], found.get(answer["pid"], answer["tasks"]))
    return found


async def wait_until_settled(server: Server, start: Vitals) -> dict[int, Vitals]:
    """Wait until the workers have let go of what they do not keep, as long as that may take; return what is left."""
    deadline = time.monotonic() + 15
    while True:
        found = {pid: vitals for pid in server.alive() if (vitals := vitals_of(pid))}
        if all(not _too_much(vitals, start) for vitals in found.values()) or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.2)


def _too_much(vitals: Vitals, start: Vitals) -> bool:
    return (
        vitals.threads > start.threads + MORE_THREADS
        or vitals.files > start.files + MORE_FILES
        or vitals.memory_kb > start.memory_kb + MORE_MEMORY_KB
    )


async def page(server: Server) -> str | None:
    """Return the metrics; None if the server has no such page."""
    raw = f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    client = Client(server.port, Books(), random.Random(0), limit=1)  # noqa: S311
    status, body = await client.send(raw.encode())
    return body.decode() if status == 200 else None


def checks_of_rest(
    start: Vitals, left: dict[int, Vitals], tasks: tuple[dict[int, int], dict[int, int]]
) -> Iterator[Check]:
    """Compare what workers had open before with what they have after."""
    for name, more in (("threads", MORE_THREADS), ("files", MORE_FILES), ("memory_kb", MORE_MEMORY_KB)):
        before, after = getattr(start, name), [getattr(vitals, name) for vitals in left.values()]
        ok = all(value <= before + more for value in after)
        yield Check(f"no {name} left", ok, f"{before} at the start, {after} at the end, {more} more allowed")
    before_tasks, after_tasks = tasks
    ok = max(after_tasks.values(), default=0) <= max(before_tasks.values(), default=0)
    yield Check("no tasks left", ok, f"{sorted(before_tasks.values())}, then {sorted(after_tasks.values())}")
