"""A domain that came before is recognised by a call's end, and by nothing that only looks like it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from action_server.telemetry.known_domains import KnownDomains
from action_server.telemetry.record_settings import RecordSettings
from action_server.telemetry.recorder import Recorder
from action_server.telemetry.recording_backlog import RecordingBacklog, read_lines
from action_server.testing.recordings import read_recordings

DOMAIN = {"slots": {"domain": {"type": "text"}}, "responses": {"utter_x": [{"text": 'the "domain": {'}]}}
COMPACT: Callable[[Any], bytes] = lambda value: json.dumps(value, separators=(",", ":")).encode()  # noqa: E731
SPACED: Callable[[Any], bytes] = lambda value: json.dumps(value).encode()  # noqa: E731
READABLE: Callable[[Any], bytes] = lambda value: json.dumps(value, indent=2).encode()  # noqa: E731


def call(number: int, **more: Any) -> dict[str, Any]:
    """Return a call as engines send it, its domain near the end."""
    tracker = {"sender_id": f"ann {number}", "slots": {"domain": DOMAIN}, "events": [{"metadata": {"domain": 1}}]}
    return {"next_action": "action_x", "tracker": tracker, "domain": DOMAIN, **more}


def learned(first: bytes, write: Callable[[Any], bytes]) -> KnownDomains:
    """Return domains that know the one of a call."""
    domains = KnownDomains()
    domains.learn(first, bytes(write(DOMAIN)), "domains/d.json")
    return domains


@pytest.mark.parametrize("write", [COMPACT, SPACED])
@pytest.mark.parametrize("more", [{}, {"domain_digest": "abc"}, {"domain_digest": "abc", "version": "3.21"}])
def test_the_next_call_has_the_file_instead(write: Callable[[Any], bytes], more: Any) -> None:
    """Whatever stands before the domain, and with the same behind it."""
    found = learned(write(call(1, **more)), write).cut(write(call(2, **more)))

    assert found is not None
    file, pieces = found
    expected = {key: value for key, value in call(2, **more).items() if key != "domain"}
    assert file == "domains/d.json"
    assert json.loads(b"".join(pieces)) == {**expected, "domain_file": file}


@pytest.mark.parametrize(
    "body",
    [
        SPACED({"tracker": {"domain": DOMAIN}}),
        SPACED({"tracker": {"a": [{"domain": DOMAIN}], "b": 1}, "domain": {}}),
        SPACED({'a"domain': DOMAIN}),
        SPACED({"a, domain": DOMAIN}),
        SPACED({"domain": {**DOMAIN, "version": 2}}),
        SPACED({"domain": [DOMAIN]}),
        SPACED(call(1))[:-1] + b', "domain": {}}',
    ],
    ids=["inner", "inner and another", "quote in a key", "longer key", "larger", "in a list", "twice"],
)
def test_what_only_looks_like_it_is_neither_learned_nor_cut(body: bytes) -> None:
    """It would be written down as another call than came."""
    assert learned(SPACED(call(1)), SPACED).cut(body) is None
    assert learned(body, SPACED).cut(body) is None


@pytest.mark.parametrize("write", [COMPACT, SPACED, READABLE], ids=["compact", "spaced", "on many lines"])
@pytest.mark.parametrize("mask", [(), ("phone",)], ids=["as they are", "masked"])
def test_a_busy_worker_writes_a_domain_once_and_calls_are_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Any], bytes], mask: Any
) -> None:
    """The lines of its backlog have the file's name; what is read of them is what came."""
    lines: list[bytes] = []
    take = RecordingBacklog.take_oldest

    def taken(backlog: RecordingBacklog) -> Any:
        [file] = tmp_path.glob("backlog-*.jsonl")
        lines.extend(read_lines(file))
        return take(backlog)

    monkeypatch.setattr(RecordingBacklog, "take_oldest", taken)
    # Otherwise the first batch, taken while calls are still coming, may be so small that each becomes a file at once.
    monkeypatch.setattr("action_server.telemetry.recorder._BUSY", 0)
    recorder = Recorder(RecordSettings(tmp_path, mask=mask))
    for number in range(100):
        seen = recorder.begin("http", f"r{number}")
        assert seen is not None
        seen.body = write(call(number, domain_digest="abc"))
        seen.end(200, b'{"events": [],\n "responses": []}')
    recorder.close()

    assert len(lines) == 100
    assert all(json.loads(line)["request"].keys() >= {"domain_file", "tracker"} for line in lines)
    assert not any("domain" in json.loads(line)["request"] for line in lines)
    assert [one.request for one in read_recordings(tmp_path)] == [call(n, domain_digest="abc") for n in range(100)]
    assert len(list(tmp_path.glob("domains/*"))) == 1
