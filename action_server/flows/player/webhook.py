"""Calls actions: through the server's own road for a call in this process, or over HTTP.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import json
import logging
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from action_server.assembly import CallHandler, Prepared, assemble
from action_server.config.settings import Settings
from action_server.errors import UnreachableError
from action_server.flows.player.results import Results
from action_server.flows.player.trace import LogLine
from action_server.telemetry.durations import milliseconds_since
from action_server.webhook_client import Reply, open_session, post_call

if TYPE_CHECKING:
    import aiohttp

    from action_server.tools.calling import ToolCaller


@dataclass(frozen=True)
class ActionReply(Reply):
    """A reply, and what the action logged. If nothing came back the status is 0 and ``problem`` says why."""

    logs: tuple[LogLine, ...] = ()
    problem: str = ""


class Webhook(Protocol):
    """Where actions run."""

    async def post(self, body: bytes) -> ActionReply:
        """Send the body of a webhook request; never raises for what the action does."""
        ...


class InProcess:
    """The actions of this process: a body takes the road of one that came over HTTP.

    ``tools`` are those of them that are offered as tools, None if none is.
    """

    def __init__(self, calls: CallHandler, tools: ToolCaller | None = None) -> None:
        self._calls = calls
        self.tools = tools

    @property
    def actions(self) -> frozenset[str]:
        """Return the names of the actions that are registered."""
        return frozenset(action.name for action in self._calls.executor.registry)

    async def post(self, body: bytes) -> ActionReply:
        """Run the action a request names."""
        start = time.perf_counter()
        with _record_logs() as lines:
            status, reply, _ = await self._calls.answer(body)
        return ActionReply(status, json.loads(reply), milliseconds_since(start), tuple(lines))


class OverHttp:
    """An action server at a URL, which is used as it is: engines append nothing either."""

    def __init__(self, url: str, session: aiohttp.ClientSession, *, headers: Mapping[str, str] | None = None) -> None:
        self._url = url
        self._session = session
        self._headers = headers

    async def post(self, body: bytes) -> ActionReply:
        """Send a request."""
        start = time.perf_counter()
        try:
            reply = await post_call(self._session, self._url, body, self._headers)
        except UnreachableError as exc:
            return ActionReply(0, None, milliseconds_since(start), problem=str(exc))
        return ActionReply(reply.status, reply.body, reply.milliseconds)


@asynccontextmanager
async def in_process(
    settings: Settings, results: Results | None = None, prepared: Prepared | None = None
) -> AsyncIterator[InProcess]:
    """Load the settings' actions, with their services, within the block; ``prepared`` is what is loaded already.

    With ``results`` the jobs that they ask for are run, and what those come to goes there; else they only wait.

    Raises:
        StartupError: an action or a service cannot be made.
    """
    opening = assemble(settings, prepared=prepared)
    async with opening as assembly, nullcontext() if results is None else results.running(assembly):
        yield InProcess(assembly.calls, assembly.tools)


@asynccontextmanager
async def over_http(
    url: str, *, headers: Mapping[str, str] | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[OverHttp]:
    """Call the action server at a URL within the block; ``tls`` is what verifies it, or the system's CAs do."""
    async with open_session(tls) as session:
        yield OverHttp(url, session, headers=headers)


_lines: ContextVar[list[LogLine] | None] = ContextVar("action_server_flows_lines", default=None)


class _Listener(logging.Handler):
    """Keeps what is logged during a call; the call is known by its context, on the actions' threads too."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = _lines.get()
        if lines is not None and not record.name.startswith("action_server."):
            lines.append(LogLine(record.levelname, record.name, record.getMessage()))


@contextmanager
def _record_logs() -> Iterator[list[LogLine]]:
    lines: list[LogLine] = []
    token = _lines.set(lines)
    listener = _Listener()
    logging.root.addHandler(listener)
    try:
        yield lines
    finally:
        logging.root.removeHandler(listener)
        _lines.reset(token)
