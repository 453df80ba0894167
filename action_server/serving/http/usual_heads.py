"""The heads of usual calls, which the fast way answers: ``POST /webhook`` with a body of a known length, packed or not.

Read once and remembered: an engine's differ in nothing but that length. Whoever else writes them, a balancer that
spells names in small letters or speaks HTTP/1.0, is usual as well.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from action_server.errors import EncodingError, RequestError
from action_server.protocol.which_engine import HEADER, engine_named
from action_server.serving.http.compression import known_encoding
from action_server.serving.http.heads import RequestHead, parse_head

_PATHS = frozenset({"/webhook", "/webhook/"})
# As aiohttp writes it, and with it every engine; as HAProxy writes it; as anybody may.
_LENGTH = b"\r\nContent-Length: "
_SMALL_LENGTH = b"\r\ncontent-length: "
_ANY_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*", re.IGNORECASE)
# How many different ones are remembered. With a trace or an id of its own each request is different.
_MOST_HEADS = 256
# With one of these a request is not the usual one.
_UNUSUAL = frozenset({"expect", "te", "trailer", "transfer-encoding", "upgrade"})
# Balancers in a row add one each; of any other header a second one makes a request unusual.
_LISTS = frozenset({"forwarded", "via", "x-forwarded-for"})
_CONNECTIONS = frozenset({"", "close", "keep-alive"})


class Head(NamedTuple):
    """What the headers of a usual request say.

    ``headers`` are by lower-case name, ``query`` is the URL's, ``encoding`` how the body travels: empty for as it is.
    ``engine`` is the name of the engine that calls, empty if it tells none.
    """

    headers: dict[str, str]
    keep_alive: bool
    query: str = ""
    encoding: str = ""
    engine: str = ""


class Heads:
    """Reads the headers of usual requests."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._known: dict[bytes, Head] = {}

    def read(self, data: bytes) -> tuple[Head, int, int] | None:
        """Return the headers, where the body begins and how long it is; None if this is any other request."""
        end = data.find(b"\r\n\r\n", 0, self._longest)
        if end < 0:
            return None
        # With the line break before it, it is that header and not a part of another one.
        at = data.find(_LENGTH, 0, end)
        if at < 0:
            at = data.find(_SMALL_LENGTH, 0, end)
        start = at + len(_LENGTH) if at >= 0 else _start_of_length(data, end)
        if start < 0:
            return None
        digits = data[start : data.index(b"\r", start)]
        if not digits.isdigit() or len(digits) > 18:
            return None
        key = data[:start] + data[start + len(digits) : end]
        head = self._known.get(key)
        if head is None:
            head = head_of(data[:end])
            if head is None:
                return None
            if len(self._known) >= _MOST_HEADS:
                self._known.clear()
            self._known[key] = head
        return head, end + 4, int(digits)


def head_of(data: bytes) -> Head | None:
    """Read the request line and headers of a usual request; None if it is any other, or none at all."""
    if not data.startswith(b"POST /webhook") or not data.isascii():
        return None
    try:
        parsed = parse_head(data)
    except RequestError:
        return None
    return _usual(parsed)


def _usual(parsed: RequestHead) -> Head | None:
    path, _, query = parsed.target.partition("?")
    if path not in _PATHS or "#" in query:
        return None
    headers: dict[str, str] = {}
    for name, value in parsed.headers:
        if name in headers:
            if name not in _LISTS:
                return None
            value = f"{headers[name]}, {value}"
        headers[name] = value
    connection = headers.get("connection", "").lower()
    if connection not in _CONNECTIONS or not _UNUSUAL.isdisjoint(headers):
        return None
    try:
        encoding = known_encoding(headers.get("content-encoding", ""))
    except EncodingError:
        # Sanic's route tells the client, before it has read the body.
        return None
    # HTTP/1.0 closes unless somebody asks for more.
    keep_alive = connection == "keep-alive" or (parsed.minor == 1 and not connection)
    engine = engine_named([headers[HEADER]] if HEADER in headers else (), query)
    return Head(headers, keep_alive, query, encoding, engine)


def _start_of_length(data: bytes, end: int) -> int:
    found = _ANY_LENGTH.search(data, 0, end)
    return found.end() if found is not None else -1
