"""One call in, one answer out."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import svcs
from rasa_sdk import Action, ActionExecutionRejection, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.interfaces import ActionMissingDomainException, ActionNotFoundException

from action_server import current_call
from action_server.errors import (
    ActionFailedError,
    ActionNotFoundError,
    ActionRejectedError,
    MissingDomainError,
)
from action_server.protocol.calls import Call
from action_server.runtime import services
from action_server.runtime.executor import Executor
from action_server.runtime.limits import Limits
from action_server.runtime.registry import Registry
from tests.action_server.runtime.test_validation import FORM, ValidateParty, form_call, slots_of
from tests.engine_calls import decoded_call

LIMITS = Limits(sync_workers=4, max_domains=4)
LOOP_THREAD = threading.main_thread().name


def executor_of(*actions: Action | type[Action], services: services.Services | None = None) -> Executor:
    registry = Registry()
    for action in actions:
        registry.register_action(action)
    return Executor(registry, limits=LIMITS, services=services)


def executor_with(run: Callable[..., Any], name: str = "action_x") -> Executor:
    registry = Registry()
    registry.register_function(name, run)
    return Executor(registry, limits=LIMITS)


def a_call(action: str = "action_x", **fields: Any) -> Call:
    """A call of an engine without domains, unless the fields bring one."""
    without: dict[str, Any] = {"domain": None, "domain_digest": None}
    return replace(decoded_call(action, {"name": "Ann"}), **{**without, **fields})


def one_event(_: object, tracker: Tracker, domain: object) -> Any:
    return SlotSet("seen", tracker.get_slot("name"))


def a_list(*_: object) -> Any:
    return [SlotSet("seen", "Ann")]


def a_tuple(*_: object) -> Any:
    return (SlotSet("seen", "Ann"),)


def a_generator(*_: object) -> Iterator[Any]:
    yield SlotSet("seen", "Ann")


async def an_async_generator(*_: object) -> AsyncIterator[Any]:
    yield SlotSet("seen", "Ann")


async def a_coroutine(*_: object) -> Any:
    await asyncio.sleep(0)
    return [SlotSet("seen", "Ann")]


def returns_a_coroutine(*args: object) -> Any:
    return a_coroutine(*args)


def returns_an_async_generator(*args: object) -> Any:
    return an_async_generator(*args)


class CallableObject:
    async def __call__(self, *args: object) -> Any:
        return await a_coroutine(*args)


RETURNS: list[Any] = [
    one_event,
    a_list,
    a_tuple,
    a_generator,
    an_async_generator,
    a_coroutine,
    returns_a_coroutine,
    returns_an_async_generator,
    CallableObject(),
]


@pytest.mark.parametrize("run", RETURNS, ids=lambda run: getattr(run, "__name__", "callable object"))
async def test_every_way_to_return_events_is_understood(run: Callable[..., Any]) -> None:
    """A list, one bare event, a tuple, generators and coroutines all mean the same."""
    answer = await executor_with(run).run(a_call())

    assert answer.events == [SlotSet("seen", "Ann")]


async def test_nothing_returned_is_no_events() -> None:
    """`None` and an empty dict are an action that only talked."""
    assert (await executor_with(lambda *_: None).run(a_call())).events == []
    assert (await executor_with(lambda *_: {}).run(a_call())).events == []


async def test_a_synchronous_action_runs_on_a_thread_with_the_callers_context() -> None:
    """Context variables, the running call among them, are there on the thread."""
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")
    tenant.set("clinic")

    def run(*_: object) -> Any:
        context = current_call()
        where = threading.current_thread().name.startswith("sync-action")
        return [SlotSet("seen", [where, tenant.get(), context.action, context.sender_id, context.transport])]

    answer = await executor_with(run).run(a_call(), transport="grpc")

    assert answer.events[0]["value"] == [True, "clinic", "action_x", "tester", "grpc"]


async def test_an_async_action_runs_on_the_event_loop() -> None:
    """It never leaves the thread of the loop."""

    async def run(*_: object) -> Any:
        return [SlotSet("seen", [threading.current_thread().name, current_call().action])]

    answer = await executor_with(run).run(a_call())

    assert answer.events[0]["value"] == [LOOP_THREAD, "action_x"]


async def test_messages_and_responses_are_answered_in_order() -> None:
    """What the dispatcher collected comes back as rasa-sdk writes it."""

    def run(dispatcher: CollectingDispatcher, *_: object) -> None:
        dispatcher.utter_message(text="one")
        dispatcher.utter_message(response="utter_two", who="Ann")

    answer = await executor_with(run).run(a_call())

    assert [r["text"] for r in answer.responses] == ["one", None]
    assert answer.responses[1]["response"] == "utter_two"
    assert answer.responses[1]["who"] == "Ann"


async def test_streamed_chunks_become_messages_and_a_stream_left_open_is_closed() -> None:
    """Without a streaming transport nothing an action streamed is lost."""

    async def run(dispatcher: CollectingDispatcher, *_: object) -> None:
        await dispatcher.stream_start()
        await dispatcher.stream_chunk(text="hel")
        await dispatcher.stream_chunk(text="lo")

    answer = await executor_with(run).run(a_call())

    assert [r["text"] for r in answer.responses] == ["hel", "lo"]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("secret"),
        StopIteration("secret"),
        SystemExit("secret"),
        KeyboardInterrupt("secret"),
        GeneratorExit("secret"),
        KeyError("secret"),
        asyncio.CancelledError("secret"),
    ],
    ids=lambda e: type(e).__name__,
)
@pytest.mark.parametrize("how", ["thread", "loop"])
async def test_whatever_an_action_raises_is_a_failure_that_leaks_nothing(
    error: BaseException, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller learns an id; the log has the details under it; the server goes on."""

    def raising(*_: object) -> None:
        raise error

    async def raising_async(*_: object) -> None:
        raise error

    if isinstance(error, asyncio.CancelledError) and not hasattr(asyncio.Task, "cancelling"):
        pytest.skip("Python 3.10 cannot tell who cancelled")
    executor = executor_with(raising if how == "thread" else raising_async)

    with pytest.raises(ActionFailedError) as caught:
        await executor.run(a_call())

    assert "secret" not in str(caught.value)
    (failed,) = [r for r in caplog.records if r.msg == "action.failed"]
    assert vars(failed)["error_id"] == caught.value.error_id
    assert failed.exc_info is not None
    # Python itself turns a StopIteration that leaves a coroutine into a RuntimeError.
    assert error in (failed.exc_info[1], getattr(failed.exc_info[1], "__cause__", None))


async def test_a_call_that_is_closed_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """Python closes what nobody awaits any more with the same GeneratorExit that an action may raise."""

    async def run(*_: object) -> None:
        await asyncio.Event().wait()

    call = executor_with(run).run(a_call())
    # Its first step alone, as a server that is gone leaves it.
    call.send(None)
    call.close()

    assert "action.failed" not in [r.msg for r in caplog.records]


async def test_a_call_whose_client_went_away_is_cancelled() -> None:
    """Cancelling the call cancels the action and is no failure of it."""
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def run(*_: object) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    task = asyncio.create_task(executor_with(run).run(a_call()))
    await started.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ActionExecutionRejection("action_x", "not now"), ActionRejectedError),
        (ActionNotFoundException("action_other"), ActionNotFoundError),
        (ActionMissingDomainException("action_x"), MissingDomainError),
    ],
    ids=["rejection", "not found", "missing domain"],
)
async def test_rasa_sdks_own_exceptions_keep_their_meaning(raised: Exception, expected: type[Exception]) -> None:
    """An action may raise them on purpose."""

    def run(*_: object) -> None:
        raise raised

    with pytest.raises(expected):
        await executor_with(run).run(a_call(domain={}, domain_digest="abc"))


async def test_a_rejection_carries_the_authors_message() -> None:
    """It is meant for the engine, so it travels."""

    def run(*_: object) -> None:
        raise ActionExecutionRejection("action_x", "not now")

    with pytest.raises(ActionRejectedError) as caught:
        await executor_with(run).run(a_call())

    assert (caught.value.message, caught.value.action) == ("not now", "action_x")


async def test_an_engine_without_digests_is_never_asked_for_a_domain() -> None:
    """An action that raises the exception there has failed: the engine would not understand 449."""

    def run(*_: object) -> None:
        raise ActionMissingDomainException("action_x")

    with pytest.raises(ActionFailedError):
        await executor_with(run).run(a_call())


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (lambda *_: None, "ok"),
        (lambda *_: 1 / 0, "failed"),
        (None, "not_found"),
    ],
    ids=["ok", "failed", "not found"],
)
async def test_every_call_writes_one_line(
    run: Callable[..., Any] | None, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    """`action.finished` with the outcome and the milliseconds."""
    caplog.set_level("INFO")
    executor = executor_with(run) if run else executor_of()

    with contextlib.suppress(ActionFailedError, ActionNotFoundError):
        await executor.run(a_call())

    (line,) = [r for r in caplog.records if r.msg == "action.finished"]
    assert vars(line)["outcome"] == outcome
    assert vars(line)["ms"] >= 0


async def test_two_assistants_do_not_evict_each_others_domain() -> None:
    """Where rasa-sdk answers 449 on every alternation: each domain is asked for once."""

    def run(_: object, tracker: object, domain: dict[str, Any]) -> Any:
        return SlotSet("seen", domain["who"])

    executor = executor_with(run)
    for who in ("a", "b"):
        with pytest.raises(MissingDomainError):
            await executor.run(a_call(domain_digest=who))
        await executor.run(a_call(domain_digest=who, domain={"who": who}))

    seen = [(await executor.run(a_call(domain_digest=who))).events[0]["value"] for who in "abab"]

    assert seen == ["a", "b", "a", "b"]


async def test_an_action_cannot_change_the_domain_of_another_call() -> None:
    """Each call has its own copy, so code that changes it works and nobody else sees it."""

    def run(_: object, tracker: object, domain: dict[str, Any]) -> Any:
        domain["slots"]["count"]["min"] += 1
        return SlotSet("seen", domain["slots"]["count"]["min"])

    executor = executor_with(run)
    await executor.run(a_call(domain_digest="a", domain={"slots": {"count": {"min": 0}}}))

    seen = [(await executor.run(a_call(domain_digest="a"))).events[0]["value"] for _ in range(3)]

    assert seen == [1, 1, 1]


async def test_services_are_there_in_sync_and_async_actions() -> None:
    """What the lifespan registered is what actions get; a sync action reaches async services through `blocking`."""

    class Clock:
        async def now(self) -> str:
            await asyncio.sleep(0)
            return f"noon on {threading.current_thread().name}"

    def sync_run(*_: object) -> Any:
        return SlotSet("seen", services.blocking(services.get(Clock).now()))

    async def async_run(*_: object) -> Any:
        return SlotSet("seen", await services.get(Clock).now())

    registry = svcs.Registry()
    registry.register_value(Clock, Clock())
    actions = Registry()
    actions.register_function("action_sync", sync_run)
    actions.register_function("action_async", async_run)
    opened = services.Services(registry, asyncio.get_running_loop())
    executor = Executor(actions, limits=LIMITS, services=opened)

    for name in ("action_sync", "action_async"):
        answer = await executor.run(a_call(name))
        assert answer.events[0]["value"] == f"noon on {LOOP_THREAD}"
    registry.close()


@pytest.mark.parametrize(("responses", "said"), [({}, []), ({"utter_slot_rejected": []}, ["utter_slot_rejected"])])
@pytest.mark.parametrize("candidates", [{"size": "four"}, {"bad": 3}], ids=["it raises", "it returns no dict"])
async def test_a_validator_that_crashes_rejects_its_slot(
    candidates: dict[str, Any], responses: dict[str, Any], said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The slot is emptied, the others are checked, the log has it, and the user hears it if the domain has words."""
    call = form_call(**candidates, day="friday")
    answer = await executor_of(ValidateParty).run(replace(call, domain={**FORM, "responses": responses}))

    (slot,) = candidates
    assert slots_of(answer)[slot] is None
    assert slots_of(answer)["day"].startswith("friday")
    assert [r["response"] for r in answer.responses] == said
    (record,) = [r for r in caplog.records if r.msg == "slot.not_validated"]
    assert vars(record)["slot"] == slot
