"""The audit of a soak: what clients saw, compared with the log, the database, the metrics and what is left."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.soak.books import Books
from benchmarks.soak.client import MARKER, TOKEN
from benchmarks.soak.server import Server


@dataclass
class Check:
    """One thing that was verified."""

    name: str
    ok: bool
    found: str


def checks_of_calls(books: Books, lines: list[dict[str, Any]]) -> Iterator[Check]:
    """Compare what clients saw with the log."""
    answered = {i: o for i, o in books.outcomes.items() if o.status}
    yield Check("answers are the expected ones", not books.unexpected, "; ".join(books.unexpected[:5]) or "all")
    others = books.cut_by_nobody()
    found = f"{len(books.cut())} cut, {len(others)} of them not by a fault"
    yield Check("only faults cut calls", not others, found)
    finished = Counter(line.get("request_id") for line in lines if line["event"] == "action.finished")
    lost = [i for i in books.in_hand() if finished[i] == 0]
    wrong = [i for i in answered if finished[i] != 1 and i not in lost]
    found = f"{len(answered) - len(wrong)} of {len(answered)}, {len(lost)} lost with a worker; not: {wrong[:3]}"
    yield Check("every answered call has one line", not wrong, found)
    double = [i for i, count in finished.items() if count > 1 or i not in books.outcomes]
    yield Check("no line without a call, none twice", not double, f"{len(double)}")
    bad = [line["text"] for line in lines if line["event"] == "?"]
    yield Check("every line of the log is JSON", not bad, str(bad[:2]) if bad else f"{len(lines)} lines")
    text = json.dumps(lines)
    yield Check("the log holds no slot and no token", MARKER not in text and TOKEN not in text, "looked for both")
    # A client that goes away in the middle is reported as RequestCancelled at present.
    failed = [n for n in lines if n["event"] == "server.failed" and "RequestCancelled" not in n.get("exception", "")]
    yield Check("the server itself never failed", not failed, str(failed[:1]) if failed else "no such line")


def checks_of_bookings(books: Books, database: Path) -> Iterator[Check]:
    """Compare what clients were told with the database."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute('SELECT reference, conversation, resource, start, "end" FROM bookings').fetchall()
        claims = connection.execute("SELECT count(*), count(DISTINCT resource || cell) FROM claims").fetchone()
        (intact,) = connection.execute("PRAGMA integrity_check").fetchone()
    told = {reference: asker for asker, found in books.references.items() for reference in found}
    stored = Counter(row[0] for row in rows)
    missing = [reference for reference in told if stored[reference] != 1]
    yield Check("every answered booking is stored once", not missing, f"{len(told)} answered, wrong: {missing[:3]}")
    by_reference = {row[0]: row for row in rows}
    strangers = [r for r, (sender, _) in told.items() if r in by_reference and by_reference[r][1] != sender]
    yield Check("each under its conversation", not strangers, str(strangers[:3]))
    several = {asker: found for asker, found in books.references.items() if len(found) > 1}
    yield Check("the same request got the same reference", not several, f"{len(books.references)} requests")
    times = Counter((row[2], row[3]) for row in rows)
    yield Check("no time is booked twice", max(times.values(), default=0) <= 1, f"{len(times)} times")
    # Fifteen minutes are three cells.
    yield Check("every booking has its claims", claims == (3 * len(rows),) * 2, f"{claims[0]} of {len(rows)} bookings")
    askers = {sender for sender, _ in books.asked}
    given = {sender for sender, _ in books.references}
    cut = len(books.cut())
    unknown = [row[1] for row in rows if row[1] not in askers]
    silent = [row[1] for row in rows if row[1] not in given]
    ok = not unknown and len(silent) <= cut
    yield Check("no booking that nobody asked for or heard of", ok, f"{len(silent)} unheard, {cut} calls cut")
    yield Check("the database is intact", intact == "ok", intact)


def checks_of_metrics(text: str | None, lines: list[dict[str, Any]], books: Books) -> Iterator[Check]:
    """Compare the counters with the log; what a worker had in hand when it was killed may be missing."""
    if text is None:
        yield Check("metrics and log agree", False, "there are no metrics")
        return
    counted: Counter[tuple[str, str]] = Counter()
    for labels, value in re.findall(r"^action_server_calls_total\{([^}]*)\} (\S+)$", text, re.MULTILINE):
        label = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        counted[label["action"], label["outcome"]] += int(float(value))
    logged = Counter(
        ("unknown" if line["outcome"] == "not_found" else line["action"], line["outcome"])
        for line in lines
        if line["event"] == "action.finished"
    )
    in_hand = Counter("unknown" if o.status == 404 else o.action for o in books.in_hand().values())
    differing = {key: (logged[key], counted[key]) for key in logged | counted if logged[key] != counted[key]}
    wrong = {key: (a, b) for key, (a, b) in differing.items() if abs(a - b) > in_hand[key[0]]}
    nobody = ("unknown", "not_found")
    found = f"{counted[nobody]} counted, {logged[nobody]} logged, {in_hand['unknown']} in hand"
    yield Check("calls of unknown actions are counted", wrong.pop(nobody, None) is None, found)
    found = f"{counted.total()} counted, {logged.total()} logged, {in_hand.total()} in hand; (logged, counted): {wrong}"
    yield Check("metrics and log agree", not wrong, found)
    flying = re.findall(r"^action_server_calls_in_flight\{[^}]*\} (\S+)$", text, re.MULTILINE)
    yield Check("no call is in flight", not any(map(float, flying)), f"{len(flying)} gauges")
    died = sum(map(float, re.findall(r"^action_server_workers_died_total (\S+)$", text, re.MULTILINE)))
    yield Check("every worker that died is counted", died == len(books.faults), f"{died:g} of {len(books.faults)}")


def checks_of_end(server: Server, code: int, pids: Sequence[int]) -> Iterator[Check]:
    """Look for what outlives the server."""
    yield Check("SIGTERM ends it with 0", code == 0, str(code))
    alive = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    yield Check("no process is left", not alive, f"{len(pids)} workers, alive: {alive}")
    files = sorted(str(path.relative_to(server.folder)) for path in server.scratch.rglob("*"))
    yield Check("no temporary file is left", not files, str(files[:3]))
    yield Check("the log ends with a whole line", not server.log.rest, repr(server.log.rest[-200:]))
    noise = [
        line
        for line in server.log.lines()
        if "Task was destroyed" in line["event"] or "never retrieved" in line["event"]
    ]
    yield Check("no task was dropped", not noise, f"{len(noise)} such lines")
