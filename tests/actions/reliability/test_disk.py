"""The disk is full: the embedded clinic says so, nothing is half there, and it goes on when there is room."""

from __future__ import annotations

from pathlib import Path

from tests.actions.reliability.hosts import hosts
from tests.actions.reliability.systems import TIMES, on_sqlite


def test_bookings_on_a_full_disk_fail_whole_and_succeed_when_there_is_room(tmp_path: Path) -> None:
    """The first of ten patients has an appointment, nine are told that nothing happened, and nothing has. Then there is
    room: the same calls again, and each has one.
    """
    with hosts(1) as [host], on_sqlite(tmp_path / "data") as system:
        day = system.next_day()
        host.tell(do="fill", clinic=system.place.clinic(""), day=day.isoformat())
        told = host.hear()
        found = system.place.appointments(day)

    first, *others = told["full"]
    problem = "UnavailableError: the clinic's database did not answer: its disk cannot be read or written"
    assert others == [problem] * (TIMES - 1)
    assert len(told["free"]) == TIMES - 1
    assert told["room"][0] == first
    assert [one.reference for one in found] == told["room"]
