"""Objects that work only on the thread that made them work in actions, and the server answers while one runs."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from action_server.testing import webhook_request
from tests.action_server.serving.server_calls import call, gate
from tests.action_server.serving.test_forks import seen
from tests.processes import PATIENCE, run, server
from tests.projects import WAITING, project

# As two public bots have it.
DATABASE = """
    import sqlite3
    import threading
    from rasa_sdk import Action, FormValidationAction
    from rasa_sdk.events import SlotSet

    connection = sqlite3.connect(":memory:")
    connection.execute("create table city (name text)")
    connection.execute("insert into city values ('Bonn')")
    HOME = threading.get_ident()

    def cities():
        return [name for name, in connection.execute("select name from city")]

    class ActionCities(Action):
        def __init__(self):
            self.home = threading.get_ident()

        def name(self):
            return "action_cities"

        def run(self, dispatcher, tracker, domain):
            return [SlotSet("seen", [cities(), {HOME, self.home} == {threading.get_ident()}])]

    class ActionCitiesAsync(Action):
        def name(self):
            return "action_cities_async"

        async def run(self, dispatcher, tracker, domain):
            return [SlotSet("seen", [cities(), HOME == threading.get_ident()])]

    class ActionLoop(Action):
        def name(self):
            return "action_loop"

        def run(self, dispatcher, tracker, domain):
            import asyncio
            async def work():
                return "done"
            return [SlotSet("seen", asyncio.run(work()))]

    class ActionSignal(Action):
        def name(self):
            return "action_signal"

        def run(self, dispatcher, tracker, domain):
            import signal
            before = signal.signal(signal.SIGALRM, lambda number, frame: None)
            return [SlotSet("seen", before == signal.SIG_DFL)]

    class ActionExit(Action):
        def name(self):
            return "action_exit"

        def run(self, dispatcher, tracker, domain):
            raise SystemExit(3)

    class ActionTaskExit(Action):
        def name(self):
            return "action_task_exit"

        async def run(self, dispatcher, tracker, domain):
            import asyncio, sys
            async def work():
                await asyncio.sleep(0)
                sys.exit(3)
            asyncio.get_running_loop().call_soon(sys.exit)
            await asyncio.gather(work())

    class ValidateForm(FormValidationAction):
        def name(self):
            return "validate_form"

        def validate_city(self, value, dispatcher, tracker, domain):
            return {"city": value if value in cities() else None}
"""
FORM = {"forms": {"form": {"required_slots": ["city"]}}}


async def validated(url: str, city: str) -> Any:
    body = webhook_request("validate_form", {"city": city}, domain=FORM)
    async with aiohttp.ClientSession() as session, session.post(f"{url}/webhook", json=body) as response:
        return (await response.json())["events"][0]["value"]


@pytest.mark.parametrize("flags", [(), ("--workers", "2"), ("--sync-thread", "import"), ("--sync-workers", "1")])
async def test_a_connection_of_a_module_works_in_every_action(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """Sync and async ones and validators, all on the importing thread, without a word of the author's."""
    project(tmp_path, {"actions.py": DATABASE})
    with server(tmp_path, *flags) as running:
        for _ in range(2):
            assert await seen(running.url, "action_cities") == [["Bonn"], True]
            assert await seen(running.url, "action_cities_async") == [["Bonn"], True]
            assert [await validated(running.url, city) for city in ("Bonn", "Rome")] == ["Bonn", None]
            assert await seen(running.url, "action_loop") == "done"
            assert (await call(running.url, "action_exit"))[0] == 500
        assert (await call(running.url, "action_task_exit"))[0] == 500
        assert await seen(running.url, "action_loop") == "done"
        assert running.stop() == 0

    objects = {line["objects"] for line in running.log if line["event"] == "actions.thread_bound"}
    assert objects == (set() if "--sync-thread" in flags else {"actions.connection (sqlite3.Connection)"})


async def test_a_signal_of_an_action_works_on_the_importing_thread(tmp_path: Path) -> None:
    """It is the main one, which Python asks for; elsewhere the call fails and no other one does."""
    project(tmp_path, {"actions.py": DATABASE})
    with server(tmp_path, "--sync-thread", "import") as running:
        assert await seen(running.url, "action_signal") is True
    with server(tmp_path, "--sync-thread", "pool") as running:
        assert (await call(running.url, "action_signal"))[0] == 500


async def test_a_pool_may_be_insisted_on(tmp_path: Path) -> None:
    """Then a synchronous action fails as it must, and async ones go on; also after one whose task exits."""
    project(tmp_path, {"actions.py": DATABASE})
    with server(tmp_path, "--sync-thread", "pool") as running:
        assert (await call(running.url, "action_cities"))[0] == 500
        assert (await call(running.url, "action_task_exit"))[0] == 500
        assert await seen(running.url, "action_cities_async") == [["Bonn"], True]
        assert running.stop() == 0

    refused = [line["place"] for line in running.log if line["event"] == "exit.refused"]
    assert len(refused) == 2
    assert str(refused[1]).startswith("actions.py:")


def test_a_call_in_process_says_the_same(tmp_path: Path) -> None:
    """`action-server call` without a URL is no other world."""
    project(tmp_path, {"actions.py": DATABASE})

    called = run(tmp_path, ["call", "action_cities"])

    assert (called.returncode, "Bonn" in called.stdout) == (0, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_the_server_answers_and_stops_while_the_one_thread_is_busy(
    tmp_path: Path, workers: str, number: signal.Signals
) -> None:
    """Probes are answered, what takes too long is cut, and a signal is heard."""
    project(tmp_path, {"actions.py": WAITING})
    async with gate() as (port, arrived):
        with server(tmp_path, "--sync-workers", "1", "--workers", workers) as running:
            waiting = asyncio.create_task(call(running.url, "action_wait", port=port))
            writer = await arrived.get()
            async with aiohttp.ClientSession() as session, session.get(f"{running.url}/health") as health:
                assert health.status == 200
            running.process.send_signal(number)
            await asyncio.to_thread(running.wait_for, "worker.stopping")
            writer.write(b"!")

            status, body = await waiting
            assert (status, body["responses"][0]["text"]) == (200, "done")
            assert await asyncio.to_thread(running.process.wait, PATIENCE) == 0
            writer.close()


async def test_a_call_that_takes_too_long_is_cut_and_one_behind_it_never_runs(tmp_path: Path) -> None:
    """The server's clock goes on while the thread is busy; a thread that never ends does not keep the process."""
    project(tmp_path, {"actions.py": WAITING})
    async with gate() as (port, arrived):
        flags = ("--sync-thread", "import", "--timeout", "1", "--grace", "1")
        with server(tmp_path, *flags) as running:
            calls = [asyncio.create_task(call(running.url, "action_wait", port=port)) for _ in range(2)]
            writer = await arrived.get()
            assert [status for status, _ in await asyncio.gather(*calls)] == [504, 504]
            assert arrived.empty()
            assert await asyncio.to_thread(running.stop) == 0
            assert "worker.threads_left" in [line["event"] for line in running.log]
            writer.close()
