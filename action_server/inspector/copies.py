"""A call to take along: as a test, a command for a shell, a stub of end-to-end tests, a line of the verb `call`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from action_server.errors import ActionServerError
from action_server.inspector.kept import KeptCall
from action_server.inspector.one_call import slots_of
from action_server.testing.recordings import RecordedCall
from action_server.testing.stub_file import put_stubs
from action_server.testing.stubs import make_stubs
from action_server.testing.written_tests import tests_of, why_untestable

# What a person pastes, in characters.
_LONGEST = 50_000


@dataclass(frozen=True)
class Copy:
    """One way to take a call along; ``text`` is empty where ``problem`` says why it cannot be."""

    id: str
    title: str
    text: str
    problem: str = ""


def copies_of(call: KeptCall, url: str, *, reads_domain: bool, needs_credential: bool) -> list[Copy]:
    """Return every way. ``url`` is the server's own, ``reads_domain`` tells if the action needs the domain."""
    recorded = recorded_call(call)
    ways = (
        ("test", "Test (pytest)", lambda: _test(recorded)),
        ("curl", "curl", lambda: _curl(call, url, reads_domain=reads_domain, needs_credential=needs_credential)),
        ("stub", "Stub of end-to-end tests", lambda: _stub(recorded)),
        ("line", "action-server call", lambda: _line(call)),
    )
    return [_copy(id, title, make) for id, title, make in ways]


def recorded_call(call: KeptCall) -> RecordedCall:
    """Return the call as a folder of recordings would have it."""
    content = {"face": call.row.face, "request_id": call.row.request_id}
    return RecordedCall(Path("call"), call.request or {}, call.row.status, call.reply, call.row.ms, content)


def _copy(id: str, title: str, make: Any) -> Copy:
    try:
        text = make()
    except (ActionServerError, ValueError, TypeError, AttributeError) as exc:
        return Copy(id, title, "", str(exc) or "it is no call of an engine")
    return Copy(id, title, text) if len(text) <= _LONGEST else Copy(id, title, "", "its values are too long for that")


def _test(call: RecordedCall) -> str:
    if why_untestable(call) or not call.request:
        raise ValueError(f"an answer of {call.status} is no action's doing")
    return tests_of([call])


def _curl(call: KeptCall, url: str, *, reads_domain: bool, needs_credential: bool) -> str:
    body = {k: v for k, v in (call.request or {}).items() if reads_domain or k not in ("domain", "domain_digest")}
    lines = [f"curl {shlex.quote(f'{url}/webhook')}", "-H 'Content-Type: application/json'"]
    if needs_credential:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    # ASCII: whatever a terminal would make of the rest.
    lines.append(f"--data {shlex.quote(json.dumps(body))}")
    return " \\\n  ".join(lines) + "\n"


def _stub(call: RecordedCall) -> str:
    made, left_out = make_stubs([call])
    if not made:
        raise ValueError(next(iter(left_out.values()), "it was not answered with events and responses"))
    return put_stubs("", {action: one.stub for action, one in made.items()}, Path("the stub"))


def _line(call: KeptCall) -> str:
    words = ["action-server", "call", call.row.action, *_pairs(call)]
    tracker = (call.request or {}).get("tracker") or {}
    said = (tracker.get("latest_message") or {}).get("text")
    if said:
        words.append(f"--message={said}")
    if call.row.sender_id:
        words.append(f"--sender={call.row.sender_id}")
    return " ".join(map(_quoted, words)) + "\n"


def _quoted(word: str) -> str:
    """Return a word for a shell; what would steer a terminal as bash writes it."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = word.encode("unicode_escape", "surrogatepass").decode("ascii").replace("'", "\\'")
    return f"$'{escaped}'"


def _pairs(call: KeptCall) -> Iterator[str]:
    for name, value in slots_of(call).items():
        if value is not None and "=" not in name and name:
            yield f"{name}={_value(value)}"


def _value(value: Any) -> str:
    """Return a value as the verb reads it: text that would be read as JSON has to be JSON."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return value
    return json.dumps(value)
