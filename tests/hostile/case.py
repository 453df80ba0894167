"""One hostile request: what is sent, and what is answered; and the bytes that most of them are made of."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.hostile.peer import Peer

TOKEN = "right-token-4711-0815"
JWT_SECRET = "a-secret-for-signing-that-is-long-enough-0815"
PASSWORD = "right-pässword-4711"
# Stands in bodies, slots, headers, queries and credentials: nobody may ever read it in an answer or in the log.
MARKER = "marker-of-a-patient-1913"

MAX_REQUEST = 65536
MAX_HEADER = 8192
TIMEOUT = 0.5
# Any 4xx: what cannot be parsed has no credential either, and may hear that first.
REFUSED = 4

Play = Callable[[Peer], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """What is sent, the statuses that come back, and whether the server then hangs up."""

    name: str
    send: bytes | Play
    answers: tuple[int, ...]
    closed: bool = False
    # The server hangs up before it has read everything: TCP may throw away the answer that was on its way.
    answer_may_be_lost: bool = False
    # Why the server does not do this yet.
    defect: str = ""


def call(action: object = "action_echo", sender: object = "tester", **more: Any) -> dict[str, Any]:
    """The body of a good request, or nearly."""
    tracker = {"sender_id": sender, "slots": {"secret": MARKER}, "latest_message": {"text": MARKER}, "events": []}
    return {"next_action": action, "sender_id": sender, "tracker": tracker, "version": "3.21.0", **more}


def body_of(value: object) -> bytes:
    return json.dumps(value).encode()


GOOD = body_of(call())


def request(
    body: bytes = GOOD,
    *headers: str | bytes,
    line: bytes = b"POST /webhook HTTP/1.1",
    authorization: str | None = f"Bearer {TOKEN}",
    length: int | None = None,
    framed: bool = True,
) -> bytes:
    """A whole request; ``framed`` adds its Content-Length, ``length`` a wrong one."""
    lines = [line, b"Host: localhost", b"Content-Type: application/json"]
    if authorization is not None:
        lines.append(b"Authorization: " + authorization.encode("latin-1"))
    if framed:
        lines.append(b"Content-Length: %d" % (len(body) if length is None else length))
    lines += [header.encode("latin-1") if isinstance(header, str) else header for header in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(pieces: bytes, *headers: str) -> bytes:
    return request(pieces, "Transfer-Encoding: chunked", *headers, framed=False)


def get(path: bytes, *headers: str | bytes, method: bytes = b"GET", authorization: str | None = None) -> bytes:
    return request(b"", *headers, line=method + b" " + path + b" HTTP/1.1", authorization=authorization, framed=False)


HEALTH = get(b"/health")
