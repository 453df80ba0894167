"""A call that came in another form, and its outcome, as the webhook would have got and answered them."""

from __future__ import annotations

import json

from action_server.errors import CallError
from action_server.protocol.answers import Answer
from action_server.protocol.calls import Call, encode_error, encode_reply


def encode_request(call: Call) -> bytes:
    """Encode a call as the body of a webhook request."""
    request = {
        "next_action": call.action,
        "sender_id": call.sender_id,
        "tracker": {"sender_id": call.sender_id, **call.tracker},
        "version": call.version,
    }
    if call.domain_digest is not None:
        request["domain_digest"] = call.domain_digest
    if call.domain is not None:
        request["domain"] = call.domain
    return json.dumps(request).encode("ascii")


def encode_outcome(answer: Answer | None, error: CallError | None) -> tuple[int, bytes]:
    """Return the status and the body of a reply, of an answer or of the error that there is instead."""
    if answer is not None:
        return 200, encode_reply(answer.events, answer.responses)
    return (error.status, encode_error(error)) if error is not None else (500, b"")
