"""Calls actions: through this package's own executor in this process, or over HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp

from action_server.config.settings import Settings
from action_server.errors import CallError
from action_server.flows.player.trace import LogLine
from action_server.protocol import calls
from action_server.runtime.executor import Executor
from action_server.serving import worker
from action_server.serving.http.app import STATUSES
from action_server.telemetry.durations import milliseconds_since

# What an engine grants an action, in seconds.
_TIMEOUT = aiohttp.ClientTimeout(total=300, connect=10)


@dataclass(frozen=True)
class Answer:
    """What came back: status (0 if nothing did), decoded body (None if it is no JSON), time, and what was logged.

    ``problem`` says why nothing came back, empty otherwise.
    """

    status: int
    body: Any
    milliseconds: float
    logs: tuple[LogLine, ...] = field(default=())
    problem: str = ""


class Webhook(Protocol):
    """Where actions run."""

    async def post(self, body: bytes) -> Answer:
        """Send the body of a webhook request; never raises for what the action does."""
        ...


class InProcess:
    """The executor of this process, behind the same decoder and encoder that HTTP requests go through."""

    def __init__(self, executor: Executor, *, max_json_depth: int = 100) -> None:
        self._executor = executor
        self._max_depth = max_json_depth

    @property
    def actions(self) -> frozenset[str]:
        """Return the names of the actions that are registered."""
        return frozenset(action.name for action in self._executor.registry)

    async def post(self, body: bytes) -> Answer:
        """Run the action a request names."""
        start = time.perf_counter()
        with _listening() as lines:
            try:
                call = calls.decode_call(body, self._max_depth)
                answer = await self._executor.run(call, size=len(body))
                status, reply = 200, calls.encode_reply(answer.events, answer.responses)
            except CallError as exc:
                status, reply = STATUSES[type(exc)], calls.encode_error(exc)
        return Answer(status, json.loads(reply), milliseconds_since(start), tuple(lines))


class OverHttp:
    """An action server at a URL, which is used as it is: engines append nothing either."""

    def __init__(self, url: str, session: aiohttp.ClientSession, *, headers: Mapping[str, str] | None = None) -> None:
        self._url = url
        self._session = session
        self._headers = {"Content-Type": "application/json", **(headers or {})}

    async def post(self, body: bytes) -> Answer:
        """Send a request."""
        start = time.perf_counter()
        try:
            async with self._session.post(self._url, data=body, headers=self._headers) as response:
                status, text = response.status, await response.text()
        except (aiohttp.ClientError, OSError, ValueError, asyncio.TimeoutError) as exc:
            problem = f"nothing answers at {self._url}: {' '.join(str(exc).split()) or type(exc).__name__}"
            return Answer(0, None, milliseconds_since(start), problem=problem)
        try:
            decoded = json.loads(text)
        except ValueError:
            decoded = None
        return Answer(status, decoded, milliseconds_since(start))


@asynccontextmanager
async def in_process(settings: Settings) -> AsyncIterator[InProcess]:
    """Load the settings' actions, with their services, within the block.

    Raises:
        StartupError: an action or a service cannot be made.
    """
    async with worker.assembled(settings) as assembly:
        yield InProcess(assembly.executor, max_json_depth=settings.request_limits.max_json_depth)


@asynccontextmanager
async def over_http(url: str, *, headers: Mapping[str, str] | None = None) -> AsyncIterator[OverHttp]:
    """Call the action server at a URL within the block."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        yield OverHttp(url, session, headers=headers)


_lines: ContextVar[list[LogLine] | None] = ContextVar("action_server_flows_lines", default=None)


class _Listener(logging.Handler):
    """Keeps what is logged during a call; the call is known by its context, on the actions' threads too."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = _lines.get()
        if lines is not None and not record.name.startswith("action_server."):
            lines.append(LogLine(record.levelname, record.name, record.getMessage()))


@contextmanager
def _listening() -> Iterator[list[LogLine]]:
    lines: list[LogLine] = []
    token = _lines.set(lines)
    listener = _Listener()
    logging.root.addHandler(listener)
    try:
        yield lines
    finally:
        logging.root.removeHandler(listener)
        _lines.reset(token)
