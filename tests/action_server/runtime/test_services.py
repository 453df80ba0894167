"""Services: opened by a package's lifespan, asked for by actions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import svcs

from action_server import current_call
from action_server.assembly import assemble
from action_server.config.settings import Settings
from action_server.errors import LifespanError, NoCallError, ServiceError
from action_server.runtime import services
from tests.processes import run, server
from tests.projects import project


class Clock:
    pass


async def test_a_lifespan_registers_services_and_is_left_at_the_end() -> None:
    """It gets the settings of the services; what it registered is found by its type."""
    seen: list[object] = []

    @asynccontextmanager
    async def lifespan(registry: svcs.Registry, config: Mapping[str, Any]) -> AsyncIterator[None]:
        registry.register_value(Clock, Clock())
        seen.append(config)
        yield
        seen.append("closed")

    async with services.open(lifespan, {"clinic": {}}):
        assert isinstance(services.get(Clock), Clock)

    assert seen == [{"clinic": {}}, "closed"]


async def test_a_package_without_a_lifespan_has_no_services() -> None:
    """Asking for one says how to provide it."""
    async with services.open(None, {}):
        with pytest.raises(ServiceError, match="no service is registered for Clock; register it in the package's life"):
            services.get(Clock)


async def test_a_service_that_could_be_entered_is_got_as_it_is() -> None:
    """An HTTP session, for one; it is the lifespan's to close."""
    registry = svcs.Registry()
    with services.activate(registry):
        async with aiohttp.ClientSession() as session:
            registry.register_value(aiohttp.ClientSession, session)

            assert services.get(aiohttp.ClientSession) is session
            assert services.get(aiohttp.ClientSession) is session
            assert not session.closed


async def test_a_service_that_must_be_awaited_is_refused() -> None:
    """A synchronous action could not wait for it; the message says what to do."""

    async def factory() -> list[int]:
        await asyncio.sleep(0)
        return []

    registry = svcs.Registry()
    registry.register_factory(list, factory)
    with services.activate(registry), pytest.raises(ServiceError, match="list has an async factory"):
        services.get(list)


def test_outside_of_a_server_there_are_no_services_and_no_call() -> None:
    """Both say where they live."""
    with pytest.raises(ServiceError, match="inside of a running action server"):
        services.get(Clock)
    with pytest.raises(NoCallError, match="inside an action's run"):
        current_call()


async def work() -> str:
    return "done"


def test_blocking_needs_an_event_loop_that_runs() -> None:
    """Services that were activated outside of a loop cannot run a coroutine."""
    with services.activate(svcs.Registry()), pytest.raises(ServiceError, match="not bound to an event loop"):
        services.blocking(work())


async def test_blocking_on_the_event_loop_is_refused() -> None:
    """It would wait for itself for ever."""
    with services.activate(svcs.Registry()), pytest.raises(ServiceError, match="await the coroutine"):
        services.blocking(work())


async def test_blocking_in_a_forked_process_is_refused() -> None:
    """No loop runs there, and the call would wait for ever."""
    with svcs.Registry() as registry, services.activate(registry) as opened:
        opened.process = -1
        with pytest.raises(ServiceError, match="has to open its own"):
            await asyncio.to_thread(services.blocking, work())


async def test_blocking_hands_errors_to_the_thread() -> None:
    """What the coroutine raises, the synchronous code catches."""

    async def failing() -> None:
        raise KeyError("x")

    with services.activate(svcs.Registry()):
        with pytest.raises(KeyError):
            await asyncio.to_thread(services.blocking, failing())
        assert await asyncio.to_thread(services.blocking, work()) == "done"


LIFESPAN = """
    from contextlib import asynccontextmanager
    from rasa_sdk import Action
    from action_server import services

    class Book:
        def __init__(self, title):
            self.title = title

    @asynccontextmanager
    async def lifespan(registry, config):
        registry.register_value(Book, Book(config["book"]["title"]))
        yield
        with open("closed", "w") as file:
            file.write("yes")

    class ActionRead(Action):
        def name(self):
            return "action_read"

        def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(text=services.get(Book).title)
            return []
"""


async def test_a_server_opens_and_closes_its_packages_services(tmp_path: Path) -> None:
    """Settings come from endpoints.yml and the environment, the environment winning."""
    endpoints = "action_server:\n  services:\n    book:\n      title: from the file\n"
    project(tmp_path, {"actions.py": LIFESPAN, "endpoints.yml": endpoints})

    ended = run(tmp_path, ["call", "action_read", "--json"])
    assert json.loads(ended.stdout)["body"]["responses"][0]["text"] == "from the file"
    assert (tmp_path / "closed").read_text() == "yes"

    variables = {"ACTION_SERVER__SERVICES__BOOK__TITLE": "from the environment"}
    with server(tmp_path, variables=variables) as running:
        ended = run(tmp_path, ["call", "action_read", "--json", "--url", f"{running.url}/webhook"])
    assert json.loads(ended.stdout)["body"]["responses"][0]["text"] == "from the environment"


async def test_services_that_cannot_be_opened_are_an_error_of_the_start(folder: Path) -> None:
    """One line that names the place in the lifespan; the exit code is 2."""
    project(folder, {"unopened.py": LIFESPAN})

    with pytest.raises(LifespanError, match=r"unopened.py:12: the services cannot be opened: KeyError: 'book'"):
        async with assemble(Settings(actions="unopened")):
            pytest.fail("it opened")


async def test_a_lifespan_may_refuse_to_start_in_its_own_words(folder: Path) -> None:
    """An error of ours passes as it is."""
    text = """
        from contextlib import asynccontextmanager
        from action_server.errors import SettingsError

        @asynccontextmanager
        async def lifespan(registry, config):
            raise SettingsError("book.title", "is missing")
            yield
    """
    project(folder, {"refusing.py": text})

    ended = run(folder, ["run", "--actions", "refusing", "--port", "0"])

    assert (ended.returncode, ended.stderr) == (2, "error: book.title: is missing\n")
