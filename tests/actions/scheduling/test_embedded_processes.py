"""Bookings between real processes, on both databases, with and without a calendar: races, and deaths anywhere."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.actions.scheduling.booking_process import CUSTOMERS, TIMES
from tests.processes import hear, python_module, say_go

pytest_plugins = ["tests.databases"]


ALONE, WITH_CALENDAR = "ledger alone", "with a calendar"
RACES = [("sqlite", ALONE), ("postgresql", ALONE)]
BOTH = ("database_url", "calendar_folder")

# The times that are booked before and after each work.
WORKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "book": ((), ("09:00",)),
    "move": (("09:00",), ("10:00",)),
    "cancel": (("09:00",), ()),
}


@pytest.fixture
def calendar_folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the calendar is, if there is one."""
    if request.param == ALONE:
        return "-"
    folder = tmp_path / "calendar"
    folder.mkdir()
    return str(folder)


def process(*arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
    return python_module("tests.actions.scheduling.booking_process", *arguments)


def at_once(mode: str, url: str, folder: str, count: int) -> list[list[Any]]:
    """Let several processes do the same at the same moment; return what each says."""
    with ExitStack() as stack:
        children = [stack.enter_context(process(mode, url, folder)) for _ in range(count)]
        assert [hear(child) for child in children] == ["ready"] * count
        for child in children:
            say_go(child)
        answers = [[json.loads(line) for line in child.stdout or ()] for child in children]
        assert [child.wait(60) for child in children] == [0] * count
        return answers


def test_of_fifty_bookings_of_one_time_in_two_processes_one_wins(database: Path) -> None:
    """One is booked, forty-nine hear "taken"."""
    answers = at_once("race-for-one", str(database), "-", 2)

    total = sum((Counter(answer) for [answer] in answers), Counter[str]())
    assert total == {"booked": 1, "taken": CUSTOMERS - 1}


@pytest.mark.parametrize(BOTH, RACES, indirect=BOTH)
def test_of_two_hundred_bookings_of_ten_times_in_four_processes_ten_win(
    database_url: str, calendar_folder: str
) -> None:
    """Each time is given once, and none is left. One request two hundred times is one booking, whoever writes first."""
    answers = at_once("race", database_url, calendar_folder, 4)

    total = Counter(outcome for outcomes, _ in answers for outcome in outcomes)
    assert total.pop("taken") == 4 * CUSTOMERS - TIMES
    assert list(total.values()) == [1] * TIMES
    references = [reference for _, references in answers for reference in references]
    assert len(references) == 4
    assert len(set(references)) == 1


def test_processes_that_start_at_once_create_the_tables_together(database_url: str) -> None:
    """On an empty database nobody fails."""
    assert at_once("create", database_url, "-", 2) == [["created"]] * 2


@pytest.mark.parametrize(BOTH, [*RACES, ("postgresql", WITH_CALENDAR)], indirect=BOTH)
def test_a_process_killed_at_any_step_leaves_nothing_hanging(database_url: str, calendar_folder: str) -> None:
    """Ledger and calendar agree after the sweeper has been: what was begun is done or undone. A repeat does it once,
    before the sweeper or after it.
    """
    with process("die", database_url, calendar_folder) as child:
        lines = [json.loads(line) for line in child.stdout or ()]
        assert child.wait(60) == 0

    for work, (before, after) in WORKS.items():
        deaths = [line for line in lines if line["work"] == work]
        assert [line["status"] for line in deaths] == [9] * (len(deaths) - 1) + [0]
        reached = {tuple(line["swept"]["bookings"]) for line in deaths if not line["repeat first"]}
        assert reached == {before, after}
        assert {tuple(line["repeated"]["bookings"]) for line in deaths} == {after}
    for line in lines:
        for state in (line["swept"], line["repeated"]):
            _assert_in_step(state, calendar_folder != "-")


def _assert_in_step(state: dict[str, Any], has_calendar: bool) -> None:
    """An hour is one booking, its twelve cells of five minutes and its two halves in the calendar: no more, no less."""
    assert state["unsettled"] == 0
    hours = [start[:2] for start in state["bookings"]]
    assert state["claimed"] == [f"{hour}:{minute:02}" for hour in hours for minute in range(0, 60, 5)]
    if has_calendar:
        assert state["files"] == [f"{hour}{minute}" for hour in hours for minute in ("00", "30")]
        assert state["entries"] == [uid for uid in state["uids"] for _ in range(2)]
