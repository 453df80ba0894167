"""Authors' code that is imported or made on an event loop's thread sees no running loop."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import uvloop

from action_server.runtime import loader
from action_server.runtime.no_loop import hide_running_loop, no_running_loop
from tests.processes import run, server
from tests.projects import project

SET_UP = """
    import asyncio
    import os
    from rasa_sdk import Action
    from rasa_sdk.events import SlotSet

    async def init():
        await asyncio.sleep(0)
        return asyncio.current_task() is not None

    CONFIG = asyncio.run(init())
    LATER = asyncio.get_event_loop() if os.environ.get("TAKE_A_LOOP") else None

    class ActionReady(Action):
        def __init__(self):
            self.ready = asyncio.run(init())

        def name(self):
            return "action_ready"

        def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(text=f"{CONFIG} {self.ready}")
            return []

    def register_actions(registry):
        registry.register_function("action_made", lambda *_: [SlotSet("made", asyncio.run(init()))])
"""


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_package_is_imported_as_if_no_loop_ran(folder: Path, new_loop: type[asyncio.AbstractEventLoop]) -> None:
    """`asyncio.run` at the top of a module and in `__init__`; afterwards the outer loop and its task go on."""
    project(folder, {"set_up_of_test_no_loop.py": SET_UP})

    async def load() -> list[str]:
        outer = asyncio.current_task()
        names = [action.name for action in loader.load("set_up_of_test_no_loop").registry]
        assert asyncio.current_task() is outer
        await asyncio.sleep(0)
        return names

    loop = new_loop()
    try:
        assert loop.run_until_complete(load()) == ["action_ready", "action_made"]
    finally:
        loop.close()


def test_a_loop_that_a_module_takes_may_be_used_later() -> None:
    """It is another one than the server's, and it is not closed under the module's hands."""

    async def take() -> asyncio.AbstractEventLoop:
        with no_running_loop():
            return asyncio.get_event_loop()

    taken = asyncio.run(take())

    assert taken.run_until_complete(asyncio.sleep(0, "done")) == "done"
    taken.close()


async def test_an_error_within_the_block_brings_the_loop_back() -> None:
    """A module that does not import costs itself only."""
    with pytest.raises(ValueError, match="no"), hide_running_loop():
        raise ValueError("no")

    await asyncio.sleep(0)
    assert asyncio.current_task() is not None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_the_list_says_of_async_set_up_the_server_does(tmp_path: Path, workers: str) -> None:
    """`list`, `check`, a call in process and the server agree."""
    project(tmp_path, {"actions.py": SET_UP})

    assert run(tmp_path, ["list"]).returncode == 0
    called = run(tmp_path, ["call", "action_ready"])
    assert (called.returncode, "True True" in called.stdout) == (0, True)
    with server(tmp_path, "--workers", workers) as running:
        called = run(tmp_path, ["call", "action_ready", "--url", f"{running.url}/webhook"])
        assert (called.returncode, "True True" in called.stdout) == (0, True)
