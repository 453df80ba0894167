"""A server, and what its fast way answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from action_server.assembly import Decompress
from action_server.serving.http.fast_webhook import Webhook
from action_server.serving.http.usual_heads import Head
from tests.action_server.serving.http.raw_calls import serving


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving() as found:
        yield found


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that the protocol answers itself from now on."""
    bodies: list[bytes] = []
    real = Webhook.answer

    async def answer(
        self: Webhook,
        body: bytes | memoryview,
        head: Head,
        client: str,
        has_left: Callable[[], bool],
        decompress: Decompress | None,
    ) -> bytes:
        bodies.append(bytes(body))
        return await real(self, body, head, client, has_left, decompress)

    monkeypatch.setattr(Webhook, "answer", answer)
    return bodies
