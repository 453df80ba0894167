"""A worker whose memory is at its end: what an action asks for in vain costs its own call, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.serving.server_calls import call, worker_of
from tests.processes import server
from tests.projects import GREET, project

# The kernel gives the process 256 MiB more than it has, and no more.
HUNGRY = (
    GREET
    + """
    import asyncio
    import resource

    with open("/proc/self/statm") as file:
        limit = int(file.read().split()[0]) * resource.getpagesize() + (256 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    class ActionHungry(Action):
        def name(self):
            return "action_hungry"

        def run(self, dispatcher, tracker, domain):
            return [bytearray(8 << 30)]

    class ActionHungryToo(Action):
        def name(self):
            return "action_hungry_too"

        async def run(self, dispatcher, tracker, domain):
            held = []
            while True:
                held.append(bytearray(32 << 20))
                await asyncio.sleep(0)
"""
)


@pytest.mark.parametrize("action", ["action_hungry", "action_hungry_too"])
async def test_an_action_that_gets_no_memory_fails_and_the_worker_goes_on(tmp_path: Path, action: str) -> None:
    """On a thread or on the loop, at once or little by little; its failure is one line with an id."""
    project(tmp_path, {"actions.py": HUNGRY})
    with server(tmp_path, "--actions", "actions") as running:
        worker = await worker_of(running.url)
        status, body = await call(running.url, action)

        assert (status, body["action_name"]) == (500, action)
        failed = running.wait_for("action.failed")
        assert failed["action"] == action
        assert "MemoryError" in str(failed)
        assert await worker_of(running.url) == worker
