"""A client of the soak: good calls, and bytes as they come."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from typing import Any

from benchmarks.soak.books import Books, Outcome

TOKEN = "soak-token-0815"  # noqa: S105 - made up
# Stands in slots and in what is hostile: nobody may ever read it in an answer or in the log.
MARKER = "soak-marker-4711"
# Longer than anything here takes on a busy machine, in seconds.
PATIENCE = 60.0


class Client:
    """Sends requests to the server, one connection each, as engines do."""

    def __init__(self, port: int, books: Books, chance: random.Random, limit: int) -> None:
        self.port = port
        self.books = books
        self.chance = chance
        self._places = asyncio.Semaphore(limit)

    async def call(
        self, action: str, slots: dict[str, Any], sender: str = "soak", *, gone_after: float | None = None
    ) -> Outcome:
        """Make a good call; ``gone_after`` seconds the client hangs up without waiting for the answer."""
        tracker = {"sender_id": sender, "slots": {**slots, "private": MARKER}, "events": [], "latest_message": {}}
        body = json.dumps({"next_action": action, "sender_id": sender, "tracker": tracker, "version": "3.6.21"})
        request_id = self.books.new_id()
        started = time.monotonic()
        async with self._places:
            status, answer = await self.send(post(body.encode(), f"X-Request-ID: {request_id}"), gone_after=gone_after)
        outcome = Outcome(action, status, started, time.monotonic(), gone=gone_after is not None)
        outcome.body = json.loads(answer) if status else None
        self.books.outcomes[request_id] = outcome
        return outcome

    async def send(self, raw: bytes, *, gone_after: float | None = None, half: bool = False) -> tuple[int, bytes]:
        """Send bytes and return status and body of the answer; status 0 if there was none."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except ConnectionError:
            return 0, b""
        try:
            writer.write(raw)
            await writer.drain()
            if gone_after is not None or half:
                await asyncio.sleep(gone_after or 0.05)
                return 0, b""
            return await asyncio.wait_for(_answer(reader), PATIENCE)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            return 0, b""
        finally:
            # At once and without a word, so that no socket of ours stands in the way of the next run.
            writer.transport.abort()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    return int(head.split()[1]), await reader.readexactly(int(length[1]) if length else 0)


def post(body: bytes, *headers: str, path: str = "/webhook", token: str = TOKEN, length: int | None = None) -> bytes:
    """Return a whole request."""
    size = len(body) if length is None else length
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}", *headers]
    return "\r\n".join([*lines, f"Content-Length: {size}", "Connection: close", "", ""]).encode() + body
