"""Asks an action the same over each face, and compares what it answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

from action_server.assembly import Assembly
from action_server.testing import requirements as must
from action_server.testing.face import FaceReply
from action_server.testing.faces import GrpcFace, WebhookFace
from action_server.testing.mcp_face import McpFace
from action_server.testing.recordings import comparable
from action_server.testing.requirements import Violation
from action_server.testing.result import CallAbout, result_of

_FINE, _REFUSED, _FAILED = 200, 400, 500


class Faces:
    """The faces of open actions; a context manager."""

    def __init__(self, assembly: Assembly) -> None:
        self._stack = AsyncExitStack()
        self._webhook = WebhookFace(assembly, self._stack)
        self._grpc = GrpcFace(assembly, self._stack)
        self._mcp = McpFace(assembly, self._stack)
        # Only what the project offers is a tool of anybody's.
        offer = None if assembly.tools is None else assembly.tools.offer
        self._offered = set() if offer is None else {tool.action for tool in offer.tools.values()}

    async def __aenter__(self) -> Faces:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def differing(self, call: Mapping[str, Any]) -> AsyncIterator[Violation]:
        """Send one request over each face. Of an action that answers otherwise each time they tell nothing."""
        action = str(call["next_action"])
        first = await self._webhook.send(call)
        problems = [_differs(first, await self._grpc.send(call), "over gRPC")]
        if action in self._offered:
            tool = await self._mcp.call_tool(call)
            status = _REFUSED if tool.error is None else tool.error.status
            # The action's own answer: what a result leaves out of it, or fills in, it does for every action.
            answer = tool.answer
            body = None if answer is None else {"events": answer.events, "responses": answer.responses}
            problems.append(_differs(first, FaceReply(status if body is None else _FINE, body, 0.0), "as a tool"))
        if any(problems) and _answer(await self._webhook.send(call)) == _answer(first):
            for problem in filter(None, problems):
                yield Violation(must.SAME_OVER_FACES, problem, action)


def _differs(expected: FaceReply, found: FaceReply, where: str) -> str:
    """Return how a reply is another one, without a value of it; "" if it is the same."""
    before, after = _answer(expected), _answer(found)
    if before["status"] != after["status"]:
        return f"{where} it answers {after['status']}, over HTTP {before['status']}"
    parts = [part for part in ("events", "responses") if before[part] != after[part]]
    return f"{where} its {' and '.join(parts)} are other ones than over HTTP" if parts else ""


def _answer(reply: FaceReply) -> dict[str, Any]:
    found = result_of(reply.status, reply.body, 0.0, CallAbout())
    # A failure is one failure, whatever its number.
    status = min(reply.status, _FAILED)
    parts: dict[str, Any] = comparable(status, {"events": found.events, "responses": found.responses})
    return {"status": status, **parts["reply"]}
