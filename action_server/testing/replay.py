"""Runs recorded calls again, on the code in place or at an address, and says what changed."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

from action_server.assembly import assemble
from action_server.config.settings import Settings
from action_server.telemetry.durations import milliseconds_since
from action_server.testing.recordings import RecordedCall, comparable, differences
from action_server.testing.tested_project import fresh_database
from action_server.webhook_client import Reply, open_session, post_call

Send = Callable[[Mapping[str, Any]], Awaitable[Reply]]


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
    """Give what sends a call to the actions in place, opened for the block; what ran once before runs again.

    Raises:
        StartupError: an action or a service cannot be made.
    """
    with TemporaryDirectory(prefix="action-server-") as folder:
        own = {**fresh_database(folder), "metrics": False, "watchdog": 0.0, "record": None}
        async with assemble(settings.model_copy(update=own)) as assembly:

            async def send(request: Mapping[str, Any]) -> Reply:
                start = time.perf_counter()
                status, body, _ = await assembly.calls.answer(json.dumps(request).encode("ascii"))
                return Reply(status, json.loads(body), milliseconds_since(start))

            yield send


@asynccontextmanager
async def there(url: str, headers: Mapping[str, str]) -> AsyncIterator[Send]:
    """Give what sends a call to the webhook at an address; it raises :class:`UnreachableError` if nothing answers."""
    async with open_session() as session:

        async def send(request: Mapping[str, Any]) -> Reply:
            return await post_call(session, url, json.dumps(request).encode("ascii"), headers)

        yield send


async def replay(calls: Sequence[RecordedCall], send: Send, against: Send | None = None) -> list[Replayed]:
    """Run calls again, one after the other, and compare with what was recorded; or with what ``against`` answers."""
    found = []
    for call in calls:
        before = Reply(call.status, call.reply, call.milliseconds)
        after = await send(call.request)
        if against is not None:
            before, after = after, await against(call.request)
        changes = differences(comparable(before.status, before.body), comparable(after.status, after.body))
        found.append(Replayed(call, before, after, changes))
    return found
