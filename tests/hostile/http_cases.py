"""Malformed HTTP, and hostile headers."""

from __future__ import annotations

from tests.hostile.case import GOOD, HEALTH, MARKER, REFUSED, TOKEN, Case, chunked, get, request
from tests.hostile.peer import Peer


async def http2_preface(peer: Peer) -> None:
    await peer.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))


SMUGGLED = b"GET /actions HTTP/1.1\r\nHost: x\r\n\r\n"

HTTP = [
    Case("a request line of garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", (REFUSED,), closed=True),
    Case("a handshake of TLS that waits for its answer", b"\x16\x03\x01\x02\x00\x01", (400,), closed=True),
    Case("half a line that begins no method", b'{"next_action": 1', (400,), closed=True),
    Case("a request line without a version", b"POST /webhook\r\n\r\n", (REFUSED,), closed=True),
    Case("HTTP 0.9", b"GET /health\r\n\r\n", (REFUSED,), closed=True),
    Case("HTTP 9.9", b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n", (400,), closed=True),
    Case("HTTP 1.0", b"GET /health HTTP/1.0\r\n\r\n", (200,), closed=True),
    Case("the preface of HTTP 2", http2_preface, (REFUSED,), closed=True),
    Case("no Host", b"GET /health HTTP/1.1\r\n\r\n", (400,), closed=True),
    Case("an absolute URL of another host", get(b"http://evil.example/health"), (200,)),
    Case("bare line feeds", b"GET /health HTTP/1.1\nHost: x\n\n", (REFUSED,), closed=True),
    Case("a NUL in the request line", b"GET /hea\0lth HTTP/1.1\r\nHost: x\r\n\r\n", (400,), closed=True),
    Case("a NUL in a header", get(b"/health", b"X-A: a\0b"), (400,), closed=True),
    Case("a header without a colon", get(b"/health", b"no colon here"), (400,), closed=True),
    Case("a folded header", get(b"/health", b"X-A: a\r\n b"), (400,), closed=True),
    Case("empty lines before, between and behind requests", b"\r\n\r\n" + (HEALTH + b"\r\n") * 2, (200, 200)),
    Case(
        "a request line longer than all headers may be",
        get(b"/" + b"a" * 20_000),
        (REFUSED,),
        closed=True,
        answer_may_be_lost=True,
    ),
    Case("a very long method", b"G" * 7000 + b" /health HTTP/1.1\r\nHost: x\r\n\r\n", (405,)),
    Case("two Content-Lengths", request(GOOD, "Content-Length: 5"), (REFUSED,), closed=True),
    Case(
        "Content-Length and Transfer-Encoding",
        request(b"0\r\n\r\n" + SMUGGLED, "Transfer-Encoding: chunked"),
        (REFUSED,),
        closed=True,
    ),
    Case(
        "two codings of the transfer",
        request(b"0\r\n\r\n", "Transfer-Encoding: gzip, chunked", framed=False),
        (REFUSED,),
        closed=True,
    ),
    Case(
        "an unknown coding of the transfer",
        request(b"0\r\n\r\n", "Transfer-Encoding: xchunked", framed=False),
        (REFUSED,),
        closed=True,
    ),
    Case("a negative Content-Length", request(GOOD, length=-1), (REFUSED,), closed=True),
    Case("a Content-Length with a sign", request(GOOD, "Content-Length: +5", framed=False), (REFUSED,), closed=True),
    Case(
        "a Content-Length in hexadecimal", request(GOOD, "Content-Length: 0x10", framed=False), (REFUSED,), closed=True
    ),
    Case(
        "a Content-Length in Arabic digits",
        request(GOOD, "Content-Length: ٣".encode(), framed=False),
        (400,),
        closed=True,
    ),
    Case(
        "a Content-Length beyond every integer",
        request(GOOD, "Content-Length: " + "9" * 400, framed=False),
        (413,),
        closed=True,
    ),
    Case(
        "a Content-Length of 5000 digits",
        request(GOOD, "Content-Length: " + "9" * 5000, framed=False),
        (REFUSED,),
        closed=True,
    ),
    Case("a Content-Length smaller than the body", request(GOOD, length=len(GOOD) - 1), (400, REFUSED), closed=True),
    Case(
        "a Content-Length larger than the body",
        request(GOOD, length=len(GOOD) + 1),
        (408,),
        closed=True,
    ),
    Case("a chunk's size that is no number", chunked(b"xyz\r\nabc\r\n0\r\n\r\n"), (400,), closed=True),
    Case("a negative chunk", chunked(b"-5\r\nabc\r\n0\r\n\r\n"), (400,), closed=True),
    Case("a chunk's size without an end", chunked(b"1" * 500), (400,), closed=True),
    Case("a chunk larger than it says", chunked(b"2\r\n{}{}\r\n0\r\n\r\n"), (400,), closed=True),
    Case("a chunk of 16 EiB", chunked(b"ffffffffffffffff\r\n{}\r\n"), (413,), closed=True),
    Case("chunks with a trailer", chunked(b"%x\r\n%b\r\n0\r\nX-A: b\r\n\r\n" % (len(GOOD), GOOD)), (400,), closed=True),
    Case("a request smuggled behind chunks", chunked(b"0\r\n\r\n" + SMUGGLED), (400, 401)),
    Case("five requests in one packet", HEALTH * 5, (200,) * 5),
    Case("bytes behind a good request", request() + b"\xff\xfe" * 50 + b"\r\n\r\n", (200, REFUSED), closed=True),
]

HEADERS = [
    Case("a line break in the request id", request(GOOD, b"X-Request-ID: a\nX-Injected: b"), (400,), closed=True),
    Case("a carriage return in the request id", request(GOOD, b"X-Request-ID: a\rX-Injected: b"), (400,), closed=True),
    Case("an escape sequence in the request id", request(GOOD, b"X-Request-ID: \x1b[2J"), (400,), closed=True),
    Case("a request id that is too long", request(GOOD, "X-Request-ID: " + "a" * 4000), (200,)),
    Case("a request id that is not ASCII", request(GOOD, b"X-Request-ID: \xff\xfe"), (200,)),
    Case("two request ids", request(GOOD, "X-Request-ID: one", "X-Request-ID: two"), (200,)),
    Case("a request id on an error", request(b"{", b"X-Request-ID: a\nX-Injected: b"), (400,), closed=True),
    Case(
        "headers larger than the limit",
        request(GOOD, *[f"X-{n}: {'a' * 100}" for n in range(100)]),
        (431,),
        closed=True,
    ),
    Case(
        "a header larger than the limit without an end",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000,
        (REFUSED,),
        closed=True,
        answer_may_be_lost=True,
    ),
    Case("a thousand headers", get(b"/health", *[f"A{n}:" for n in range(1000)]), (200,)),
    Case("the same header a thousand times", get(b"/health", *["A: b"] * 1000), (200,)),
    Case("a header with an empty name", get(b"/health", ": a"), (400,), closed=True),
    Case("a header that is not UTF-8", get(b"/health", b"X-A: \xfe"), (200,)),
    Case("a header's name that is not ASCII", get(b"/health", b"X-\xff: a"), (400,), closed=True),
    Case("a Host that is none", b"GET /health HTTP/1.1\r\nHost: x/../@\r\n\r\n", (400,), closed=True),
    Case("two Hosts", get(b"/health", "Host: other"), (400,), closed=True),
    Case(
        "a forwarded address that is none",
        get(b"/health", 'Forwarded: for="_;;,="', "X-Forwarded-For: " + "1," * 900),
        (200,),
    ),
    Case("a Cookie that is none", get(b"/health", 'Cookie: =;;=";' + "a=b;" * 900), (200,)),
    Case(
        "a Content-Type that is none", request(GOOD, 'Content-Type: ;;;="', "Content-Type: multipart/form-data"), (200,)
    ),
    Case("an Accept that is none", get(b"/actions", "Accept: ;q=x,,/", authorization=f"Bearer {TOKEN}"), (200,)),
    Case(
        "an Accept of the metrics that is none",
        get(b"/metrics", "Accept: application/openmetrics-text; version=", authorization=f"Bearer {TOKEN}"),
        (200,),
    ),
    Case("a traceparent that is none", request(GOOD, "traceparent: 00-" + "z" * 200), (200,)),
    Case("an unknown Expect", request(GOOD, f"Expect: {MARKER}"), (REFUSED,), closed=True),
    Case("an Expect that is then not waited for", request(GOOD, "Expect: 100-continue"), (100, 200)),
    Case(
        "an upgrade to a WebSocket",
        get(
            b"/webhook",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: a",
            authorization=f"Bearer {TOKEN}",
        ),
        (405,),
        closed=True,
    ),
    Case(
        "a call that would upgrade to a WebSocket",
        request(GOOD, "Upgrade: websocket", "Connection: Upgrade"),
        (200,),
        closed=True,
    ),
    Case("an origin of another site", request(GOOD, f"Origin: https://{MARKER}.example"), (200,)),
]
