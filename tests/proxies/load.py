"""Calls that each leave a mark, sent without a pause through a proxy, and the books about them."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from action_server.testing import webhook_request

# Each call appends its conversation's id to a file: a mark, whoever hears of it.
MARKING = """
    import os
    from rasa_sdk import Action
    from rasa_sdk.events import SlotSet

    FILE = os.open(os.environ["MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    class ActionMark(Action):
        def name(self):
            return "action_mark"

        async def run(self, dispatcher, tracker, domain):
            os.write(FILE, (tracker.sender_id + "\\n").encode())
            return [SlotSet("marked", tracker.sender_id)]
"""
# The action is a tool as well.
AS_A_TOOL = """
action_server:
  mcp:
    actions: [action_mark]
"""


@dataclass
class Books:
    """What became of calls. ``answered`` got their own 200; ``refused`` anything else, by what it was."""

    answered: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    marks: Counter[str] = field(default_factory=Counter)

    @property
    def doubled(self) -> list[str]:
        """Calls that were carried out more than once."""
        return [name for name, times in self.marks.items() if times > 1]

    @property
    def ran_unanswered(self) -> list[str]:
        """Calls that were carried out, and whose caller heard something else than the answer."""
        return [name for name in self.refused if name in self.marks]

    @property
    def lost(self) -> list[str]:
        """Calls that were answered and not carried out."""
        return [name for name in self.answered if name not in self.marks]

    def __str__(self) -> str:
        counts = Counter(self.refused.values())
        return (
            f"{len(self.answered)} answered, {len(self.refused)} failed {dict(counts)}, {len(self.ran_unanswered)} ran "
            f"unanswered, {len(self.doubled)} doubled, {len(self.lost)} lost"
        )


async def call_while(
    url: str,
    marks: Path,
    work: Callable[[], Awaitable[None]],
    *,
    callers: int = 8,
    body_bytes: int = 0,
    packed: bool = False,
    version: aiohttp.HttpVersion = aiohttp.HttpVersion11,
    path: str = "/webhook",
) -> Books:
    """Send calls one after another from each caller, on kept connections, until ``work`` is done.

    ``marks`` is the file of the actions; what is in it from before does not count. ``body_bytes`` are added to each
    body, which is ``packed`` with gzip. With the ``path`` ``/mcp`` the calls are those of a tool.
    """
    marks.write_bytes(b"")  # noqa: ASYNC240 (nothing runs yet)
    books = Books()
    done = asyncio.Event()

    async def caller(number: int, session: aiohttp.ClientSession) -> None:
        count = 0
        while not done.is_set():
            name = f"{number}-{count}"
            count += 1
            await _call(session, url + path, name, books, body_of(path, name, body_bytes), packed)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60), version=version) as session:
        tasks = [asyncio.create_task(caller(number, session)) for number in range(callers)]
        try:
            await work()
        finally:
            done.set()
            await asyncio.gather(*tasks)
    books.marks = Counter(marks.read_text(encoding="utf-8").split())  # noqa: ASYNC240 (all is over)
    return books


def body_of(path: str, name: str, body_bytes: int = 0) -> bytes:
    """Return the body of a call of the conversation ``name``."""
    if path == "/mcp":
        params = {"name": "action_mark", "arguments": {}, "_meta": {"conversation_id": name}}
        return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    call = webhook_request("action_mark", sender=name)
    call["tracker"]["slots"]["padding"] = "x" * body_bytes
    return json.dumps(call).encode()


async def _call(session: aiohttp.ClientSession, url: str, name: str, books: Books, body: bytes, packed: bool) -> None:
    headers = {"Content-Type": "application/json"}
    if packed:
        body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
    try:
        async with session.post(url, data=body, headers=headers) as response:
            text = await response.text()
    except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as exc:
        books.refused[name] = type(exc).__name__
        return
    if response.status != 200 or name not in text:
        # A 200 without the call's own mark is somebody else's answer, or none.
        books.refused[name] = f"200 {text[:80]}" if response.status == 200 else str(response.status)
        return
    books.answered.add(name)
