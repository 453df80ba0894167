"""The server as a process: real sockets, real signals, one worker and several."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
from pathlib import Path

import aiohttp
import pytest

from action_server.errors import SettingsError
from action_server.serving.server import listen
from tests.action_server.serving.server_calls import call, edit, gate, worker_of
from tests.processes import PATIENCE, run, server
from tests.projects import GREET, MEETING, WAITING, project


async def test_sixteen_synchronous_actions_run_at_once_while_health_answers(tmp_path: Path) -> None:
    """Sync actions do not block each other, and health needs none of their threads."""
    project(tmp_path, {"actions/__init__.py": "", "actions/meeting.py": MEETING})
    with server(tmp_path, "--sync-workers", "16") as running:
        calls = [asyncio.create_task(call(running.url, "action_meet")) for _ in range(15)]
        async with aiohttp.ClientSession() as session, session.get(f"{running.url}/health") as health:
            assert await health.json() == {"status": "ok"}
        calls.append(asyncio.create_task(call(running.url, "action_meet")))

        replies = await asyncio.gather(*calls)

    assert [status for status, _ in replies] == [200] * 16
    assert all(body["events"][0]["value"] is True for _, body in replies)


async def test_two_workers_both_serve_and_the_logs_of_both_arrive(tmp_path: Path) -> None:
    """Calls reach both processes, and what the action logs in each is in the one log, with its call."""
    project(tmp_path, {"actions.py": GREET})
    with server(tmp_path, variables={"ACTION_SERVER_SANIC_WORKERS": "2"}) as running:
        workers: set[int] = set()
        while len(workers) < 2:
            workers |= set(await asyncio.gather(*(worker_of(running.url) for _ in range(20))))
        assert running.stop() == 0

    greetings = [line for line in running.log if line["event"] == "greeting"]
    assert len(greetings) >= 2
    assert {line["action"] for line in greetings} == {"action_greet"}
    assert {line["sender_id"] for line in greetings} == {"tester"}
    stopped = [line for line in running.log if line["event"] == "worker.stopping"]
    assert {line["pid"] for line in stopped} == workers


async def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    """After a SIGKILL the log says so, and the server is back at two workers."""
    project(tmp_path, {"actions.py": GREET})
    with server(tmp_path, "--workers", "2") as running:
        victim = await worker_of(running.url)
        os.kill(victim, signal.SIGKILL)

        assert running.wait_for("worker.died")["pid"] == victim
        replaced = running.wait_for("worker.replaced")["pids"]
        workers: set[int] = set()
        while not set(replaced) <= workers:
            workers |= set(await asyncio.gather(*(worker_of(running.url) for _ in range(20))))

        assert victim not in workers


async def test_an_edit_is_served_by_new_workers_and_a_broken_one_is_not(tmp_path: Path) -> None:
    """With --auto-reload an edited helper counts; a broken edit keeps the last good version and says why."""
    helper = tmp_path / "words.py"
    action = GREET.replace("hello from", "{words.GREETING} from").replace("import os", "import os\n    import words")
    project(tmp_path, {"actions.py": action, "words.py": "GREETING = 'hello'"})
    with server(tmp_path, "--auto-reload") as running:
        # Before the first request, which rasa-sdk misses.
        edit(helper, "GREETING = 'good morning'")
        await asyncio.to_thread(running.wait_for, "reload.done")
        assert await greeting(running.url) == "good morning"

        edit(helper, "GREETING = nothing")
        problem = (await asyncio.to_thread(running.wait_for, "reload.failed"))["problem"]
        assert problem.startswith("words.py:1: cannot import 'actions': NameError")
        assert await greeting(running.url) == "good morning"

        edit(helper, "GREETING = 'good evening'")
        await asyncio.to_thread(running.wait_for, "reload.done")
        assert await greeting(running.url) == "good evening"


async def greeting(url: str) -> str:
    _, body = await call(url, "action_greet")
    return str(body["responses"][0]["text"]).partition(" from")[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_signal_stops_everything_after_running_calls(
    tmp_path: Path, workers: str, number: signal.Signals
) -> None:
    """A call in flight is answered, new connections are refused, every process ends with code 0."""
    project(tmp_path, {"actions.py": WAITING})
    async with gate() as (port, arrived):
        with server(tmp_path, "--workers", workers) as running:
            waiting = asyncio.create_task(call(running.url, "action_wait", port=port))
            writer = await arrived.get()
            running.process.send_signal(number)
            await asyncio.to_thread(running.wait_for, "worker.stopping")
            writer.write(b"!")

            status, body = await waiting
            assert (status, body["responses"][0]["text"]) == (200, "done")
            assert await asyncio.to_thread(running.process.wait, PATIENCE) == 0
            writer.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(running.url.rpartition(":")[2])), timeout=5)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_like_this", "actions.py:1: cannot import 'actions': ModuleNotFoundError"),
        ("def broken(:", "actions.py:1: cannot import 'actions': SyntaxError"),
    ],
    ids=["missing import", "syntax error"],
)
def test_a_package_that_does_not_import_ends_the_start(tmp_path: Path, workers: str, text: str, said: str) -> None:
    """One line that names file and line, exit code 2, no traceback; once, however many workers there are."""
    project(tmp_path, {"actions.py": text})

    ended = run(tmp_path, ["run", "--port", "0", "--workers", workers])

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: {said}")
    assert ended.stderr.count("\n") == 1


def test_a_port_in_use_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    """The line names the address and what to do."""
    project(tmp_path, {"actions.py": GREET})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        ended = run(tmp_path, ["run", "--host", "127.0.0.1", "--port", port])

    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; stop the other server" in ended.stderr


def test_an_address_of_somebody_else_is_said() -> None:
    """With the one that stands for all of this machine's."""
    with pytest.raises(SettingsError, match="Cannot assign requested address; this machine has no such address"):
        listen("192.0.2.1", 0)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for this machine, its key locked with a password."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-passout", "pass:hunter2", "-days", "1"),
            *("-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    return tmp_path


async def test_https_is_served_with_a_certificate(certificate: Path) -> None:
    """A client that trusts the certificate gets its answer."""
    project(certificate, {"actions.py": GREET})
    flags = ["--ssl-certificate", "cert.pem", "--ssl-keyfile", "key.pem", "--ssl-password", "hunter2"]
    with server(certificate, *flags) as running:
        assert running.url.startswith("https://")
        trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        async with aiohttp.ClientSession() as session, session.get(f"{running.url}/health", ssl=trusting) as response:
            assert await response.json() == {"status": "ok"}
        assert "hunter2" not in json.dumps(running.log)


@pytest.mark.parametrize("password", ["wrong", ""], ids=["wrong password", "no password"])
def test_a_key_that_cannot_be_opened_ends_the_start(certificate: Path, password: str) -> None:
    """One line, exit code 2; the password is not in it and none is asked for."""
    project(certificate, {"actions.py": GREET})
    flags = ["--ssl-certificate", "cert.pem", "--ssl-keyfile", "key.pem"]

    ended = run(certificate, ["run", "--port", "0", *flags, *(["--ssl-password", password] if password else [])])

    assert ended.returncode == 2
    assert "error: --ssl-certificate, --ssl-keyfile: key.pem needs its password, --ssl-password" in ended.stderr
    assert "wrong" not in ended.stderr.split("error:")[1]
