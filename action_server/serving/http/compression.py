"""Request bodies as they travel: deflate and gzip, inflated step by step and no further than a limit."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Generator

from action_server.errors import BodyTooLargeError, EncodingError, RequestError

# How zlib reads each encoding. Engines send "deflate" zlib-wrapped (RFC 9110, 8.4.1.2); some other clients send it raw.
_WINDOW_BITS = {"deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS), "gzip": (zlib.MAX_WBITS | 16,)}
_ALIASES = {"x-gzip": "gzip", "identity": ""}
# What is inflated in one step, and how many of them the event loop may be kept busy with: a megabyte, 2 ms or so.
_STEP = 256 * 1024
_STEPS_ON_THE_LOOP = 4

_Steps = Generator[None, None, bytes | None]


def known_encoding(encoding: str) -> str:
    """Return what a ``Content-Encoding`` says, empty for none. Raises EncodingError if it is none of ours."""
    encoding = encoding.strip().lower()
    encoding = _ALIASES.get(encoding, encoding)
    if encoding and encoding not in _WINDOW_BITS:
        raise EncodingError
    return encoding


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the plain body.

    ``encoding`` is the value of ``Content-Encoding`` (empty for none), ``limit`` counts bytes of the plain body. No
    more than ``limit`` bytes, and a step, are ever inflated, however well the body is packed.

    Raises:
        EncodingError: the encoding is unknown, or there is more than one.
        RequestError: the body is not what its encoding says.
        BodyTooLargeError: there is more than ``limit``.
    """
    return _run(_inflate(body, known_encoding(encoding), limit, _ignore))


async def inflate_aside(body: bytes, encoding: str, limit: int, take: Callable[[int], None]) -> bytes:
    """Return the plain body as :func:`inflate` does, with its errors; what takes longer is done in a thread.

    ``take`` is told of the bytes of each step, and may raise.
    """
    steps = _inflate(body, known_encoding(encoding), limit, take)
    try:
        for _ in range(_STEPS_ON_THE_LOOP):
            next(steps)
    except StopIteration as done:
        plain: bytes = done.value
        return plain
    return await asyncio.to_thread(_run, steps)


def _ignore(_: int) -> None: ...


def _run(steps: Generator[None, None, bytes]) -> bytes:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            plain: bytes = done.value
            return plain


def _inflate(body: bytes, encoding: str, limit: int, take: Callable[[int], None]) -> Generator[None, None, bytes]:
    if not encoding:
        return body
    for bits in _WINDOW_BITS[encoding]:
        plain = yield from _inflate_as(body, bits, limit, take)
        if plain is not None:
            return plain
    raise RequestError(f"the body is not valid {encoding} data")


def _inflate_as(body: bytes, window_bits: int, limit: int, take: Callable[[int], None]) -> _Steps:
    """Inflate one format; ``None`` when the body is not of that format, is cut short or has a tail."""
    stream = zlib.decompressobj(window_bits)
    pieces: list[bytes] = []
    size = 0
    while not stream.eof:
        try:
            piece = stream.decompress(body, _STEP)
        except zlib.error:
            return None
        size += len(piece)
        if size > limit:
            raise BodyTooLargeError(limit)
        take(len(piece))
        pieces.append(piece)
        body = stream.unconsumed_tail
        if not body and len(piece) < _STEP and not stream.eof:
            return None
        yield
    return b"".join(pieces) if not stream.unused_data else None
