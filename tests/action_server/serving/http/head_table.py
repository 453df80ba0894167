"""Heads of requests made from the grammar of RFC 9110 and RFC 9112: each rule kept and broken, a byte at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_HOST = b"Host: x"
_LINE = b"POST /webhook HTTP/1.1"
# RFC 9110, 5.6.2: what a token may have beside letters and digits; every other byte is a delimiter or none at all.
TOKEN_MARKS = b"!#$%&'*+-.^_`|~"


@dataclass(frozen=True)
class HeadCase:
    """A whole request: its head, without the empty line, and a body that fits if the head is one."""

    name: str
    head: bytes
    body: bytes
    kind: str

    @property
    def request(self) -> bytes:
        """The bytes that are sent."""
        return self.head + b"\r\n\r\n" + self.body


def cases(body: bytes) -> list[HeadCase]:
    """Return all of them; ``body`` is what the good ones carry."""
    framed = b"Content-Length: %d" % len(body)
    made = [
        HeadCase(f"{kind}: {name}", b"\r\n".join(lines), body, kind)
        for kind, name, lines in (
            *_field_cases(framed),
            *_framing_cases(framed, len(body)),
            *_host_cases(framed),
            *_line_cases(framed),
        )
    ]
    return [*made, *_chunk_cases(body)]


def _field_cases(framed: bytes) -> Iterator[tuple[str, str, list[bytes]]]:
    for byte in range(256):
        # Line feeds and colons end a line or a name: they have cases of their own.
        if byte not in b"\n:" and (byte < 128 or byte % 16 == 0):
            yield "name", f"byte {byte:02x} in it", [_LINE, _HOST, framed, b"X-%cA: a" % byte]
        if byte != 0x0A and (byte < 33 or byte >= 127) and byte % 5 in (0, 1, 2):
            yield "value", f"byte {byte:02x} in it", [_LINE, _HOST, framed, b"X-A: a%cb" % byte]
    for name, line in {
        "a bare line feed": b"X-A: a\nb",
        "a bare line feed before a header": b"X-A: a\nX-B: b",
        "a carriage return before a header": b"X-A: a\rX-B: b",
        "empty": b"X-A:",
        "blanks only": b"X-A: \t ",
        "without a blank": b"X-A:a",
        "blanks around it": b"X-A: \t a \t ",
        "colons in it": b"X-A: a:b::c",
    }.items():
        yield "value", name, [_LINE, _HOST, framed, line]
    for name, line in {"empty": b": a", "a blank before the colon": b"X-A : a", "no colon": b"X-A"}.items():
        yield "name", name, [_LINE, _HOST, framed, line]
    for name, folded in {"a blank": b" b", "a tab": b"\tb", "a blank and a header": b" X-B: b"}.items():
        yield "folded", name, [_LINE, _HOST, framed, b"X-A: a", folded]
        yield "folded", f"{name}, first", [_LINE, folded, _HOST, framed]


def _framing_cases(framed: bytes, size: int) -> Iterator[tuple[str, str, list[bytes]]]:
    digits = b"%d" % size
    for name, value in {
        "zeros before": b"000" + digits,
        "blanks around": b" \t" + digits + b" \t",
        "a plus": b"+" + digits,
        "a minus": b"-" + digits,
        "hexadecimal": b"0x%x" % size,
        "an underscore": b"_".join([digits[:1], digits[1:]]),
        "a blank inside": b" ".join([digits[:1], digits[1:]]),
        "a list": digits + b", " + digits,
        "a fraction": digits + b".0",
        "empty": b"",
        "a letter": digits + b"a",
        "digits of another script": "٣".encode(),
    }.items():
        yield "length", name, [_LINE, _HOST, b"Content-Length:" + value]
    yield "length", "twice the same", [_LINE, _HOST, framed, framed]
    yield "length", "twice, another", [_LINE, _HOST, framed, b"Content-Length: 1"]
    yield "length", "small letters", [_LINE, _HOST, framed.lower()]
    chunked = b"Transfer-Encoding: chunked"
    for name, lines in {
        "beside a length": [framed, chunked],
        "before a length": [chunked, framed],
        "identity beside a length": [framed, b"Transfer-Encoding: identity"],
        "with HTTP/1.0, beside a length": [framed, chunked],
    }.items():
        yield "coding", name, [_LINE.replace(b"1.1", b"1.0" if "1.0" in name else b"1.1"), _HOST, *lines]


def _host_cases(framed: bytes) -> Iterator[tuple[str, str, list[bytes]]]:
    for name, hosts in {
        "missing": [],
        "twice the same": [_HOST, _HOST],
        "twice, another": [_HOST, b"Host: y"],
        "empty": [b"Host:"],
        "a port": [b"Host: x:80"],
        "an address": [b"Host: 192.0.2.1:80"],
        "an address of IPv6": [b"Host: [2001:db8::1]:80"],
        "underscores": [b"Host: a_b"],
        "the largest port": [b"Host: x:65535"],
        "a port there is not": [b"Host: x:65536"],
        # Python does not read a number of more than 4,300 digits.
        "a port of five thousand zeros": [b"Host: x:" + b"0" * 5000],
        "a port of five thousand digits": [b"Host: x:" + b"9" * 5000],
        "an IPv6 port there is not": [b"Host: [2001:db8::1]:99999"],
        "a path": [b"Host: x/y"],
        "a user": [b"Host: u@x"],
        "a list": [b"Host: x, y"],
        "a blank inside": [b"Host: x y"],
        "a port of letters": [b"Host: x:a"],
        "two ports": [b"Host: x:1:2"],
        "an open bracket": [b"Host: [::1"],
        "bytes beyond ASCII": [b"Host: \xff"],
    }.items():
        yield "host", name, [_LINE, *hosts, framed]
        if name in ("missing", "twice, another", "a port"):
            yield "host", f"{name}, with HTTP/1.0", [_LINE.replace(b"1.1", b"1.0"), *hosts, framed]


def _line_cases(framed: bytes) -> Iterator[tuple[str, str, list[bytes]]]:
    for name, line in {
        "HTTP/1.1": _LINE,
        "HTTP/1.0": b"POST /webhook HTTP/1.0",
        "a query": b"POST /webhook?a=b HTTP/1.1",
        "an absolute target": b"POST http://x/webhook HTTP/1.1",
        "small letters in the version": b"POST /webhook http/1.1",
        "a version of two digits": b"POST /webhook HTTP/1.10",
        "no minor version": b"POST /webhook HTTP/1",
        "version 3": b"POST /webhook HTTP/3.0",
        "no version": b"POST /webhook",
        "another protocol": b"POST /webhook HTTPS/1.1",
        "two blanks before the target": b"POST  /webhook HTTP/1.1",
        "two blanks after the target": b"POST /webhook  HTTP/1.1",
        "a tab": b"POST\t/webhook HTTP/1.1",
        "a blank behind": b"POST /webhook HTTP/1.1 ",
        "a blank before": b" POST /webhook HTTP/1.1",
        "a blank inside of the target": b"POST /web hook HTTP/1.1",
        "a carriage return in the target": b"POST /web\rhook HTTP/1.1",
        "a NUL in the target": b"POST /web\0hook HTTP/1.1",
        "no target": b"POST HTTP/1.1",
        "a target without a slash": b"POST webhook HTTP/1.1",
        "no method": b"/webhook HTTP/1.1",
        "a method with a delimiter": b"PO(ST /webhook HTTP/1.1",
        "a method with a control byte": b"PO\x01ST /webhook HTTP/1.1",
    }.items():
        yield "line", name, [line, _HOST, framed]


def _chunk_cases(body: bytes) -> Iterator[HeadCase]:
    """Bodies in chunks: how long one is, is a part of the framing as well."""
    head = b"\r\n".join([_LINE, _HOST, b"Transfer-Encoding: chunked"])
    size = b"%x" % len(body)
    for name, line in {
        "plain": size,
        "capitals": size.upper(),
        "zeros before": b"000" + size,
        "an extension": size + b";a=b",
        "a plus": b"+" + size,
        "a minus": b"-" + size,
        "0x": b"0x" + size,
        "an underscore": b"_".join([size[:1], size[1:]]),
        "a blank before": b" " + size,
        "a tab before": b"\t" + size,
        "a blank inside": b" ".join([size[:1], size[1:]]),
        "a letter that is none": size + b"g",
        "empty": b"",
        "nothing but an extension": b";a=b",
        "a NUL": size + b"\0",
        "more digits than an integer has": b"0" * 20 + size + b"0" * 17,
        "a line feed only": size + b"\n",
    }.items():
        yield HeadCase(f"chunk: {name}", head, line + b"\r\n" + body + b"\r\n0\r\n\r\n", "chunk")
    yield HeadCase("chunk: more than it says", head, b"2\r\n" + body + b"\r\n0\r\n\r\n", "chunk")
    for name, coding in {
        "capitals": b"Chunked",
        "another one": b"xchunked",
        "gzip before": b"gzip, chunked",
        "gzip behind": b"chunked, gzip",
        "twice in a line": b"chunked, chunked",
        "a vertical tab before": b"\x0bchunked",
        "quotes": b'"chunked"',
    }.items():
        coded = head.replace(b": chunked", b": " + coding)
        yield HeadCase(f"coding: {name}", coded, size + b"\r\n" + body + b"\r\n0\r\n\r\n", "coding")
    twice = head + b"\r\nTransfer-Encoding: chunked"
    yield HeadCase("coding: twice", twice, size + b"\r\n" + body + b"\r\n0\r\n\r\n", "coding")
    old = head.replace(b"HTTP/1.1", b"HTTP/1.0")
    yield HeadCase("coding: with HTTP/1.0", old, size + b"\r\n" + body + b"\r\n0\r\n\r\n", "coding")
