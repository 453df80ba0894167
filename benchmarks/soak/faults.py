"""Workers that are killed, blocked and stopped while calls go on, and what has to become of each."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.soak.books import Books, Fault
from benchmarks.soak.checks import Check
from benchmarks.soak.client import PATIENCE, Client
from benchmarks.soak.server import ACTIONS, Server

ENDLESS = "soak_endless"
# By turns. A worker is blocked by a call, the others by a signal.
FAULTS = {"killed": signal.SIGKILL, "blocked": None, "stopped": signal.SIGSTOP}


async def inflict(kind: str, server: Server, books: Books, chance: random.Random) -> Fault:
    """Kill, block or stop a worker, and follow the log until its replacement answers calls."""
    client = Client(server.port, books, chance, limit=8)
    start = len(server.log.lines())
    fault = Fault(kind, time.monotonic())
    books.faults.append(fault)
    number = FAULTS[kind]
    hanging = None
    if number is None:
        hanging = asyncio.create_task(client.call(ENDLESS, {}))
    else:
        fault.pid = chance.choice(server.alive())
        os.kill(fault.pid, number)
    await _follow(fault, server, start)
    fault.answered = books.answered_since(fault.began)
    if fault.replaced_by is not None:
        fault.replacement_answers = await _answers(client, fault.replaced_by)
    if hanging is not None:
        await hanging
    return fault


async def _follow(fault: Fault, server: Server, start: int) -> None:
    """Read in the log how the worker is named, found dead and replaced."""
    if fault.kind != "killed":
        fault.blocked = await server.wait_for("worker.blocked", start)
        if fault.blocked is None:
            return
        fault.named_after = time.monotonic() - fault.began
        fault.pid = fault.pid or fault.blocked["pid"]
    fault.died = await server.wait_for("worker.died", start)
    if fault.died is None:
        return
    fault.ended = time.monotonic()
    if fault.named_after is None:
        fault.named_after = fault.ended - fault.began
    replaced = await server.wait_for("worker.replaced", start)
    if replaced is not None:
        fault.replaced_after = time.monotonic() - fault.began
        [fault.replaced_by] = replaced["pids"]


async def _answers(client: Client, pid: int) -> bool:
    """Call until this worker has answered."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        outcomes = await asyncio.gather(*(client.call("soak_look", {"number": number}) for number in range(8)))
        if pid in [o.body["responses"][0]["custom"]["pid"] for o in outcomes if o.status == 200]:
            return True
    return False


def problems_of(fault: Fault) -> Iterator[str]:
    """Say what has not become of a fault as it has to."""
    if fault.kind != "killed":
        yield from _problems_of_name(fault)
    if fault.died is None:
        yield "it is not known to have died"
    elif (found := (fault.died["pid"], fault.died["exit_code"])) != (fault.pid, -signal.SIGKILL):
        yield f"process and exit code of the dead are {found}"
    if fault.replaced_by in (None, fault.pid):
        yield "it was not replaced"
    elif not fault.replacement_answers:
        yield "its replacement answers no calls"
    if not fault.answered:
        yield "nobody answered meanwhile"


def _problems_of_name(fault: Fault) -> Iterator[str]:
    line = fault.blocked
    if line is None:
        yield "it was not named"
    elif line["pid"] != fault.pid:
        yield f"{line['pid']} was named"
    elif fault.kind == "stopped" and line.get("problem") != "it is stopped":
        yield f"its problem is {line.get('problem')!r}"
    elif fault.kind == "blocked" and (line.get("action"), line["place"].partition(":")[0]) != (ENDLESS, ACTIONS.name):
        yield f"its place is {line['place']!r}, its action {line.get('action')!r}"


def checks_of_faults(books: Books, wanted: int, lines: Sequence[dict[str, Any]]) -> Iterator[Check]:
    """Tell whether each of the faults, ``wanted`` of each kind, was named and replaced, and nobody else was lost."""
    for kind in FAULTS if wanted else ():
        faults = [fault for fault in books.faults if fault.kind == kind]
        wrong = [f"{fault.pid}: {problem}" for fault in faults for problem in problems_of(fault)]
        times = [fault.replaced_after for fault in faults if fault.replaced_after is not None]
        found = f"{len(times)} of {wanted}, after {max(times, default=0):.1f} s at most; {wrong[:5] or 'nothing wrong'}"
        yield Check(f"each {kind} worker was named and replaced", len(faults) == wanted and not wrong, found)
    for event, kinds in (("worker.died", set(FAULTS)), ("worker.blocked", {"blocked", "stopped"})):
        ours = [fault.pid for fault in books.faults if fault.kind in kinds]
        others = [line for line in lines if line["event"] == event and line["pid"] not in ours]
        yield Check(f"no other {event}", not others, str(others[:2]) if others else f"{len(ours)} ours")
    failed = [line for line in lines if line["event"] == "worker.not_replaced"]
    yield Check("every replacement started", not failed, str(failed[:2]) if failed else "no other line")


def entry_of(fault: Fault) -> dict[str, Any]:
    """Return a fault as the report has it; seconds are since it began."""
    line = fault.blocked or {}
    place = " in ".join(text for text in (line.get("action"), line.get("place")) if text)
    named = line.get("problem") or place or (fault.died and f"exit code {fault.died['exit_code']}")
    return {
        "fault": fault.kind,
        "worker": fault.pid,
        "named": named,
        "named_after_s": _round(fault.named_after),
        "replaced_by": fault.replaced_by,
        "replaced_after_s": _round(fault.replaced_after),
        "answered_meanwhile": fault.answered,
        "problems": list(problems_of(fault)),
    }


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
