"""Hostile bodies."""

from __future__ import annotations

import codecs

from tests.hostile.case import GOOD, MARKER, MAX_REQUEST, Case, body_of, call, chunked, get, request


def tracker_with(**fields: object) -> bytes:
    return request(body_of(call(tracker={**call()["tracker"], **fields})))


def wrong(name: str, **fields: object) -> Case:
    return Case(f"{name} of the wrong type", request(body_of({**call(), **fields})), (400,))


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
    Case("a length after many zeros", request(GOOD, f"Content-Length: {len(GOOD):030}", framed=False), (200,)),
    Case("a chunk of a GiB that is announced", chunked(b"40000000\r\n"), (413,), closed=True),
    Case("a chunk of 16 digits that is announced", chunked(b"FFFFFFFFFFFFFFFF;a\r\n{"), (413,), closed=True),
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
