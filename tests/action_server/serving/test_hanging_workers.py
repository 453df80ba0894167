"""Workers that hang: while they start, in an action, or because somebody stopped them; none of it ends the others."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from action_server.config.settings import Settings
from action_server.serving.worker_process import WorkerProcess
from tests.action_server.serving.server_calls import call, worker_of
from tests.processes import PATIENCE, ServerProcess, run, server
from tests.projects import GREET, project

# Never lets the loop run again, in Python or in C with Python's lock.
HANGING = (
    GREET
    + """
    import re

    class ActionSpin(Action):
        def name(self):
            return "action_spin"

        async def run(self, dispatcher, tracker, domain):
            while True:
                pass

    class ActionMatch(Action):
        def name(self):
            return "action_match"

        async def run(self, dispatcher, tracker, domain):
            return [re.match("(a+)+$", "a" * 60 + "b")]
"""
)
# What becomes of a start depends on the files that are there.
SLOW_TO_START = (
    GREET
    + """
    from contextlib import asynccontextmanager
    from pathlib import Path
    import asyncio

    @asynccontextmanager
    async def lifespan(services, config):
        if Path("hang").exists():
            logging.getLogger("bot").warning("hanging")
            await asyncio.Event().wait()
        if Path("die").exists():
            os._exit(7)
        yield
"""
)

# The first of them starts, all others hang.
ONE_STARTS = (
    HANGING
    + """
    from contextlib import asynccontextmanager
    from pathlib import Path
    import asyncio

    @asynccontextmanager
    async def lifespan(services, config):
        try:
            Path("first").touch(exist_ok=False)
        except FileExistsError:
            logging.getLogger("bot").warning("hanging", extra={"url": ""})
            await asyncio.Event().wait()
        yield
"""
)


def _line_of(file: Path, part: str) -> int:
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if part in line)


async def lost(url: str, action: str) -> None:
    """Call an action that never answers; its worker is killed."""
    with pytest.raises(aiohttp.ClientError):
        await call(url, action)


async def answered_at_last(url: str) -> int:
    """Greet until a worker answers: on a busy machine another one may be found silent and killed just now."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return (await call(url, "action_greet"))[0]
        except aiohttp.ClientError:
            assert time.monotonic() < until


def blocked_where(running: ServerProcess, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The next worker that is said to be blocked and fits: a busy machine may hold up another one for as long."""
    while not fits(blocked := running.wait_for("worker.blocked")):
        pass
    return blocked


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("action", ["action_spin", "action_match"])
async def test_a_worker_whose_loop_is_blocked_is_replaced_and_the_place_is_named(
    tmp_path: Path, workers: str, action: str
) -> None:
    """Every worker gets an endless call; afterwards calls are answered again."""
    project(tmp_path, {"actions.py": HANGING})
    with server(tmp_path, "--workers", workers, "--max-blocked", "1.5") as running:
        hanging = asyncio.create_task(lost(running.url, action))
        blocked = await asyncio.to_thread(
            blocked_where, running, lambda line: str(line["place"]).startswith("actions.py:")
        )
        replaced = await asyncio.to_thread(running.wait_for, "worker.replaced")

        assert blocked["pid"] not in replaced["pids"]
        assert await answered_at_last(running.url) == 200
        await hanging


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_worker_that_somebody_stopped_is_replaced(tmp_path: Path, workers: str) -> None:
    """It says nothing, so the system is asked what became of it."""
    project(tmp_path, {"actions.py": GREET})
    with server(tmp_path, "--workers", workers, "--max-blocked", "1") as running:
        victim = await worker_of(running.url)
        os.kill(victim, signal.SIGSTOP)
        blocked = await asyncio.to_thread(blocked_where, running, lambda line: line["pid"] == victim)
        await asyncio.to_thread(running.wait_for, "worker.replaced")

        assert blocked["problem"] == "it is stopped"
        assert await worker_of(running.url) != victim


async def test_a_server_that_was_stopped_as_a_whole_keeps_its_workers(tmp_path: Path) -> None:
    """A container that is paused and goes on later: no worker is to blame."""
    project(tmp_path, {"actions.py": GREET})
    with server(tmp_path, "--max-blocked", "2") as running:
        worker = await worker_of(running.url)
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in (worker, running.process.pid):
                os.kill(pid, number)
            if number == signal.SIGSTOP:
                await asyncio.sleep(3)

        await asyncio.sleep(1)
        assert await worker_of(running.url) == worker
    assert "worker.blocked" not in [line["event"] for line in running.log]


async def test_all_workers_are_watched_while_one_starts(tmp_path: Path) -> None:
    """A replacement hangs in its lifespan and the other worker dies: both are said, and served again in the end."""
    project(tmp_path, {"actions.py": SLOW_TO_START})
    with server(tmp_path, "--workers", "2", "--start-timeout", "25") as running:
        pids = [line["pid"] for line in running.log if line["event"] == "worker.loaded"]
        (tmp_path / "hang").touch()
        os.kill(pids[0], signal.SIGKILL)
        assert (await asyncio.to_thread(running.wait_for, "worker.died"))["pid"] == pids[0]
        await asyncio.to_thread(running.wait_for, "hanging")
        os.kill(pids[1], signal.SIGKILL)
        assert (await asyncio.to_thread(running.wait_for, "worker.died"))["pid"] == pids[1]
        (tmp_path / "hang").unlink()

        failed = await asyncio.to_thread(running.wait_for, "worker.not_replaced")
        line = _line_of(tmp_path / "actions.py", "Event().wait()")
        assert failed["problem"].startswith(f"actions.py:{line}: does not come to an end")
        await asyncio.to_thread(running.wait_for, "worker.replaced")
        assert (await call(running.url, "action_greet"))[0] == 200


async def test_a_worker_that_is_ready_is_watched_while_another_one_starts(tmp_path: Path) -> None:
    """It takes calls already, and the slow one may take its whole time."""
    project(tmp_path, {"actions.py": ONE_STARTS})
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = str(sock.getsockname()[1])
    with server(tmp_path, "--workers", "2", "--max-blocked", "1.5", "--port", port, ready="hanging") as running:
        url = f"http://127.0.0.1:{port}"
        assert (await call(url, "action_greet"))[0] == 200
        hanging = asyncio.create_task(lost(url, "action_spin"))

        await asyncio.to_thread(blocked_where, running, lambda line: line.get("action") == "action_spin")
        await hanging


async def test_workers_that_die_soon_one_after_the_other_are_replaced_after_longer_and_longer_pauses(
    tmp_path: Path,
) -> None:
    """As where the kernel is short of memory: each start would take a second of a processor, for ever."""
    dying = GREET.replace("def run(self", "async def run(self").replace("return []", "os._exit(9)")
    project(tmp_path, {"actions.py": dying})
    with server(tmp_path, "--workers", "1", "--max-blocked", "60") as running:
        died = []
        for _ in range(3):
            # The port is open all the time: whoever calls waits for the next worker.
            with pytest.raises(aiohttp.ClientError):
                await call(running.url, "action_greet")
            died.append(await asyncio.to_thread(running.wait_for, "worker.died"))

        assert [line.get("next_attempt_in") for line in died] == [None, 1.0, 2.0]


async def test_a_replacement_that_dies_while_starting_is_tried_again(tmp_path: Path) -> None:
    """The worker that serves goes on, and the pauses grow."""
    project(tmp_path, {"actions.py": SLOW_TO_START})
    with server(tmp_path, "--workers", "2") as running:
        (tmp_path / "die").touch()
        victim = await worker_of(running.url)
        os.kill(victim, signal.SIGKILL)
        failed = [await asyncio.to_thread(running.wait_for, "worker.not_replaced") for _ in range(2)]
        assert [line["next_attempt_in"] for line in failed] == [1.0, 2.0]
        assert (await call(running.url, "action_greet"))[0] == 200

        (tmp_path / "die").unlink()
        await asyncio.to_thread(running.wait_for, "worker.replaced")


def test_a_worker_that_is_blocked_while_it_starts_writes_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a lifespan that waits for an answer and lets nothing else run."""
    text = SLOW_TO_START.replace("import asyncio", "import time").replace("os._exit(7)", "time.sleep(1000)")
    project(tmp_path, {"blocked_bot.py": text, "die": ""})
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    starting = WorkerProcess(Settings(actions="blocked_bot", start_timeout=1), None, None)
    try:
        line = _line_of(tmp_path / "blocked_bot.py", "time.sleep")
        expected = f"it did not start within 1 s: it is at blocked_bot.py:{line}"
        latest = time.monotonic() + PATIENCE
        while (said := starting.why_late(1)) != expected and time.monotonic() < latest:
            time.sleep(0.05)
        assert said == expected
    finally:
        starting.kill()
        starting.process.join(PATIENCE)
        starting.close()


@pytest.mark.parametrize(
    ("hanging", "said"),
    [
        ("sys.exit(3)", "actions.py:{line}: SystemExit: 3"),
        ("raise asyncio.CancelledError", "actions.py:{line}: CancelledError:"),
    ],
)
def test_a_lifespan_that_ends_its_process_or_cancels_itself_is_named(tmp_path: Path, hanging: str, said: str) -> None:
    """As libraries do that call `sys.exit`; and nothing but lines of the log is written."""
    text = SLOW_TO_START.replace("import asyncio", "import asyncio, sys").replace("os._exit(7)", hanging)
    project(tmp_path, {"actions.py": text, "die": ""})

    ended = run(tmp_path, ["run", "--port", "0", "--max-blocked", "60", "--log-format", "json"])

    *log, last = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert last == f"error: {said.format(line=_line_of(tmp_path / 'actions.py', hanging))}"
    assert all(json.loads(line)["event"] == "process.failed" for line in log)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_database_that_is_down_at_the_start_is_waited_for_and_then_said(tmp_path: Path, workers: str) -> None:
    """Each attempt has a line; once the time to start is over, one line and exit code 2."""
    once = GREET.replace(
        "from rasa_sdk import Action", "from rasa_sdk import Action\n    from action_server import idempotent"
    )
    project(tmp_path, {"actions.py": once.replace("class ActionGreet", "@idempotent\n    class ActionGreet")})
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    database = f"postgresql://clinic@127.0.0.1:{port}/clinic"

    ended = run(tmp_path, ["run", "--port", "0", "--workers", workers, "--database", database, "--start-timeout", "30"])

    assert ended.returncode == 2
    assert "start.waiting" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("error: database: ")
