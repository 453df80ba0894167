"""Stands for an engine: keeps trackers, locks conversations, refuses what Rasa Open Source 3.6.21 refuses.

What both have to do alike is in test_engines.py, which holds the real one against the same tests. Faults are the
stand-in's own: it loses replies, fails to send, and is busy in another turn, when a test says so.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import jwt
from aiohttp import web

from action_server.jobs.marks import MARK

# What happens to the next request for events: it dies before it was looked at, after it was saved, or while it is sent.
Fault = Literal["lost before", "lost after", "sending fails"]
_PUSHING = ("callback",)
_KNOWN_EVENTS = ("slot", "bot", "user", "action", "restart", "session_started")


@dataclass
class Tracker:
    """One conversation."""

    events: list[dict[str, Any]] = field(default_factory=list)
    stack: list[dict[str, Any]] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def channel(self) -> str | None:
        """That of the user's last message."""
        found = [event.get("input_channel") for event in self.events if event["event"] == "user"]
        return found[-1] if found else None


@dataclass
class EngineStandIn:
    """An engine on a free port. ``said`` is what users were sent, in the order of it: conversation and text."""

    url: str = ""
    token: str | None = None
    # The public key or the secret, besides the token.
    jwt_key: bytes | None = None
    jwt_method: str = "RS256"
    slots: dict[str, Any] = field(default_factory=lambda: {"summary": None, "count": None})
    intents: tuple[str, ...] = ("ask", "EXTERNAL_ready")
    trackers: dict[str, Tracker] = field(default_factory=lambda: defaultdict(Tracker))
    said: list[tuple[str, str]] = field(default_factory=list)
    marked: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    # As Rasa's: so long a request waits for its turn.
    lock_life: float = 60.0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    # A user who says "wait" holds the lock until `release` is set; `waits` is set when it is held.
    release: asyncio.Event = field(default_factory=asyncio.Event)
    waits: asyncio.Event = field(default_factory=asyncio.Event)
    model: bool = True
    # What was asked for is done, and its reply waits.
    holds_replies: bool = False

    async def user_says(self, conversation: str, text: str, channel: str = "callback") -> list[dict[str, Any]]:
        """Take a message; answers with an echo, and returns what a channel that only answers is told."""
        tracker = self.trackers[conversation]
        async with self._locked(tracker):
            tracker.events += _session() if not tracker.events else []
            if text == "wait":
                self.waits.set()
                await self.release.wait()
            if text.startswith("/SetSlots("):
                for pair in text.removeprefix("/SetSlots(").rstrip(")").split(","):
                    name, _, value = pair.strip().partition("=")
                    tracker.events.append(_event("slot", name=name, value=value))
                    if tracker.stack and tracker.stack[-1].get("collect") == name:
                        tracker.stack.pop()
            tracker.events.append(_event("user", text=text, input_channel=channel, parse_data={"entities": []}))
            answer = _event("bot", text=f"You said {text}")
            tracker.events.append(answer)
            if channel in _PUSHING:
                self.said.append((conversation, answer["text"]))
                return []
            return [{"recipient_id": conversation, "text": answer["text"]}]

    def slots_of(self, conversation: str) -> dict[str, Any]:
        """The slots as the events leave them."""
        events = self.trackers[conversation].events
        return {
            **self.slots,
            **{e["name"]: e["value"] for e in events if e["event"] == "slot" and e["name"] in self.slots},
        }

    def texts(self, conversation: str) -> list[str]:
        """What was said by the bot, said to be as the tracker has it."""
        return [event["text"] for event in self.trackers[conversation].events if event["event"] == "bot"]

    @asynccontextmanager
    async def _locked(self, tracker: Tracker) -> AsyncIterator[None]:
        try:
            await asyncio.wait_for(tracker.lock.acquire(), self.lock_life)
        except asyncio.TimeoutError:
            raise _refusal(500, "Could not acquire lock for conversation_id") from None
        try:
            yield
        finally:
            tracker.lock.release()

    def _check(self, request: web.Request) -> None:
        self.asked[request.path.rpartition("/")[2]] += 1
        if not self._is_admitted(request):
            raise _refusal(401, "User is not authenticated.")
        if not self.model:
            raise _refusal(409, "No agent loaded.")

    def _is_admitted(self, request: web.Request) -> bool:
        if self.jwt_key is not None:
            signed = request.headers.get("Authorization", "").removeprefix("Bearer ")
            with suppress(jwt.DecodeError):
                user = jwt.decode(signed, self.jwt_key, algorithms=[self.jwt_method])["user"]
                return bool(user["role"] == "admin")
        return self.token is None or request.query.get("token") == self.token

    async def _tracker(self, request: web.Request) -> web.Response:
        self._check(request)
        conversation = _id_in(request)
        # One that is not there is made for the answer, and not kept.
        tracker = self.trackers[conversation] if conversation in self.trackers else Tracker(_session())
        return web.json_response(
            {
                "sender_id": conversation,
                "slots": self.slots_of(conversation) if conversation in self.trackers else self.slots,
                "events": tracker.events,
                "latest_input_channel": tracker.channel,
                "stack": tracker.stack,
            }
        )

    async def _append(self, request: web.Request) -> web.Response:
        self._check(request)
        fault = self.faults.pop(0) if self.faults else None
        self.arrived.set()
        if fault == "lost before":
            _cut(request)
        events = await request.json()
        events = events if isinstance(events, list) else [events]
        if not events or not all(isinstance(event, dict) and event.get("event") in _KNOWN_EVENTS for event in events):
            raise _refusal(400, "Failed to validate the events format.")
        if any(event["event"] == "slot" and "value" not in event for event in events):
            raise _refusal(400, "Failed to validate the events format.")
        conversation = _id_in(request)
        tracker = self.trackers[conversation]
        async with self._locked(tracker):
            new = [*(_session() if not tracker.events else []), *({"timestamp": time.time(), **e} for e in events)]
            effects = request.query.get("execute_side_effects") == "true"
            channel = request.query.get("output_channel")
            channel = tracker.channel if channel == "latest" else channel
            self._send(conversation, events if effects and channel in _PUSHING else (), fault)
            tracker.events += new
        if fault == "lost after":
            _cut(request)
        if self.holds_replies:
            await asyncio.Event().wait()
        return web.json_response({"sender_id": conversation, "slots": self.slots_of(conversation)})

    def _send(self, conversation: str, events: Iterable[dict[str, Any]], fault: Fault | None) -> None:
        for event in events:
            if event["event"] != "bot":
                continue
            if fault == "sending fails":
                raise _refusal(500, "An unexpected error occurred. Error: the channel")
            # As the channel `callback` of the real one does.
            self.said += [(conversation, part) for part in event["text"].strip().split("\n\n")]
            self.marked[str((event.get("metadata") or {}).get(MARK))] += 1

    async def _trigger(self, request: web.Request) -> web.Response:
        self._check(request)
        body = await request.json()
        conversation = _id_in(request)
        tracker = self.trackers[conversation]
        async with self._locked(tracker):
            if not body.get("name"):
                raise _refusal(400, "Name of the intent not provided in request body.")
            if body["name"] not in self.intents:
                raise _refusal(404, "The intent does not exist in the domain.")
            entities = [{"entity": name, "value": value} for name, value in dict(body.get("entities") or {}).items()]
            channel = tracker.channel
            tracker.events.append(
                _event(
                    "user",
                    text=f"EXTERNAL: {body['name']}",
                    input_channel=channel,
                    parse_data={"entities": entities},
                    metadata={"is_external": True},
                )
            )
            tracker.events += [
                _event("slot", name=e["entity"], value=e["value"]) for e in entities if e["entity"] in self.slots
            ]
            text = f"Ready: {self.slots_of(conversation)['summary']}"
            tracker.events.append(_event("bot", text=text))
            if channel in _PUSHING:
                self.said.append((conversation, text))
        return web.json_response({"tracker": {}, "messages": [{"recipient_id": conversation, "text": text}]})

    async def _message(self, request: web.Request) -> web.Response:
        channel = request.match_info["channel"]
        if channel not in ("callback", "rest"):
            raise web.HTTPNotFound
        body = await request.json()
        answered = await self.user_says(body["sender"], body["message"], channel)
        return web.Response(text="success") if channel == "callback" else web.json_response(answered)


def _id_in(request: web.Request) -> str:
    """The conversation's id as the path has it: Rasa's routes undo no %-escape."""
    found = re.fullmatch(r"/conversations/(.+?)/(tracker/events|tracker|trigger_intent)", request.rel_url.raw_path)
    assert found is not None
    return found[1]


def _event(kind: str, **values: Any) -> dict[str, Any]:
    return {"event": kind, "timestamp": time.time(), **values}


def _session() -> list[dict[str, Any]]:
    return [_event("action", name="action_session_start"), _event("session_started")]


def _refusal(status: int, message: str) -> web.HTTPException:
    body = json.dumps({"status": "failure", "message": message, "code": status})
    kinds = {400: web.HTTPBadRequest, 401: web.HTTPUnauthorized, 404: web.HTTPNotFound, 409: web.HTTPConflict}
    return kinds.get(status, web.HTTPInternalServerError)(text=body, content_type="application/json")


def _cut(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()
    raise asyncio.CancelledError


@asynccontextmanager
async def engine_stand_in(port: int = 0, host: str = "127.0.0.1", **options: Any) -> AsyncIterator[EngineStandIn]:
    """Run an engine for the length of the block."""
    engine = EngineStandIn(**options)
    app = web.Application()
    app.router.add_get("/conversations/{conversation:.+}/tracker", engine._tracker)
    app.router.add_post("/conversations/{conversation:.+}/tracker/events", engine._append)
    app.router.add_post("/conversations/{conversation:.+}/trigger_intent", engine._trigger)
    app.router.add_post("/webhooks/{channel}/webhook", engine._message)
    # As Sanic does: who hangs up has their request cancelled.
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    assert site._server is not None
    name = f"[{host}]" if ":" in host else host
    engine.url = f"http://{name}:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    try:
        yield engine
    finally:
        await runner.cleanup()
