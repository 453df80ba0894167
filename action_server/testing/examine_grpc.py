"""Examines a server over gRPC: the requirements that have a meaning there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from action_server.errors import UnreachableError
from action_server.testing import answers, probes
from action_server.testing import requirements as must
from action_server.testing.answers import Answered
from action_server.testing.examine import Report, Request, call_in_first_turn, judged_of
from action_server.testing.examined_server import HttpReply
from action_server.testing.grpc_call import send_over_grpc
from action_server.testing.requirements import Violation
from action_server.testing.server_access import open_stub

# How long the list of actions may take, in seconds.
_PATIENCE = 60


class GrpcServer:
    """One server, by the stub of rasa-sdk; a reply is in the form that HTTP has."""

    def __init__(self, url: str, stub: Any, metadata: Sequence[tuple[str, str]]) -> None:
        self.url = url
        self._stub = stub
        self._metadata = tuple(metadata)

    async def post(self, body: bytes) -> HttpReply:
        """Send a call. Raises :class:`UnreachableError` if nothing answers."""
        reply = await send_over_grpc(self._stub, json.loads(body), self.url, self._metadata)
        return HttpReply(reply.status, "application/json", reply.body, True, reply.milliseconds / 1000)

    async def names(self) -> list[str]:
        """Return the names of its actions. Raises :class:`UnreachableError` if nothing answers."""
        import grpc
        from rasa_sdk.grpc_py import action_webhook_pb2

        try:
            request = action_webhook_pb2.ActionsRequest()
            found = await self._stub.Actions(request, metadata=self._metadata, timeout=_PATIENCE)
        except grpc.aio.AioRpcError as exc:
            raise UnreachableError(self.url, " ".join(str(exc.details()).split()) or exc.code().name) from exc
        return [str(entry["name"]) for entry in found.actions]


async def examine_grpc(url: str, request: Request) -> Report:
    """Examine the server at ``grpc://host:port`` or ``grpcs://``. Its actions are called, each once and more.

    Raises:
        SettingsError: a file of TLS cannot be used.
        UnreachableError: nothing answers there.
    """
    async with open_stub(url, request.access) as stub:
        return await _examine(GrpcServer(url, stub, request.access.metadata), request)


async def _examine(server: GrpcServer, request: Request) -> Report:
    report = Report(server.url)
    listed = await server.names()
    names = listed if request.actions is None else request.actions
    await _call_nothing(server, request, report)
    answering = [name for name in names if await _call_action(server, request, report, name)]
    if answering:
        call = call_in_first_turn(request, answering[0])
        report.violations += [violation async for violation in probes.two_domains(server, call)]
        report.checked.add(must.TWO_DOMAINS)
    for name in request.once:
        body = _encoded(call_in_first_turn(request, name))
        first, second = await server.post(body), await server.post(body)
        report.checked.add(must.SAME_AGAIN)
        if (first.status, first.body) != (second.status, second.body):
            report.violations.append(Violation(must.SAME_AGAIN, "the second answer is another one", name))
    return report


async def _call_nothing(server: GrpcServer, request: Request, report: Report) -> None:
    """Call an action that does not exist, and none at all."""
    call = call_in_first_turn(request, probes.UNKNOWN)
    reply = await server.post(_encoded(call))
    named = isinstance(reply.body, dict) and reply.body.get("action_name") == probes.UNKNOWN
    if reply.status != 404 or not named:
        problem = f"it answers what is {reply.status} over HTTP{'' if named else ', without its name'}"
        report.violations.append(Violation(must.UNKNOWN_ACTION, problem))
    without = await server.post(_encoded({key: value for key, value in call.items() if key != "next_action"}))
    # Nothing is a whole message here, and what rasa-sdk's service answers; over HTTP it is `null`, which is none.
    if without.status == 200 and without.body != {"events": [], "responses": []}:
        report.violations.append(Violation(must.NO_ACTION, "it answers OK, with events or responses"))
    report.checked |= {must.UNKNOWN_ACTION, must.NO_ACTION}


async def _call_action(server: GrpcServer, request: Request, report: Report, name: str) -> bool:
    """Call an action and judge what it answers; tell whether it answered at all."""
    call = call_in_first_turn(request, name)
    reply = await server.post(_encoded(call))
    report.called.append(name)
    answered = Answered(name, reply.status, reply.body, call, request.project.domain, request.version)
    report.violations += answers.violations(answered)
    report.checked |= judged_of(request) - {must.STRICT_JSON, must.SAME_OVER_FACES}
    return reply.status == 200


def _encoded(call: Mapping[str, Any]) -> bytes:
    return json.dumps(call, default=str).encode()
