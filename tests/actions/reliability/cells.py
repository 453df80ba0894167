"""The cells of the table: races and deaths, checked to their end. The tests do each once, the long run many times."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.actions.reliability import hosts
from tests.actions.reliability.faults import planned, transport_for
from tests.actions.reliability.hosts import CUSTOMERS, HOSTS, Answers, Host
from tests.actions.reliability.systems import TIMES, Place, System
from tests.actions.transport.fault_proxy import Fault, ProxyProcess

# Servers that are asked the same again and again begin to answer from an index: Xandikos at the seventh time.
LOOKS = 10
# What copies of calls are killed at: within the work of ten calls in every system.
_LAST_STEP = 14
# So many calls of each day are copied: a move needs a free time to go to.
COPIES = {"book": 10, "move": 5, "cancel": 10}
# How a call ends that was done.
DONE = {"book": "booked", "move": "rescheduled", "cancel": "cancelled"}
SHARED, OWN = "one ledger", "a ledger for each"
# The times (UTC) that the patient has before each work and after it: see `deaths`.
WORKS: Mapping[str, tuple[list[str], list[str]]] = {
    "book": ([], ["08:00"]),
    "move": (["08:00"], ["10:00"]),
    "cancel": (["08:00"], []),
}


def race(running: Sequence[Host], system: System, ledger: str, seed: int, looks: int = 0) -> None:
    """Race once with nothing broken, and check who has what; `looks` is how often each host looks before."""
    day, ledgers = system.next_day(), ledgers_in(system.folder, ledger)
    answers = hosts.race(running, system.place, day, ledgers, seed, looks)
    hosts.sweep(running, system.place, ledgers)
    check(answers, system, ledgers, day)


def broken_race(
    running: Sequence[Host], system: System, proxy: ProxyProcess, ledger: str, seed: int, fault: Fault
) -> int:
    """Race once while requests meet the fault, and check who has what; return how many met it.

    What hangs arrives when everybody has been answered; after that the proxy hangs nothing any more.
    """
    day, ledgers = system.next_day(), ledgers_in(system.folder, ledger)
    place, before = system.place.through(proxy.url), proxy.done
    proxy.plan(*planned(fault, system.place, seed))
    answers = hosts.race(running, place, day, ledgers, seed, **transport_for(fault, seed))
    proxy.plan()
    done = proxy.done
    met = done[fault.action] - before[fault.action]
    if "hang" in fault.action:
        proxy.release()
    if fault.action == "hang":
        proxy.wait_for("forward", done["forward"] + met)
    hosts.sweep(running, place, ledgers)
    assert met >= 3, "too few requests met the fault"
    check(answers, system, ledgers, day)
    return met


def copies(running: Sequence[Host], system: System, ledger: str, seed: int, work: str, *, killed: bool = False) -> int:
    """Deliver each of the day's calls to two replicas at once and again, and check that it was done once.

    Every other booking wishes for the day and not for a time of it. Killed: one of the two replicas dies at a step that
    the seed chooses, and the calls are repeated there. Returns how many calls there were.
    """
    day, ledgers = system.next_day(), ledgers_in(system.folder, ledger)
    # A day's wish leaves it to chance who gets which time: only a booking may be wished for so.
    wide = work == "book" and seed % 2 == 0
    # Hosts that know nothing of each other begin with two times for one patient: there have to be so many.
    count = COPIES[work] // 2 if wide and ledger == OWN else COPIES[work]
    calls: dict[str, Any] = {"work": work, "count": count, "wide": wide}
    step = random.Random(seed).randint(1, _LAST_STEP) if killed else None  # noqa: S311 (not a secret)
    if work != "book":
        before = {**calls, "work": "book"}
        running[0].tell(do="copies", clinic=system.place.clinic(ledgers[0]), day=day.isoformat(), ready=False, **before)
        assert {slots["booking_status"] for _, slots in running[0].hear()} == {"booked"}
    answers = [one for one in hosts.deliver(running, system.place, day, ledgers, step, **calls) if one is not None]
    hosts.sweep(running, system.place, ledgers)
    found = system.place.appointments(day)
    for number, (first, *others) in enumerate(zip(*answers, strict=True)):
        differing = [other for other in others if other != first]
        assert differing == [], (work, seed, number, first)
        assert first[1]["booking_status"] == DONE[work], (work, number, first)
    told = sorted(text[-10:] for texts, _ in answers[0] for text in texts)
    if work == "book":
        assert sorted(one.reference for one in found) == told
    elif work == "move":
        assert [one.start[11:16] for one in found] == ["10:30", "11:00", "11:30", "12:00", "12:30"]
    else:
        assert found == []
    return count


def check(answers: Answers, system: System, ledgers: Sequence[str], day: datetime) -> None:
    """Fail unless there are ten appointments, each of one patient who was told its reference, and nobody else's.

    The ledgers together have to have just these as well.
    """
    found = system.place.appointments(day)
    assert answers.problems == []
    assert len(found) == TIMES
    assert {start: [one.reference for one in found if one.start == start] for start in answers.booked} == answers.booked
    assert answers.taken == HOSTS * CUSTOMERS - TIMES
    if system.place.is_remote:
        books = [Place("sqlite", ledger) for ledger in dict.fromkeys(ledgers)]
        assert sorted(one for book in books for one in book.appointments(day)) == found


def ledgers_in(folder: Path, kind: str) -> list[str]:
    """Return each host's ledger."""
    names = ["shared"] * HOSTS if kind == SHARED else [f"host-{number}" for number in range(HOSTS)]
    return [str(folder / f"{name}.sqlite3") for name in names]


def deaths(host: Host, system: System, work: str, *, all_of_them: bool = False) -> Iterator[str]:
    """Let a process die at each step of the work, one after another, and check what each leaves; return the steps.

    All of them: before and after each transaction and each request that writes, and with both orders of the sweeper
    and the repeated call. Else before each, where nothing has happened since the last one, and after the last one, and
    with one order and the other by turns.
    """
    for number in itertools.count(1, 1 if all_of_them else 2):
        orders = (False, True) if all_of_them else (number % 4 == 1,)
        steps = {death(host, system, work, number, repeat_first) for repeat_first in orders}
        if steps == {None}:
            if not all_of_them:
                yield str(death(host, system, work, number - 1, True))
            return
        yield str(steps.pop())
        assert not steps, "two runs of the same work differ"


def death(host: Host, system: System, work: str, number: int, repeat_first: bool) -> str | None:
    """Let a process die at one step and check what it leaves; return the step, None if there are not so many."""
    order = {"work": work, "number": number, "repeat_first": repeat_first, "folder": str(system.folder)}
    host.tell(do="die", place=vars(system.place), day=system.next_day().isoformat(), **order)
    found = host.hear()
    check_death(work, repeat_first, found)
    step: str | None = found["step"]
    return step


def check_death(work: str, repeat_first: bool, death: Mapping[str, Any]) -> None:
    """Fail unless the work was done or undone, and the ledger, the system and the next patient agree about that."""
    before, after = WORKS[work]
    first, second = [times_of(state) for state in death["states"]]
    assert second == after, death
    if not repeat_first:
        assert first in (before, after), death
    elif work == "move":
        # The old time is the sweeper's to give back if the process died when the new one was certain.
        assert set(after) <= set(first) <= {*before, *after}, death
    else:
        assert first == after, death
    for state in death["states"]:
        assert state["system"] == state["ledger"] or (work == "move" and state is death["states"][0]), death
    assert death["another"] == ["taken" if time in after else "booked" for time in ("08:00", "10:00")], death


def times_of(state: Mapping[str, Sequence[str]]) -> list[str]:
    """Return when something begins in the system."""
    return [one.split()[0] for one in state["system"]]
