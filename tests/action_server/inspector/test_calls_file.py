"""The file of calls is bounded, shared by workers, quick to search, and begun anew when it is torn."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from action_server.inspector.calls_file import CallsFile, Ended, Wanted
from action_server.inspector.kept import Notes
from action_server.inspector.watching import CallWatch
from action_server.telemetry.masking import Rule
from tests.engine_calls import call_body

NOTES = msgspec.json.encode(Notes())


def ended(number: int, *, outcome: str = "ok", size: int = 10) -> Ended:
    return Ended(
        *(float(number), "http", "action_a", f"sender-{number}", f"r{number}", "", outcome, 200, 0.0, 1.0, False, None),
        *(b'{"a": "' + b"x" * size + b'"}', b"{}", NOTES),
    )


def test_ten_thousand_calls_stay_and_are_searched_at_once(tmp_path: Path) -> None:
    file = CallsFile(tmp_path, 10_000, 1 << 30, 1)
    for first in range(0, 20_000, 1000):
        file.write([ended(n, outcome="failed" if n % 5000 == 1 else "ok") for n in range(first, first + 1000)])
    begun = time.process_time()
    found = file.find(Wanted("sender-19998"), 100)
    failed = file.find(Wanted(failed=True), 100)
    took = time.process_time() - begun
    file.close()

    assert [row.sender_id for row in found] == ["sender-19998"]
    assert [row.sender_id for row in failed] == ["sender-15001", "sender-10001"]
    assert took < 0.5
    assert file.find(Wanted("sender-9000"), 100) == []
    assert file.find(Wanted("sender_19998"), 100) == []


def test_large_calls_make_room(tmp_path: Path) -> None:
    file = CallsFile(tmp_path, 1000, 1_000_000, 1)
    for number in range(60):
        file.write([ended(number, size=100_000)])
    file.close()

    assert 1 <= len(file.find(Wanted(), 100)) <= 11
    assert file.find(Wanted(), 1)[0].sender_id == "sender-59"


def test_two_workers_never_take_one_number(tmp_path: Path) -> None:
    one, other = CallsFile(tmp_path, 100, 1 << 20, 1), CallsFile(tmp_path, 100, 1 << 20, 2)
    numbers = [*one.write([ended(1), ended(2)]), *other.write([ended(3)], missed=4), *one.write([ended(4)], missed=1)]
    one.close()
    other.close()

    assert numbers == [1, 2, 3, 4]
    assert one.newest() == (4, 5)
    assert [row.worker for row in one.find(Wanted(), 10)] == [1, 2, 1, 1]


def test_a_torn_file_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "calls.sqlite3").write_bytes(b"no database" * 1000)
    file = CallsFile(tmp_path, 10, 1 << 20, 1)
    file.write([ended(1)])
    file.close()

    assert len(file.find(Wanted(), 10)) == 1
    assert (tmp_path / "calls.sqlite3").stat().st_mode & 0o077 == 0


def test_what_rules_hide_is_not_written_down(tmp_path: Path) -> None:
    """Neither in the request nor in the reply; and nothing at all of what cannot be read, where it might be."""
    watch = CallWatch(CallsFile(tmp_path, 10, 1 << 20, 1), [Rule("phone", "mask")], None)
    bodies = [call_body("action_a", {"phone": "0171-555"}), b"0171-555 is no call"]
    for body in bodies:
        seen = watch.begin("http", "r")
        seen.body = body
        seen.end(200, b'{"events": [], "responses": [{"text": "calling 0171-555"}]}')
    watch.close()

    assert b"0171" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert len(CallsFile(tmp_path, 10, 1 << 20, 1).find(Wanted(), 10)) == 2
