"""Hostile credentials."""

from __future__ import annotations

import base64
from typing import Any

from tests.hostile.case import GOOD, MARKER, PASSWORD, TOKEN, Case, body_of, get, request


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
