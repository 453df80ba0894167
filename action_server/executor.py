"""Runs actions: one call in, one answer out. Knows nothing of HTTP or gRPC."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rasa_sdk import ActionExecutionRejection
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.interfaces import ActionMissingDomainException, ActionNotFoundException

from action_server import validation
from action_server.answers import Answer, answer_of
from action_server.domains import Domains
from action_server.errors import (
    ActionFailedError,
    ActionNotFoundError,
    ActionRejectedError,
    CallError,
    MissingDomainError,
)
from action_server.logs import CallContext, calling, milliseconds_since
from action_server.registry import RegisteredAction, Registry
from action_server.services import Services, activated
from action_server.threads import SyncWorkers, current_workers
from action_server.tracker import tracker_of
from action_server.wire import Call

logger = logging.getLogger(__name__)


class Executor:
    """Runs the actions of one worker.

    Coroutines run on the event loop, everything else on at most ``sync_workers`` threads; ``max_domains`` domains are
    remembered.
    """

    def __init__(
        self, registry: Registry, *, sync_workers: int, max_domains: int, services: Services | None = None
    ) -> None:
        self.registry = registry
        self._workers = SyncWorkers(sync_workers)
        self._domains = Domains(max_domains)
        self._services = services
        validation.install()

    async def run(
        self, call: Call, *, transport: str = "http", dispatcher: CollectingDispatcher | None = None
    ) -> Answer:
        """Run the action a call names. A transport that streams passes its own ``dispatcher``.

        Raises:
            ActionNotFoundError: nobody registered the action.
            MissingDomainError: the engine has to send the domain first.
            ActionRejectedError: the action declined by raising ``ActionExecutionRejection``.
            ActionFailedError: the action raised anything else; the details are in the log.
        """
        context = CallContext(call.action, call.sender_id, transport)
        with calling(context), activated(self._services), _logged(transport):
            action = self.registry.get(call.action)
            domain = self._domains.domain_for(call, needed=action.reads_domain)
            return await self._answer(action, call, domain, dispatcher or CollectingDispatcher())

    @property
    def running_threads(self) -> int:
        """How many synchronous actions are running or waiting for a thread."""
        return self._workers.running

    def close(self) -> None:
        """Run nothing more. Threads still running are not waited for."""
        self._workers.close()

    async def _answer(
        self, action: RegisteredAction, call: Call, domain: dict[str, Any], dispatcher: CollectingDispatcher
    ) -> Answer:
        token = current_workers.set(self._workers)
        try:
            returned = await self._workers.call(action.run, dispatcher, tracker_of(call), domain)
            if dispatcher.is_streaming_active:
                logger.warning("stream.left_open")
                await dispatcher.stream_end()
            return answer_of(call.action, returned, dispatcher.messages, call.version)
        except asyncio.CancelledError as exc:
            if _is_cancelled_from_outside():
                raise
            raise _failure(call, exc) from exc
        except (Exception, SystemExit) as exc:
            raise _failure(call, exc) from exc
        finally:
            current_workers.reset(token)


def _failure(call: Call, exc: BaseException) -> CallError:
    """Return what an action's exception means to the engine."""
    if isinstance(exc, ActionExecutionRejection):
        return ActionRejectedError(str(exc.message), str(exc.action_name))
    if isinstance(exc, ActionNotFoundException):
        return ActionNotFoundError(str(exc.action_name))
    if isinstance(exc, ActionMissingDomainException) and call.domain_digest:
        return MissingDomainError(call.action)
    error_id = secrets.token_hex(6)
    logger.error("action.failed", extra={"error_id": error_id}, exc_info=exc)
    return ActionFailedError(call.action, error_id)


def _is_cancelled_from_outside() -> bool:
    """Tell a call whose client went away from one whose action awaited something that was cancelled."""
    task = asyncio.current_task()
    cancelling = getattr(task, "cancelling", None)
    # Python 3.10 cannot tell the two apart.
    return cancelling is None or cancelling() > 0


@contextmanager
def _logged(transport: str) -> Iterator[None]:
    """Write the one line every call gets, whatever becomes of it."""
    start = time.perf_counter()
    outcome = "cancelled"
    try:
        yield
        outcome = "ok"
    except CallError as exc:
        outcome = _OUTCOMES.get(type(exc), "refused")
        raise
    finally:
        facts = {"outcome": outcome, "transport": transport, "ms": milliseconds_since(start)}
        logger.info("action.finished", extra=facts)


_OUTCOMES: dict[type[CallError], str] = {
    ActionNotFoundError: "not_found",
    MissingDomainError: "needs_domain",
    ActionRejectedError: "rejected",
    ActionFailedError: "failed",
}
