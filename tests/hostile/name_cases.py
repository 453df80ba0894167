"""Hostile paths and methods, names of actions and of conversations."""

from __future__ import annotations

from tests.hostile.case import MARKER, REFUSED, TOKEN, Case, body_of, call, get, request


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
