"""The headers of replies, as they leave a real server."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from tests.processes import server
from tests.projects import GREET, project


async def test_no_reply_has_an_empty_header(tmp_path: Path) -> None:
    """Sanic's own would have `alt-svc:` without a value, which strict proxies refuse."""
    project(tmp_path, {"actions.py": GREET})
    with server(tmp_path) as running:
        async with aiohttp.ClientSession() as session:
            for path in ("/health", "/actions", "/nothing", "/metrics"):
                async with session.get(f"{running.url}{path}") as response:
                    assert [name for name, value in response.headers.items() if not value] == []
