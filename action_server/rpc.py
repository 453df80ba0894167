"""gRPC: rasa-sdk's own service over our executor."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from rasa_sdk import ActionExecutionRejection
from rasa_sdk.executor import ActionExecutorRunResult, ActionName, CollectingDispatcher
from rasa_sdk.grpc_server import run_grpc
from rasa_sdk.interfaces import ActionMissingDomainException, ActionNotFoundException

from action_server.errors import ActionNotFoundError, ActionRejectedError, MissingDomainError
from action_server.executor import Executor
from action_server.settings import Settings
from action_server.wire import call_from

logger = logging.getLogger(__name__)

Sink = asyncio.Queue[dict[str, Any]]


class SdkExecutor:
    """What rasa-sdk's gRPC service takes for its ``ActionExecutor``: the same methods, run by ours.

    Errors leave it as rasa-sdk's exceptions, which that service knows how to answer. Any other is ours and holds no
    values, so that its text may travel.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def run(
        self,
        action_call: dict[str, Any],
        sink: Sink | None = None,
        dispatcher: CollectingDispatcher | None = None,
    ) -> ActionExecutorRunResult | None:
        """Run an action; ``None`` if the call names none. With a ``sink`` its chunks and its end go there too."""
        if not action_call.get("next_action"):
            logger.warning("call.without_action")
            return None
        try:
            result = await self._run(action_call, sink, dispatcher or CollectingDispatcher())
        except Exception as exc:
            if sink is not None:
                await sink.put({"event": "stream_error", "exception": exc})
            raise
        if sink is not None:
            await sink.put({"event": "stream_done", "result": result})
        return result

    async def _run(
        self, action_call: dict[str, Any], sink: Sink | None, dispatcher: CollectingDispatcher
    ) -> ActionExecutorRunResult:
        if sink is not None:
            dispatcher._stream_sink = sink.put
        try:
            answer = await self._executor.run(call_from(action_call), transport="grpc", dispatcher=dispatcher)
        except ActionRejectedError as exc:
            raise ActionExecutionRejection(exc.action, exc.message) from exc
        except ActionNotFoundError as exc:
            raise ActionNotFoundException(exc.action, exc.message) from exc
        except MissingDomainError as exc:
            raise ActionMissingDomainException(exc.action, exc.message) from exc
        return ActionExecutorRunResult(events=answer.events, responses=answer.responses)

    def list_actions(self) -> list[ActionName]:
        """List the registered actions."""
        return [ActionName(name=action.name) for action in self._executor.registry]


async def serve_grpc(executor: Executor, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, which rasa-sdk's service handles itself. It listens on every network."""

    def path(file: object) -> str | None:
        return str(file) if file else None

    await run_grpc(
        SdkExecutor(executor),
        settings.port,
        path(settings.ssl_certificate),
        path(settings.ssl_keyfile),
        path(settings.ssl_ca_file),
        False,
        str(settings.endpoints),
    )
