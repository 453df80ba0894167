"""Outbound requests are counted by host and by how they end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from action_server import aiohttp_trace_config
from action_server.telemetry import outbound

Counted = list[tuple[str, str, bool]]


class Recorder:
    def __init__(self) -> None:
        self.counted: Counted = []

    def outbound(self, host: str, outcome: str, seconds: float) -> None:
        self.counted.append((host, outcome, seconds > 0))


@pytest.fixture
def counted() -> Iterator[Counted]:
    recorder = Recorder()
    outbound.count_with(recorder)
    yield recorder.counted
    outbound._counting.clear()


@pytest.fixture
async def crm() -> AsyncIterator[TestServer]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]))

    app = web.Application()
    app.router.add_get("/{status}", answer)
    server = TestServer(app, host="127.0.0.1")
    async with server:
        yield server


async def test_requests_are_counted_by_host_and_outcome(crm: TestServer, counted: Counted) -> None:
    """What the host answers, and what never gets an answer."""
    async with aiohttp.ClientSession(trace_configs=[aiohttp_trace_config()]) as session:
        for status in (200, 404, 503):
            async with session.get(crm.make_url(f"/{status}?token=secret")):
                pass
        with pytest.raises(aiohttp.ClientError):
            await session.get("http://127.0.0.1:1/")

    assert counted == [("127.0.0.1", outcome, True) for outcome in ("ok", "client_error", "server_error", "failed")]


async def test_without_metrics_nothing_is_counted(crm: TestServer) -> None:
    """In a test of an action, say."""
    async with (
        aiohttp.ClientSession(trace_configs=[aiohttp_trace_config()]) as session,
        session.get(crm.make_url("/200")) as response,
    ):
        assert response.status == 200
