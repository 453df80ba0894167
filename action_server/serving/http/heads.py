"""Reads the head of a request, its request line and headers, by the rules of RFC 9112, and refuses what breaks them.

Two readers that understand one head differently are how a request is hidden behind another one. So both ways into this
server ask here first, and what is refused ends the connection. ``tests`` compare the verdicts with those of h11 and of
llhttp.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from action_server.errors import RequestError

# RFC 9110, 5.6.2.
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(%b) ([!-~]+) HTTP/1\.([01])" % _TOKEN)
# RFC 9110, 5.5: no control bytes but the tab. The line break of a folded value (RFC 9112, 5.2) is none of them either.
_FIELD = re.compile(rb"(%b):([\t -~\x80-\xff]*)" % _TOKEN)
# RFC 3986, 3.2.2: a name, an address, or an address of IPv6 in brackets; then a port, behind any number of zeros. It
# has five digits at most: Python refuses to read thousands of them.
_HOST = re.compile(r"(?:\[[0-9A-Za-z:.%_~-]+\]|(?:[0-9A-Za-z._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::0*([0-9]{0,5}))?")
_LARGEST_PORT = 65535
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}(?:;[\t -~\x80-\xff]*)?")
_SINGLE = frozenset({"host", "content-length", "transfer-encoding"})
_EMPTY_LINE = b"\r\n"
# Half of an empty line may have come.
_START = re.compile(rb"%b|\r" % _TOKEN)


class RequestHead(NamedTuple):
    """A request line and headers that are well-formed. Names of headers are in small letters, values stripped.

    ``minor`` is the 1 of HTTP/1.1. Of values, bytes beyond ASCII are what they are in Latin-1.
    """

    method: str
    target: str
    minor: int
    headers: list[tuple[str, str]]

    def encode(self) -> bytes:
        """Return the same head in the one spelling nobody can misunderstand, without the empty line at its end."""
        fields = ((n, v.lower() if n == "transfer-encoding" else v) for n, v in self.headers)
        lines = [f"{self.method} {self.target} HTTP/1.{self.minor}", *(f"{n}: {v}" for n, v in fields)]
        return "\r\n".join(lines).encode("latin-1")


def check_start(data: bytes | bytearray) -> None:
    """Look at the first byte of a request, which may have come alone.

    Raises:
        RequestError: it begins no request of HTTP.
    """
    if data[:1] == b"\x16":
        raise RequestError("the request begins as TLS does, and this port speaks plain HTTP")
    if data and not _START.match(data):
        raise RequestError("the first line of the request is not of the form METHOD TARGET HTTP/1.1")


def parse_head(data: bytes) -> RequestHead:
    """Read a head; ``data`` is what stands before the empty line.

    Raises:
        RequestError: the head breaks a rule. The message says which one, in words.
    """
    request_line, *lines = data.split(b"\r\n")
    found = _REQUEST_LINE.fullmatch(request_line)
    if found is None:
        raise RequestError("the first line of the request is not of the form METHOD TARGET HTTP/1.1")
    method, target, minor = found.groups()
    if not (target.startswith(b"/") or target == b"*" or b"://" in target):
        raise RequestError("the target of the request is not a path or a URL")
    headers: list[tuple[str, str]] = []
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise RequestError(_problem_of_line(line))
        name, value = field.groups()
        headers.append((name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")))
    head = RequestHead(method.decode("ascii"), target.decode("ascii"), int(minor), headers)
    _check_framing(head)
    return head


def is_chunk_size(line: bytes | bytearray) -> bool:
    """Tell whether a line says how long a chunk is: plain hexadecimal digits, perhaps an extension, nothing else."""
    return _CHUNK_SIZE.fullmatch(line) is not None


def skip_empty_lines(data: bytearray) -> None:
    """Take away what some clients send behind a body (RFC 9112, 2.2)."""
    end = 0
    while data[end : end + 2] == _EMPTY_LINE:
        end += 2
    del data[:end]


def without_empty_lines(data: bytes) -> bytes:
    """Return what stands behind the empty lines at the beginning."""
    rest = bytearray(data)
    skip_empty_lines(rest)
    return bytes(rest)


def _check_framing(head: RequestHead) -> None:
    """Check the headers that say where a request ends and whom it is for."""
    single: dict[str, str] = {}
    for name, value in head.headers:
        if name in _SINGLE:
            if name in single:
                raise RequestError(f"the header {name} stands in the request twice")
            single[name] = value
    _check_host(single.get("host"), head.minor)
    length, coding = single.get("content-length"), single.get("transfer-encoding")
    if length is not None and not (length.isascii() and length.isdigit()):
        raise RequestError("the header content-length is not a number of bytes")
    if coding is None:
        return
    if length is not None:
        raise RequestError("the request has both content-length and transfer-encoding")
    if coding.lower() != "chunked" or head.minor == 0:
        raise RequestError("the only transfer-encoding is chunked, with HTTP/1.1")


def _check_host(host: str | None, minor: int) -> None:
    if host is None:
        if minor == 1:
            raise RequestError("the header host is missing")
    elif (found := _HOST.fullmatch(host)) is None or int(found[1] or 0) > _LARGEST_PORT:
        raise RequestError("the header host is not a name or an address, with or without a port")


def _problem_of_line(line: bytes) -> str:
    name, colon, _ = line.partition(b":")
    if line[:1] in (b" ", b"\t"):
        return "a header is folded over two lines"
    if not colon:
        return "a header has no colon"
    if re.fullmatch(_TOKEN, name) is None:
        return "the name of a header has characters that none may have"
    return "the value of a header has a control character"
