"""Calls to a server process, and an action that waits for the test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from action_server.testing import webhook_request


async def call(url: str, action: str, **slots: Any) -> tuple[int, Any]:
    call = webhook_request(action, slots, sender="tester")
    async with aiohttp.ClientSession() as session, session.post(f"{url}/webhook", json=call) as response:
        return response.status, await response.json()


async def fetch(url: str) -> tuple[int, str]:
    """The status and the text of a page."""
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def metrics_with(url: str, series: str) -> str:
    """The page of metrics, as soon as it has this series: the queue is measured when the server has started."""
    while series not in (page := (await fetch(f"{url}/metrics"))[1]):  # noqa: ASYNC110 - a page sets no event
        await asyncio.sleep(0.02)
    return page


async def worker_of(url: str) -> int:
    """The process that answered a greeting."""
    _, body = await call(url, "action_greet")
    return int(body["responses"][0]["text"].split()[-1])


@asynccontextmanager
async def gate() -> AsyncIterator[tuple[int, asyncio.Queue[asyncio.StreamWriter]]]:
    """A port that a waiting action connects to, and the connections made so far."""
    arrived: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.put_nowait(writer)

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1], arrived


def edit(path: Path, text: str) -> None:
    """Change a file so that its time differs, however coarse the file system's clock."""
    before = path.stat().st_mtime_ns
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before + 10**9, before + 10**9))
