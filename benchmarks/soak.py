"""A soak: good, slow, failing and hostile calls for minutes, a worker killed half way, and then an audit.

``python benchmarks/soak.py --seconds 120 --kill`` serves the clinic and some actions of its own from a temporary
folder, calls them from several clients, and verifies at the end: every booking that was answered is in the database
exactly once, no time has two of them, every answered call has one line in the log and one count in the metrics, and
nothing is left open. Exit code 1 when something of that is not so. All traffic stays on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from textwrap import dedent
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "soak-token-0815"  # noqa: S105 - made up
MARKER = "soak-marker-4711"
PATIENCE = 60.0
SYNC_WORKERS = 8
MAX_REQUEST = 1024 * 1024
KINDS = ("knee", "heart", "skin", "teeth", "eyes", "back", "feet", "hands")
# What a worker may have more than at its start: its threads for actions, SQLAlchemy's five connections with a thread
# and three files each, and a little.
MORE_THREADS = SYNC_WORKERS + 5 + 2
MORE_FILES = 5 * 3 + 5
MORE_MEMORY_KB = 100 * 1024

ACTIONS = """
    import asyncio
    import os
    import threading
    import time

    from rasa_sdk import Action, ActionExecutionRejection, FormValidationAction
    from rasa_sdk.events import SlotSet

    from actions import lifespan
    from actions.appointments import ActionCheckUrgentSlots, ActionCreateAppointment


    class ValidateSoakForm(FormValidationAction):
        def name(self):
            return "validate_soak_form"

        def validate_number(self, value, dispatcher, tracker, domain):
            time.sleep(0.005)
            return {"number": value if value % 2 else None}


    def sync(dispatcher, tracker, domain):
        time.sleep(0.02)
        dispatcher.utter_message(text="done")
        return [SlotSet("number", tracker.get_slot("number"))]


    async def quick(dispatcher, tracker, domain):
        dispatcher.utter_message(text="done")
        return [SlotSet("number", tracker.get_slot("number"))]


    async def slow(dispatcher, tracker, domain):
        await asyncio.sleep(0.5)
        return []


    def slow_sync(dispatcher, tracker, domain):
        time.sleep(0.4)
        return []


    def too_slow(dispatcher, tracker, domain):
        time.sleep(0.6)
        return []


    async def too_slow_async(dispatcher, tracker, domain):
        await asyncio.sleep(60)


    def fails(dispatcher, tracker, domain):
        raise RuntimeError("this action always fails")


    async def rejects(dispatcher, tracker, domain):
        raise ActionExecutionRejection("soak_rejects")


    async def look(dispatcher, tracker, domain):
        await asyncio.sleep(0.05 * tracker.get_slot("number"))
        tasks = sorted(str(task.get_coro()) for task in asyncio.all_tasks())
        dispatcher.utter_message(json_message={"pid": os.getpid(), "tasks": len(tasks)})
        return []


    def register_actions(registry):
        for function in (sync, quick, slow, slow_sync, too_slow, too_slow_async, fails, rejects, look):
            registry.register_function("soak_" + function.__name__, function)
"""


def settings(database: Path) -> str:
    """Return the endpoints.yml: a clinic that is always open, so that there is something to book all along."""
    kinds = {kind: {"minutes": 15, "resource": f"room {kind}"} for kind in KINDS}
    block = {
        "auth": {"tokens": [TOKEN]},
        "actions": {"soak_too_slow*": {"timeout": 0.2}},
        "services": {
            "clinic": {
                "database": str(database),
                "opening_hours": "24/7",
                "holidays": None,
                "horizon_days": 30,
                "start_every_minutes": 15,
                "appointment_types": kinds,
            }
        },
    }
    # JSON is YAML.
    return json.dumps({"action_server": block})


@dataclass
class Outcome:
    """One call as its client saw it; status 0: no answer."""

    action: str
    status: int
    started: float
    ended: float
    hostile: bool = False
    gone: bool = False
    body: Any = None


@dataclass
class Books:
    """What the clients saw."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    # Of each (conversation, wish): the references it was given.
    references: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    asked: set[tuple[str, str]] = field(default_factory=set)
    hostile: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    killed: tuple[float, float] | None = None
    _next: int = 0

    def new_id(self) -> str:
        """Return an id for the next request."""
        self._next += 1
        return f"soak-{self._next}"

    def cut(self) -> list[Outcome]:
        """Return the calls that were not answered though their clients waited."""
        return [o for o in self.outcomes.values() if o.status == 0 and not o.gone]

    def expect(self, outcome: Outcome, *statuses: int) -> None:
        """Note an answer that should not have been."""
        if outcome.status not in (*statuses, 0):
            self.unexpected.append(f"{outcome.action}: {outcome.status} instead of {statuses}")


class Client:
    """Sends requests to the server, one connection each, as engines do."""

    def __init__(self, port: int, books: Books, chance: random.Random, limit: int) -> None:
        self.port = port
        self.books = books
        self.chance = chance
        self._places = asyncio.Semaphore(limit)

    async def call(
        self, action: str, slots: dict[str, Any], sender: str = "soak", *, gone_after: float | None = None
    ) -> Outcome:
        """Make a good call; ``gone_after`` seconds the client hangs up without waiting for the answer."""
        tracker = {"sender_id": sender, "slots": {**slots, "private": MARKER}, "events": [], "latest_message": {}}
        body = json.dumps({"next_action": action, "sender_id": sender, "tracker": tracker, "version": "3.6.21"})
        request_id = self.books.new_id()
        started = time.monotonic()
        async with self._places:
            status, answer = await self.send(post(body.encode(), f"X-Request-ID: {request_id}"), gone_after=gone_after)
        outcome = Outcome(action, status, started, time.monotonic(), gone=gone_after is not None)
        outcome.body = json.loads(answer) if status else None
        self.books.outcomes[request_id] = outcome
        return outcome

    async def send(self, raw: bytes, *, gone_after: float | None = None, half: bool = False) -> tuple[int, bytes]:
        """Send bytes and return status and body of the answer; status 0 if there was none."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except ConnectionError:
            return 0, b""
        try:
            writer.write(raw)
            await writer.drain()
            if gone_after is not None or half:
                await asyncio.sleep(gone_after or 0.05)
                return 0, b""
            return await asyncio.wait_for(_answer(reader), PATIENCE)
        except (ConnectionError, asyncio.IncompleteReadError):
            return 0, b""
        finally:
            # At once and without a word, so that no socket of ours stands in the way of the next run.
            writer.transport.abort()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    return int(head.split()[1]), await reader.readexactly(int(length[1]) if length else 0)


def post(body: bytes, *headers: str, path: str = "/webhook", token: str = TOKEN, length: int | None = None) -> bytes:
    """Return a whole request."""
    size = len(body) if length is None else length
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}", *headers]
    return "\r\n".join([*lines, f"Content-Length: {size}", "Connection: close", "", ""]).encode() + body


# What clients do


async def book(client: Client) -> None:
    """Book a time that others want too, twice at once, and a third time later: one booking, one reference."""
    chance = client.chance
    kind = chance.choice(KINDS)
    day = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    start = day + timedelta(days=chance.randint(2, 28), minutes=15 * chance.randint(0, 95))
    wish = start.replace(tzinfo=None).isoformat(timespec="minutes")
    senders = [f"patient-{chance.getrandbits(48):x}" for _ in range(chance.choice((1, 1, 2)))]
    await asyncio.gather(*(_book(client, sender, kind, wish) for sender in senders * 2))
    for sender in senders:
        await _book(client, sender, kind, wish)


async def _book(client: Client, sender: str, kind: str, wish: str) -> None:
    books = client.books
    slots = {"appointment_type": kind, "preferred_date": wish, "booking_reference": None, "booking_status": None}
    books.asked.add((sender, wish))
    outcome = await client.call("action_create_appointment", slots, sender)
    books.expect(outcome, 200)
    if outcome.status == 200:
        for event in outcome.body["events"]:
            if event.get("name") == "booking_reference" and event["value"]:
                books.references.setdefault((sender, wish), set()).add(event["value"])


def simple(action: str, *statuses: int) -> Callable[[Client], Awaitable[None]]:
    """Return a behaviour: call an action that answers with one of the statuses."""

    async def behave(client: Client) -> None:
        number = client.chance.randint(0, 10**6)
        outcome = await client.call(action, {"number": number}, f"talk-{number}")
        client.books.expect(outcome, *statuses)

    return behave


async def validate(client: Client) -> None:
    """Validate a form's slot."""
    number = client.chance.randint(0, 99)
    outcome = await client.call("validate_soak_form", {"number": number, "requested_slot": "number"})
    client.books.expect(outcome, 200)


async def leave(client: Client) -> None:
    """Call something slow and go away before it answers."""
    await client.call("soak_slow", {}, gone_after=0.05 + client.chance.random() * 0.2)


BOMB = zlib.compress(bytes(20 * MAX_REQUEST), 9)
HOSTILE: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "garbage": (b"\x16\x03\x01\x02" + MARKER.encode() + b"\r\n\r\n", (400, 401)),
    "a bomb": (post(BOMB, "Content-Encoding: deflate"), (413,)),
    "deep lists": (post(b"[" * 100_000), (400,)),
    "no JSON": (post(MARKER.encode()), (400,)),
    "a wrong token": (post(b"{}", token=MARKER), (401,)),
    "a wrong path": (post(b"{}", path="/webhook/../etc"), (404,)),
    "two lengths": (post(b"{}", "Content-Length: 5"), (400, 401)),
    "a wrong type": (post(json.dumps({"next_action": {"a": MARKER}}).encode()), (400,)),
    "an encoding nobody knows": (post(b"{}", "Content-Encoding: br"), (415,)),
    "half a body": (post(b"{", length=100), ()),
    "half a header": (b"POST /webhook HTTP/1.1\r\nX: ", ()),
    "nothing": (b"", ()),
}


async def attack(client: Client) -> None:
    """Send something that is not a call."""
    name = client.chance.choice(sorted(HOSTILE))
    raw, statuses = HOSTILE[name]
    status, answer = await client.send(raw, half=not statuses)
    client.books.hostile[name] += 1
    if status not in (*statuses, 0) or MARKER.encode() in answer:
        client.books.unexpected.append(f"{name}: {status} instead of {statuses}")


# How often each is done, of a hundred times.
BEHAVIOURS: Sequence[tuple[Callable[[Client], Awaitable[None]], int]] = (
    (book, 22),
    (simple("soak_quick", 200), 16),
    (simple("soak_sync", 200), 12),
    (validate, 8),
    (simple("soak_slow", 200), 5),
    (simple("soak_slow_sync", 200), 3),
    (simple("soak_too_slow", 504), 2),
    (simple("soak_too_slow_async", 504), 3),
    (simple("soak_fails", 500), 6),
    (simple("soak_rejects", 400), 4),
    (simple("soak_nobody_has_this", 404), 3),
    (leave, 4),
    (attack, 12),
)


# The server


class Server:
    """The server under test, its log in a file that every worker appends to."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        self.workers = workers
        self.database = folder / "clinic.sqlite3"
        self.log_file = folder / "server.log"
        self.scratch = folder / "tmp"
        self.scratch.mkdir()
        (folder / "soak_actions.py").write_text(dedent(ACTIONS), encoding="utf-8")
        (folder / "endpoints.yml").write_text(settings(self.database), encoding="utf-8")
        self.process: subprocess.Popen[bytes]
        self.port = 0

    def start(self) -> None:
        """Start it and wait until it is ready."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ACTION_SERVER", "SANIC_", "LOG_LEVEL"))}
        arguments = [
            *("--host", "127.0.0.1", "--port", "0", "--log-format", "json", "--actions", "soak_actions"),
            *("--workers", str(self.workers), "--sync-workers", str(SYNC_WORKERS), "--grace", "10"),
            *("--max-request-bytes", str(MAX_REQUEST), "--header-timeout", "2", "--body-timeout", "2"),
        ]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - the server we test
                [sys.executable, "-m", "action_server", "run", *arguments],
                cwd=self.folder,
                env={**kept, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.scratch)},
                stderr=log,
                stdout=subprocess.DEVNULL,
            )
        self.port = int(self.wait_for("server.ready")["url"].rpartition(":")[2])

    def lines(self) -> list[dict[str, Any]]:
        """Return the log so far; a line that is not JSON has the event ``?``."""
        return [_line(text) for text in self.log_file.read_text(encoding="utf-8").splitlines()]

    def wait_for(self, event: str) -> dict[str, Any]:
        """Return the first line with this event."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for line in self.lines():
                if line["event"] == event:
                    return line
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"the server did not say {event}:\n{self.log_file.read_text(encoding='utf-8')[-3000:]}")

    def pids(self) -> list[int]:
        """Return the processes of all workers there ever were."""
        return [line["pid"] for line in self.lines() if line["event"] == "worker.loaded"]

    def alive(self) -> list[int]:
        """Return the processes of the workers that run."""
        return [pid for pid in self.pids() if Path(f"/proc/{pid}/fd").exists() and _vitals(pid) is not None]


def _line(text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError:
        return {"event": "?", "text": text}
    return line if isinstance(line, dict) and "event" in line else {"event": "?", "text": text}


@dataclass(frozen=True)
class Vitals:
    """What a process has open."""

    threads: int
    files: int
    memory_kb: int


def _vitals(pid: int) -> Vitals | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        files = len(os.listdir(f"/proc/{pid}/fd"))
        numbers = {name: int(re.findall(rf"{name}:\s+(\d+)", status)[0]) for name in ("Threads", "VmRSS")}
    except (OSError, IndexError):
        return None
    return Vitals(numbers["Threads"], files, numbers["VmRSS"])


# The run


@dataclass
class Check:
    """One thing that was verified."""

    name: str
    ok: bool
    found: str


@dataclass(frozen=True)
class Plan:
    """What the command line asked for."""

    seconds: float
    workers: int
    kill: bool
    clients: int
    rate: float
    seed: int


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - a command's output


async def traffic(server: Server, plan: Plan, books: Books) -> None:
    """Send calls until the time is up; kill a worker half way."""
    started = time.monotonic()
    end = started + plan.seconds
    behaviours, weights = zip(*BEHAVIOURS, strict=True)

    async def client_of(number: int) -> None:
        client = Client(server.port, books, random.Random(plan.seed * 1000 + number), limit=4)  # noqa: S311
        pause = plan.clients / plan.rate
        while time.monotonic() < end:
            await client.chance.choices(behaviours, weights)[0](client)
            await asyncio.sleep(client.chance.random() * 2 * pause)

    tasks = [asyncio.create_task(client_of(number)) for number in range(plan.clients)]
    tasks.append(asyncio.create_task(_progress(server, books, started, end)))
    if plan.kill:
        tasks.append(asyncio.create_task(_kill(server, books, plan)))
    await asyncio.gather(*tasks)


async def _progress(server: Server, books: Books, started: float, end: float) -> None:
    while (now := time.monotonic()) < end:
        await asyncio.sleep(min(10.0, end - now))
        vitals = [_vitals(pid) for pid in server.alive()]
        seen = ", ".join(f"{v.memory_kb // 1024} MB {v.threads} threads {v.files} files" for v in vitals if v)
        say(
            f"{time.monotonic() - started:5.0f} s  {len(books.outcomes)} calls, {books.hostile.total()} attacks; {seen}"
        )


async def _kill(server: Server, books: Books, plan: Plan) -> None:
    await asyncio.sleep(plan.seconds / 2)
    victim = random.Random(plan.seed).choice(server.alive())  # noqa: S311 - which one is all the same
    before = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    say(f"killed worker {victim}")
    await asyncio.to_thread(server.wait_for, "worker.died")
    books.killed = (before, time.monotonic())
    await asyncio.to_thread(server.wait_for, "worker.replaced")


async def look(server: Server, books: Books) -> dict[int, int]:
    """Return how many tasks the event loop of each worker has while it answers one call, that call's own included."""
    client = Client(server.port, books, random.Random(0), limit=8)  # noqa: S311
    found: dict[int, int] = {}
    deadline = time.monotonic() + PATIENCE
    while set(found) != set(server.alive()) and time.monotonic() < deadline:
        # Several at once, or the same worker answers all; one after the other, so that the last one is alone.
        outcomes = await asyncio.gather(*(client.call("soak_look", {"number": number}) for number in range(1, 9)))
        for answer in (o.body["responses"][0]["custom"] for o in outcomes if o.status == 200):
            found[answer["pid"]] = min(answer["tasks"], found.get(answer["pid"], answer["tasks"]))
    return found


async def settled(server: Server, start: Vitals) -> dict[int, Vitals]:
    """Wait until the workers have let go of what they do not keep, as long as that may take; return what is left."""
    deadline = time.monotonic() + 15
    while True:
        found = {pid: vitals for pid in server.alive() if (vitals := _vitals(pid))}
        if all(not _too_much(vitals, start) for vitals in found.values()) or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.2)


def _too_much(vitals: Vitals, start: Vitals) -> bool:
    return (
        vitals.threads > start.threads + MORE_THREADS
        or vitals.files > start.files + MORE_FILES
        or vitals.memory_kb > start.memory_kb + MORE_MEMORY_KB
    )


async def page(server: Server) -> str | None:
    """Return the metrics; None if the server has no such page."""
    raw = f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    client = Client(server.port, Books(), random.Random(0), limit=1)  # noqa: S311
    status, body = await client.send(raw.encode())
    return body.decode() if status == 200 else None


# The books


def checks_of_calls(books: Books, lines: list[dict[str, Any]]) -> Iterator[Check]:
    """Compare what clients saw with the log."""
    answered = {i: o for i, o in books.outcomes.items() if o.status}
    yield Check("answers are the expected ones", not books.unexpected, "; ".join(books.unexpected[:5]) or "all")
    first, last = books.killed or (0.0, 0.0)
    early = [o for o in books.cut() if not (o.started <= last and o.ended >= first)]
    found = f"{len(books.cut())} cut, {len(early)} of them not by the kill"
    yield Check("only the kill cut calls", not early, found)
    finished = Counter(line.get("request_id") for line in lines if line["event"] == "action.finished")
    wrong = [i for i in answered if finished[i] != 1]
    found = f"{len(answered) - len(wrong)} of {len(answered)}; not: {wrong[:3]}"
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


def checks_of_metrics(text: str | None, lines: list[dict[str, Any]], killed: bool) -> Iterator[Check]:
    """Compare the counters with the log."""
    if text is None:
        yield Check("metrics and log agree", True, "skipped: the server has no /metrics")
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
    nobody = ("unknown", "not_found")
    found = f"{counted[nobody]} counted, {logged[nobody]} logged"
    yield Check("calls of unknown actions are counted", counted.pop(nobody, 0) == logged.pop(nobody, 0), found)
    differing = {key: (logged[key], counted[key]) for key in logged | counted if logged[key] != counted[key]}
    # SIGKILL may strike between a call's line and its count.
    allowed = 1 if killed else 0
    ok = sum(abs(a - b) for a, b in differing.values()) <= allowed
    found = f"{counted.total()} counted, {logged.total()} logged; (logged, counted): {differing}"
    yield Check("metrics and log agree", ok, found)
    flying = re.findall(r"^action_server_calls_in_flight\{[^}]*\} (\S+)$", text, re.MULTILINE)
    yield Check("no call is in flight", not any(map(float, flying)), f"{len(flying)} gauges")


def checks_of_rest(
    start: Vitals, left: dict[int, Vitals], tasks: tuple[dict[int, int], dict[int, int]]
) -> Iterator[Check]:
    """Compare what workers had open before with what they have after."""
    for name, more in (("threads", MORE_THREADS), ("files", MORE_FILES), ("memory_kb", MORE_MEMORY_KB)):
        before, after = getattr(start, name), [getattr(vitals, name) for vitals in left.values()]
        ok = all(value <= before + more for value in after)
        yield Check(f"no {name} left", ok, f"{before} at the start, {after} at the end, {more} more allowed")
    before_tasks, after_tasks = tasks
    ok = max(after_tasks.values(), default=0) <= max(before_tasks.values(), default=0)
    yield Check("no tasks left", ok, f"{sorted(before_tasks.values())}, then {sorted(after_tasks.values())}")


def checks_of_end(server: Server, code: int, pids: Sequence[int]) -> Iterator[Check]:
    """Look for what outlives the server."""
    yield Check("SIGTERM ends it with 0", code == 0, str(code))
    alive = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    yield Check("no process is left", not alive, f"{len(pids)} workers, alive: {alive}")
    files = sorted(str(path.relative_to(server.folder)) for path in server.scratch.rglob("*"))
    yield Check("no temporary file is left", not files, str(files[:3]))
    noise = [
        line for line in server.lines() if "Task was destroyed" in line["event"] or "never retrieved" in line["event"]
    ]
    yield Check("no task was dropped", not noise, f"{len(noise)} such lines")


async def run(server: Server, plan: Plan) -> tuple[Books, list[Check]]:
    """Do all of it."""
    books = Books()
    server.start()
    say(f"serving on port {server.port}, seed {plan.seed}")
    before = await look(server, books)
    starts = [vitals for pid in server.alive() if (vitals := _vitals(pid))]
    start = Vitals(*(max(getattr(v, n) for v in starts) for n in ("threads", "files", "memory_kb")))
    await traffic(server, plan, books)
    say("waiting until it is idle")
    left = await settled(server, start)
    after = await look(server, books)
    metrics = await page(server)
    lines_then = server.lines()
    pids = server.pids()
    server.process.terminate()
    code = await asyncio.to_thread(server.process.wait, PATIENCE)
    lines = server.lines()
    checks = [
        *checks_of_calls(books, lines),
        *checks_of_bookings(books, server.database),
        *checks_of_metrics(metrics, lines_then, plan.kill),
        *checks_of_rest(start, left, (before, after)),
        *checks_of_end(server, code, pids),
    ]
    if plan.kill:
        died = [line for line in lines if line["event"] == "worker.died"]
        checks.append(Check("the killed worker was replaced", len(died) == 1, f"{len(died)} died"))
    return books, checks


@contextmanager
def served(workers: int) -> Iterator[Server]:
    """Provide a server in a folder of its own; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        server = Server(Path(folder), workers)
        try:
            yield server
        finally:
            if hasattr(server, "process") and server.process.poll() is None:
                # Its workers notice, and stop.
                server.process.kill()
                server.process.wait()


def report(plan: Plan, books: Books, checks: Sequence[Check]) -> dict[str, Any]:
    """Return the figures as JSON."""
    latencies = sorted(o.ended - o.started for o in books.outcomes.values() if o.status and o.action == "soak_quick")
    return {
        "seconds": plan.seconds,
        "workers": plan.workers,
        "seed": plan.seed,
        "calls": len(books.outcomes),
        "attacks": books.hostile.total(),
        "statuses": dict(sorted(Counter(str(o.status) for o in books.outcomes.values()).items())),
        "bookings": sum(map(len, books.references.values())),
        "cut_by_kill": len(books.cut()),
        "quick_p50_ms": round(latencies[len(latencies) // 2] * 1000, 1) if latencies else None,
        "quick_p99_ms": round(latencies[len(latencies) * 99 // 100] * 1000, 1) if latencies else None,
        "checks": [vars(check) for check in checks],
        "ok": all(check.ok for check in checks),
    }


def arguments() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=120, help="how long calls are sent")
    parser.add_argument("--workers", type=int, default=2, help="worker processes of the server")
    parser.add_argument("--kill", action="store_true", help="SIGKILL a worker half way; needs two workers")
    parser.add_argument("--clients", type=int, default=12, help="clients; each has at most four calls open")
    parser.add_argument("--rate", type=float, default=60, help="how often a second something new is begun, about")
    parser.add_argument("--seed", type=int, default=1, help="of the choices that clients make")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the soak; 0 when all is well."""
    given = arguments().parse_args(argv)
    if given.kill and given.workers < 2:
        arguments().error("--kill needs --workers 2 or more")
    plan = Plan(given.seconds, given.workers, given.kill, min(given.clients, 64), min(given.rate, 500), given.seed)
    with served(plan.workers) as server:
        books, checks = asyncio.run(run(server, plan))
    figures = report(plan, books, checks)
    if given.json:
        print(json.dumps(figures, indent=2))  # noqa: T201 - a command's output
    else:
        for name, value in figures.items():
            if name != "checks":
                print(f"{name:15} {value}")  # noqa: T201 - a command's output
        for check in checks:
            print(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.found}")  # noqa: T201 - a command's output
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
