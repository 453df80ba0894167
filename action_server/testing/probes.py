"""Probes of a server: each asks something and yields what it found wrong."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from action_server.testing import requirements as must
from action_server.testing.examined_server import HttpReply, Server
from action_server.testing.requirements import Requirement, Violation

UNKNOWN = "action_that_nobody_registered"
# Stands where a server must not repeat it.
CANARY = "canary-5f1c9e7a"
# A call that takes so long can hold something up, and how late the other answer then is; in seconds.
_LONG, _LATE = 0.5, 0.4


class Called(Protocol):
    """A server, whatever way it is called."""

    async def post(self, body: bytes) -> HttpReply:
        """Send a call."""
        ...


async def pages(server: Server) -> AsyncIterator[Violation]:
    """Ask for the pages beside the webhook."""
    health = await server.get("health", with_headers=False)
    if health.status != 200:
        yield Violation(must.HEALTH, f"it answers {health.status}")
    listed = await server.get("actions")
    if listed.status != 200 or names_in(listed) is None:
        yield Violation(must.LISTED, f"it answers {listed.status}, and no list of objects with a name")
    nowhere = await server.get("nothing-is-here")
    if nowhere.status >= 500 or nowhere.status == 200:
        yield Violation(must.NOT_FOUND, f"it answers {nowhere.status}")


def names_in(listed: HttpReply) -> list[str] | None:
    """Return the names of a list of actions, None if it is none."""
    entries = listed.body
    if not isinstance(entries, list) or not all(
        isinstance(e, dict) and isinstance(e.get("name"), str) for e in entries
    ):
        return None
    return [entry["name"] for entry in entries]


async def unknown_action(server: Server, call: Mapping[str, Any]) -> AsyncIterator[Violation]:
    """Call an action that does not exist, as it is and deflated; and none at all."""
    body = json.dumps({**call, "next_action": UNKNOWN}).encode()
    plain = await server.post(body)
    for violation in of_form(plain):
        yield violation
    named = isinstance(plain.body, dict) and plain.body.get("action_name") == UNKNOWN
    if plain.status != 404 or not named:
        yield Violation(must.UNKNOWN_ACTION, f"it answers {plain.status}{'' if named else ' without action_name'}")
    deflated = await server.post(zlib.compress(body), {"Content-Encoding": "deflate"})
    if (deflated.status, deflated.body) != (plain.status, plain.body):
        yield Violation(must.COMPRESSION, f"a deflated body gets {deflated.status}, the plain one {plain.status}")
    without = await server.post(json.dumps({k: v for k, v in call.items() if k != "next_action"}).encode())
    if without.status == 200:
        yield Violation(must.NO_ACTION, "it answers 200")


async def deflated_error(server: Server, call: Mapping[str, Any], plain: HttpReply) -> AsyncIterator[Violation]:
    """Send a call that is answered with an error once more, deflated: the error has to be the same."""
    reply = await server.post(zlib.compress(json.dumps(call, default=str).encode()), {"Content-Encoding": "deflate"})
    if reply.status != plain.status:
        yield Violation(must.COMPRESSION, f"deflated, it is answered {reply.status} instead of {plain.status}")
    elif plain.status == 400 and _names_action(plain) and not _names_action(reply):
        yield Violation(must.COMPRESSION, "deflated, its 400 has no action_name")


def _names_action(reply: HttpReply) -> bool:
    return isinstance(reply.body, dict) and "action_name" in reply.body


async def malformed(server: Server, call: Mapping[str, Any]) -> AsyncIterator[Violation]:
    """Send what is no call: none of it may be a 500, or come back."""
    bodies = {
        "a body that is no JSON": f"{{{CANARY}".encode(),
        "a list": json.dumps([CANARY]).encode(),
        "a call without a tracker": json.dumps({**call, "tracker": None, "note": CANARY}).encode(),
        "a call whose slots are a list": json.dumps(
            {**call, "tracker": {"slots": [CANARY], "sender_id": "c"}}
        ).encode(),
    }
    for what, body in bodies.items():
        reply = await server.post(body)
        if reply.status == 200 or reply.status >= 500:
            yield Violation(must.MALFORMED, f"{what} is answered {reply.status}")
        elif reply.status == 400 and not _names_action(reply):
            yield Violation(must.MALFORMED, f"the 400 for {what} has no action_name")
        if CANARY in json.dumps(reply.body):
            yield Violation(must.NOTHING_SECRET, f"the error for {what} repeats the request")


async def two_domains(server: Called, call: Mapping[str, Any]) -> AsyncIterator[Violation]:
    """Call for two assistants in turn, as engines do that send the domain only when they are asked."""
    first, second = ({**call, "domain": {"slots": {}, "responses": {n: []}}, "domain_digest": n * 32} for n in "ab")
    for body in (first, second):
        await server.post(json.dumps(body).encode())
    again = {key: value for key, value in first.items() if key != "domain"}
    reply = await server.post(json.dumps(again).encode())
    if reply.status == 449:
        yield Violation(must.TWO_DOMAINS, "it asks for a domain again that it was sent")


async def call_beside_health(server: Server, body: bytes) -> tuple[HttpReply, bool]:
    """Call an action and ask for /health meanwhile; return the reply, and whether the call held the page up."""
    calling = asyncio.ensure_future(server.post(body))
    await asyncio.wait([calling], timeout=_LONG / 5)
    if calling.done():
        return calling.result(), False
    asking = asyncio.ensure_future(server.get("health", with_headers=False))
    done, _ = await asyncio.wait([calling, asking], return_when=asyncio.FIRST_COMPLETED)
    was_first = calling in done
    health, reply = await asking, await calling
    return reply, was_first and health.seconds >= _LATE and reply.seconds >= _LONG


def of_form(reply: HttpReply) -> list[Violation]:
    """Return what is wrong with the form of a reply of the webhook, whatever it says."""
    checks: tuple[tuple[Requirement, bool, str], ...] = (
        (must.CONTENT_TYPE, reply.content_type == "application/json", f"it says {reply.content_type}"),
        (must.STRICT_JSON, reply.is_json, f"the {reply.status} is no JSON by the standard"),
    )
    return [Violation(requirement, problem) for requirement, is_kept, problem in checks if not is_kept]
