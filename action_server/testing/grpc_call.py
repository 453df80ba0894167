"""One call over gRPC, as an engine sends it, and the reply in the form that HTTP has."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from action_server.errors import SettingsError, UnreachableError
from action_server.telemetry.durations import milliseconds_since
from action_server.testing.face import FaceReply

# What an engine grants an action, in seconds.
_TIMEOUT = 300
# HTTP's words for gRPC's.
_STATUSES = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 503,
    "ABORTED": 503,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "FAILED_PRECONDITION": 500,
}


async def send_over_grpc(
    stub: Any, call: Mapping[str, Any], address: str, metadata: Sequence[tuple[str, str]] = ()
) -> FaceReply:
    """Send a call by rasa-sdk's stub; ``address`` is for messages.

    Raises:
        SettingsError: gRPC has no form of the call.
        UnreachableError: nothing answers, or no action server.
    """
    # Here, as most tests need not pay for gRPC.
    import grpc
    from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
    from rasa_sdk.grpc_py import action_webhook_pb2

    start = time.perf_counter()
    try:
        request = ParseDict(dict(call), action_webhook_pb2.WebhookRequest(), ignore_unknown_fields=True)
    except ParseError as exc:
        raise SettingsError("face='grpc'", "an engine cannot send this call: gRPC's form of it does not fit") from exc
    try:
        response = await stub.Webhook(request, metadata=tuple(metadata), timeout=_TIMEOUT)
    except grpc.aio.AioRpcError as exc:
        # A full server says so in JSON, as every answer of ours; who is not there says nothing.
        is_nobody = exc.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED)
        if is_nobody and not str(exc.details()).startswith("{"):
            raise UnreachableError(address, " ".join(str(exc.details()).split())) from exc
        return _reply_of(exc, str(call.get("next_action")), milliseconds_since(start))
    body = MessageToDict(response, preserving_proto_field_name=True)
    found = {"events": body.get("events", []), "responses": body.get("responses", [])}
    return FaceReply(200, found, milliseconds_since(start))


def _reply_of(error: Any, action: str, milliseconds: float) -> FaceReply:
    """Return what HTTP would have answered: the details are JSON where the service knows the error."""
    try:
        details = json.loads(error.details())
    except (TypeError, ValueError):
        body = {"error": error.details(), "action_name": action}
        return FaceReply(500, body, milliseconds)
    body = {"error": details.get("message"), "action_name": details.get("action_name")}
    if "error_id" in details:
        body["error_id"] = details["error_id"]
    status = _STATUSES.get(error.code().name, 500)
    if status == 404 and details.get("resource_type") == "DOMAIN":
        status = 449
    # A rejection and a failure have one status; only what failed has an id of the log.
    if status == 500 and "error_id" not in details:
        status = 400
    return FaceReply(status, body, milliseconds)
