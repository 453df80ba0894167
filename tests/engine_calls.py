"""Calls as engines make them, for tests: what the kit makes of an action's name and slots, in each form there is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import ParseDict
from rasa_sdk.grpc_py import action_webhook_pb2 as pb

from action_server.protocol.calls import Call, call_from
from action_server.testing import webhook_request

SENDER = "tester"


def call_body(action: str, slots: Mapping[str, Any] | None = None, *, sender: str = SENDER, **turn: Any) -> bytes:
    """Return the body of `POST /webhook`."""
    return json.dumps(webhook_request(action, slots, sender=sender, **turn)).encode()


def grpc_request(
    action: str, slots: Mapping[str, Any] | None = None, *, sender: str = SENDER, **turn: Any
) -> pb.WebhookRequest:
    """Return the message of `Webhook` and `WebhookStream`."""
    call = webhook_request(action, slots, sender=sender, **turn)
    # Of what an engine knows of a conversation, gRPC has no place for all.
    return ParseDict(call, pb.WebhookRequest(), ignore_unknown_fields=True)


def decoded_call(action: str = "action_x", slots: Mapping[str, Any] | None = None, **turn: Any) -> Call:
    """Return the call as it is when it has been decoded."""
    return call_from(webhook_request(action, slots, **{"sender": SENDER, **turn}))
