"""What takes its time behind a proxy: a long action, and its repeats."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from benchmarks.proxy_sites import Site
from tests.proxies.load import Books

TIMED = """
    import asyncio
    import os
    from rasa_sdk import Action
    from rasa_sdk.events import SlotSet
    from action_server import action_options, idempotent

    FILE = os.open(os.environ["MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    @action_options(timeout=300)
    @idempotent
    class ActionMark(Action):
        def name(self):
            return "action_mark"

        async def run(self, dispatcher, tracker, domain):
            os.write(FILE, (tracker.sender_id + "\\n").encode())
            await asyncio.sleep(tracker.get_slot("seconds"))
            return [SlotSet("marked", tracker.sender_id)]
"""
# The proxy's own limit for an answer, as printed and lowered.
_LIMIT = {
    "nginx": ("proxy_read_timeout 330s", "proxy_read_timeout 2s"),
    "haproxy": ("timeout server 330s", "timeout server 2s"),
    "apache": ("ProxyTimeout 330", "ProxyTimeout 2"),
    "caddy": ("response_header_timeout 330s", "response_header_timeout 2s"),
}


@dataclass(frozen=True)
class Timed:
    """A case, and the words of each proxy's file that are changed for it."""

    case: Callable[[Site], Awaitable[Books]]
    changes: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)


async def long_action(site: Site) -> Books:
    """Call an action of 70 s eight times at once."""
    return await _call_each(site, 70.0, attempts=1)


async def repeated_action(site: Site) -> Books:
    """Call an action of 5 s through a proxy that waits for two, and again until it is answered."""
    return await _call_each(site, 5.0, attempts=6)


TIMED_CASES = {
    "an action of 70 s": Timed(long_action),
    "an action of 5 s, the proxy's limit 2 s, repeated": Timed(
        repeated_action, {name: (change,) for name, change in _LIMIT.items()}
    ),
}


async def _call_each(site: Site, seconds: float, attempts: int) -> Books:
    books = Books()
    site.marks.write_bytes(b"")

    async def caller(session: aiohttp.ClientSession, name: str) -> None:
        for _ in range(attempts):
            await _call(session, site.url, name, seconds, books)
            if name in books.answered:
                books.refused.pop(name, None)
                return

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
        await asyncio.gather(*(caller(session, str(number)) for number in range(8)))
    return _closed(books, site)


def _closed(books: Books, site: Site) -> Books:
    books.marks = Counter(site.marks.read_text(encoding="utf-8").split())
    return books


async def _call(session: aiohttp.ClientSession, url: str, name: str, seconds: float, books: Books) -> None:
    tracker = {"sender_id": name, "slots": {"seconds": seconds}, "events": []}
    body = json.dumps({"next_action": "action_mark", "sender_id": name, "tracker": tracker}).encode()
    try:
        async with session.post(f"{url}/webhook", data=body, headers={"Content-Type": "application/json"}) as response:
            text = await response.text()
    except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as exc:
        books.refused[name] = type(exc).__name__
        return
    if response.status == 200 and name in text:
        books.answered.add(name)
    else:
        books.refused[name] = str(response.status)
