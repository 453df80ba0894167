"""A database that goes away while calls run, and comes back: nothing runs twice, and nobody has to start anything."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import aiohttp
import pytest

from actions.errors import UnavailableError
from tests.actions.clinic import NOW, open_backend
from tests.actions.scheduling.scheduling_contract import ELEVEN, TEN, key_of
from tests.databases import MortalServer, mortal_postgresql
from tests.engine_calls import call_body
from tests.processes import server
from tests.projects import project

ONCE = """
    import os
    from action_server import idempotent
    from rasa_sdk import Action
    from rasa_sdk.events import SlotSet

    FILE = os.open("marks", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    @idempotent
    class ActionMark(Action):
        def name(self):
            return "action_mark"

        async def run(self, dispatcher, tracker, domain):
            os.write(FILE, (tracker.sender_id + "\\n").encode())
            return [SlotSet("marked", tracker.sender_id)]
"""
# Seconds between two attempts of a caller, and between two looks of a test.
PAUSE = 0.05
CALLERS = 4


@cache
def body_of(name: str) -> bytes:
    """The call of a conversation, the same each time: one made anew is of another turn."""
    return call_body("action_mark", sender=name)


async def call(session: aiohttp.ClientSession, url: str, name: str) -> int:
    """Call the action for a conversation; return the status, 0 for an answer that is not its own."""
    async with session.post(f"{url}/webhook", data=body_of(name)) as response:
        return response.status if response.status != 200 or name in await response.text() else 0


async def await_ready(session: aiohttp.ClientSession, url: str, status: int) -> str:
    """Return what `/ready` says as soon as it has this status."""
    while True:
        async with session.get(f"{url}/ready") as response:
            if response.status == status:
                return await response.text()
        await asyncio.sleep(PAUSE)


def marks(folder: Path) -> Counter[str]:
    return Counter((folder / "marks").read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def mortal() -> Iterator[MortalServer]:
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    try:
        with mortal_postgresql(folder) as found:
            yield found
    finally:
        shutil.rmtree(folder)


async def test_a_server_that_crashes_and_comes_back_lets_nothing_run_twice(
    tmp_path: Path, mortal: MortalServer
) -> None:
    """Calls are refused meanwhile, before they run; who repeats them is answered, and the worker is the same."""
    project(tmp_path, {"actions.py": ONCE})
    refused: Counter[int] = Counter()
    is_over, was_refused = asyncio.Event(), asyncio.Event()

    async def caller(session: aiohttp.ClientSession, url: str, number: int) -> list[str]:
        answered: list[str] = []
        while not is_over.is_set():
            name = f"{number}-{len(answered)}"
            while (status := await call(session, url, name)) != 200:
                refused[status] += 1
                was_refused.set()
                await asyncio.sleep(PAUSE)
            answered.append(name)
        return answered

    with server(tmp_path, "--actions", "actions", "--database", mortal.url) as running:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
            calling = [asyncio.create_task(caller(session, running.url, number)) for number in range(CALLERS)]
            await await_ready(session, running.url, 200)
            await asyncio.to_thread(mortal.kill)
            assert "DatabaseError" in await await_ready(session, running.url, 503)
            await was_refused.wait()
            await asyncio.to_thread(mortal.start_again)
            await await_ready(session, running.url, 200)
            is_over.set()
            answered = {name for names in await asyncio.gather(*calling) for name in names}

    assert set(refused) <= {500, 503}
    assert marks(tmp_path) == Counter(answered)


async def test_the_clinic_books_on_when_its_server_is_back(mortal: MortalServer) -> None:
    """What was booked is there; what could not be is refused as such, and booked once when it is asked for again."""
    backend = await open_backend(mortal.url)
    first = await backend.book(key_of("c"), TEN)
    await asyncio.to_thread(mortal.kill)
    with pytest.raises(UnavailableError):
        await backend.book(key_of("d"), ELEVEN)
    await asyncio.to_thread(mortal.start_again)

    second = await backend.book(key_of("d"), ELEVEN)

    assert await backend.upcoming("c", NOW) == [first]
    assert await backend.upcoming("d", NOW) == [second]
    await backend.close()


async def test_a_file_that_is_moved_away_is_missed_and_found_again(tmp_path: Path) -> None:
    """Nobody makes a new one, in which the first answers would be missing; the old one goes on when it is back."""
    project(tmp_path, {"actions.py": ONCE})
    file = tmp_path / "answers.sqlite3"
    with server(tmp_path, "--actions", "actions", "--database", str(file)) as running:
        async with aiohttp.ClientSession() as session:
            assert await call(session, running.url, "first") == 200
            file.rename(tmp_path / "elsewhere")
            assert await call(session, running.url, "second") == 503
            assert "DatabaseError" in await await_ready(session, running.url, 503)
            assert not file.exists()
            (tmp_path / "elsewhere").rename(file)

            await await_ready(session, running.url, 200)
            assert [await call(session, running.url, name) for name in ("first", "second")] == [200, 200]

    assert marks(tmp_path) == {"first": 1, "second": 1}
    assert any("its file is gone: it was moved or deleted" in str(line) for line in running.log)
