"""The file of calls is bounded, shared by workers, quick to search, and begun anew when it is of another version."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from action_server.inspector.calls_file import CallsFile, Leaving, Wanted
from action_server.inspector.kept import EndedCall
from action_server.inspector.watching import CallWatch
from action_server.telemetry.masking import Rule
from action_server.testing import webhook_request
from tests.counting import Entered
from tests.engine_calls import call_body
from tests.processes import PATIENCE

REPLY = b'{"events": [], "responses": []}'


def ended(number: int, *, outcome: str = "ok", size: int = 10, sender: str = "") -> Leaving:
    request = b'{"a": "' + b"x" * size + b'"}'
    named = {
        "action": "action_a",
        "sender_id": sender or f"sender-{number}",
        "request_id": f"r{number}",
        "error_id": "",
    }
    steps = {"decoded": 100, "started": 200, "on_thread": None, "ended": 300}
    came: dict[str, Any] = {"at": float(number), "face": "http", **named, "waiting_ms": 0.0, "ms": 1.0, **steps}
    became: dict[str, Any] = {"outcome": outcome, "status": 200, "repeated": False, "again": None, "job": ""}
    call = EndedCall(**came, **became, failed=outcome != "ok", request=len(request), reply=2, notes=0)
    return Leaving(call, (request, b"{}", b""), call.size)


def opened(folder: Path, most_calls: int = 100, most_bytes: int = 1 << 20, worker: int = 1) -> CallsFile:
    return CallsFile(folder, most_calls, most_bytes, worker)


def senders(file: CallsFile, wanted: Wanted | None = None) -> list[str]:
    return [row.sender_id for row in file.find(wanted or Wanted(), 100)]


def test_ten_thousand_calls_stay_and_are_searched_at_once(tmp_path: Path) -> None:
    """What is searched for is looked for in the bytes: a row that has it not is not decoded."""
    file = opened(tmp_path, 10_000, 1 << 30)
    for first in range(0, 20_000, 1000):
        file.write([ended(n, outcome="failed" if n % 5000 == 1 else "ok") for n in range(first, first + 1000)])
    with Entered() as entered:
        found = senders(file, Wanted("SENDER-19998"))
        failed = senders(file, Wanted(failed=True))

    assert found == ["sender-19998"]
    assert failed == ["sender-15001", "sender-10001"]
    assert entered.by_name["includes"] == 3
    assert senders(file, Wanted("sender-9000")) == []
    assert senders(file, Wanted("sender_19998")) == []
    assert len(file.find(Wanted(), 20_000)) == 10_000
    assert file.read(10_000) is None
    assert file.read(10_001) is not None


@pytest.mark.parametrize("text", ['a "quoted" one', "back\\slash", "Ünïcödé", "\ttab", "\ud800 half"])
def test_names_that_json_writes_in_another_way_are_found(tmp_path: Path, text: str) -> None:
    file = opened(tmp_path)
    file.write([ended(1, sender=text), ended(2)])

    assert len(file.find(Wanted(text.replace("\ud800", "?")), 10)) == 1


def test_large_calls_make_room(tmp_path: Path) -> None:
    file = opened(tmp_path, 1000, 1_000_000)
    for number in range(60):
        file.write([ended(number, size=100_000)])
        assert sum(path.stat().st_size for path in tmp_path.iterdir() if path.is_file()) <= 1_000_000

    assert 5 <= len(senders(file)) <= 10
    assert senders(file)[0] == "sender-59"


def test_two_workers_never_take_one_number(tmp_path: Path) -> None:
    one, other = opened(tmp_path), opened(tmp_path, worker=2)
    numbers = [*one.write([ended(1), ended(2)]), *other.write([ended(3)], missed=4), *one.write([ended(4)], missed=1)]

    assert numbers == [1, 2, 3, 4]
    assert one.newest[:2] == (4, 5)
    assert one.newest.missed_at > 0
    assert [row.worker for row in one.find(Wanted(), 10)] == [1, 2, 1, 1]


def test_what_another_version_kept_goes(tmp_path: Path) -> None:
    for name in ("calls.sqlite3", "calls.sqlite3-wal", "calls-1-000000000001.rows"):
        (tmp_path / name).write_bytes(b"of another version")
    file = opened(tmp_path)
    file.write([ended(1)])

    assert senders(file) == ["sender-1"]
    assert {path.name.partition("-0")[0] for path in tmp_path.iterdir()} == {"calls-2.state", "calls-2"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_a_folder_that_somebody_removed_is_begun_anew(tmp_path: Path) -> None:
    file = opened(tmp_path / "kept")
    file.write([ended(1)])
    for path in (tmp_path / "kept").iterdir():
        path.unlink()
    (tmp_path / "kept").rmdir()

    assert senders(file) == []
    assert file.write([ended(2)]) == [1]
    assert senders(file) == ["sender-2"]


def watch_one(folder: Path, body: bytes, *rules: Rule, reply: bytes = REPLY) -> CallsFile:
    file = opened(folder)
    watch = CallWatch(file, rules, None)
    seen = watch.begin("http", "r")
    seen.take(body)
    seen.end(200, reply)
    watch.close()
    return file


@pytest.mark.parametrize(
    "body",
    [call_body("action_a", {"phone": "0171-555"}), b"0171-555 is no call"],
)
def test_what_rules_hide_is_not_written_down(tmp_path: Path, body: bytes) -> None:
    """Neither in the request nor in the reply; and nothing at all of what cannot be read, where it might be."""
    reply = b'{"events": [], "responses": [{"text": "calling 0171-555"}]}'
    file = watch_one(tmp_path, body, Rule("phone", "mask"), reply=reply)

    assert b"0171" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert len(file.find(Wanted(), 10)) == 1


def test_a_call_that_begins_within_what_came_is_kept_without_its_head(tmp_path: Path) -> None:
    body = call_body("action_a")
    whole = b"POST /webhook\r\n\r\n" + body
    kept = watch_one(tmp_path, memoryview(whole)[whole.index(b"{") :]).read(1)  # type: ignore[arg-type]

    assert kept is not None
    assert kept.request == json.loads(body)


def test_a_domain_is_kept_once_and_is_that_of_its_digest(tmp_path: Path) -> None:
    """Also for a worker that has not seen it come."""
    domain = {"slots": {"a": {"type": "text"}}}
    call = webhook_request("action_a", domain=domain)
    file = watch_one(tmp_path, json.dumps(call).encode())
    watch_one(tmp_path, json.dumps({name: part for name, part in call.items() if name != "domain"}).encode())
    first, second = file.read(1), file.read(2)

    assert first is not None
    assert second is not None
    assert first.request == second.request == {**call, "domain": domain}
    assert len(list((tmp_path / "domains").glob("*.json"))) == 1


def test_an_odd_call_takes_no_other_one_along(tmp_path: Path) -> None:
    file = opened(tmp_path)
    watch = CallWatch(file, [], None)
    for request_id in ("odd", "fine"):
        seen = watch.begin("http", request_id)
        if request_id == "odd":
            seen.ended = "never"  # type: ignore[assignment]
        seen.end(200, b"{}")
    watch.close()

    assert [row.request_id for row in file.find(Wanted(), 10)] == ["fine"]
    assert file.newest.missed == 1


def test_calls_that_the_disk_refused_are_counted_though_no_other_one_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("action_server.inspector.watching._TRY_AGAIN", 0.01)
    file = opened(tmp_path)
    write, counted = file.write, threading.Event()
    tries = iter(["refused", "refused"])

    def refuse_twice(calls: Sequence[Leaving], missed: int = 0) -> list[int]:
        if next(tries, None) is not None:
            raise OSError("the disk is full")
        numbers = write(calls, missed)
        counted.set()
        return numbers

    monkeypatch.setattr(file, "write", refuse_twice)
    watch = CallWatch(file, [], None)
    watch.begin("http", "lost").end(200, b"{}")
    try:
        assert counted.wait(PATIENCE)
    finally:
        watch.close()

    assert file.newest.missed == 1


def test_calls_that_come_too_fast_are_counted_and_those_that_failed_are_kept_longer(tmp_path: Path) -> None:
    file = opened(tmp_path, 10_000)
    watch = CallWatch(file, [], None)
    # Its thread has ended: as under a load that leaves it no time.
    watch.close()
    for number in range(1500):
        seen = watch.begin("http", str(number))
        seen.outcome = "failed" if number % 2 else "ok"
        seen.end(200, b"{}")

    assert len(watch._waiting) == 1250
    assert watch._missed == 250
