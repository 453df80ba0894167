"""What takes its time behind a proxy, or other replicas: a long action, its repeats, connections that are closed."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from benchmarks.proxy_cases import drain_one
from benchmarks.proxy_sites import Site
from tests.proxies.load import MARKING, Books, call_while

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
# The server's limit for idle connections, in seconds, made so short that thousands of them come to it.
_SHORT_IDLE = 0.5
CLOSING_SOON = (
    MARKING
    + f"""
    from action_server.serving.http import app

    app.KEEP_ALIVE_TIMEOUT = {_SHORT_IDLE}
"""
)
# The proxy's own limit for an answer, as printed and lowered.
_LIMIT = {
    "nginx": ("proxy_read_timeout 330s", "proxy_read_timeout 2s"),
    "haproxy": ("timeout server 330s", "timeout server 2s"),
    "apache": ("ProxyTimeout 330", "ProxyTimeout 2"),
    "caddy": ("response_header_timeout 330s", "response_header_timeout 2s"),
}
# How long it keeps a connection to a replica, as printed and for longer than the server does.
_KEPT = {
    "nginx": ("keepalive_timeout 60s", "keepalive_timeout 300s"),
    "haproxy": ("default-server check", "default-server pool-purge-delay 300s check"),
    "apache": ("ttl=60", "ttl=300"),
    "caddy": ("keepalive 60s", "keepalive 300s"),
}
# The server's limit, in seconds, and the seconds around the end of it: it looks at its connections now and then.
_IDLE, _AROUND = 120.0, 8.0
# nginx keeps 64.
_KEPT_AT_ONCE = 60


@dataclass(frozen=True)
class Timed:
    """A case, the words of each proxy's file that are changed for it, and the flags of its replicas.

    With ``tls`` they speak TLS; ``actions`` are theirs.
    """

    case: Callable[[Site], Awaitable[Books]]
    changes: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    flags: Sequence[str] = ()
    tls: bool = False
    actions: str = TIMED


async def long_action(site: Site) -> Books:
    """Call an action of 70 s eight times at once."""
    return await _call_each(site, 70.0, attempts=1)


async def repeated_action(site: Site) -> Books:
    """Call an action of 5 s through a proxy that waits for two, and again until it is answered."""
    return await _call_each(site, 5.0, attempts=6)


async def drain_at_once(site: Site) -> Books:
    """Stop the replicas by turns, four times, without a delay: connections are closed as calls are sent on them."""

    async def work() -> None:
        for number in range(4):
            await site.restart(number % 2)

    return await call_while(site.url, site.marks, work)


async def idle_again_and_again(site: Site) -> Books:
    """For half a minute use connections again about when the server closes them; it looks twice within its limit."""
    chance = random.Random(22)  # noqa: S311 (not a secret)
    site.marks.write_bytes(b"")
    books, loop = Books(), asyncio.get_running_loop()
    until = loop.time() + 30

    async def caller(number: int) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            count = 0
            while loop.time() < until:
                await _call(session, site.url, f"{number}-{count}", 0.0, books)
                count += 1
                await asyncio.sleep(_SHORT_IDLE * chance.uniform(0.95, 1.55))

    await asyncio.gather(*(caller(number) for number in range(_KEPT_AT_ONCE)))
    return _closed(books, site)


async def idle(site: Site) -> Books:
    """Open many connections to the replicas, leave them alone until their time is up, and call again just then."""
    site.marks.write_bytes(b"")
    books = Books()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:

        async def caller(number: int) -> None:
            # All at once, so that each call has a connection of its own; the second time one after the other, and each
            # runs until all have been sent, so that none takes the one of another.
            await _call(session, site.url, f"first-{number}", 3.0, books)
            await asyncio.sleep(_IDLE - 1 + _AROUND * number / _KEPT_AT_ONCE)
            await _call(session, site.url, f"second-{number}", _AROUND, books)

        await asyncio.gather(*(caller(number) for number in range(_KEPT_AT_ONCE)))
    return _closed(books, site)


TIMED_CASES = {
    "kept connections closed just then": Timed(drain_at_once, flags=("--drain-delay", "0"), actions=MARKING),
    "TLS to the replicas, drain of one": Timed(drain_one, tls=True, actions=MARKING),
    "idle as long as the server keeps connections": Timed(idle),
    "the same, and the proxy keeps them for longer": Timed(idle, {name: (change,) for name, change in _KEPT.items()}),
    "used again about when the server closes them": Timed(
        idle_again_and_again, {name: (change,) for name, change in _KEPT.items()}, actions=CLOSING_SOON
    ),
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
