"""The id of a request, in its answer and in the log: the caller's, or one made here."""

from __future__ import annotations

import random

from sanic import Request

HEADER = "X-Request-ID"
_LONGEST = 128
_random = random.Random()  # noqa: S311 - for ids of requests


def request_id_of(given: str) -> str:
    """Return the caller's id of a request if it is fit for a log and a header, otherwise one of our own."""
    if given and len(given) <= _LONGEST and given.isascii() and given.isprintable():
        return given
    # To find a line by, not to keep anybody out.
    return f"{_random.getrandbits(64):016x}"


def id_of(request: Request) -> str:
    """Return the id of a request that Sanic reads, the same one however often it is asked for."""
    found: str | None = getattr(request.ctx, "request_id", None)
    if found is None:
        found = request.ctx.request_id = request_id_of(request.headers.get(HEADER, ""))
    return found
