"""What no server on Sanic can do less than: read the body and answer, with ``orjson`` also decode it.

``python limit.py <port> [orjson]``
"""

from __future__ import annotations

import sys

import orjson
from sanic import HTTPResponse, Request, Sanic

REPLY = b'{"events":[],"responses":[]}'

app: Sanic = Sanic("limit", configure_logging=False)  # type: ignore[type-arg]
app.config.update(REQUEST_MAX_SIZE=64 * 1024 * 1024, ACCESS_LOG=False, KEEP_ALIVE_TIMEOUT=120)
decodes = sys.argv[2:] == ["orjson"]


@app.post("/webhook")
async def webhook(request: Request) -> HTTPResponse:
    """Answer always the same."""
    if decodes:
        orjson.loads(request.body)
    return HTTPResponse(REPLY, 200, None, "application/json")


@app.get("/health")
async def health(_: Request) -> HTTPResponse:
    """Answer that it is there."""
    return HTTPResponse(b"{}", 200, None, "application/json")


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), single_process=True, access_log=False, motd=False)
