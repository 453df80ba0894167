"""What the clients of a soak do: good calls, bad ones and hostile ones."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta, timezone

from benchmarks.soak.client import MARKER, Client, post
from benchmarks.soak.server import KINDS, MAX_REQUEST


async def book(client: Client) -> None:
    """Book a time that others want too, twice at once, and a third time later: one booking, one reference."""
    chance = client.chance
    kind = chance.choice(KINDS)
    day = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    start = day + timedelta(days=chance.randint(2, 28), minutes=15 * chance.randint(0, 95))
    wish = start.replace(tzinfo=None).isoformat(timespec="minutes")
    senders = [f"patient-{chance.getrandbits(48):x}" for _ in range(chance.choice((1, 1, 2)))]
    await asyncio.gather(*(_book(client, sender, kind, wish) for sender in senders * 2))
    for sender in senders:
        await _book(client, sender, kind, wish)


async def _book(client: Client, sender: str, kind: str, wish: str) -> None:
    books = client.books
    slots = {"appointment_type": kind, "preferred_date": wish, "booking_reference": None, "booking_status": None}
    books.asked.add((sender, wish))
    outcome = await client.call("action_create_appointment", slots, sender)
    books.expect(outcome, 200)
    if outcome.status == 200:
        for event in outcome.body["events"]:
            if event.get("name") == "booking_reference" and event["value"]:
                books.references.setdefault((sender, wish), set()).add(event["value"])


def simple(action: str, *statuses: int) -> Callable[[Client], Awaitable[None]]:
    """Return a behaviour: call an action that answers with one of the statuses."""

    async def behave(client: Client) -> None:
        number = client.chance.randint(0, 10**6)
        outcome = await client.call(action, {"number": number}, f"talk-{number}")
        client.books.expect(outcome, *statuses)

    return behave


async def validate(client: Client) -> None:
    """Validate a form's slot."""
    number = client.chance.randint(0, 99)
    outcome = await client.call("validate_soak_form", {"number": number, "requested_slot": "number"})
    client.books.expect(outcome, 200)


async def leave(client: Client) -> None:
    """Call something slow and go away before it answers."""
    await client.call("soak_slow", {}, gone_after=0.05 + client.chance.random() * 0.2)


BOMB = zlib.compress(bytes(20 * MAX_REQUEST), 9)
HOSTILE: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "garbage": (b"\x16\x03\x01\x02" + MARKER.encode() + b"\r\n\r\n", (400, 401)),
    "a bomb": (post(BOMB, "Content-Encoding: deflate"), (413,)),
    "deep lists": (post(b"[" * 100_000), (400,)),
    "no JSON": (post(MARKER.encode()), (400,)),
    "a wrong token": (post(b"{}", token=MARKER), (401,)),
    "a wrong path": (post(b"{}", path="/webhook/../etc"), (404,)),
    "two lengths": (post(b"{}", "Content-Length: 5"), (400, 401)),
    "a wrong type": (post(json.dumps({"next_action": {"a": MARKER}}).encode()), (400,)),
    "an encoding nobody knows": (post(b"{}", "Content-Encoding: br"), (415,)),
    "half a body": (post(b"{", length=100), ()),
    "half a header": (b"POST /webhook HTTP/1.1\r\nX: ", ()),
    "nothing": (b"", ()),
}


async def attack(client: Client) -> None:
    """Send something that is not a call."""
    name = client.chance.choice(sorted(HOSTILE))
    raw, statuses = HOSTILE[name]
    status, answer = await client.send(raw, half=not statuses)
    client.books.hostile[name] += 1
    if status not in (*statuses, 0) or MARKER.encode() in answer:
        client.books.unexpected.append(f"{name}: {status} instead of {statuses}")


# How often each is done, of a hundred times.
BEHAVIOURS: Sequence[tuple[Callable[[Client], Awaitable[None]], int]] = (
    (book, 22),
    (simple("soak_quick", 200), 16),
    (simple("soak_sync", 200), 12),
    (validate, 8),
    (simple("soak_slow", 200), 5),
    (simple("soak_slow_sync", 200), 3),
    (simple("soak_too_slow", 504), 2),
    (simple("soak_too_slow_async", 504), 3),
    (simple("soak_fails", 500), 6),
    (simple("soak_rejects", 400), 4),
    (simple("soak_nobody_has_this", 404), 3),
    (leave, 4),
    (attack, 12),
)
