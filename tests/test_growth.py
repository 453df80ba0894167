"""What grows with what there is: functions, files and statements, counted at a size and at eight times as much.

`make growth` measures the same dimensions in seconds and bytes. Bookings and the CRM's outbox are counted in
tests/actions/test_growth.py, the page of metrics in tests/action_server/telemetry/test_metrics_page.py.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rasa_sdk.events import SlotSet

from action_server.assembly import CallHandler
from action_server.flows.check import checking
from action_server.flows.commands.offline import OfflineCommandGenerator
from action_server.flows.player.player import Player
from action_server.idempotency.store import IdempotencyStore
from action_server.project.project_reader import read_project
from action_server.runtime.executor import Executor
from action_server.runtime.loader import load
from action_server.runtime.registry import Registry
from benchmarks import history, sizes
from tests.action_server.flows.bots import NOON, webhook
from tests.action_server.serving.http.raw_calls import GOOD, connected, request, serving
from tests.actions.walk_of_the_databases import store_steps
from tests.counting import Entered, functions_of, functions_of_async
from tests.statements import machine_steps

CountSteps = Callable[[Callable[[], Awaitable[object]]], Awaitable[int]]

FEW, MANY = 20, 160
# What does not grow may vary by this; what is linear may be eight times as much and this.
ALLOWED = 1.1


async def none(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
    return []


async def many(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
    count = int(tracker.latest_message["text"])
    for number in range(count):
        dispatcher.utter_message(text=f"line {number}")
    return [SlotSet(f"slot_{number}", ["a", number]) for number in range(count)]


def handler() -> CallHandler:
    registry = Registry()
    registry.register_function("action_none", none)
    registry.register_function("action_many", many)
    return CallHandler(Executor(registry))


def is_flat(few: int, more: int) -> bool:
    return few > 0 and more <= ALLOWED * few


def is_linear(few: int, more: int) -> bool:
    return few > 0 and more <= ALLOWED * 8 * few


def test_actions_are_loaded_in_time_that_grows_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight times as many actions enter eight times as many functions: no class looks at all the others."""
    monkeypatch.syspath_prepend(str(tmp_path))
    counted = []
    for count in (FEW, MANY):
        sizes.write_actions(tmp_path / f"actions_{count}", count, each=10)
        counted.append(functions_of(lambda count=count: load(f"actions_{count}")))  # type: ignore[misc]
        assert sum(name.startswith(f"actions_{count}.") for name in sys.modules) == count / 10

    assert is_linear(*counted)


@pytest.mark.parametrize("what", ["slots", "events"])
async def test_a_call_costs_the_same_whatever_it_does_not_read(what: str) -> None:
    """Slots and events that the action does not look at enter no function."""
    calls = handler()
    bodies = [sizes.call("action_none", **{what: count}) for count in (FEW, FEW, MANY)]  # type: ignore[arg-type]
    # The first one warms up.
    _, few, more = [await functions_of_async(lambda body=body: calls.answer(body)) for body in bodies]  # type: ignore[misc]

    assert is_flat(few, more)


async def test_an_answer_costs_what_it_holds() -> None:
    """Eight times as many events and messages, eight times as many functions."""
    calls = handler()
    bodies = [sizes.call("action_many", text=str(count)) for count in (FEW, FEW, MANY)]
    _, few, more = [await functions_of_async(lambda body=body: calls.answer(body)) for body in bodies]  # type: ignore[misc]

    assert is_linear(few, more)


async def test_a_call_costs_the_same_among_idle_connections() -> None:
    """Whoever is connected and silent costs the others nothing."""
    counted = []
    async with serving() as port, AsyncExitStack() as stack:
        caller = await stack.enter_async_context(connected(port))

        async def exchange() -> None:
            caller.send(request(GOOD))
            assert (await caller.answer())[0] == "HTTP/1.1 200 OK"

        await exchange()
        for count in (FEW, MANY - FEW):
            for _ in range(count):
                idle = await stack.enter_async_context(connected(port))
                idle.send(request(GOOD))
                await idle.answer()
            counted.append(await functions_of_async(exchange))

    assert is_flat(*counted)


async def test_values_that_are_all_different_leave_nothing_behind() -> None:
    """Conversations, names nobody registered, texts: after eight times as many no more objects are alive."""
    calls = handler()

    async def alive_after(first: int, count: int) -> int:
        for number in range(first, first + count):
            for action in ("action_none", f"action_{number}"):
                await calls.answer(sizes.call(action, sender=f"sender-{number}", text=f"text {number}"))
        gc.collect()
        return len(gc.get_objects())

    await alive_after(0, MANY)
    few = await alive_after(MANY, FEW)
    more = await alive_after(2 * MANY, MANY)

    # An object for each would be more than a hundred.
    assert more - few < FEW


@asynccontextmanager
async def counted_store(path: Path, rows: int) -> AsyncIterator[tuple[IdempotencyStore, CountSteps]]:
    """Open a store of so many rows, and give with it what counts the steps of SQLite's virtual machine."""
    with machine_steps() as steps:
        store = await IdempotencyStore.open(f"sqlite:///{path}")
    await store._database.write(lambda connection: history.fill_store(connection, rows, time.time() + 3600))
    yield store, steps.of
    await store.close(grace=0)


async def test_a_call_that_runs_once_costs_the_same_among_many_rows(tmp_path: Path) -> None:
    """Counted in steps of the database: a run, its repeat, a failure, a ping, and cleaning where nothing is over."""
    found: list[dict[str, int]] = []
    for rows in (500, 4000):
        async with counted_store(tmp_path / f"{rows}.sqlite3", rows) as (store, count):
            operations = {**store_steps(store), "cleaning": store.sweep}
            found.append({name: await count(operation) for name, operation in operations.items()})
    few, more = found

    assert {name: (few[name], more[name]) for name in few if few[name] and more[name] > 1.2 * few[name]} == {}


@pytest.mark.parametrize(("flows", "steps"), [((FEW, MANY), (4, 4)), ((2, 2), (FEW, MANY))], ids=["flows", "steps"])
def test_a_project_is_checked_in_time_that_grows_with_it(
    flows: tuple[int, int], steps: tuple[int, int], tmp_path: Path
) -> None:
    """Each file is read once, and eight times as many flows or steps enter eight times as many functions."""
    counted = []
    for number in (0, 1):
        folder = sizes.write_bot(tmp_path / str(number), flows[number], steps[number], with_actions=True)
        # What every check costs is warmed up and left out.
        wanted = checking.Request(root=folder, actions="actions", load=False)
        if not number:
            checking.check(wanted)
        with Entered() as entered:
            checking.check(wanted)
        files = len(list(folder.rglob("*.yml")))
        assert entered.by_name["parse_tree"] <= files + 1
        counted.append(entered)

    few, more = counted
    assert is_linear(few.count, more.count)
    # Each by itself as well: reading YAML takes so many that it would hide what looks at all flows for each action.
    steep = [n for n, count in few.by_name.items() if count > 99 and not is_linear(count, more.by_name[n])]
    assert {name: (few.by_name[name], more.by_name[name]) for name in steep} == {}


async def test_a_turn_of_chat_knows_the_flows_words_from_the_last_one(tmp_path: Path) -> None:
    """Each flow's words are split once; a later turn compares what begins alike, and no more."""
    counted = []
    for flows in (FEW, MANY):
        project = read_project(sizes.write_bot(tmp_path / str(flows), flows, 4))
        player = Player(project, webhook(), clock=lambda: NOON)
        generator = OfflineCommandGenerator()
        await player.say("what a lovely morning", generator)
        with Entered() as entered:
            await player.say("nothing that anybody offers", generator)
        assert entered.by_name["_name_words"] == 0
        assert entered.by_name["content_words"] <= 3
        counted.append(entered.count)

    assert is_linear(*counted)
