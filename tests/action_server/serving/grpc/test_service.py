"""rasa-sdk's gRPC service over our executor, called by a real gRPC client."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rasa_sdk.grpc_py import action_webhook_pb2 as pb
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from action_server.serving.grpc.callers import caller_of
from action_server.serving.http.client_addresses import ClientAddresses
from tests.engine_calls import grpc_request
from tests.processes import PATIENCE, server
from tests.projects import GREET, project

ACTIONS = """
    import threading
    from rasa_sdk import Action, ActionExecutionRejection
    from rasa_sdk.events import SlotSet

    class ActionGreet(Action):
        def name(self):
            return "action_greet"

        def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(text=f"hello {tracker.get_slot('name')}")
            return SlotSet("thread", threading.current_thread().name[:11])

    class ActionStream(Action):
        def name(self):
            return "action_stream"

        async def run(self, dispatcher, tracker, domain):
            await dispatcher.stream_start()
            await dispatcher.stream_chunk(text="hel")
            await dispatcher.stream_chunk(text="lo")
            await dispatcher.stream_end()
            return [SlotSet("streamed", True)]

    class ActionReject(Action):
        def name(self):
            return "action_reject"

        def run(self, dispatcher, tracker, domain):
            raise ActionExecutionRejection("action_reject", "not now")

    class ActionFail(Action):
        def name(self):
            return "action_fail"

        def run(self, dispatcher, tracker, domain):
            raise RuntimeError("hunter2")

    class ActionDomain(Action):
        def name(self):
            return "action_domain"

        def run(self, dispatcher, tracker, domain):
            return [SlotSet("forms", list(domain["forms"]))]
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The port of a running gRPC server."""
    folder = project(tmp_path_factory.mktemp("grpc"), {"actions.py": ACTIONS})
    number = free_port()
    with server(folder, "--grpc", "--port", str(number)):
        yield number


@pytest.fixture
async def channel(port: int) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> Any:
    return action_webhook_pb2_grpc.ActionServiceStub(channel)


def request(action: str, **fields: Any) -> pb.WebhookRequest:
    return grpc_request(action, {"name": "Ann"}, said="hi", **fields)


async def answer(stub: Any, action: str, **fields: Any) -> dict[str, Any]:
    reply = await stub.Webhook(request(action, **fields), wait_for_ready=True, timeout=PATIENCE)
    decoded: dict[str, Any] = MessageToDict(reply)
    return decoded


async def test_a_call_runs_the_action_on_a_thread(stub: Any) -> None:
    """One bare event is understood here too."""
    reply = await answer(stub, "action_greet")

    assert reply["responses"][0]["text"] == "hello Ann"
    assert reply["events"][0]["value"] == "sync-action"


async def test_the_actions_are_listed(stub: Any) -> None:
    """The Actions call of the service."""
    listed = MessageToDict(await stub.Actions(pb.ActionsRequest(), wait_for_ready=True))

    assert {action["name"] for action in listed["actions"]} >= {"action_greet", "action_stream"}


async def test_health_is_answered(channel: grpc.aio.Channel) -> None:
    """Kubernetes asks for it."""
    stub = health_pb2_grpc.HealthStub(channel)

    reply = await stub.Check(health_pb2.HealthCheckRequest(service="ActionServer"), wait_for_ready=True)

    assert reply.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_call_without_an_action_is_answered_with_nothing(stub: Any) -> None:
    """As rasa-sdk's service does."""
    assert await answer(stub, "") == {}


@pytest.mark.parametrize(
    ("action", "fields", "code", "details"),
    [
        ("action_nobody", {}, grpc.StatusCode.NOT_FOUND, {"action_name": "action_nobody", "resource_type": "ACTION"}),
        ("action_reject", {}, grpc.StatusCode.INTERNAL, {"action_name": "action_reject", "message": "not now"}),
    ],
    ids=["unknown action", "rejection"],
)
async def test_errors_have_rasa_sdks_codes_and_details(
    stub: Any, action: str, fields: dict[str, Any], code: grpc.StatusCode, details: dict[str, str]
) -> None:
    """The engine reads them."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answer(stub, action, **fields)

    assert caught.value.code() is code
    assert details.items() <= json.loads(str(caught.value.details())).items()


async def test_a_missing_domain_is_not_found(stub: Any) -> None:
    """An unknown digest without the domain; with it the call is answered."""
    call = request("action_domain", domain={"forms": {"party": {}}})
    without = pb.WebhookRequest()
    without.CopyFrom(call)
    without.ClearField("domain")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Webhook(without, wait_for_ready=True)
    assert json.loads(str(caught.value.details()))["resource_type"] == "DOMAIN"

    reply = MessageToDict(await stub.Webhook(call, timeout=PATIENCE))
    assert reply["events"][0]["value"] == ["party"]


async def test_a_failing_action_leaks_nothing(stub: Any) -> None:
    """rasa-sdk puts the exception's text into the status."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answer(stub, "action_fail")

    assert "hunter2" not in str(caught.value.details())
    assert "action_fail" in str(caught.value.details())


async def test_chunks_are_streamed_before_the_result(stub: Any) -> None:
    """WebhookStream: start, chunks, end, final result."""
    events = [e async for e in stub.WebhookStream(request("action_stream"), wait_for_ready=True)]

    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["chunk_start", "chunk", "chunk", "chunk_end", "final_result"]
    assert [event.chunk.text for event in events[1:3]] == ["hel", "lo"]
    assert MessageToDict(events[-1].final_result)["events"][0]["name"] == "streamed"


@pytest.mark.parametrize("action", ["action_fail", "action_nobody"])
async def test_a_stream_that_fails_ends_with_an_error_that_leaks_nothing(stub: Any, action: str) -> None:
    """The error event names the action."""
    events: list[Any] = []

    async def collect() -> None:
        async for event in stub.WebhookStream(request(action), wait_for_ready=True):
            events.append(event)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await collect()

    assert [event.WhichOneof("event") for event in events] == ["error"]
    assert events[0].error.action_name == action
    assert "hunter2" not in events[0].error.message + str(caught.value.details())


async def test_a_stream_without_an_action_ends(stub: Any) -> None:
    """There is nothing to stream and nothing to wait for."""
    assert [e async for e in stub.WebhookStream(request(""), wait_for_ready=True)] == []


async def test_a_grpc_server_ends_by_a_signal(tmp_path: Path) -> None:
    """Exit code 0, as over HTTP; the log holds no line of the library's, which would be no JSON."""
    project(tmp_path, {"actions.py": ACTIONS})
    number = free_port()
    with server(tmp_path, "--grpc", "--port", str(number), "--drain-delay", "0.1") as running:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{number}") as channel:
            stub = action_webhook_pb2_grpc.ActionServiceStub(channel)
            await stub.Actions(pb.ActionsRequest(), wait_for_ready=True)

        assert await asyncio.to_thread(running.stop) == 0

    assert [line["text"] for line in running.log if line["event"] == "?"] == []


class _Context:
    """An RPC from ``address``; everybody says that the call is somebody else's."""

    def __init__(self, address: str) -> None:
        self._address = address

    def peer(self) -> str:
        return self._address

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return (("user-agent", "grpc"), ("x-forwarded-for", "198.51.100.1, 203.0.113.9"))


def test_the_callers_address_is_the_connections_or_what_a_trusted_proxy_says() -> None:
    """Anybody can write into the metadata."""
    contexts = {
        "ipv4:192.0.2.7:4711": "192.0.2.7",
        "ipv6:%5B2001:db8::1%5D:4711": "2001:db8::1",
        "ipv4:10.0.0.1:4711": "203.0.113.9",
        "unix:": "",
    }
    addresses = ClientAddresses(["10.0.0.0/8"])

    assert {peer: caller_of(_Context(peer), addresses) for peer in contexts} == contexts


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_free_port_is_one_for_all_workers_and_is_told(tmp_path: Path, workers: str) -> None:
    """Each would take another one, and the log said 0."""
    project(tmp_path, {"actions.py": GREET})
    with server(tmp_path, "--grpc", "--workers", workers) as running:
        port = int(running.url.rpartition(":")[2])
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            reply = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        said = [line for line in running.log if line.get("event") == "worker.loaded"]

    assert reply.status == health_pb2.HealthCheckResponse.SERVING
    assert len(said) == int(workers)
