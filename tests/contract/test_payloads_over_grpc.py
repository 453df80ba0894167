"""Every captured exchange once more: over gRPC, unary and streamed, and by rasa-sdk's own executor in this process.

What an engine's messages cannot carry is given as they can: an active form is a map of texts, an intent a text.
The order of keys is another one in each process, and does not count.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from rasa_sdk import Action
from rasa_sdk.executor import ActionExecutor
from rasa_sdk.grpc_py import action_webhook_pb2 as pb
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from tests.contract.test_payloads import EXCHANGES, PAYLOADS, read, without_moment
from tests.processes import PATIENCE, server

STATUSES = {400: "INTERNAL", 404: "NOT_FOUND", 449: "NOT_FOUND", 500: "INTERNAL"}


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with server(PAYLOADS, "--actions", "captured_actions", "--grpc") as running:
        yield running.url.removeprefix("grpc://")


@pytest.fixture
async def stub(target: str) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(target) as channel:
        yield action_webhook_pb2_grpc.ActionServiceStub(channel)


@pytest.fixture(scope="module")
def executor() -> Iterator[ActionExecutor]:
    sys.path.insert(0, str(PAYLOADS))
    made = ActionExecutor()
    # Not register_package: it takes every action of this process, also those of other tests.
    for found in vars(importlib.import_module("captured_actions")).values():
        if inspect.isclass(found) and found.__module__ == "captured_actions" and issubclass(found, Action):
            made.register_action(found)
    yield made
    sys.path.remove(str(PAYLOADS))


def message_of(body: dict[str, Any]) -> pb.WebhookRequest:
    """The request as a client sends it that loses nothing the messages can carry."""
    call: dict[str, Any] = json.loads(json.dumps(body))
    tracker = call["tracker"]
    tracker["active_loop"] = {key: str(value) for key, value in (tracker.get("active_loop") or {}).items()}
    domain = call.get("domain") or {}
    for key in ("intents", "entities", "actions"):
        if key in domain:
            domain[key] = [{"string_value": n} if isinstance(n, str) else {"dict_value": n} for n in domain[key]]
    domain.pop("e2e_actions", None)
    return ParseDict(call, pb.WebhookRequest(), ignore_unknown_fields=True)


def comparable(response: Any) -> dict[str, Any]:
    found = MessageToDict(response, preserving_proto_field_name=True)
    return without_moment({"events": found.get("events", []), "responses": found.get("responses", [])})


@pytest.mark.parametrize("path", EXCHANGES, ids=lambda p: f"{p.parent.name}/{p.stem}")
async def test_an_exchange_has_one_answer_over_every_face(stub: Any, executor: ActionExecutor, path: Path) -> None:
    """The recorded one; of those that are errors, the status that rasa-sdk's service has."""
    exchange = read(path)
    body, status = exchange["request_body"], exchange["response_status"]
    sent = message_of(body)
    if status != 200:
        for rpc in (stub.Webhook(sent, timeout=PATIENCE), stub.WebhookStream(sent, timeout=PATIENCE)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await until_the_end(rpc)
            assert caught.value.code().name == STATUSES[status]
            assert json.loads(str(caught.value.details()))["action_name"] == body["next_action"]
        return
    expected = without_moment(exchange["response_body"])
    events = await until_the_end(stub.WebhookStream(sent, timeout=PATIENCE))
    plain = await executor.run(json.loads(json.dumps(body)))
    assert plain is not None

    assert comparable(await stub.Webhook(sent, timeout=PATIENCE)) == expected
    assert comparable(events[-1].final_result) == expected
    assert without_moment(json.loads(plain.model_dump_json())) == expected


async def until_the_end(rpc: Any) -> list[Any]:
    if hasattr(rpc, "read"):
        return [event async for event in rpc]
    return [await rpc]
