"""Runs actions: one call in, one answer out. Knows nothing of HTTP or gRPC."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Coroutine, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from rasa_sdk import ActionExecutionRejection
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.interfaces import ActionMissingDomainException, ActionNotFoundException

from action_server.deadlines import DeadlinePassed, time_left, within
from action_server.errors import (
    ActionFailedError,
    ActionNotFoundError,
    ActionRejectedError,
    ActionTimeoutError,
    CallError,
    MissingDomainError,
)
from action_server.idempotency.rules import Idempotent
from action_server.protocol.answers import Answer, answer_of
from action_server.protocol.calls import Call
from action_server.protocol.domains import Domains
from action_server.protocol.lazy import LazyCall
from action_server.protocol.tool_calls import ToolCall
from action_server.protocol.tracker import tracker_of
from action_server.runtime import validation
from action_server.runtime.admission import Admission
from action_server.runtime.disconnects import Disconnects
from action_server.runtime.dispatcher import Dispatcher, JoiningDispatcher
from action_server.runtime.engine_call import engine_call
from action_server.runtime.limits import Limits
from action_server.runtime.middleware import Middleware, Next, around
from action_server.runtime.options import ActionOptions, FailurePolicy, OptionsTable
from action_server.runtime.registry import RegisteredAction, Registry
from action_server.runtime.services import Services, active_services, use_services
from action_server.runtime.threads import ThreadPool, Threads, current_threads
from action_server.source import is_closed, place_of_failure
from action_server.telemetry.call_notes import noted_call
from action_server.telemetry.calls import Observation, facts
from action_server.telemetry.logs import CallContext, NobodysContext, calling, running_call
from action_server.telemetry.masking import Masker, Privacy, hiding
from action_server.telemetry.metrics import Metrics
from action_server.telemetry.tracing import Tracing

if TYPE_CHECKING:
    # A server without actions that run once need not pay for SQLAlchemy.
    from action_server.idempotency.store import IdempotencyStore
    from action_server.telemetry.call_notes import Witnesses

logger = logging.getLogger(__name__)

_DEFAULTS = Limits()


class _Running(msgspec.Struct):
    """A call while it runs: what its steps need to know of each other.

    A struct, as a dataclass would cost each call a function.
    """

    call: Call
    action: RegisteredAction
    options: ActionOptions
    domain: dict[str, Any]
    dispatcher: CollectingDispatcher
    seen: Observation
    # Seconds.
    timeout: float | None
    # Its task; None where it is to be cancelled when its caller leaves.
    finishing: asyncio.Task[Any] | None
    has_begun: bool = False
    # Where the author's code was when the call was cancelled or its time was up.
    place: str | None = None


class Executor:
    """Runs the actions of one worker. Coroutines run on the event loop, everything else on threads."""

    def __init__(
        self,
        registry: Registry,
        *,
        limits: Limits = _DEFAULTS,
        options: OptionsTable | None = None,
        middlewares: Iterable[Middleware] = (),
        services: Services | None = None,
        metrics: Metrics | None = None,
        store: IdempotencyStore | None = None,
        tracing: Tracing | None = None,
        privacy: Privacy | None = None,
        domains: Domains | None = None,
        threads: Threads | None = None,
        joins_chunks: bool = False,
    ) -> None:
        # What writes calls down, for whoever decodes them.
        self.recorder: Witnesses | None = None
        self.registry = registry
        self.admission = Admission(limits.max_calls, limits.max_queue, limits.queue_timeout)
        self.threads: Threads = threads or ThreadPool(limits.sync_workers)
        self.disconnects = Disconnects()
        self.domains = Domains(limits.max_domains) if domains is None else domains
        self._new_dispatcher = JoiningDispatcher if joins_chunks else Dispatcher
        self._options = options or OptionsTable(ActionOptions(), {})
        self._middlewares = tuple(middlewares)
        self._services = services
        self._metrics = metrics or Metrics(enabled=False)
        self._store = store
        self.tracing = tracing or Tracing.off()
        # None if nothing is masked.
        self._privacy = privacy if privacy is not None and privacy.has_rules else None
        self._metrics.follow_load(lambda: (self.admission.waiting, self.threads.running, self.threads.limit))
        validation.install()

    @property
    def has_middlewares(self) -> bool:
        """Whether answers may be a middleware's."""
        return bool(self._middlewares)

    def run(
        self,
        call: Call,
        *,
        transport: str = "http",
        dispatcher: CollectingDispatcher | None = None,
        request_id: str = "",
        size: int = 0,
        client: str = "",
        engine: str = "",
        patience: float | None = None,
    ) -> Coroutine[Any, Any, Answer]:
        """Run the action a call names, once it is awaited. A transport that streams passes its own ``dispatcher``.

        ``request_id``, ``client`` (the caller's address) and ``size`` (bytes of the request's body) are for the log,
        ``engine`` is the name of the engine that calls, "" if it tells none.
        ``patience`` is how long the caller waits, in seconds, where that may be less than the action's options allow.

        Raises:
            ActionNotFoundError: nobody registered the action.
            MissingDomainError: the engine has to send the domain first.
            SaturatedError: too many calls are running and waiting.
            ActionRejectedError: the action declined by raising ``ActionExecutionRejection``.
            ActionTimeoutError: the action took longer than its options allow.
            ActionFailedError: the action raised anything else; the details are in the log.
        """
        if isinstance(call, ToolCall):
            context = _context_of_tool(call, (transport, request_id, size, client, engine))
        else:
            context = CallContext(call.action, call.sender_id, transport, request_id, size, client, engine)
        masker = None if self._privacy is None else self._privacy.masker_of(call)
        seen = Observation(context, self._metrics, self.tracing)
        told = self._new_dispatcher() if dispatcher is None else dispatcher
        if masker is None:
            return self._run_in_context(call, context, told, seen, patience)
        return self._run_masked(call, context, masker, told, seen, patience)

    def close(self) -> None:
        """Run nothing more. Threads still running are not waited for."""
        self.threads.close()

    async def _run_masked(
        self,
        call: Call,
        context: CallContext,
        masker: Masker,
        dispatcher: CollectingDispatcher,
        seen: Observation,
        patience: float | None,
    ) -> Answer:
        with calling(context), hiding(masker), use_services(self._services), seen:
            return await self._run_observed(call, dispatcher, seen, patience)

    async def _run_in_context(
        self,
        call: Call,
        context: CallContext,
        dispatcher: CollectingDispatcher,
        seen: Observation,
        patience: float | None,
    ) -> Answer:
        # As above without the blocks: entering and leaving them would cost each call seven functions.
        called, served = running_call.set(context), active_services.set(self._services)
        try:
            answer = await self._run_observed(call, dispatcher, seen, patience)
        except BaseException as exc:
            seen.end(exc)
            raise
        else:
            seen.end(None)
            return answer
        finally:
            active_services.reset(served)
            running_call.reset(called)

    async def _run_observed(
        self, call: Call, dispatcher: CollectingDispatcher, seen: Observation, patience: float | None
    ) -> Answer:
        """Run a call within its time, once there is a place for it."""
        action = self.registry.get(call.action)
        seen.note_action(action.name)
        options = self._options.of(action.name, action.run)
        domain = self.domains.domain_for(call, needed=action.reads_domain)
        timeout = options.timeout
        if patience is not None and (timeout is None or patience < timeout):
            timeout = patience
        task = None if options.on_disconnect == "cancel" else asyncio.current_task()
        running = _Running(call, action, options, domain, dispatcher, seen, timeout, task)
        # The usual call, without a permit of its own: that would cost it five functions.
        has_place = options.max_calls is None and self.admission.gate.try_acquire()
        try:
            work = self._run_middlewares(running) if has_place else self._run_when_admitted(running)
            answer = await within(timeout, work)
            return answer if type(call) is LazyCall else _measure(call, answer, seen)
        except DeadlinePassed as exc:
            return self._after_failure(running, exc, options.on_timeout)
        except asyncio.CancelledError:
            if running.has_begun:
                problem = "nobody waits for the call any more"
                logger.warning("action.cancelled", extra=facts(problem=problem, place=running.place))
            raise
        finally:
            if has_place:
                self.admission.gate.release()
            if task is not None:
                self.disconnects.finishing.discard(task)

    async def _run_when_admitted(self, running: _Running) -> Answer:
        async with self.admission.permit(running.call.action, running.options.max_calls):
            return await self._run_middlewares(running)

    def _run_middlewares(self, running: _Running) -> Awaitable[Answer]:
        running.seen.note_start()
        if not self._middlewares:
            return self._innermost(running, running.call)
        run: Next = around(self._middlewares, partial(self._innermost, running))
        return run(running.call)

    async def _innermost(self, running: _Running, call: Call) -> Answer:
        try:
            if running.options.idempotent and self._store is not None:
                return await self._run_once(running, call, running.options.idempotent, self._store)
            return await self._run_action(running, call)
        except asyncio.CancelledError as exc:
            if _is_cancelled_from_outside():
                running.place = place_of_failure(exc)
                raise
            return self._after_failure(running, exc)
        except BaseException as exc:
            # SystemExit, KeyboardInterrupt and GeneratorExit as well: what an action raises is a failure of its call.
            if is_closed(exc):
                raise
            return self._after_failure(running, exc)

    async def _run_once(self, running: _Running, call: Call, rule: Idempotent, store: IdempotencyStore) -> Answer:
        left = time_left()
        wait = {} if left is None else {"wait": left}
        answer, is_repeat = await store.answer(rule, call, partial(self._run_action, running, call), **wait)
        if is_repeat:
            running.seen.note_repeat()
        return answer

    async def _run_action(self, running: _Running, call: Call) -> Answer:
        token, asked = current_threads.set(self.threads), engine_call.set(call)
        dispatcher = running.dispatcher
        action = running.action
        try:
            if action.is_async:
                running.has_begun = True
                if running.finishing is not None:
                    self.disconnects.finishing.add(running.finishing)
            if action.is_async and not self.threads.takes_coroutines:
                returned = await action.run(dispatcher, tracker_of(call), running.domain)
            else:
                self.threads.carry_stream(dispatcher)
                if not action.is_async and isinstance(dispatcher, Dispatcher):
                    dispatcher.wait_on_thread()
                run = action.run if action.is_async else partial(self._begin_and_run, running)
                returned = await self.threads.call(run, dispatcher, tracker_of(call), running.domain)
            if dispatcher.is_streaming_active:
                logger.warning("stream.left_open")
                await dispatcher.stream_end()
            return answer_of(call.action, returned, dispatcher.messages, call.version, self._note)
        finally:
            engine_call.reset(asked)
            current_threads.reset(token)

    def _begin_and_run(self, running: _Running, *args: object) -> object:
        """Run a synchronous action, on its thread: one that waits for a thread has not begun."""
        running.has_begun = True
        notes = noted_call.get()
        if notes is not None:
            notes.on_thread = time.perf_counter()
        if running.finishing is not None:
            self.disconnects.finishing.add(running.finishing)
        return running.action.run(*args)

    def _note(self, what: str, action: str, event: str) -> None:
        if what == "dropped":
            self._metrics.event_dropped(action, event)
        else:
            self._metrics.event_repaired(action, event)

    def _after_failure(self, running: _Running, exc: BaseException, policy: FailurePolicy | None = None) -> Answer:
        """Answer for an action that failed, by its policy; or raise what stands for the failure."""
        error = _error_for(running, exc)
        # The action's own word; or it read a part of the request that is malformed, which shows only then.
        if not error.is_failure:
            raise error from exc
        policy = policy or running.options.policy_for(exc)
        told = facts(error_id=error.error_id, then=policy.then)
        if isinstance(exc, DeadlinePassed):
            told |= facts(place=running.place)
        logger.error("action.failed", extra=told, exc_info=None if isinstance(exc, DeadlinePassed) else exc)
        running.seen.note_failure(error)
        if policy.then == "reject":
            raise ActionRejectedError(error.message, error.action) from exc
        events = _events_after(policy, running)
        if events is None:
            raise error from exc
        if policy.then == "say":
            running.dispatcher.utter_message(response=policy.response)
        messages = running.dispatcher.messages
        answer = answer_of(running.call.action, events, messages, running.call.version, self._note)
        return replace(answer, failure=error)


def _measure(call: Call, answer: Answer, seen: Observation) -> Answer:
    """Take note of how much a model reads of the answer, for the call's line: here, as it is written right after."""
    if isinstance(call, ToolCall) and call.measure is not None:
        seen.note_characters(call.measure(answer))
    return answer


def _context_of_tool(call: ToolCall, how: tuple[str, str, int, str, str]) -> CallContext:
    if not call.sender_id:
        return NobodysContext(call.action, "", *how, call.ask_for_conversation)
    return CallContext(call.action, call.sender_id, *how)


def _events_after(policy: FailurePolicy, running: _Running) -> list[dict[str, Any]] | None:
    """Return the events that stand for a failure; None if the failure is to be an error."""
    if policy.then == "slot":
        return [SlotSet(name, value) for name, value in policy.slots.items()]
    if policy.then == "say":
        return []
    slot = running.call.action.removeprefix("validate_")
    if slot != running.call.action and slot in (running.call.part("slots") or {}):
        # CALM calls `validate_<slot>` for a candidate. A 500 would leave it in the slot, unchecked.
        return [SlotSet(slot, None)]
    return None


def _error_for(running: _Running, exc: BaseException) -> CallError:
    """Return what an action's exception means to the engine."""
    call = running.call
    if isinstance(exc, CallError):
        return exc
    if isinstance(exc, ActionExecutionRejection):
        return ActionRejectedError(str(exc.message), str(exc.action_name))
    if isinstance(exc, ActionNotFoundException):
        return ActionNotFoundError(str(exc.action_name))
    if isinstance(exc, ActionMissingDomainException) and call.domain_digest:
        return MissingDomainError(call.action)
    error_id = secrets.token_hex(6)
    if isinstance(exc, DeadlinePassed):
        return ActionTimeoutError(call.action, running.timeout, error_id)
    return ActionFailedError(call.action, error_id)


def _is_cancelled_from_outside() -> bool:
    """Tell a call whose client went away from one whose action awaited something that was cancelled."""
    task = asyncio.current_task()
    cancelling = getattr(task, "cancelling", None)
    # Python 3.10 cannot tell the two apart.
    return cancelling is None or cancelling() > 0
