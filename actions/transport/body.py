"""The body of an answer, which is never larger than it may be."""

from __future__ import annotations

import aiohttp

from actions.transport.failures import Failure, Kind


async def read_body(system: str, answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read an answer's body, decompressed; raises `Failure` as soon as more than `limit` bytes of it came."""
    chunks = []
    size = 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
        if size > limit:
            # The rest is neither wanted nor waited for.
            answer.close()
            text = f"{system} sent an answer of more than {limit} bytes, which is the most that is read"
            raise Failure(Kind.UNREADABLE, text, status=answer.status)
        chunks.append(chunk)
    return b"".join(chunks)
