"""With --auto-reload an edit of endpoints.yml counts as a whole, or not at all."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.action_server.serving.server_calls import call
from tests.processes import ServerProcess, server
from tests.projects import project

# Tells how long it may run, and logs a slot.
TELL = """
    import logging
    import os
    from action_server import time_left
    from rasa_sdk import Action

    class ActionTell(Action):
        def name(self):
            return "action_tell"

        async def run(self, dispatcher, tracker, domain):
            logging.getLogger("bot").info("heard", extra={"who": tracker.get_slot("who")})
            dispatcher.utter_message(text=f"{time_left():.0f} {os.getpid()}")
            return []
"""
FILE = "action_server: {{timeout: {timeout}{more}}}\nprivacy: {{rules: [{{slot: {slot}}}]}}\n"


def edit(path: Path, text: str) -> None:
    """Change a file, or make it, so that its time differs, however coarse the file system's clock."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    os.utime(new, ns=(before + 10**9, before + 10**9))
    new.replace(path)


def move_away(path: Path) -> None:
    """As editors do it, and as somebody who has no file yet finds it."""
    path.rename(path.with_suffix(".bak"))


async def tell(running: ServerProcess) -> tuple[int, int, str]:
    """The seconds a call has, the worker that took it, and what the log says of the slot."""
    _, answer = await call(running.url, "action_tell", who="Ann Lee")
    seconds, pid = answer["responses"][0]["text"].split()
    heard = await asyncio.to_thread(running.wait_for, "heard")
    return int(seconds), int(pid), heard["who"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The endpoints file of a project: calls may take 40 seconds, and nothing is masked."""
    project(tmp_path, {"actions.py": TELL, "endpoints.yml": FILE.format(timeout=40, slot="other", more="")})
    return tmp_path / "endpoints.yml"


async def test_one_edit_changes_settings_and_privacy_together(file: Path) -> None:
    """Not the one without the other: the log would say "done" of half an edit."""
    with server(file.parent, "--auto-reload") as running:
        assert (await tell(running))[::2] == (40, "Ann Lee")

        edit(file, FILE.format(timeout=20, slot="who", more=""))
        done = await asyncio.to_thread(running.wait_for, "reload.done")

        assert done["files"] == ["endpoints.yml"]
        assert (await tell(running))[::2] == (20, "*******")


@pytest.mark.parametrize(
    ("timeout", "slot", "place"),
    [
        ("soon", "who", "endpoints.yml: action_server.timeout: "),
        ("20", "1", "endpoints.yml: privacy.rules[0].slot: "),
        ("20", "'${NOT_SET}'", "endpoints.yml: privacy.rules[0].slot: "),
        ("20", "[", "endpoints.yml: cannot be read as YAML (line "),
    ],
    ids=["settings", "privacy", "a variable", "YAML"],
)
async def test_a_mistake_anywhere_keeps_all_that_was_and_is_named(
    file: Path, timeout: str, slot: str, place: str
) -> None:
    """In one line with its place; a worker that dies meanwhile is replaced by one like it."""
    with server(file.parent, "--auto-reload") as running:
        edit(file, FILE.format(timeout=timeout, slot=slot, more=""))
        failed = await asyncio.to_thread(running.wait_for, "reload.failed")

        assert failed["problem"].startswith(place)
        assert "\n" not in failed["problem"]
        seconds, worker, who = await tell(running)
        assert (seconds, who) == (40, "Ann Lee")

        os.kill(worker, signal.SIGKILL)
        await asyncio.to_thread(running.wait_for, "worker.replaced")
        seconds, other, who = await tell(running)
        assert (seconds, who) == (40, "Ann Lee")
        assert other != worker


async def test_what_only_a_restart_changes_is_named_and_the_rest_counts(file: Path) -> None:
    """Whoever edits the port would otherwise look for the server there."""
    with server(file.parent, "--auto-reload") as running:
        edit(file, FILE.format(timeout=20, slot="who", more=", workers: 3, metrics: false"))
        needed = await asyncio.to_thread(running.wait_for, "reload.restart_needed")

        assert needed["settings"] == ["metrics", "workers"]
        assert (await tell(running))[::2] == (20, "*******")
        loaded = [line for line in running.log if line["event"] == "worker.loaded"]
        assert len(loaded) == 2


async def test_a_file_that_is_moved_away_changes_nothing_until_it_is_back(file: Path) -> None:
    """Editors do that to write it anew, and its credentials must not be gone for that moment."""
    with server(file.parent, "--auto-reload") as running:
        move_away(file)
        failed = await asyncio.to_thread(running.wait_for, "reload.failed")
        assert failed["problem"] == "endpoints.yml: the file is gone"
        assert (await tell(running))[::2] == (40, "Ann Lee")

        edit(file, FILE.format(timeout=20, slot="who", more=""))
        await asyncio.to_thread(running.wait_for, "reload.done")
        assert (await tell(running))[::2] == (20, "*******")


async def test_a_file_that_was_not_there_counts_once_it_is(file: Path) -> None:
    """A project is often begun without one."""
    move_away(file)
    with server(file.parent, "--auto-reload") as running:
        assert (await tell(running))[::2] == (30, "Ann Lee")

        edit(file, FILE.format(timeout=20, slot="who", more=""))
        await asyncio.to_thread(running.wait_for, "reload.done")

        assert (await tell(running))[::2] == (20, "*******")


async def test_the_log_is_configured_anew_in_every_process(file: Path) -> None:
    """The process that watches the files logs as the workers do."""
    with server(file.parent, "--auto-reload") as running:
        edit(file, FILE.format(timeout=20, slot="who", more=", log_level: WARNING, workers: 3"))
        # Comes after the level has changed, from the process that watches; `reload.done` is not worth a warning.
        await asyncio.to_thread(running.wait_for, "reload.restart_needed")

    events = [line["event"] for line in running.log]
    assert "reload.started" in events
    assert "reload.done" not in events
