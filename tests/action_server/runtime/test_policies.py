"""What becomes of a call whose action fails or takes too long, and of options in general."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from action_server import Call, time_left
from action_server.deadlines import DeadlinePassed, within
from action_server.errors import ActionFailedError, ActionRejectedError, ActionTimeoutError, SaturatedError
from action_server.runtime.executor import Executor
from action_server.runtime.limits import Limits
from action_server.runtime.options import ActionOptions, OptionsTable
from action_server.runtime.registry import Registry
from tests.engine_calls import decoded_call


def table(**patterns: Mapping[str, Any]) -> OptionsTable:
    return OptionsTable(ActionOptions(), {name: ActionOptions(**options) for name, options in patterns.items()})


def executor_with(run: Callable[..., Any], name: str = "action_x", **options: Any) -> Executor:
    registry = Registry()
    registry.register_function(name, run)
    return Executor(registry, limits=Limits(sync_workers=2), options=table(**{name: options}))


def a_call(action: str = "action_x", **slots: Any) -> Call:
    return decoded_call(action, slots)


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what another thread tells the loop; fail if it never does."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    pytest.fail("it did not happen")


def fails_half_way(dispatcher: CollectingDispatcher, *_: object) -> None:
    dispatcher.utter_message(text="looking it up")
    raise ConnectionError("hunter2")


async def test_by_default_a_failure_is_an_error() -> None:
    """As with rasa-sdk, minus the leak."""
    with pytest.raises(ActionFailedError):
        await executor_with(fails_half_way).run(a_call())


async def test_say_keeps_what_was_said_and_adds_a_response(caplog: pytest.LogCaptureFixture) -> None:
    """The user is not left alone; the failure is in the log all the same."""
    caplog.set_level("INFO")

    answer = await executor_with(fails_half_way, on_error={"say": "utter_sorry"}).run(a_call())

    assert [(r["text"], r["response"]) for r in answer.responses] == [("looking it up", None), (None, "utter_sorry")]
    assert answer.events == []
    (finished,) = [r for r in caplog.records if r.msg == "action.finished"]
    (failed,) = [r for r in caplog.records if r.msg == "action.failed"]
    assert (vars(finished)["outcome"], vars(failed)["then"]) == ("failed", "say")
    assert vars(finished)["error_id"] == vars(failed)["error_id"]


@pytest.mark.parametrize(
    ("policy", "slots"),
    [
        ("slot", {"action_failed": True}),
        ({"slot": "lookup_failed"}, {"lookup_failed": True}),
        ({"slot": {"lookup_failed": "yes", "price": None}}, {"lookup_failed": "yes", "price": None}),
    ],
    ids=["by default", "by name", "with values"],
)
async def test_slot_lets_a_flow_branch(policy: Any, slots: dict[str, Any]) -> None:
    """A 200 with the slots set; what was said before the failure is kept."""
    answer = await executor_with(fails_half_way, on_error=policy).run(a_call())

    assert answer.events == [SlotSet(name, value) for name, value in slots.items()]
    assert [r["text"] for r in answer.responses] == ["looking it up"]


async def test_reject_is_a_rejection() -> None:
    """A classic engine may predict another action."""
    with pytest.raises(ActionRejectedError) as rejected:
        await executor_with(fails_half_way, on_error="reject").run(a_call())

    assert "hunter2" not in str(rejected.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ConnectionError", "utter_network"),
        ("builtins.ConnectionError", "utter_network"),
        ("OSError", "utter_network"),
        ("KeyError", "utter_other"),
    ],
    ids=["its class", "with its module", "a base class", "another class"],
)
async def test_a_policy_may_be_for_a_type_of_exception(name: str, expected: str) -> None:
    """The nearest class counts; without one the action's own policy does."""
    options: dict[str, Any] = {"errors": {name: {"say": "utter_network"}}, "on_error": {"say": "utter_other"}}

    answer = await executor_with(fails_half_way, **options).run(a_call())

    assert answer.responses[-1]["response"] == expected


async def test_an_async_action_that_takes_too_long_is_cancelled() -> None:
    """Its cleaning up is done, and the caller learns the limit."""
    cleaned_up = asyncio.Event()

    async def run(*_: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned_up.set()

    with pytest.raises(ActionTimeoutError, match=r"did not finish within its 0.01 s"):
        await executor_with(run, timeout=0.01).run(a_call())
    assert cleaned_up.is_set()


async def test_a_thread_that_takes_too_long_is_counted_and_named(caplog: pytest.LogCaptureFixture) -> None:
    """It cannot be stopped; the log says when it is left behind and when it ends."""
    go_on = threading.Event()

    def run(*_: object) -> None:
        go_on.wait(30)

    # Long enough for it to begin on a busy machine: what has not begun is not left behind.
    executor = executor_with(run, timeout=0.5)
    with pytest.raises(ActionTimeoutError):
        await executor.run(a_call())

    assert (executor.threads.running, executor.threads.abandoned) == (1, 1)
    assert "thread.abandoned" in [r.msg for r in caplog.records]
    go_on.set()
    await eventually(lambda: not executor.threads.running)
    assert executor.threads.abandoned == 0
    assert "thread.ended" in [r.msg for r in caplog.records]


async def test_work_that_waits_for_a_thread_beyond_its_time_never_runs() -> None:
    """Otherwise it would act for a caller who was told that it did not."""
    go_on, ran = threading.Event(), []

    def run(_: object, tracker: Any, __: object) -> None:
        ran.append(tracker.get_slot("n"))
        go_on.wait(30)

    executor = executor_with(run, timeout=0.05)
    calls = [executor.run(a_call(n=n)) for n in range(3)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(outcome, ActionTimeoutError) for outcome in outcomes)
    go_on.set()
    await eventually(lambda: not executor.threads.running)
    assert len(ran) == 2


async def test_a_timeout_has_a_policy_of_its_own() -> None:
    """A flow can branch on it."""

    async def run(*_: object) -> None:
        await asyncio.Event().wait()

    answer = await executor_with(run, timeout=0.01, on_timeout={"slot": "too_slow"}, on_error="say").run(a_call())

    assert answer.events == [SlotSet("too_slow", True)]


async def test_a_timeout_error_of_the_actions_own_is_a_failure_like_any_other() -> None:
    """Only the deadline's end is a time-out."""

    async def run(*_: object) -> None:
        raise TimeoutError

    with pytest.raises(ActionFailedError):
        await executor_with(run, timeout=60).run(a_call())


async def test_an_action_sees_the_time_it_has_left() -> None:
    """On the loop and on a thread; without a limit there is none."""
    left = []

    def run(*_: object) -> None:
        left.append(time_left())

    async def run_async(*_: object) -> None:
        left.append(time_left())

    await executor_with(run, timeout=60).run(a_call())
    await executor_with(run_async, timeout=60).run(a_call())
    await executor_with(run).run(a_call())

    assert all(seconds is not None and 50 < seconds <= 60 for seconds in left[:2])
    assert left[2] is None


async def test_a_limit_within_a_limit_never_extends_it() -> None:
    """The outer one counts when it is shorter."""

    async def left() -> float | None:
        return time_left()

    async def both() -> tuple[float | None, float | None]:
        return await within(100, left()), await within(1, left())

    seconds, shorter = await within(10, both())

    assert seconds is not None
    assert shorter is not None
    assert (seconds <= 10, shorter <= 1) == (True, True)
    with pytest.raises(DeadlinePassed):
        await within(0, asyncio.Event().wait())


async def test_a_failing_validator_action_of_calm_empties_its_slot() -> None:
    """A 500 would leave the candidate in the slot, unchecked."""
    answer = await executor_with(fails_half_way, "validate_size").run(a_call("validate_size", size=4))

    assert answer.events == [SlotSet("size", None)]
    with pytest.raises(ActionFailedError):
        await executor_with(fails_half_way, "validate_size").run(a_call("validate_size", other=4))


async def test_calls_of_one_action_can_be_limited() -> None:
    """The second one is refused where there is no queue."""
    inside, door = asyncio.Event(), asyncio.Event()

    async def run(*_: object) -> None:
        inside.set()
        await door.wait()

    registry = Registry()
    registry.register_function("action_x", run)
    limits = Limits(max_queue=0)
    executor = Executor(registry, limits=limits, options=table(action_x={"max_calls": 1}))
    first = asyncio.create_task(executor.run(a_call()))
    await inside.wait()

    with pytest.raises(SaturatedError):
        await executor.run(a_call())

    door.set()
    await first
