"""The Sanic routes, and the one table from errors to statuses."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from rasa_sdk.cors import configure_cors
from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import SanicException
from sanic.handlers import ErrorHandler
from sanic.response import json as json_response

from action_server import wire
from action_server.compression import inflate
from action_server.errors import (
    ActionFailedError,
    ActionNotFoundError,
    ActionRejectedError,
    BodyTooLargeError,
    CallError,
    EncodingError,
    InternalError,
    MissingDomainError,
    RequestError,
)
from action_server.executor import Executor

SanicApp = Sanic[Any, Any]

logger = logging.getLogger(__name__)

STATUSES: dict[type[CallError], int] = {
    RequestError: 400,
    ActionRejectedError: 400,
    ActionNotFoundError: 404,
    BodyTooLargeError: 413,
    EncodingError: 415,
    # Not registered anywhere: the engine's own word for "retry and include the domain".
    MissingDomainError: 449,
    ActionFailedError: 500,
    InternalError: 500,
}

# Engines wait 300 s for an action and cannot be told otherwise. Sanic's own 60 s would cut what they wait for.
RESPONSE_TIMEOUT = 330.0
# What rasa-sdk uses, in seconds.
KEEP_ALIVE_TIMEOUT = 120

_HINTS = {
    404: "there is nothing at this path; an action server answers POST /webhook, GET /health and GET /actions",
    405: "this path does not take this method; calls go to POST /webhook",
}


def create_app(
    executor: Executor,
    *,
    max_request_bytes: int,
    cors_origins: Sequence[str] | None = None,
    name: str = "action_server",
    only_one: bool = True,
) -> SanicApp:
    """Create the Sanic app that serves an executor's actions.

    ``max_request_bytes`` bounds a body before and after it is inflated; ``cors_origins`` are the origins browsers may
    call from; ``name`` must be unique in a process; ``only_one`` tells that this is the only app the process serves.
    """
    app: SanicApp = Sanic(name, configure_logging=False, error_handler=_Errors(max_request_bytes))
    app.config.update(
        REQUEST_MAX_SIZE=max_request_bytes,
        RESPONSE_TIMEOUT=RESPONSE_TIMEOUT,
        KEEP_ALIVE_TIMEOUT=KEEP_ALIVE_TIMEOUT,
        ACCESS_LOG=False,
        # Sanic rewrites its own request handling for the app it serves, which is faster and works once in a process.
        TOUCHUP=only_one,
    )
    if cors_origins:
        configure_cors(app, list(cors_origins))

    @app.post("/webhook")
    async def webhook(request: Request) -> HTTPResponse:
        body = inflate(request.body, request.headers.get("content-encoding", ""), max_request_bytes)
        answer = await executor.run(wire.decode_call(body))
        return _json(wire.encode_reply(answer.events, answer.responses))

    @app.get("/health")
    async def health(request: Request) -> HTTPResponse:
        return json_response({"status": "ok"})

    @app.get("/actions")
    async def actions(request: Request) -> HTTPResponse:
        return json_response([{"name": action.name} for action in executor.registry])

    return app


class _Errors(ErrorHandler):
    """Answers every error as JSON; never with a value of the request or the text of an unforeseen exception."""

    def __init__(self, max_request_bytes: int) -> None:
        super().__init__()
        self._max_request_bytes = max_request_bytes

    def default(self, request: Request | None, exception: Exception) -> HTTPResponse:
        """Return the answer for an exception nobody handled before."""
        error, status, headers = self._understood(exception)
        if isinstance(error, RequestError):
            # Calls that reach the executor are logged there.
            logger.warning("call.refused", extra={"status": status, "problem": error.message})
        return _json(wire.encode_error(error), status, headers)

    def _understood(self, exception: Exception) -> tuple[CallError, int, dict[str, str]]:
        if isinstance(exception, CallError):
            return exception, STATUSES[type(exception)], {}
        if isinstance(exception, SanicException) and exception.status_code:
            status = exception.status_code
            return self._of_sanic(status), status, dict(exception.headers)
        error_id = secrets.token_hex(6)
        logger.error("server.failed", extra={"error_id": error_id}, exc_info=exception)
        return InternalError(error_id), STATUSES[InternalError], {}

    def _of_sanic(self, status: int) -> RequestError:
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return BodyTooLargeError(self._max_request_bytes)
        return RequestError(_HINTS.get(status, HTTPStatus(status).phrase))


def _json(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> HTTPResponse:
    return HTTPResponse(body, status, headers, "application/json")
