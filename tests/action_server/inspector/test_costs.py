"""Looking at calls costs a call little, counted in functions; and nothing at all where nobody asked for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from action_server.assembly import Assembly
from action_server.cli.run import _extension_of
from action_server.config import settings
from action_server.config.settings import Settings
from action_server.inspector.calls_file import CallsFile
from action_server.inspector.watching import CallWatch
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.registry import Registry
from benchmarks import payloads
from tests.counting import Entered, functions_of

BODY = payloads.body("S", "action_noop")
# What is entered for a call that is watched: it begins, is taken, told and ended, and its size is asked for.
MOST_OF_A_CALL = 12
# What the thread enters for each call of a batch, and for a batch.
MOST_OF_A_ROW, MOST_OF_A_BATCH = 18, 60


@pytest.fixture
async def assembly() -> AsyncIterator[Assembly]:
    async def noop(*_: object) -> list[object]:
        return []

    registry = Registry()
    registry.register_function("action_noop", noop)
    executor = Executor(registry)
    yield Assembly(Settings(grace=0), executor, Readiness())
    executor.close()


async def entered_for(assembly: Assembly, calls: int) -> Entered:
    # With its domain, which is asked for otherwise.
    await assembly.calls.answer(payloads.first("action_noop"))
    assert (await assembly.calls.answer(BODY))[0] == 200
    with Entered() as entered:
        for _ in range(calls):
            await assembly.calls.answer(BODY)
    return entered


async def test_a_call_that_nobody_watches_enters_nothing_more(assembly: Assembly) -> None:
    entered = await entered_for(assembly, 10)

    assert not {"begin", "take", "leave", "note_line", "_tell"} & entered.by_name.keys()


async def test_a_call_that_is_watched_enters_a_few_functions_more(assembly: Assembly, tmp_path: Path) -> None:
    plain = (await entered_for(assembly, 10)).count
    watch = CallWatch(CallsFile(tmp_path, 100, 1 << 20, 1), [], None)
    assembly.executor.recorder = watch
    watched = (await entered_for(assembly, 10)).count
    watch.close()

    assert 0 < watched - plain <= 10 * MOST_OF_A_CALL


def test_a_call_is_kept_with_a_few_functions(tmp_path: Path) -> None:
    """Nothing is made of it before somebody looks: its body is not decoded, nothing is formatted or indexed."""
    watch = CallWatch(CallsFile(tmp_path, 10_000, 1 << 24, 1), [], None)
    watch.close()
    for _ in range(200):
        seen = watch.begin("http", "r")
        seen.take(BODY)
        seen.action = "action_noop"
        seen.end(200, b"{}")
    batch, watch._waiting = watch._waiting, []
    watch._write(batch[:1], 0)

    assert functions_of(lambda: watch._write(batch, 0)) <= 200 * MOST_OF_A_ROW + MOST_OF_A_BATCH


def test_the_list_reads_the_newest_rows_alone(tmp_path: Path) -> None:
    """What a page with the list asks for does not depend on how many calls are kept."""
    from action_server.inspector.calls_file import Wanted
    from tests.action_server.inspector.test_calls_file import ended

    file = CallsFile(tmp_path, 10_000, 1 << 24, 1)
    file.write([ended(number) for number in range(100)])
    few = functions_of(lambda: file.find(Wanted(), 50))
    file.write([ended(number) for number in range(9000)])

    assert functions_of(lambda: file.find(Wanted(), 50)) <= few + 10


@pytest.mark.parametrize("way", ["variable", "file"])
def test_development_goes_without_it(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--dev` and `inspector: false` together."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "endpoints.yml").write_text("action_server:\n  inspector: false\n" if way == "file" else "")
    variables = {"ACTION_SERVER__INSPECTOR": "false"} if way == "variable" else {}

    assert _extension_of(settings.read({"dev": True}, variables)) is None


def test_development_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert _extension_of(settings.read({"dev": True}, {})) is not None
