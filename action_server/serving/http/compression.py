"""Request bodies as they travel: deflate and gzip, inflated no further than a limit."""

from __future__ import annotations

import zlib

from action_server.errors import BodyTooLargeError, EncodingError, RequestError

# How zlib reads each encoding. Engines send "deflate" zlib-wrapped (RFC 9110, 8.4.1.2); some other clients send it raw.
_WINDOW_BITS = {"deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS), "gzip": (zlib.MAX_WBITS | 16,)}
_ALIASES = {"x-gzip": "gzip", "identity": ""}


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the plain body.

    ``encoding`` is the value of ``Content-Encoding`` (empty for none), ``limit`` counts bytes of the plain body. No
    more than ``limit`` bytes are ever inflated, however well the body is packed.

    Raises:
        EncodingError: the encoding is unknown, or there is more than one.
        RequestError: the body is not what its encoding says.
        BodyTooLargeError: there is more than ``limit``.
    """
    encoding = encoding.strip().lower()
    encoding = _ALIASES.get(encoding, encoding)
    if not encoding:
        return body
    if encoding not in _WINDOW_BITS:
        raise EncodingError
    for bits in _WINDOW_BITS[encoding]:
        plain = _inflate(body, bits, limit)
        if plain is not None:
            return plain
    raise RequestError(f"the body is not valid {encoding} data")


def _inflate(body: bytes, window_bits: int, limit: int) -> bytes | None:
    """Inflate one format; ``None`` when the body is not of that format, is cut short or has a tail."""
    stream = zlib.decompressobj(window_bits)
    try:
        plain = stream.decompress(body, limit + 1)
    except zlib.error:
        return None
    if len(plain) > limit:
        raise BodyTooLargeError(limit)
    return plain if stream.eof and not stream.unused_data else None
