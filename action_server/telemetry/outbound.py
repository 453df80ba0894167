"""Outbound requests of actions: hand ``aiohttp_trace_config()`` to a session, and each one gets a span and is counted.

::

    aiohttp.ClientSession(trace_configs=[aiohttp_trace_config()])
"""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Protocol

from action_server.telemetry import tracing
from action_server.telemetry.call_notes import Outbound, noted_call
from action_server.telemetry.masking import masking

if TYPE_CHECKING:
    import aiohttp


class OutboundMetrics(Protocol):
    """Who counts outbound requests."""

    def outbound(self, host: str, outcome: str, seconds: float) -> None:
        """Count one by its host and how it ended."""
        ...


_counting: list[OutboundMetrics] = []


def count_with(metrics: OutboundMetrics) -> None:
    """Count this process's outbound requests there from now on."""
    _counting[:] = [metrics]


def aiohttp_trace_config() -> aiohttp.TraceConfig:
    """Make the hooks of a session: spans with ``traceparent`` if there is tracing, counts if there are metrics."""
    config = tracing.aiohttp_trace_config()
    config.on_request_start.append(_note_start)
    config.on_request_end.append(_count_answer)
    config.on_request_exception.append(_count_failure)
    return config


async def _note_start(_: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestStartParams) -> None:
    context.counted_from = time.perf_counter()


async def _count_answer(
    _: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
) -> None:
    status = params.response.status
    outcome = "ok" if status < 400 else "client_error" if status < 500 else "server_error"
    _count(context, params.url.host, outcome)
    _note(context, params, str(status))


async def _count_failure(
    _: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestExceptionParams
) -> None:
    outcome = "timeout" if isinstance(params.exception, asyncio.TimeoutError) else "failed"
    _count(context, params.url.host, outcome)
    _note(context, params, f"{outcome}: {type(params.exception).__name__}")


def _count(context: SimpleNamespace, host: str | None, outcome: str) -> None:
    for metrics in _counting:
        metrics.outbound(host or "", outcome, time.perf_counter() - context.counted_from)


def _note(
    context: SimpleNamespace, params: aiohttp.TraceRequestEndParams | aiohttp.TraceRequestExceptionParams, outcome: str
) -> None:
    notes = noted_call.get()
    if notes is not None:
        start = context.counted_from
        # Without its query, and its user: credentials stand there.
        url = str(params.url.with_query(None).with_user(None).with_fragment(None))
        masker = masking.get()
        if masker is not None:
            url = masker.apply(url)
        notes.note_outbound(Outbound(start, time.perf_counter() - start, params.method, url, outcome))
