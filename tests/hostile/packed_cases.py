"""The table of hostile requests: bodies that are packed, or say so."""

from __future__ import annotations

import gzip
import zlib

from tests.hostile.case import GOOD, MARKER, MAX_REQUEST, Case, request


def deflated(plain: bytes) -> bytes:
    return zlib.compress(plain, 9)


SIXTY_MB = bytes(60 * 1024 * 1024)
DEFLATE_BOMB = deflated(SIXTY_MB)
GZIP_BOMB = gzip.compress(SIXTY_MB)
PACKED = "Content-Encoding: "


def packed(body: bytes, encoding: str = "deflate") -> bytes:
    return request(body, PACKED + encoding)


COMPRESSION = [
    Case("a deflate bomb of 60 MB", packed(DEFLATE_BOMB), (413,)),
    Case("a gzip bomb of 60 MB", packed(GZIP_BOMB, "gzip"), (413,)),
    Case("a raw deflate bomb", packed(DEFLATE_BOMB[2:-4]), (413,)),
    Case("a gzip bomb of many members", packed(gzip.compress(b"{}") * 2000, "gzip"), (400,)),
    Case("a bomb in a bomb", packed(deflated(DEFLATE_BOMB)), (400,)),
    Case("a bomb of brackets", packed(deflated(b"[" * MAX_REQUEST)), (400,)),
    Case("a bomb of blanks", packed(deflated(b" " * MAX_REQUEST)), (400,)),
    Case("a truncated deflate body", packed(deflated(GOOD)[:-5]), (400,)),
    Case("a truncated gzip body", packed(gzip.compress(GOOD)[:-5], "gzip"), (400,)),
    Case("something behind a deflate body", packed(deflated(GOOD) + MARKER.encode()), (400,)),
    Case("a deflate body with a dictionary", packed(b"\x78\xbb" + b"\0" * 40), (400,)),
    Case("a gzip body with a broken checksum", packed(gzip.compress(GOOD)[:-8] + b"\0" * 8, "gzip"), (400,)),
    Case("a plain body that says deflate", packed(GOOD), (400,)),
    Case("a deflate body that says gzip", packed(deflated(GOOD), "gzip"), (400,)),
    Case("a deflate body that says nothing", request(deflated(GOOD)), (400,)),
    Case("an encoding nobody knows", packed(GOOD, "br"), (415,)),
    Case("an encoding with a marker", packed(GOOD, MARKER), (415,)),
    Case("a chain of encodings", packed(deflated(GOOD), "deflate, gzip"), (415,)),
    Case(
        "two Content-Encodings",
        request(deflated(GOOD), PACKED + "deflate", PACKED + "gzip"),
        (415,),
    ),
    Case("an encoding of 4000 characters", packed(GOOD, "gzip," * 800), (415,)),
    Case("a good deflate body", packed(deflated(GOOD)), (200,)),
    Case("a good gzip body", packed(gzip.compress(GOOD), "gzip"), (200,)),
    Case("an encoding in capitals between blanks", packed(deflated(GOOD), " DEFLATE\t"), (200,)),
    Case("an encoding of nothing", packed(GOOD, "identity"), (200,)),
    Case("an encoding without a name", packed(GOOD, ""), (200,)),
    Case("the name of an encoding in small letters", request(deflated(GOOD), "content-encoding: deflate"), (200,)),
    Case("an encoding twice", request(deflated(GOOD), PACKED + "deflate", PACKED + "deflate"), (415,)),
    Case("an encoding and a comma", packed(deflated(GOOD), "deflate,"), (415,)),
    Case("a gzip body of nothing", packed(gzip.compress(b""), "gzip"), (400,)),
    Case("an empty body that says gzip", packed(b"", "gzip"), (400,)),
    Case("a gzip head alone", packed(gzip.compress(GOOD)[:10], "gzip"), (400,)),
    Case("a bomb and a good call after it", packed(GZIP_BOMB, "gzip") + request(), (413, 200)),
]
