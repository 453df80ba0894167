"""The table of hostile requests: what is sent, and what is answered."""

from __future__ import annotations

import base64
import codecs
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


def tracker_with(**fields: object) -> bytes:
    return request(body_of(call(tracker={**call()["tracker"], **fields})))


def wrong(name: str, **fields: object) -> Case:
    return Case(f"{name} of the wrong type", request(body_of({**call(), **fields})), (400,))


# Malformed HTTP


async def http2_preface(peer: Peer) -> None:
    await peer.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))


HEALTH = get(b"/health")
SMUGGLED = b"GET /actions HTTP/1.1\r\nHost: x\r\n\r\n"

HTTP = [
    Case("a request line of garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", (REFUSED,), closed=True),
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
    Case("a chunk of 16 EiB", chunked(b"ffffffffffffffff\r\n{}\r\n"), (408,), closed=True),
    Case("chunks with a trailer", chunked(b"%x\r\n%b\r\n0\r\nX-A: b\r\n\r\n" % (len(GOOD), GOOD)), (400,), closed=True),
    Case("a request smuggled behind chunks", chunked(b"0\r\n\r\n" + SMUGGLED), (400, 401)),
    Case("five requests in one packet", HEALTH * 5, (200,) * 5),
    Case("bytes behind a good request", request() + b"\xff\xfe" * 50 + b"\r\n\r\n", (200, REFUSED), closed=True),
]

# Headers

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

# Bodies

DEEP = 30_000
BODIES = [
    Case("no body", request(b""), (400,)),
    Case("a body of white space", request(b" \r\n\t" * 100), (400,)),
    Case("no JSON", request(f"{MARKER}=1".encode()), (400,)),
    Case("XML", request(f"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b '{MARKER}'>]><a>&b;</a>".encode()), (400,)),
    Case("null", request(b"null"), (400,)),
    Case("a list", request(b"[]"), (400,)),
    Case("a text", request(body_of(MARKER)), (400,)),
    Case("a byte order mark", request(codecs.BOM_UTF8 + GOOD), (200,)),
    Case("UTF-16", request(GOOD.decode().encode("utf-16")), (200,)),
    Case("UTF-32", request(GOOD.decode().encode("utf-32")), (200,)),
    Case("invalid UTF-8", request(GOOD.replace(b"tester", b"\xff\xfe\xfd")), (400,)),
    Case("UTF-8 in too many bytes", request(GOOD.replace(b"tester", b"\xc0\xaf")), (400,)),
    Case("NUL bytes", request(b"\0" * 1000), (400,)),
    Case("truncated JSON", request(GOOD[:-20]), (400,)),
    Case("something behind the JSON", request(GOOD + b"}" + MARKER.encode()), (400,)),
    Case("a key twice", request(b'{"next_action": 1, ' + GOOD[1:]), (200,)),
    Case("a raw line break in a text", request(GOOD.replace(b"tester", b"a\nb")), (400,)),
    Case("NaN and Infinity", tracker_with(slots={"a": float("nan"), "b": float("-inf")}), (200,)),
    Case(
        "a number beyond every float", request(GOOD.replace(b'"events": []', b'"latest_event_time": 1e99999')), (200,)
    ),
    Case("a number of 5000 digits", request(GOOD.replace(b'"secret"', b'"x": 1' + b"0" * 5000 + b',"secret"')), (400,)),
    Case("a number of 4000 digits", request(GOOD.replace(b'"secret"', b'"x": 1' + b"0" * 4000 + b',"secret"')), (200,)),
    Case(
        "lists 30000 deep",
        request(b'{"next_action": "action_echo", "tracker": ' + b"[" * DEEP + b"]" * DEEP + b"}"),
        (400,),
    ),
    Case("objects 10000 deep", request(b'{"a":' * 10_000 + b"1" + b"}" * 10_000), (400,)),
    Case("lists 100000 deep", request(b"[" * 100_000), (413,), closed=True, answer_may_be_lost=True),
    Case("lists that never close", request(b"[" * 60_000), (400,)),
    Case("brackets and quotes in turns", request(b'["\\"]' * 10_000), (400,)),
    Case("three thousand keys", tracker_with(slots={f"slot{n}": n for n in range(3000)}), (200,)),
    Case("ten thousand events of nothing", tracker_with(events=[{}] * 10_000), (400,)),
    Case("a list of 30000 lists", tracker_with(slots={"a": [[]] * 15_000}), (200,)),
    wrong("next_action", next_action={"a": MARKER}),
    wrong("tracker", tracker=MARKER),
    wrong("sender_id", sender_id=[MARKER]),
    wrong("domain", domain=MARKER),
    wrong("domain_digest", domain_digest={"a": MARKER}),
    wrong("version", version=3.21),
    Case("a missing next_action", request(body_of({"tracker": call()["tracker"]})), (400,)),
    Case("a missing tracker", request(body_of({"next_action": "action_echo"})), (400,)),
    *(
        Case(f"tracker.{name} of the wrong type", tracker_with(**{name: value}), (400,))
        for name, value in {
            "sender_id": 5,
            "slots": [MARKER],
            "latest_message": MARKER,
            "events": {"a": MARKER},
            "paused": MARKER,
            "followup_action": [MARKER],
            "active_loop": MARKER,
            "latest_action_name": {"a": MARKER},
            "stack": MARKER,
            "user_id": [MARKER],
        }.items()
    ),
    Case("events that are no objects", tracker_with(events=[MARKER, 1, None]), (400,)),
    Case("an event without a name", tracker_with(events=[{"event": {"a": MARKER}}]), (400,)),
    Case("a slot event without a value", tracker_with(events=[{"event": "slot", "name": "a"}]), (400,)),
    Case("entities that are no objects", tracker_with(latest_message={"entities": [MARKER]}), (400,)),
    Case(
        "a domain of nonsense",
        request(body_of(call(domain={"slots": 5, "responses": [MARKER], "actions": {"a": 1}}))),
        (200,),
    ),
    Case("a body just too large", request(b" " * (MAX_REQUEST + 1)), (413,), closed=True, answer_may_be_lost=True),
    Case("a body just not too large", request(GOOD.ljust(MAX_REQUEST)), (200,)),
    Case("a body of a GiB that is announced", request(b"", length=2**30), (413,), closed=True),
    Case(
        "a body in chunks that is too large",
        chunked(
            b"8000\r\n"
            + b" " * 0x8000
            + b"\r\n8000\r\n"
            + b" " * 0x8000
            + b"\r\n8000\r\n"
            + b" " * 0x8000
            + b"\r\n0\r\n\r\n"
        ),
        (413,),
    ),
    Case("a body of one-byte chunks", chunked(b"".join(b"1\r\n%c\r\n" % byte for byte in GOOD) + b"0\r\n\r\n"), (200,)),
    Case("a body with a request that has none", get(b"/health", "Content-Length: 5") + b"hello", (200,)),
]

# Slow


def slowly(data: bytes, pause: float = 0.1) -> Play:
    async def play(peer: Peer) -> None:
        await peer.drip(data, pause)

    return play


async def slow_body(peer: Peer) -> None:
    head, _, body = request().partition(b"\r\n\r\n")
    await peer.send(head + b"\r\n\r\n")
    await peer.drip(body, 0.1)


async def slow_chunks(peer: Peer) -> None:
    await peer.send(chunked(b""))
    await peer.drip(b"1\r\n \r\n" * 100, 0.1)


async def half_a_body_then_half_closed(peer: Peer) -> None:
    await peer.send(request()[:-10])
    peer.half_close()


async def half_closed(peer: Peer) -> None:
    await peer.send(request())
    peer.half_close()


async def gone_in_the_body(peer: Peer) -> None:
    for _ in range(50):
        other = await peer.another()
        await other.send(request()[:-10])
        other.abort()
    await peer.send(HEALTH)


async def gone_before_the_answer(peer: Peer) -> None:
    for _ in range(50):
        other = await peer.another()
        await other.send(request(body_of(call("action_wait"))))
        other.abort()
    await peer.send(HEALTH)


async def hundreds_idle(peer: Peer) -> None:
    for _ in range(300):
        await peer.another()
    await peer.send(HEALTH)


async def hundreds_of_half_headers(peer: Peer) -> None:
    for _ in range(200):
        await (await peer.another()).send(b"POST /webhook HTTP/1.1\r\nX: ")
    await peer.send(HEALTH)


async def answers_unread(peer: Peer) -> None:
    for _ in range(20):
        other = await peer.another()
        await other.send(request(body_of(call("action_large"))) * 5)
    await peer.send(HEALTH)


SLOW = [
    Case("headers byte by byte", slowly(HEALTH), (), closed=True),
    Case("headers that never end", b"POST /webhook HTTP/1.1\r\nHost: x\r\n", (REFUSED,), closed=True),
    Case("a body byte by byte", slow_body, (408,), closed=True),
    Case("a body that never comes", request(b"", length=100), (408,), closed=True),
    Case("a body that stops in the middle", request()[:-10], (408,), closed=True),
    Case("chunks one by one for ever", slow_chunks, (408,), closed=True),
    Case(
        "a body that stops, without a credential",
        request(authorization=None)[:-10],
        (401,),
        closed=True,
    ),
    Case("a body that stops, for a path without one", get(b"/health", "Content-Length: 5"), (200,), closed=True),
    Case(
        "a body that never comes after an Expect",
        request(b"", "Expect: 100-continue", length=100),
        (100, 408),
        closed=True,
    ),
    Case("half a body and a half-closed socket", half_a_body_then_half_closed, (), closed=True),
    # Sanic closes on the end of the input: whether the answer was out by then is chance.
    Case("a half-closed socket", half_closed, (200,), closed=True, answer_may_be_lost=True),
    Case("fifty clients that go in the middle of the body", gone_in_the_body, (200,)),
    Case("fifty clients that go before the answer", gone_before_the_answer, (200,)),
    Case("three hundred idle connections", hundreds_idle, (200,)),
    Case("two hundred halves of headers", hundreds_of_half_headers, (200,)),
    Case("a hundred answers nobody reads", answers_unread, (200,)),
]

# Credentials


def basic(text: str, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(text.encode(encoding)).decode()


def jwt_text(header: dict[str, Any], signature: str = "") -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(body_of(value)).decode().rstrip("=")

    return f"{part(header)}.{part({'sub': MARKER, 'exp': 4_000_000_000})}.{signature}"


def credential(name: str, authorization: str | None, *headers: str | bytes, status: int = 401) -> Case:
    return Case(name, request(GOOD, *headers, authorization=authorization), (status,))


def query(name: str, path: bytes, status: int = 401) -> Case:
    return Case(name, request(line=b"POST " + path + b" HTTP/1.1", authorization=None), (status,))


RIGHT = TOKEN.encode()
CREDENTIALS = [
    credential("no credential", None),
    credential("an empty credential", ""),
    credential("a wrong token", f"Bearer {MARKER}"),
    credential("a token that begins as the right one", f"Bearer {TOKEN[:-1]}"),
    credential("a token that ends as the right one", f"Bearer {TOKEN}x"),
    credential("the right token in capitals", f"Bearer {TOKEN.upper()}"),
    credential("the right token without a scheme", TOKEN),
    credential("the right token in quotes", f'Bearer "{TOKEN}"'),
    credential("the right token as a user", basic(f"{TOKEN}:")),
    credential("the right token in another header", None, f"X-Token: {TOKEN}"),
    credential("the right token in a cookie", None, f"Cookie: token={TOKEN}; Authorization=Bearer {TOKEN}"),
    credential("a token of 7 KB", "Bearer " + "a" * 7000),
    Case("a token with a NUL", request(authorization=f"Bearer {TOKEN}\0"), (400,), closed=True),
    credential("a token that is not UTF-8", "Bearer \xff\xfe\xfd"),
    credential("two Authorization headers", f"Bearer {TOKEN}", f"Authorization: Bearer {TOKEN}"),
    credential("a right and a wrong Authorization header", f"Bearer {TOKEN}", f"Authorization: Bearer {MARKER}"),
    credential("Basic that is no base64", "Basic !!!!"),
    credential("Basic without a colon", basic("engine")),
    credential("Basic with a wrong password", basic(f"engine:{MARKER}")),
    credential("Basic in latin-1", basic(f"engine:{PASSWORD}", "latin-1"), status=200),
    credential("Basic of 7 KB", "Basic " + "QUFB" * 1700),
    credential("a JWT without a signature", "Bearer " + jwt_text({"alg": "none", "typ": "JWT"})),
    credential("a JWT with nOnE", "Bearer " + jwt_text({"alg": "nOnE"}, "AAAA")),
    credential("a JWT with a wrong signature", "Bearer " + jwt_text({"alg": "HS256"}, "AAAA")),
    credential(
        "a JWT with the key in its header",
        "Bearer " + jwt_text({"alg": "HS256", "jwk": {"kty": "oct", "k": "YQ"}}, "AAAA"),
    ),
    credential("a JWT whose kid is a path", "Bearer " + jwt_text({"alg": "HS256", "kid": "../../dev/null"}, "AAAA")),
    credential("a JWT of dots", "Bearer " + "." * 5000),
    query("the right token in the query", b"/webhook?token=" + RIGHT, 200),
    query("a wrong token in the query", b"/webhook?token=" + MARKER.encode()),
    query("two tokens in the query", b"/webhook?token=" + RIGHT + b"&token=x"),
    query("the right token under another name", b"/webhook?Token=" + RIGHT),
    query("the right token in the fragment", b"/webhook#token=" + RIGHT),
    query("a query of five thousand parameters", b"/webhook?" + b"a&" * 2500),
    query("a query of invalid escapes", b"/webhook?token=%ff%00%zz%"),
    Case(
        "the right token with a method of nobody",
        get(b"/webhook", method=b"DELETE", authorization=f"Bearer {TOKEN}"),
        (405,),
    ),
]

# Paths and methods


def closed_path(path: bytes, status: int = 401) -> Case:
    shown = path.decode("ascii", "backslashreplace")
    return Case(f"{shown} without a credential", get(path), (status,))


PATHS = [
    *(
        closed_path(path)
        for path in (
            b"/",
            b"/actions",
            b"/metrics",
            b"/ready",
            b"/docs",
            b"/../webhook",
            b"/health/../actions",
            b"/health/..%2factions",
            b"/%68ealth/../actions",
            b"//actions",
            b"/health//",
            b"/actions;/health",
            b"/actions?/health",
            b"/actions#/health",
            b"/ACTIONS",
            b"/%2e%2e/%2e%2e/etc/passwd",
            b"/..\\..\\windows",
            b"/health%00",
            b"/health%2f",
            b"/health;x",
            b"/health.json",
            b"http://localhost/actions",
            b"/" + b"%2e%2e%2f" * 300,
        )
    ),
    Case("/../webhook with a credential", request(line=b"POST /../webhook HTTP/1.1"), (404,)),
    Case("//webhook with a credential", request(line=b"POST //webhook HTTP/1.1"), (404,)),
    Case("/%2e%2e/webhook with a credential", request(line=b"POST /%2e%2e/webhook HTTP/1.1"), (404,)),
    Case("/webhook%00 with a credential", request(line=b"POST /webhook%00 HTTP/1.1"), (404,)),
    Case("/webhook;x with a credential", request(line=b"POST /webhook;x HTTP/1.1"), (404,)),
    Case("/WEBHOOK with a credential", request(line=b"POST /WEBHOOK HTTP/1.1"), (404,)),
    Case("a path with a marker", request(line=b"POST /" + MARKER.encode() + b" HTTP/1.1"), (404,)),
    Case("a path with an escape sequence", request(line=b"POST /%1b%5b2J%0d%0aX: HTTP/1.1"), (404,)),
    Case("a path that is not ASCII", request(line="POST /wébhook HTTP/1.1".encode()), (REFUSED,), closed=True),
    Case("an empty path", request(line=b"POST  HTTP/1.1"), (REFUSED,), closed=True),
    Case("a path that is a star", get(b"*", authorization=f"Bearer {TOKEN}"), (404,)),
    Case("a path with invalid brackets", get(b"http://[::1/health"), (400,), closed=True),
    Case("TRACE", get(b"/webhook", f"X-Secret: {MARKER}", method=b"TRACE", authorization=f"Bearer {TOKEN}"), (405,)),
    Case("CONNECT", get(b"evil.example:443", method=b"CONNECT", authorization=f"Bearer {TOKEN}"), (400,), closed=True),
    Case("PUT", request(line=b"PUT /webhook HTTP/1.1"), (405,)),
    Case("OPTIONS", get(b"/actions", method=b"OPTIONS"), (401,)),
    Case("HEAD", get(b"/webhook", method=b"HEAD", authorization=f"Bearer {TOKEN}"), (405,)),
    Case("post in small letters", request(line=b"post /webhook HTTP/1.1"), (405,)),
    Case(
        "a method of nobody", get(b"/webhook", method=b"\x01\x02", authorization=f"Bearer {TOKEN}"), (400,), closed=True
    ),
    Case("PURGE without a credential", get(b"/webhook", method=b"PURGE"), (401,)),
]

# Names


def named(name: str, action: object = "action_echo", sender: object = "tester", status: int = 404) -> Case:
    return Case(name, request(body_of(call(action, sender))), (status,))


FORGED = 'x\n{"event": "forged", "level": "critical"}\r\n\x1b[31mforged\x07'
NAMES = [
    named("an action with line breaks and colours", FORGED),
    named("a conversation with line breaks and colours", sender=FORGED, status=200),
    named("an action of lone surrogates", "\ud800\udfff\udc00"),
    named("a conversation of lone surrogates", sender="\ud800", status=200),
    named("an action that turns the text around", "action\u202eohce_\u2066"),
    named("an action in letters that look alike", "\u0430ction_echo"),
    named("an action with a NUL", "action_echo\0"),
    named("an action with blanks around it", " action_echo "),
    named("an action that is a path", "../../actions.py"),
    named("an action that is a method of its class", "__class__"),
    named("an action that is a format", "%s%n{0.__class__}${jndi:ldap://x}"),
    named("an action of 60 KB", "a" * 60_000),
    Case("an action of 1 MB", request(body_of(call("a" * 2**20))), (413,), closed=True, answer_may_be_lost=True),
    named("a conversation of 60 KB", sender="a" * 30_000, status=200),
    named("an empty conversation", sender="", status=200),
    named("an action that fails", "action_fail", status=500),
    named("an action that fails with a hostile text", "action_fail_loudly", status=500),
    named("an action that returns what is no JSON", "action_odd", status=200),
    named("an action that takes too long", "action_long", status=504),
    named("an action that ends the process", "action_leave", status=500),
    named("an action that recurses for ever", "action_recurse", status=500),
]

GROUPS = {
    "http": HTTP,
    "headers": HEADERS,
    "body": BODIES,
    "slow": SLOW,
    "credentials": CREDENTIALS,
    "paths": PATHS,
    "names": NAMES,
}
ACTIONS = """
    import asyncio, sys, time
    from rasa_sdk.events import SlotSet


    async def echo(dispatcher, tracker, domain):
        return [SlotSet("seen", len(tracker.current_state()["slots"]))]


    async def wait(dispatcher, tracker, domain):
        await asyncio.sleep(0.3)
        return []


    def large(dispatcher, tracker, domain):
        dispatcher.utter_message(text="a" * 200_000)
        return []


    def fail(dispatcher, tracker, domain):
        return [tracker.slots["secret"]["no"]]


    async def fail_loudly(dispatcher, tracker, domain):
        raise ValueError("a\\nforged line \\x1b[31m \\ud800")


    def odd(dispatcher, tracker, domain):
        return [SlotSet("odd", object)]


    def long(dispatcher, tracker, domain):
        time.sleep(0.6)
        return []


    def leave(dispatcher, tracker, domain):
        sys.exit(7)


    def recurse(dispatcher, tracker, domain):
        return recurse(dispatcher, tracker, domain)

    def register_actions(registry):
        registry.register_function("action_idle", lambda dispatcher, tracker, domain: [])
        for function in (echo, wait, large, fail, fail_loudly, odd, long, leave, recurse):
            registry.register_function("action_" + function.__name__, function)
"""
SETTINGS = f"""
action_server:
  auth:
    tokens: [{TOKEN}]
    basic: {{username: engine, password: {PASSWORD}}}
    jwt: {{algorithms: HS256, secret: {JWT_SECRET}}}
  actions:
    action_long: {{timeout: 0.2}}
"""
