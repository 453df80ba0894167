"""Calls are written down without a call waiting for it; what is not written is counted and said."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from action_server.telemetry.masking import Rule
from action_server.telemetry.record_settings import RecordSettings
from action_server.telemetry.recorder import Recorder

CALL: dict[str, Any] = {
    "next_action": "action_greet",
    "tracker": {"sender_id": "ann", "slots": {"phone": "0123456789"}, "events": []},
    "domain": {"slots": {"phone": {}}},
    "domain_digest": "abc",
}
REPLY = {"events": [{"event": "slot", "name": "phone", "value": "555555"}], "responses": [{"text": "0123456789?"}]}


def record(folder: Path, *calls: tuple[int, Any], count: Counter[str] | None = None, **given: Any) -> list[Any]:
    """Record calls with these statuses and replies; return what was written, oldest first."""
    rules = given.pop("rules", ())
    counted = Counter[str]() if count is None else count
    recorder = Recorder(RecordSettings(folder, **given), rules, lambda result: counted.update([result]))
    for number, (status, reply) in enumerate(calls):
        seen = recorder.begin("http", f"r{number}")
        if seen is not None:
            seen.body = json.dumps(CALL).encode()
            recorder.end(seen, status, json.dumps(reply).encode())
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
    assert written["request"]["tracker"]["slots"] == {"phone": "[PHONE]"}


def test_only_failures_are_recorded_if_that_is_asked_for(tmp_path: Path) -> None:
    """A rejection is none."""
    written = record(tmp_path, (200, REPLY), (400, {}), (500, {}), (504, {}), on_error=True)

    assert [one["status"] for one in written] == [500, 504]


def test_a_sample_is_a_part_of_all_calls(tmp_path: Path) -> None:
    """About as many as it says."""
    written = record(tmp_path, *[(200, {})] * 200, sample=0.1)

    assert 2 <= len(written) <= 60


def test_the_oldest_files_go_first(tmp_path: Path) -> None:
    """There are never many more than the limit."""
    written = record(tmp_path, *[(200, {"number": n}) for n in range(160)], files=20)

    assert len(written) <= 20 + 50
    assert written[-1]["reply"] == {"number": 159}


def test_no_call_waits_for_a_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """The queue is bounded; what does not fit is counted, and said once."""
    go, count = threading.Event(), Counter[str]()
    slow: Callable[..., Any] = lambda *_: go.wait(60)  # noqa: E731
    monkeypatch.setattr(Recorder, "_write", slow)
    recorder = Recorder(RecordSettings(tmp_path), (), lambda result: count.update([result]))
    with caplog.at_level(logging.WARNING):
        for _ in range(600):
            seen = recorder.begin("http")
            assert seen is not None
            seen.body = b"{}"
            recorder.end(seen, 200, b"{}")
    go.set()
    recorder.close()

    assert count["queue"] >= 300
    assert count["queue"] + count["written"] == 600
    assert [r.getMessage() for r in caplog.records] == ["record.dropped"]


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
