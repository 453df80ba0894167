"""The dimensions of what stands beside a server: PostgreSQL, a calendar, callers of tools and of gRPC, more workers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import grpc
from google.protobuf.json_format import ParseDict
from rasa_sdk.grpc_py import action_webhook_pb2 as pb

from actions.scheduling.models import Slot
from actions.transport import open_session
from benchmarks import growth_stored, load, sizes
from benchmarks.growth_served import Client, cost_of, kind, point
from benchmarks.grpc_rows import METHOD
from benchmarks.jobs import new_database
from benchmarks.load import rss_kb
from benchmarks.points import Point
from benchmarks.servers import Kind, free_port, started
from tests.actions.scheduling.caldav.caldav_servers import radicale
from tests.actions.scheduling.caldav.caldav_system import UTC, CalDavServer, CalDavSystem
from tests.databases import postgresql_server

_LIST = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
_TOOL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "action_1", "arguments": {}}}
_OFFERS = 3


def postgresql(counts: tuple[int, ...]) -> Iterator[Point]:
    """Book, and run what has a key, among so many rows of a PostgreSQL database; its sessions' CPU counts as well."""
    with tempfile.TemporaryDirectory(prefix="growth-") as folder, postgresql_server(Path(folder)) as url:
        for name, unit in (("bookings", "booking"), ("idempotency", "run")):
            for count in counts:
                measured = growth_stored.in_a_process(name, count, new_database(url, f"{name}_{count}"))
                yield Point(f"{name}, PostgreSQL", unit, "ours", count, *measured)


def calendar(counts: tuple[int, ...]) -> Iterator[Point]:
    """Look for free times in a calendar with so many events of the past, and a hundredth as many series."""
    with tempfile.TemporaryDirectory(prefix="growth-") as folder, radicale(Path(folder)) as server:
        for count in counts:
            path = server.make_calendar(f"practice-{count}")
            written = Path(folder, "collections", "collection-root", path.strip("/"))
            _write_events(written, count)
            # The server reads what is new to it once.
            server.request("PROPFIND", path, headers={"Depth": "1"})
            yield Point("events of a calendar", "offer", "ours", count, *asyncio.run(_offer(server, path)))


def _write_events(folder: Path, count: int) -> None:
    before = datetime(2026, 11, 1, tzinfo=timezone.utc)
    for number in range(count):
        start = before - timedelta(minutes=5 * number)
        lines = [
            f"UID:{uuid.uuid5(uuid.NAMESPACE_OID, str(number))}",
            f"DTSTAMP:{before:{UTC}}",
            f"DTSTART:{start:{UTC}}",
        ]
        lines += [f"DTEND:{start + timedelta(minutes=5):{UTC}}", "SUMMARY:Visit"]
        lines += ["RRULE:FREQ=DAILY;COUNT=3"] * (number % 100 == 0)
        whole = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//x",
            "BEGIN:VEVENT",
            *lines,
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
        (folder / f"{number}.ics").write_text("\r\n".join(whole), encoding="utf-8", newline="")


async def _offer(server: CalDavServer, path: str) -> tuple[float, float]:
    """Return this process's CPU time for a look at two weeks, in milliseconds, and its memory."""
    first = datetime(2026, 11, 23, 8, tzinfo=timezone.utc)
    starts = [first + timedelta(days=day, minutes=30 * number) for day in range(14) for number in range(16)]
    slots = [Slot("practice", start, start + timedelta(minutes=30)) for start in starts]
    async with open_session() as session:
        opened = await CalDavSystem(server, session, path, lambda: first).open(
            transport={"total_timeout": 300, "read_timeout": 300}
        )
        await opened.free(slots)
        begun = time.process_time()
        for _ in range(_OFFERS):
            if len(await opened.free(slots)) != len(slots):
                raise RuntimeError("a time is taken in a calendar in which nothing is to come")
        return (time.process_time() - begun) / _OFFERS * 1000, rss_kb(os.getpid()) / 1024


def tools(counts: tuple[int, ...]) -> Iterator[Point]:
    """List so many tools, and call one of them."""
    for count in counts:
        with _offering(count) as kind_, started(kind_) as up, Client(up) as client:
            call = json.dumps(_TOOL).encode()
            for unit, body in (("list", _LIST), ("call", call)):
                yield point("tools", unit, "ours", count, cost_of(up, lambda body=body: client.post(body, "/mcp")), up)  # type: ignore[misc]


def over_grpc(counts: tuple[int, ...]) -> Iterator[Point]:
    """Call one of so many actions over gRPC."""
    whole = json.loads(sizes.call("action_1"))
    message = ParseDict(whole, pb.WebhookRequest(), ignore_unknown_fields=True).SerializeToString()
    for count in counts:
        port = free_port()
        with (
            _offering(count, "--grpc-port", str(port)) as kind_,
            started(kind_) as up,
            grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            call = partial(channel.unary_unary(METHOD), message, wait_for_ready=True)
            yield point("actions, gRPC", "call", "ours", count, cost_of(up, call), up)


@contextlib.contextmanager
def _offering(count: int, *flags: str) -> Iterator[Kind]:
    """Yield how a server is started whose actions are tools as well."""
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        sizes.write_actions(Path(folder, "grown_actions"), count)
        endpoints = Path(folder, "endpoints.yml")
        endpoints.write_text('action_server: {mcp: {actions: ["*"]}}\n', encoding="utf-8")
        plain = kind("ours", "grown_actions", Path(folder))
        yield Kind((*plain.command, "--endpoints", str(endpoints), *flags), plain.variables)


def workers(counts: tuple[int, ...]) -> Iterator[Point]:
    """Send calls to so many workers over 64 connections."""
    plain = kind("ours", "growth_actions")
    for count in counts:
        with started(Kind((*plain.command, "--workers", str(count)), plain.variables, core=None)) as up:
            sent = load.Load(sizes.call("action_none"))
            load.run(up.url, sent, 1, up.pid, core=None)
            found = load.run(up.url, sent, 3, up.pid, core=None)
            yield Point("workers", "call", "ours", count, found.cpu / 1000, found.rss_kb / 1024)
