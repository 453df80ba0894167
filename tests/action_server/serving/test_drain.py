"""A server that is told to stop: no call is lost that could be answered, and none runs whose caller is not answered."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine_calls import call_body
from tests.processes import PATIENCE, ServerProcess, server
from tests.projects import WAITING, project

# What it does can be counted from outside.
COUNTING = """
    import os
    from rasa_sdk import Action

    class ActionCount(Action):
        def name(self):
            return "action_count"

        async def run(self, dispatcher, tracker, domain):
            line = f"{tracker.sender_id}\\n".encode()
            file = os.open("effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(file, line)
            os.close(file)
            return []
"""
KEPT = 200

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Spelling = Callable[[bytes], bytes]


def as_engines_do(body: bytes) -> bytes:
    return b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def in_small_letters(body: bytes) -> bytes:
    """HAProxy."""
    return b"POST /webhook HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def as_http_1_0(body: bytes) -> bytes:
    """nginx, unless it is told otherwise."""
    head = b"POST /webhook HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n%b"
    return head % (len(body), body)


def in_chunks(body: bytes) -> bytes:
    head = b"POST /webhook HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


SPELLINGS = [as_engines_do, in_small_letters, as_http_1_0, in_chunks]


def counted(name: str) -> bytes:
    return call_body("action_count", sender=name)


async def connect(running: ServerProcess) -> Stream:
    """Connect. Raises ``ConnectionRefusedError`` when nobody listens."""
    try:
        return await asyncio.open_connection("127.0.0.1", int(running.url.rpartition(":")[2]))
    except ConnectionResetError as exc:
        # The kernel had it in the queue of a socket that closed just then: nothing was sent, and nobody accepted it.
        raise ConnectionRefusedError from exc


async def answer_on(stream: Stream) -> tuple[int, dict[str, str]] | None:
    """The status and the headers of the next answer, read to its end; None if the connection ends without one."""
    reader = stream[0]
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        await reader.readexactly(int(headers["content-length"]))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return int(first.split()[1]), headers


async def ask(stream: Stream, request: bytes) -> tuple[int, dict[str, str]] | None:
    stream[1].write(request)
    return await answer_on(stream)


async def ask_once(running: ServerProcess, request: bytes) -> tuple[int, dict[str, str]] | None:
    """Ask on a connection of its own. Raises ``ConnectionRefusedError`` when nobody listens."""
    stream = await connect(running)
    try:
        return await ask(stream, request)
    finally:
        stream[1].close()


def effects(folder: Path) -> list[str]:
    return (folder / "effects").read_text(encoding="utf-8").split()


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.__name__)
@pytest.mark.parametrize("delay", ["0", "0.3"])
async def test_no_call_is_carried_out_and_not_answered(tmp_path: Path, spelling: Spelling, delay: str) -> None:
    """The next call of each of many kept connections, sent at the moment of the signal; answered ones happened once."""
    project(tmp_path, {"actions.py": COUNTING})
    with server(tmp_path, "--drain-delay", delay) as running:
        streams = [await connect(running) for _ in range(KEPT)]
        warm = await asyncio.gather(*(ask(s, spelling(counted(f"warm{i}"))) for i, s in enumerate(streams)))
        assert {answer[0] for answer in warm if answer} == {200}

        # The signal comes in the middle of the calls: of some the server has read the request and not begun with it.
        for i, (_, writer) in enumerate(streams):
            if i == KEPT // 2:
                running.process.send_signal(signal.SIGTERM)
            writer.write(spelling(counted(f"last{i}")))
        answers = await asyncio.gather(*(answer_on(stream) for stream in streams))
        assert await asyncio.to_thread(running.process.wait, PATIENCE) == 0

        answered = {f"last{i}" for i, answer in enumerate(answers) if answer is not None}
        last = [name for name in effects(tmp_path) if name.startswith("last")]
        assert sorted(last) == sorted(answered)
        # With a delay none is lost either.
        assert delay == "0" or len(answered) == KEPT
        for _, writer in streams:
            writer.close()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_server_that_drains_is_seen_and_takes_calls_until_the_delay_is_over(
    tmp_path: Path, workers: str
) -> None:
    """`/ready` says 503 on new connections, calls are answered, and then clients are refused at once."""
    project(tmp_path, {"actions.py": COUNTING})
    with server(tmp_path, "--workers", workers, "--drain-delay", "1") as running:
        running.process.send_signal(signal.SIGTERM)
        for _ in range(int(workers)):
            await asyncio.to_thread(running.wait_for, "worker.stopping")

        ready = await ask_once(running, b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n")
        assert ready is not None
        assert (ready[0], ready[1]["connection"]) == (503, "close")
        answered = 0
        refused = None
        while refused is None:
            for spelling in SPELLINGS:
                try:
                    answer = await ask_once(running, spelling(counted("late")))
                except ConnectionRefusedError as exc:
                    refused = exc
                    break
                assert answer is not None
                assert (answer[0], answer[1]["connection"]) == (200, "close")
                answered += 1

        assert answered >= 8
        assert await asyncio.to_thread(running.process.wait, PATIENCE) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_calls_that_come_while_a_long_one_drains_are_refused_and_do_not_hang(
    tmp_path: Path, workers: str
) -> None:
    """The socket closes for all workers though one of them still has a call."""
    project(tmp_path, {"actions.py": WAITING})
    arrived: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    async with await asyncio.start_server(lambda _, writer: arrived.put_nowait(writer), "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        with server(tmp_path, "--workers", workers, "--drain-delay", "0.2") as running:
            body = call_body("action_wait", {"port": port})
            long = asyncio.create_task(ask_once(running, as_engines_do(body)))
            writer = await arrived.get()
            running.process.send_signal(signal.SIGTERM)

            await asyncio.wait_for(until_refused(running), PATIENCE)
            writer.write(b"!")
            answer = await long
            assert answer is not None
            assert answer[0] == 200
            assert await asyncio.to_thread(running.process.wait, PATIENCE) == 0
            writer.close()


async def until_refused(running: ServerProcess) -> None:
    """Connect until nobody listens; whoever is accepted is answered."""
    while True:
        try:
            answer = await ask_once(running, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        except ConnectionRefusedError:
            return
        assert answer is not None


async def test_ctrl_c_waits_for_nobody(tmp_path: Path) -> None:
    """Whoever sits at the keyboard knows that the server stops: an hour's delay is not kept."""
    project(tmp_path, {"actions.py": COUNTING})
    for workers in ("1", "2"):
        with server(tmp_path, "--workers", workers, "--drain-delay", "3600") as running:
            assert await asyncio.to_thread(running.stop, signal.SIGINT) == 0
