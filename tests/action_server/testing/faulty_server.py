"""An action server of a few lines that keeps the contract, and can be told to break one requirement of it."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from action_server.testing.background_loop import BackgroundLoop

ACTIONS = ("action_greet", "action_reject", "action_count")
ANSWER: dict[str, Any] = {
    "events": [{"event": "slot", "timestamp": None, "name": "guests", "value": 3}],
    "responses": [{"text": "hello", "response": None}],
}


class FaultySample:
    """Keeps everything but what ``fault`` names: a requirement's id, and sometimes which way it is broken."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.asked = 0
        self.domain = ""

    async def webhook(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if self.fault == "compression" and request.headers.get("Content-Encoding") == "deflate":
            return self.reply({"error": "what is this?"}, 415)
        try:
            call = json.loads(raw)
            action, tracker = call.get("next_action"), call["tracker"]
            slots = dict(tracker["slots"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return self.malformed(raw)
        if not action:
            return self.reply(None, 200) if self.fault == "no-action" else self.reply(self.error("no action"), 400)
        if action not in ACTIONS:
            status = 500 if self.fault == "unknown-action" else 404
            return self.reply(self.error("not registered", action), status)
        if "domain" not in call and self.domain != call["domain_digest"] and self.fault == "two-domains":
            return self.reply(self.error("the domain, please", action), 449)
        self.domain = call.get("domain_digest") or self.domain
        if self.fault.startswith("compression ") and request.headers.get("Content-Encoding") == "deflate":
            return self.reply({"error": "it failed"}, 400 if self.fault.endswith("400") else 500)
        return await self.answer(action, slots)

    async def answer(self, action: str, slots: dict[str, Any]) -> web.Response:
        self.asked += 1
        if action == "action_reject":
            if self.fault == "nothing-secret":
                return self.reply(self.error(f"not with {slots['email']}", action), 400)
            body = {"error": "not now"} if self.fault == "rejection" else self.error("not now", action)
            return self.reply(body, 400)
        if action == "action_count":
            value = self.asked if self.fault == "same-again" else 1
            return self.reply({"events": [{"event": "slot", "name": "guests", "value": value}], "responses": []}, 200)
        if self.fault == "concurrency":
            time.sleep(0.7)  # noqa: ASYNC251 - the fault that is planted
        if self.fault == "answers":
            return self.reply({"error": "it failed", "action_name": action}, 500)
        return self.reply(self.broken(), 200)

    def broken(self) -> Any:
        """The answer of the action, with the fault."""
        answer = json.loads(json.dumps(ANSWER))
        faults: dict[str, Callable[[], Any]] = {
            "shape": lambda: None,
            "strict-json": lambda: answer["events"][0].update(value=float("nan")),
            "events": lambda: answer["events"].append({"event": "slot", "name": "guests"}),
            "events unknown": lambda: answer["events"].append({"event": "party"}),
            "events timestamp": lambda: answer["events"][0].update(timestamp="now"),
            "events user": lambda: answer["events"].append({"event": "user", "text": "x", "parse_data": None}),
            "slots-known": lambda: answer["events"][0].update(name="gests"),
            "slots-fit": lambda: answer["events"][0].update(value="three"),
            "slots-fit categorical": lambda: answer["events"][0].update(name="size", value="huge"),
            "responses-known": lambda: answer["responses"][0].update(response="utter_gone"),
            "followups-known": lambda: answer["events"].append({"event": "followup", "name": "action_gone"}),
            "same-over-faces": lambda: answer["events"][0].update(value=2**60 + 1),
        }
        if self.fault == "shape":
            return [answer]
        faults.get(self.fault, lambda: None)()
        return answer

    def malformed(self, raw: bytes) -> web.Response:
        if self.fault == "malformed":
            return self.reply(self.error("it failed"), 500)
        if self.fault == "nothing-secret malformed":
            return self.reply({**self.error("it failed"), "request_body": raw.decode()}, 400)
        return self.reply({"error": "no call"} if self.fault == "malformed 400" else self.error("no call"), 400)

    @staticmethod
    def error(text: str, action: str = "") -> dict[str, str]:
        return {"error": text, "action_name": action}

    def reply(self, body: Any, status: int) -> web.Response:
        kind = "text/plain" if self.fault == "content-type" else "application/json"
        return web.Response(text=json.dumps(body), status=status, content_type=kind)

    async def health(self, request: web.Request) -> web.Response:
        return self.reply({"status": "ok"}, 503 if self.fault == "health" else 200)

    async def actions(self, request: web.Request) -> web.Response:
        return self.reply([{"name": name} for name in ACTIONS] if self.fault != "listed" else list(ACTIONS), 200)


SAMPLE = web.AppKey("sample", FaultySample)


@web.middleware
async def _nowhere(request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]) -> Any:
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return web.Response(status=500 if request.app[SAMPLE].fault == "not-found" else 404)


@contextmanager
def faulty_server(fault: str = "") -> Iterator[str]:
    """Serve the sample on a free port within the block, in a thread of its own; give the webhook's address."""
    loop = BackgroundLoop()
    runner = loop.run(_serve(FaultySample(fault)))
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/webhook"
    finally:
        loop.run(runner.cleanup())
        loop.close()


async def _serve(sample: FaultySample) -> web.AppRunner:
    app = web.Application(middlewares=[_nowhere])
    app[SAMPLE] = sample
    app.add_routes([web.post("/webhook", sample.webhook)])
    app.add_routes([web.get("/health", sample.health), web.get("/actions", sample.actions)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner
