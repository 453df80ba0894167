"""Calls are written down without a call waiting for it; what is not written is counted and said."""

from __future__ import annotations

import json
import logging
import math
import os
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from action_server.endpoints import Block
from action_server.errors import SettingsError
from action_server.telemetry.masking import Rule
from action_server.telemetry.record_settings import RecordSettings
from action_server.telemetry.recorder import Recorder, open_recorder
from action_server.telemetry.recording_backlog import RecordingBacklog, read_lines
from action_server.telemetry.recording_files import RecordingFiles
from action_server.testing import webhook_request
from action_server.testing.recordings import read_recordings
from tests.engine_calls import call_body

CALL = webhook_request("action_greet", {"phone": "0123456789"}, domain={"slots": {"phone": {}}})
REPLY = {"events": [{"event": "slot", "name": "phone", "value": "555555"}], "responses": [{"text": "0123456789?"}]}


def record(folder: Path, *calls: tuple[int, Any], count: Counter[str] | None = None, **given: Any) -> list[Any]:
    """Record calls with these statuses and replies; return what was written, oldest first."""
    rules = given.pop("rules", ())
    counted = Counter[str]() if count is None else count
    recorder = Recorder(RecordSettings(folder, **given), rules, lambda result, calls: counted.update({result: calls}))
    for number, (status, reply) in enumerate(calls):
        seen = recorder.begin("http", f"r{number}")
        if seen is not None:
            seen.body = json.dumps(CALL).encode()
            seen.end(status, json.dumps(reply).encode())
    recorder.close()
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]


def test_a_call_is_one_file_that_people_can_read(tmp_path: Path) -> None:
    """With its face, versions and time; the domain lies in a file of its own, once for all."""
    first, second = record(tmp_path, (200, REPLY), (500, {"error": "x"}))

    assert (first["status"], first["reply"], first["request_id"], first["face"]) == (200, REPLY, "r0", "http")
    assert first["request"]["tracker"] == CALL["tracker"]
    assert {"action_server", "rasa_sdk", "python"} == set(first["versions"])
    assert first["milliseconds"] >= 0
    assert first["request"]["domain_file"] == second["request"]["domain_file"]
    domain = tmp_path / first["request"]["domain_file"]
    assert json.loads(domain.read_text(encoding="utf-8")) == CALL["domain"]
    assert len(next(iter(tmp_path.glob("*.json"))).read_text(encoding="utf-8").splitlines()) > 10


@pytest.mark.parametrize(
    "how", [{"rules": [Rule("phone", "mask")]}, {"mask": ["phone"]}], ids=["rules of privacy", "our own"]
)
def test_masked_slots_are_in_no_file(tmp_path: Path, how: Any) -> None:
    """Neither what the slot held nor what the action set it to, wherever it stands."""
    [written] = record(tmp_path, (200, REPLY), **how)

    assert "0123456789" not in json.dumps(written)
    assert "555555" not in json.dumps(written)
    assert written["request"]["tracker"]["slots"]["phone"] == "[PHONE]"


def test_only_failures_are_recorded_if_that_is_asked_for(tmp_path: Path) -> None:
    """A rejection is none."""
    written = record(tmp_path, (200, REPLY), (400, {}), (500, {}), (504, {}), on_error=True)

    assert [one["status"] for one in written] == [500, 504]


def test_a_sample_is_a_part_of_all_calls(tmp_path: Path) -> None:
    """About as many as it says."""
    written = record(tmp_path, *[(200, {})] * 200, sample=0.1)

    assert 2 <= len(written) <= 60


def test_the_oldest_files_go_first(tmp_path: Path) -> None:
    """There are never more than the limit, and nothing of those that went."""
    written = record(tmp_path, *[(200, {"number": n}) for n in range(160)], files=20)

    assert len(written) == 20
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".json"] == ["domains"]
    assert written[-1]["reply"] == {"number": 159}


def burst(recorder: Recorder, calls: int) -> None:
    """Record many calls at once, each with its number as its request's id."""
    for number in range(calls):
        seen = recorder.begin("http", f"r{number}")
        assert seen is not None
        seen.body = json.dumps(CALL).encode()
        seen.end(200, b"{}")


def test_no_call_waits_for_a_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """What waits is bounded; what does not fit is counted, and said once."""
    go, count = threading.Event(), Counter[str]()
    slow: Callable[..., Any] = lambda *_: go.wait(60)  # noqa: E731
    monkeypatch.setattr(RecordingFiles, "write_call", slow)
    monkeypatch.setattr(RecordingBacklog, "append", slow)
    recorder = Recorder(RecordSettings(tmp_path), (), lambda result, calls: count.update({result: calls}))
    with caplog.at_level(logging.WARNING):
        burst(recorder, 3000)
    go.set()
    recorder.close()

    assert count["queue"] >= 900
    assert count["queue"] + count["written"] == 3000
    assert [r.getMessage() for r in caplog.records] == ["record.dropped"]


@pytest.mark.parametrize("mask", [(), ("phone",)], ids=["as they are", "masked"])
def test_many_calls_at_once_are_all_written_and_become_files(tmp_path: Path, mask: Any) -> None:
    """None is dropped; when the worker ends, each is one file as ever, and nothing else is left."""
    count = Counter[str]()
    recorder = Recorder(RecordSettings(tmp_path, mask=mask), (), lambda result, calls: count.update({result: calls}))
    burst(recorder, 500)
    recorder.close()

    calls = read_recordings(tmp_path)
    assert count == {"written": 500}
    assert [call.content["request_id"] for call in calls] == [f"r{number}" for number in range(500)]
    assert len(list(tmp_path.glob("*.json"))) == 500
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".json"} == {"domains"}
    assert ("0123456789" in calls[-1].file.read_text(encoding="utf-8")) == (not mask)


def test_the_backlog_of_a_busy_or_killed_worker_can_be_read(tmp_path: Path) -> None:
    """Its lines are calls like any other; half a line is none, and no call is there twice."""
    backlog = RecordingBacklog(tmp_path, 100)
    line = b'{"recorded": "2026-11-29T10:00:00.%06d+00:00", "request_id": "r%d", "status": 200, "request": {}}'
    backlog.append([[line % (number, number)] for number in (1, 2, 3)])
    [file] = tmp_path.glob("backlog-*.jsonl")
    with file.open("ab") as growing:
        growing.write(b'no JSON\n{"recorded": "2026')
    (tmp_path / "20261129T100000000002-1-1-action_x-r2.json").write_bytes(line % (2, 2))

    assert [call.content["request_id"] for call in read_recordings(tmp_path)] == ["r1", "r2", "r3"]


def test_of_a_backlog_the_newest_calls_are_kept(tmp_path: Path) -> None:
    """A server that is busy for days fills no disk."""
    backlog = RecordingBacklog(tmp_path, 40)
    for number in range(200):
        backlog.append([[b"%d" % number]])
    lines = [line for file in tmp_path.glob("*.jsonl") for line in read_lines(file)]
    taken = [line for _ in range(9) if backlog for line in backlog.take_oldest()]

    assert len(lines) <= 40 + 10
    assert taken == [b"%d\n" % number for number in range(160, 200)]
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_written_over_holds_no_old_call(tmp_path: Path) -> None:
    """Whatever the lines' lengths were: each call that can be read is one that was written since."""
    backlog = RecordingBacklog(tmp_path, 8)
    for number in range(40):
        backlog.append([[b'{"number":%d,"text":"' % number, b"x" * (number * 7 % 30), b'"}']])
        lines = [line for file in tmp_path.glob("backlog-*.jsonl") for line in read_lines(file)]
        numbers = sorted(json.loads(line)["number"] for line in lines)
        assert numbers == list(range(number + 1 - len(numbers), number + 1))
        assert min(number + 1, 8) <= len(numbers) <= 10
    while backlog:
        list(backlog.take_oldest())
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_somebody_removes_begins_anew(tmp_path: Path) -> None:
    """Nothing stands where the calls were that are gone."""
    backlog = RecordingBacklog(tmp_path, 100)
    for number in (1, 2):
        backlog.append([[b"%d" % number]])
        [file] = tmp_path.glob("backlog-*.jsonl")
        assert file.read_bytes() == b"%d\n\n" % number
        file.unlink()


@pytest.mark.parametrize("calls", [3, 100], ids=["files", "backlog"])
def test_of_a_view_only_what_it_shows_is_recorded(tmp_path: Path, calls: int) -> None:
    """A body is the end of what came; before it stand headers, and with them credentials."""
    head = b"POST /webhook HTTP/1.1\r\nAuthorization: Bearer hunter2\r\n\r\n"
    recorder = Recorder(RecordSettings(tmp_path))
    for _ in range(calls):
        seen = recorder.begin("http")
        assert seen is not None
        seen.take(memoryview(head + json.dumps(CALL, indent=1).encode())[len(head) :])
        seen.end(200, json.dumps(REPLY).encode())
    recorder.close()

    assert [call.request for call in read_recordings(tmp_path)] == [CALL] * calls
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and b"hunter2" in file.read_bytes()]


def test_domains_that_no_kept_call_needs_are_removed(tmp_path: Path) -> None:
    """Each training makes another domain; a digest alone is enough for the one that is in use."""
    files = RecordingFiles(tmp_path, 2)
    for number in range(3):
        files.write_call(1e9 + number, "action_greet", "", b"{}")
        kept = files.keep_domain(b'{"number": %d}' % number, f"digest-{number}")
        os.utime(tmp_path / kept, (1e9, 1e9))
    again = RecordingFiles(tmp_path, 2)
    used = again.keep_domain(b'{"number": 2}', "digest-2")
    again.write_call(2e9, "action_greet", "", b"{}")

    assert [str(path.relative_to(tmp_path)) for path in tmp_path.glob("domains/*")] == [used]
    assert again.domain_of("digest-2") == used
    assert again.domain_of("digest-1") is None


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff", b"7", b"[]"], ids=["deep", "no text", "a number", "a list"])
def test_a_body_that_is_no_call_ends_no_recording(tmp_path: Path, body: bytes) -> None:
    """It is counted, and the next call is written."""
    count = Counter[str]()
    recorder = Recorder(RecordSettings(tmp_path), (), lambda result, calls: count.update({result: calls}))
    seen = recorder.begin("http")
    assert seen is not None
    seen.body = body
    seen.end(400, b"{}")
    burst(recorder, 1)
    recorder.close()

    assert count == {"malformed": 1, "written": 1}


@pytest.mark.parametrize("calls", [1, 100], ids=["alone", "among many"])
def test_numbers_that_are_no_json_are_recorded_as_engines_write_them(tmp_path: Path, calls: int) -> None:
    """NaN in a slot; and an action's name of any letters makes a name of a file."""
    recorder = Recorder(RecordSettings(tmp_path))
    for _ in range(calls):
        seen = recorder.begin("http", "r")
        assert seen is not None
        seen.body = call_body("é" * 200, {"n": math.nan})
        seen.end(200, b"{}")
    recorder.close()

    found = read_recordings(tmp_path)
    assert len(found) == calls
    assert all(math.isnan(call.request["tracker"]["slots"]["n"]) for call in found)


def test_what_an_escape_hides_is_masked_too(tmp_path: Path) -> None:
    """A value is found however it is written, in keys and numbers as well."""
    recorder = Recorder(RecordSettings(tmp_path, mask=("name", "pin")))
    seen = recorder.begin("http")
    assert seen is not None
    slots = {"name": "Zoë Müller", "pin": 481516, "of Zoë Müller": [481516.0, "pin=481516"]}
    said = webhook_request("action_greet", slots, said="I am Zo\u00eb M\u00fcller")
    # What was said stands twice in it, and so do the slots; once each can be counted.
    del said["tracker"]["events"]
    seen.body = json.dumps(said).encode()
    seen.end(200, json.dumps({"events": [], "responses": [{"text": "Zoë Müller"}]}, ensure_ascii=False).encode())
    recorder.close()

    [text] = [file.read_text(encoding="utf-8") for file in tmp_path.glob("*.json")]
    assert "481516" not in text
    assert "Müller" not in text
    assert "M\\u00fcller" not in text
    assert text.count("[NAME]") == 4


def test_a_disk_that_refuses_is_counted_and_said_once(tmp_path: Path, caplog: Any) -> None:
    """Whatever it is; nothing half written stays."""
    count = Counter[str]()
    (tmp_path / "file").write_text("", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        record(tmp_path / "file" / "below", (200, {}), (200, {}), count=count)

    assert count == {"disk": 2}
    assert [r.getMessage() for r in caplog.records] == ["record.dropped"]


def test_a_call_that_is_too_large_is_counted(tmp_path: Path) -> None:
    """A megabyte is the limit."""
    count = Counter[str]()

    record(tmp_path, (200, {"text": "x" * 2**20}), count=count)

    assert count == {"size": 1}


@pytest.mark.parametrize("where", ["file", "file/below"])
async def test_a_folder_that_cannot_be_one_stops_the_start(tmp_path: Path, where: str) -> None:
    """What is wrong from the beginning is a wrong setting, and no disk that became full."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    async with AsyncExitStack() as stack:
        with pytest.raises(SettingsError, match="cannot be a folder of recordings"):
            open_recorder(stack, RecordSettings(tmp_path / where), Block(), lambda *_: None)
