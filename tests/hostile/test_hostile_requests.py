"""Hostile requests against one real server: each gets its answer, and afterwards the server is as well as before."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hostile.case import (
    HEALTH,
    JWT_SECRET,
    MARKER,
    MAX_HEADER,
    MAX_REQUEST,
    PASSWORD,
    TIMEOUT,
    TOKEN,
    Case,
    request,
)
from tests.hostile.cases import ACTIONS, GROUPS, SETTINGS
from tests.hostile.peer import Peer
from tests.processes import PATIENCE, ServerProcess, server
from tests.projects import project

ROOT = Path(__file__).parents[2]

# How the calls begin that are not sent slowly.
USUAL_LINE = b"POST /webhook HTTP/1.1\r\n"
# How long a server may take to hang up: its time limit, the interval in which it looks, and a busy machine.
HANGS_UP_WITHIN = TIMEOUT * 3
# Over the whole table, at the peak: one bomb of 60 MB that is inflated would be seen.
MORE_MEMORY_KB = 50 * 1024
SECRETS = (MARKER, TOKEN, JWT_SECRET, PASSWORD)


@dataclass
class Target:
    """The server all cases are sent to, and the memory it had before them."""

    server: ServerProcess
    memory_kb: int

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])


def memory(target: ServerProcess, name: str) -> int:
    """Resident memory of a process in KiB: VmRSS now, VmHWM at its peak."""
    lines = Path(f"/proc/{target.process.pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One worker, which is the server's only process: had it crashed, nobody would replace it."""
    folder = project(tmp_path_factory.mktemp("hostile"), {"actions.py": ACTIONS})
    (folder / "endpoints.yml").write_text(SETTINGS, encoding="utf-8")
    flags = {
        "--max-request-bytes": MAX_REQUEST,
        "--max-header-bytes": MAX_HEADER,
        "--header-timeout": TIMEOUT,
        "--body-timeout": TIMEOUT,
        "--grace": 2,
    }
    with server(folder, *(str(part) for flag in flags.items() for part in flag)) as running:
        found = Target(running, memory(running, "VmRSS"))
        asyncio.run(assert_healthy(found))
        yield found


async def assert_healthy(target: Target) -> None:
    peer = await Peer.connect(target.port)
    await peer.send(HEALTH)
    assert await peer.listen(1, until_closed=False, patience=PATIENCE, quiet=0) == [200]
    await peer.close()


async def answers(target: Target, case: Case) -> tuple[list[int], bool, bytes]:
    """Send what the case sends, and return the statuses, whether the server hung up, and all it said."""
    peer = await Peer.connect(target.port)
    play = asyncio.ensure_future(peer.send(case.send) if isinstance(case.send, bytes) else case.send(peer))
    try:
        found = await peer.listen(len(case.answers), case.closed, HANGS_UP_WITHIN if case.closed else PATIENCE)
    finally:
        play.cancel()
        await asyncio.gather(play, return_exceptions=True)
        await peer.close()
    return found, peer.closed, bytes(peer.heard)


def matches(found: list[int], case: Case) -> bool:
    """A single digit in the table stands for all statuses that begin with it."""
    if case.answer_may_be_lost and not found:
        return True
    pairs = zip(found, case.answers, strict=False)
    return len(found) == len(case.answers) and all(want in (got, got // 100) for got, want in pairs)


def parameters() -> list[object]:
    return [
        pytest.param(
            case,
            id=f"{group}: {case.name[:60]}",
            marks=[pytest.mark.xfail(reason=case.defect, strict=True)] if case.defect else [],
        )
        for group, cases in GROUPS.items()
        for case in cases
    ]


@pytest.mark.parametrize("case", parameters())
async def test_a_hostile_request_gets_its_answer_and_harms_nobody(target: Target, case: Case) -> None:
    """The status of the table, no secret in it, the connection closed where it says so, and health as before."""
    found, closed, heard = await answers(target, case)
    await assert_healthy(target)

    assert not [secret for secret in SECRETS if secret.encode() in heard]
    assert b"Traceback" not in heard
    assert b"\nX-Injected" not in heard
    assert b"\rX-Injected" not in heard
    assert matches(found, case), f"{found} {heard[-500:]!r}"
    assert closed == case.closed


USUAL = [
    pytest.param(case, id=f"{group}: {case.name[:60]}")
    for group, cases in GROUPS.items()
    for case in cases
    if isinstance(case.send, bytes) and case.send.startswith(USUAL_LINE) and not case.defect
]


@pytest.mark.parametrize("case", USUAL)
async def test_a_hostile_call_gets_the_same_answer_from_the_plain_route(target: Target, case: Case) -> None:
    """A header that usual requests do not have leads there."""
    assert isinstance(case.send, bytes)
    plain = dataclasses.replace(case, send=case.send.replace(USUAL_LINE, USUAL_LINE + b"TE: trailers\r\n", 1))
    found, closed, heard = await answers(target, plain)
    await assert_healthy(target)

    assert not [secret for secret in SECRETS if secret.encode() in heard]
    assert matches(found, case), f"{found} {heard[-500:]!r}"
    assert closed == case.closed


@pytest.mark.parametrize("case", GROUPS["body"], ids=lambda case: case.name[:60])
async def test_a_hostile_body_that_nobody_reads_harms_nobody(target: Target, case: Case) -> None:
    """What an action does not read is not decoded: it may then be answered, and holds nothing up."""
    assert isinstance(case.send, bytes)
    unread = Case(case.name, case.send.replace(b"action_echo", b"action_idle"), case.answers, case.closed)
    found, _, heard = await answers(target, unread)
    await assert_healthy(target)

    assert not [secret for secret in SECRETS if secret.encode() in heard]
    assert found in ([200], []) or matches(found, case), f"{found} {heard[-500:]!r}"


def test_the_table_is_long_and_its_names_differ() -> None:
    """At least sixty cases, of every kind."""
    names = [f"{group}: {case.name}" for group, cases in GROUPS.items() for case in cases]

    assert len(names) >= 60
    assert len(set(names)) == len(names)
    assert all(len(cases) >= 10 for cases in GROUPS.values())


def test_every_test_that_the_security_page_names_exists() -> None:
    """The table's last column, and the text."""
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    there = {
        n
        for file in (ROOT / "tests").rglob("test_*.py")
        for n in re.findall(r"def (test_\w+)\(", file.read_text(encoding="utf-8"))
    }

    assert len(named) >= 5
    assert named - there == set()


async def heard_in_the_log(target: Target, word: str) -> list[str]:
    """The lines that hold a word; what is logged before an answer has arrived here a moment after it."""
    await assert_healthy(target)
    await asyncio.sleep(0.2)
    return [text for text in map(json.dumps, target.server.log) if word in text]


async def test_a_url_nobody_can_parse_does_not_reach_the_log(target: Target) -> None:
    """A token may stand in it, as the engine sends one."""
    line = b"POST /webhook?token=a-secret-in-a-bad-url\0 HTTP/1.1"
    await answers(target, Case("", request(line=line, authorization=None), (4,), closed=True))

    assert await heard_in_the_log(target, "a-secret-in-a-bad-url") == []


# From here on: after all of the table. They stay at the end of the file.


def test_afterwards_the_memory_is_bounded(target: Target) -> None:
    """At its peak, too: no bomb went off and was cleared away."""
    assert memory(target.server, "VmHWM") - target.memory_kb < MORE_MEMORY_KB


async def test_afterwards_a_good_call_is_answered_by_the_same_process(target: Target) -> None:
    """Nothing crashed, nothing is stuck."""
    found, _, heard = await answers(target, Case("a good call", request(), (200,)))

    assert (found, target.server.process.poll()) == ([200], None)
    assert b'"seen"' in heard


def test_afterwards_no_line_of_the_log_holds_a_secret_or_is_forged(target: Target) -> None:
    """Every line is one JSON object of ours; no value of a body, header, query or credential is in any of them."""
    assert [line for line in target.server.log if line["event"] in ("?", "forged")] == []
    assert [line for line in map(json.dumps, target.server.log) if any(secret in line for secret in SECRETS)] == []
    assert all(ord(character) >= 32 for line in target.server.log for character in line["event"].replace("\n", ""))


def test_afterwards_the_server_stops_in_order_and_never_failed(target: Target) -> None:
    """SIGTERM ends it with 0, and no line tells of a failure of the server itself."""
    assert target.server.stop() == 0

    assert [line for line in target.server.log if line["event"] == "server.failed"] == []
