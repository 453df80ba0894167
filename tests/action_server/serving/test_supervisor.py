"""Several workers: one that dies while starting is an error, none outlives its supervisor, a signal drains them all."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from action_server.serving.project_files import snapshot
from tests.action_server.serving.server_calls import call, edit, gate
from tests.processes import PATIENCE, run, server
from tests.projects import GREET, WAITING, project


async def test_a_signal_to_all_processes_drains_as_one_to_the_first(tmp_path: Path) -> None:
    """systemd signals every process of a service; a worker then hears it twice and still finishes its call."""
    project(tmp_path, {"actions.py": WAITING})
    async with gate() as (port, arrived):
        with server(tmp_path, "--workers", "2") as running:
            waiting = asyncio.create_task(call(running.url, "action_wait", port=port))
            writer = await arrived.get()
            for loaded in [line for line in running.log if line["event"] == "worker.loaded"]:
                os.kill(loaded["pid"], signal.SIGTERM)
            await asyncio.to_thread(running.wait_for, "worker.stopping")
            await asyncio.to_thread(running.wait_for, "worker.stopping")
            running.process.send_signal(signal.SIGTERM)
            writer.write(b"!")

            assert (await waiting)[0] == 200
            assert await asyncio.to_thread(running.process.wait, PATIENCE) == 0
            writer.close()


async def test_workers_do_not_outlive_their_supervisor(tmp_path: Path) -> None:
    """When the supervisor is killed, its workers stop serving by themselves."""
    project(tmp_path, {"actions.py": GREET})
    with server(tmp_path, "--workers", "2") as running:
        running.process.kill()

        await asyncio.to_thread(running.wait_for, "worker.stopping")
        await asyncio.to_thread(running.wait_for, "worker.stopping")


def test_a_worker_that_ends_while_starting_is_an_error_of_the_start(tmp_path: Path) -> None:
    """A package that ends its process at import does not leave a server without workers behind."""
    project(tmp_path, {"actions.py": "import os; os._exit(7)"})

    ended = run(tmp_path, ["run", "--port", "0", "--workers", "2"])

    assert (ended.returncode, ended.stderr) == (2, "error: a worker ended while starting (exit code 7)\n")


def test_a_snapshot_sees_edits_new_files_and_deletions(tmp_path: Path) -> None:
    """A file of the project, a Python file beside it that nothing imported yet, and one that is gone."""
    module, beside = tmp_path / "actions.py", tmp_path / "new.py"
    module.write_text("")
    files = [str(module)]
    first = snapshot(files)

    edit(module, "x = 1")
    edited = snapshot(files)
    beside.write_text("")
    added = snapshot(files)
    module.unlink()

    assert set(first) == set(edited) == {str(module)}
    assert first != edited
    assert set(added) == {str(module), str(beside)}
    assert str(module) not in snapshot(files)
