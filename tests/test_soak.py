"""The soak of benchmarks/soak, a short one, and what it takes for a fault."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soak.__main__ import print_report, report
from benchmarks.soak.books import Books, Fault, Outcome
from benchmarks.soak.checks import Check, checks_of_calls, checks_of_metrics
from benchmarks.soak.faults import FAULTS, checks_of_faults, problems_of
from benchmarks.soak.log import Log
from benchmarks.soak.traffic import Plan
from tests.processes import environment

ROOT = Path(__file__).parents[1]
# Tested apart from the others.
UNKNOWN_COUNTED = "calls of unknown actions are counted"

DIED: dict[str, Any] = {"event": "worker.died", "pid": 7, "exit_code": -9}
SPINNING: dict[str, Any] = {
    "event": "worker.blocked",
    "pid": 7,
    "action": "soak_endless",
    "place": "soak_actions.py:83",
}
STOPPED: dict[str, Any] = {"event": "worker.blocked", "pid": 7, "problem": "it is stopped", "place": "?"}
KILLED_FAULT = Fault(
    "killed",
    began=10.0,
    ended=11.0,
    pid=7,
    died=DIED,
    named_after=1.0,
    replaced_by=8,
    replaced_after=2.0,
    answered=5,
    replacement_answers=True,
)
BLOCKED_FAULT = dataclasses.replace(KILLED_FAULT, kind="blocked", blocked=SPINNING)
STOPPED_FAULT = dataclasses.replace(KILLED_FAULT, kind="stopped", blocked=STOPPED)
GOOD = (KILLED_FAULT, BLOCKED_FAULT, STOPPED_FAULT)


@pytest.fixture(scope="module")
def soak() -> tuple[int, dict[str, Any]]:
    """The exit code and the figures of ten seconds on two workers: one is killed, one blocked, one stopped."""
    command = [sys.executable, "-m", "benchmarks.soak", "--seconds", "10", "--faults", "1", "--max-blocked", "2"]
    ended = subprocess.run(
        [*command, "--json"], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=600, check=False
    )
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def failed(figures: dict[str, Any]) -> list[dict[str, Any]]:
    return [check for check in figures["checks"] if not check["ok"]]


def test_a_short_soak_with_a_killed_worker_leaves_the_books_in_order(soak: tuple[int, dict[str, Any]]) -> None:
    """Every booking is stored once, every call logged and counted once, and nothing is left open."""
    code, figures = soak

    assert [check for check in failed(figures) if check["name"] != UNKNOWN_COUNTED] == []
    assert code == int(bool(failed(figures)))
    assert figures["calls"] > 50
    assert figures["bookings"] > 0


def test_a_short_soak_counts_calls_of_unknown_actions(soak: tuple[int, dict[str, Any]]) -> None:
    """A line in the log without a count in the metrics is a call that no alert sees."""
    assert UNKNOWN_COUNTED not in [check["name"] for check in failed(soak[1])]


def test_each_killed_blocked_and_stopped_worker_is_named_and_replaced(soak: tuple[int, dict[str, Any]]) -> None:
    """The report lists each with what the log said and the time until it was replaced; calls went on meanwhile."""
    faults = soak[1]["faults"]

    assert [fault["fault"] for fault in faults] == list(FAULTS)
    assert [fault["problems"] for fault in faults] == [[], [], []]
    named = [fault["named"] for fault in faults]
    assert (named[0], named[2]) == ("exit code -9", "it is stopped")
    assert named[1].startswith("soak_endless in soak_actions.py:")
    assert all(0 < fault["named_after_s"] <= fault["replaced_after_s"] for fault in faults)
    assert len({fault["worker"] for fault in faults}) == 3


@pytest.mark.parametrize("fault", GOOD, ids=lambda fault: str(fault.kind))
def test_a_worker_that_was_named_and_replaced_is_no_problem(fault: Fault) -> None:
    """Of each kind."""
    assert list(problems_of(fault)) == []


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (dataclasses.replace(BLOCKED_FAULT, blocked=None), "it was not named"),
        (dataclasses.replace(BLOCKED_FAULT, blocked=STOPPED), "its place is '?', its action None"),
        (dataclasses.replace(STOPPED_FAULT, blocked=SPINNING), "its problem is None"),
        (dataclasses.replace(STOPPED_FAULT, blocked={**STOPPED, "pid": 9}), "9 was named"),
        (dataclasses.replace(KILLED_FAULT, died=None), "it is not known to have died"),
        (
            dataclasses.replace(KILLED_FAULT, died={**DIED, "exit_code": 1}),
            "process and exit code of the dead are (7, 1)",
        ),
        (dataclasses.replace(KILLED_FAULT, replaced_by=None), "it was not replaced"),
        (dataclasses.replace(KILLED_FAULT, replacement_answers=False), "its replacement answers no calls"),
        (dataclasses.replace(KILLED_FAULT, answered=0), "nobody answered meanwhile"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.kind),
)
def test_a_worker_that_was_forgotten_is_a_problem_and_a_failed_check(fault: Fault, problem: str) -> None:
    """Not named, not dead, not replaced, or replaced by what does not answer."""
    others = [good for good in GOOD if good.kind != fault.kind]
    checks = list(checks_of_faults(Books(faults=[fault, *others]), 1, []))

    assert list(problems_of(fault)) == [problem]
    assert [check.name for check in checks if not check.ok] == [f"each {fault.kind} worker was named and replaced"]


def test_a_fault_that_did_not_happen_and_a_death_that_nobody_caused_are_failed_checks() -> None:
    """All that were asked for have to be there, and no others."""
    lines = [DIED, {**DIED, "pid": 70}, {**STOPPED, "pid": 70}, {"event": "worker.not_replaced"}]
    checks = list(checks_of_faults(Books(faults=[KILLED_FAULT, BLOCKED_FAULT]), 1, lines))

    assert [check.name for check in checks if not check.ok] == [
        "each stopped worker was named and replaced",
        "no other worker.died",
        "no other worker.blocked",
        "every replacement started",
    ]


def test_a_call_that_was_cut_while_no_worker_ended_is_not_explained_by_a_fault() -> None:
    """Only what was under way between a fault and the death of its worker is."""
    within, before = Outcome("a", 0, started=9.0, ended=11.5), Outcome("a", 0, started=8.0, ended=9.0)
    after, gone = Outcome("a", 0, started=11.5, ended=12.0), Outcome("a", 0, started=1.0, ended=2.0, gone=True)
    books = Books({"1": within, "2": before, "3": after, "4": gone}, faults=[KILLED_FAULT])

    assert books.cut() == [within, before, after]
    assert books.cut_by_nobody() == [before, after]


def test_only_calls_answered_just_before_a_fault_and_until_its_worker_died_may_lack_line_and_count() -> None:
    """Both are written for several calls at once, and what waits is lost by SIGKILL."""
    earlier, before = Outcome("a", 200, started=9.0, ended=9.5), Outcome("b", 404, started=9.0, ended=9.95)
    within, later = Outcome("a", 200, started=9.0, ended=10.5), Outcome("a", 200, started=9.0, ended=11.5)
    books = Books({"1": earlier, "2": before, "3": within, "4": later}, faults=[KILLED_FAULT])
    page = 'action_server_calls_total{action="a",outcome="ok"} %d\naction_server_workers_died_total 1.0\n'
    lines = [{"event": "action.finished", "action": "a", "outcome": "ok", "request_id": i} for i in ("1", "3", "4")]

    assert list(books.in_hand()) == ["2", "3"]
    assert [c.name for c in checks_of_calls(books, lines[1:]) if not c.ok] == ["every answered call has one line"]
    assert [c.name for c in checks_of_calls(books, lines) if not c.ok] == []
    assert [c.ok for c in checks_of_metrics(page % 2, lines, books)] == [True] * 4
    assert [c.ok for c in checks_of_metrics(page % 1, lines, books)] == [True, False, True, True]


def test_the_report_lists_each_fault_and_one_failed_check_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    """A line each, with the time until the worker was replaced."""
    plan = Plan(seconds=1, workers=2, faults=1, max_blocked=3, clients=1, rate=1, seed=1)
    figures = report(plan, Books(faults=list(GOOD)), [Check("one", True, "1"), Check("two", False, "2")])

    assert print_report(figures, as_json=False) == 1
    text = capsys.readouterr().out
    assert "killed   7: exit code -9 (after 1.0 s); replaced by 8 after 2.0 s; 5 calls answered meanwhile" in text
    assert "blocked  7: soak_endless in soak_actions.py:83 (after 1.0 s)" in text
    assert "stopped  7: it is stopped (after 1.0 s)" in text
    assert "ok   one: 1\nFAIL two: 2" in text


def test_a_line_of_the_log_that_is_not_whole_yet_is_read_later(tmp_path: Path) -> None:
    """Workers write while the log is read; what is not JSON is kept as text."""
    log = Log(tmp_path / "server.log")
    log.path.write_bytes(b'{"event": "one"}\n{"event": ')
    assert (log.lines(), log.rest) == ([{"event": "one"}], b'{"event": ')

    log.path.write_bytes(log.path.read_bytes() + b'"two"}\nno \xff JSON\n')

    assert log.lines() == [{"event": "one"}, {"event": "two"}, {"event": "?", "text": "no \\xff JSON"}]
    assert log.find("two", 1) == {"event": "two"}
    assert log.find("two", 2) is None
    assert log.rest == b""
