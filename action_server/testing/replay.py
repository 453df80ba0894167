"""Runs recorded calls again, on the code in place or at an address, and says what changed."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from tempfile import TemporaryDirectory
from typing import Any

from action_server.assembly import assemble
from action_server.config.settings import Settings
from action_server.protocol.exchanges import encode_outcome
from action_server.telemetry.durations import milliseconds_since
from action_server.testing.faces import GrpcFace, WebhookFace
from action_server.testing.grpc_call import send_over_grpc
from action_server.testing.mcp_face import McpFace
from action_server.testing.moved_times import settle_times, since_recorded
from action_server.testing.recordings import RecordedCall, as_over_grpc, comparable, differences
from action_server.testing.server_access import Access, is_grpc, open_stub
from action_server.testing.tested_project import fresh_database
from action_server.webhook_client import Reply, open_session, post_call

Send = Callable[[RecordedCall], Awaitable[Reply]]


@dataclass(frozen=True)
class Replayed:
    """A call that was run again: what it answered before (``reply`` and its time) and what it answers now."""

    call: RecordedCall
    before: Reply
    after: Reply
    changes: Sequence[str] = field(default_factory=tuple)

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "file": str(self.call.file),
            "action": self.call.action,
            "changed": bool(self.changes),
            "status": [self.before.status, self.after.status],
            "milliseconds": [self.before.milliseconds, self.after.milliseconds],
            "diff": list(self.changes),
        }


@asynccontextmanager
async def here(settings: Settings) -> AsyncIterator[Send]:
    """Give what sends a call to the actions in place, the way it came; what ran once before runs again.

    The call of a tool that is offered no more goes the way of HTTP.

    Raises:
        StartupError: an action or a service cannot be made.
    """
    with TemporaryDirectory(prefix="action-server-") as folder:
        own = {**fresh_database(folder), "metrics": False, "watchdog": 0.0, "record": None}
        async with assemble(settings.model_copy(update=own)) as assembly, AsyncExitStack() as stack:
            webhook, grpc_face = WebhookFace(assembly, stack), GrpcFace(assembly, stack)
            tools = McpFace(assembly, stack)
            domain = None if assembly.tools is None else assembly.tools.offer.domain
            offer = {} if assembly.tools is None else assembly.tools.offer.tools
            offered = {tool.action for tool in offer.values()}

            async def send(call: RecordedCall) -> Reply:
                if call.face == "mcp" and call.action in offered:
                    return await _call_tool(tools, {**call.request, "domain": domain})
                return await (grpc_face if call.face == "grpc" else webhook).send(call.request)

            yield send


async def _call_tool(face: McpFace, request: Mapping[str, Any]) -> Reply:
    """Return the action's own answer, which is what was recorded; a result fills in and leaves out."""
    start = time.perf_counter()
    found = await face.call_tool(request)
    milliseconds = milliseconds_since(start)
    if found.answer is None and found.error is None:
        body = {"error": found.result.structured["error"], "action_name": found.tool.action}
        return Reply(400, body, milliseconds)
    status, raw = encode_outcome(found.answer, found.error)
    return Reply(status, json.loads(raw), milliseconds)


@asynccontextmanager
async def there(url: str, access: Access) -> AsyncIterator[Send]:
    """Give what sends a call to the server at an address; it raises :class:`UnreachableError` if nothing answers.

    Raises:
        SettingsError: a file of TLS cannot be used.
    """
    if is_grpc(url):
        async with _there_over_grpc(url, access) as send_over:
            yield send_over
        return
    async with open_session(access.context()) as session:

        async def send(call: RecordedCall) -> Reply:
            return await post_call(session, url, json.dumps(call.request).encode("ascii"), access.headers)

        yield send


@asynccontextmanager
async def _there_over_grpc(url: str, access: Access) -> AsyncIterator[Send]:
    async with open_stub(url, access) as stub:

        async def send(call: RecordedCall) -> Reply:
            return await send_over_grpc(stub, call.request, url, access.metadata)

        yield send


async def replay(
    calls: Sequence[RecordedCall], send: Send, against: Send | None = None, *, over_grpc: bool = False
) -> list[Replayed]:
    """Run calls again, one after the other, and compare with what was recorded; or with what ``against`` answers.

    ``over_grpc`` says that one of the servers is called so, whatever way the calls came.
    """
    found = []
    for call in calls:
        before = Reply(call.status, call.reply, call.milliseconds)
        after = await send(call)
        if against is not None:
            before, after = after, await against(call)
        old, new = (comparable(reply.status, reply.body) for reply in (before, after))
        if over_grpc or call.face == "grpc":
            old, new = as_over_grpc(old), as_over_grpc(new)
        passed = since_recorded(call) if against is None else timedelta()
        changes = differences(old, settle_times(old, new, passed))
        found.append(Replayed(call, before, after, changes))
    return found
