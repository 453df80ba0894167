"""The requests of real engines are usual ones: aiohttp sends them, headers first."""

from __future__ import annotations

import aiohttp
import pytest

from action_server.serving.http import fast_webhook
from tests.action_server.serving.http.raw_calls import GOOD, body_of, serving


@pytest.mark.parametrize("headers", [{}, {"traceparent": "00-1-2-01"}, {"Authorization": "Bearer x"}], ids=str)
async def test_what_an_engine_sends_is_answered_without_sanic(
    headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small and large, on a new connection for each call as on one that is kept."""
    monkeypatch.setattr(fast_webhook.WebhookProtocol, "_hand_over", None)
    async with serving() as port:
        url = f"http://127.0.0.1:{port}/webhook"
        for force_close in (True, False):
            connector = aiohttp.TCPConnector(force_close=force_close)
            async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
                for body in (GOOD, body_of(text="x" * 1_000_000), GOOD):
                    sent = {"Content-Type": "application/json"}
                    async with session.post(url, data=body, headers=sent) as response:
                        assert (response.status, (await response.json())["responses"][0]["text"]) == (200, "hi")
