"""The route ``/mcp`` of the Sanic app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sanic import HTTPResponse, Request, Sanic

from action_server.assembly import Assembly
from action_server.errors import RequestError
from action_server.serving.mcp.endpoint import McpEndpoint
from action_server.serving.mcp.messages import INVALID_REQUEST, MessageError, encode_error
from action_server.serving.mcp.origins import Origins
from action_server.tools.calling import Caller, ToolCaller

# Reads a body within the limits of all bodies, for as long as the block in which it is used; raises RequestError.
WithBody = Callable[[Request, Callable[[bytes], Awaitable[HTTPResponse]]], Awaitable[HTTPResponse]]
CallerOf = Callable[[Request, int], Caller]

# All but POST, and OPTIONS, which belongs to `--cors`.
_OTHER_METHODS = ("GET", "HEAD", "DELETE", "PUT", "PATCH")
_NO_STREAM = encode_error(None, MessageError(INVALID_REQUEST, "this server sends nothing by itself: POST a message"))


def add_mcp(
    app: Sanic[Any, Any], assembly: Assembly, tools: ToolCaller, with_body: WithBody, caller_of: CallerOf
) -> None:
    """Add the route, with and without a slash at its end."""
    settings = assembly.settings
    endpoint = McpEndpoint(tools, settings.mcp, max_json_depth=settings.request_limits.max_json_depth)
    origins = Origins(settings.mcp, is_closed=assembly.authenticator is not None)

    @app.post("/mcp", stream=True)
    async def mcp(request: Request) -> HTTPResponse:
        problem = origins.problem_of(request.headers)
        if problem is not None:
            _note(assembly, RequestError(problem), 403, caller_of(request, 0))
            return _json(encode_error(None, MessageError(INVALID_REQUEST, problem)), 403)

        async def answer(body: bytes) -> HTTPResponse:
            caller = caller_of(request, len(body))
            status, reply, error = await endpoint.answer(body, request.headers, caller)
            if error is not None:
                _note(assembly, error, status, caller)
            return _json(reply, status)

        return await with_body(request, answer)

    # Some ask for a stream with each connection, and again each second if they get one.
    @app.route("/mcp", methods=_OTHER_METHODS, stream=True)
    async def no_stream(request: Request) -> HTTPResponse:
        return HTTPResponse(_NO_STREAM, 405, {"Allow": "POST"}, "application/json")


def _note(assembly: Assembly, error: RequestError, status: int, caller: Caller) -> None:
    error.status = status
    assembly.calls.note_error(error, caller.request_id, caller.client)


def _json(body: bytes, status: int) -> HTTPResponse:
    return HTTPResponse(body or None, status, None, "application/json" if body else None)
