"""What goes wrong has a status of its own, and a caller who may not call is refused before anything is decoded."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import SecretStr

from action_server.security.auth import AuthSettings
from tests.action_server.serving.grpc.grpc_calls import PATIENCE, answered, failed, request, served, until

SERVICE = "/action_server_webhook.ActionService"
METADATA = (("authorization", "Bearer a-token-of-some-length"),)


def nothing(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
    return []


async def test_saturation_and_time_out_have_statuses_of_their_own() -> None:
    """With the action's name in the details, and an id for the log where there is more to be known."""
    go_on = threading.Event()

    def wait(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        go_on.wait(PATIENCE)
        return []

    async with served({"action_wait": wait}, max_calls=1, max_queue=0, timeout=1) as (stub, assembly):
        first = asyncio.ensure_future(failed(stub.Webhook(request("action_wait"), timeout=PATIENCE)))
        await until(lambda: assembly.executor.admission.running == 1)
        saturated = await failed(stub.Webhook(request("action_wait"), timeout=PATIENCE))
        late = await first
        go_on.set()

    assert saturated.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert late.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    details = json.loads(str(late.details()))
    assert (details["action_name"], len(details["error_id"])) == ("action_wait", 12)
    assert not {"Traceback", "Error:"} & set(str(late.details()).split())


@pytest.mark.parametrize("method", ["Webhook", "WebhookStream", "Nothing"])
async def test_without_a_credential_no_method_says_more_than_that(method: str) -> None:
    """The body is no message at all: nobody has looked at it. A method that is not there looks the same."""
    auth = AuthSettings(tokens=(SecretStr("a-token-of-some-length"),))
    async with (
        served({"action_look": nothing}, auth=auth) as (stub, assembly),
        grpc.aio.insecure_channel(f"127.0.0.1:{assembly.settings.port}") as channel,
    ):
        if method == "WebhookStream":
            error = await failed(channel.unary_stream(f"{SERVICE}/{method}")(b"\xff", timeout=PATIENCE).read())
        else:
            error = await failed(channel.unary_unary(f"{SERVICE}/{method}")(b"\xff", timeout=PATIENCE))
        unknown = await failed(channel.unary_unary(f"{SERVICE}/No")(b"", timeout=PATIENCE, metadata=METADATA))
        await stub.Webhook(request("action_look"), timeout=PATIENCE, metadata=METADATA)
        health = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == 1

    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert unknown.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_what_is_malformed_where_it_is_read_late_names_the_action() -> None:
    """The last message is decoded when the action asks for it."""

    def look(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        return list(tracker.latest_message)

    async with (
        served({"action_look": look}) as (_, assembly),
        grpc.aio.insecure_channel(f"127.0.0.1:{assembly.settings.port}") as channel,
    ):
        # Tracker's third field: a `Struct` whose first byte is none of protobuf's.
        body = request("action_look").SerializeToString() + b"\x1a\x03\x1a\x01\xff"
        error = await failed(channel.unary_unary(f"{SERVICE}/Webhook")(body, timeout=PATIENCE))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    details = json.loads(str(error.details()))
    assert (details["action_name"], details["message"].split()[0]) == ("action_look", "tracker.latest_message")


@pytest.mark.parametrize("method", ["Webhook", "WebhookStream", "AckStreamChunks", "Actions"])
@pytest.mark.parametrize("token", [METADATA, ()], ids=["allowed", "refused"])
async def test_the_id_of_a_request_comes_back(method: str, token: Any) -> None:
    """As over HTTP: of every method, and from a refusal as well."""
    auth = AuthSettings(tokens=(SecretStr("a-token-of-some-length"),))
    async with (
        served({"action_look": nothing}, auth=auth) as (_, assembly),
        grpc.aio.insecure_channel(f"127.0.0.1:{assembly.settings.port}") as channel,
    ):
        kind = channel.unary_stream if method == "WebhookStream" else channel.unary_unary
        body = request("action_look").SerializeToString() if method.startswith("Webhook") else b""
        rpc = kind(f"{SERVICE}/{method}")(body, timeout=PATIENCE, metadata=(("x-request-id", "r-1"), *token))
        if method == "WebhookStream" and token:
            assert await rpc.read() is not grpc.aio.EOF
            assert await rpc.read() is grpc.aio.EOF
        assert (await rpc.code() is grpc.StatusCode.OK) == bool(token)
        assert ("x-request-id", "r-1") in tuple(await rpc.trailing_metadata())


@pytest.mark.parametrize(
    "method", [f"{SERVICE}/AckStreamChunks", "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"]
)
async def test_what_is_no_message_is_an_invalid_argument_of_every_method(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a class's name in the details or a traceback in the log."""
    async with (
        served({"action_look": nothing}) as (_, assembly),
        grpc.aio.insecure_channel(f"127.0.0.1:{assembly.settings.port}") as channel,
    ):
        kind = channel.unary_stream if method.endswith("Watch") else channel.unary_unary
        rpc = kind(method)(b"\xff", timeout=PATIENCE)
        assert await rpc.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "protobuf as the service publishes it" in await rpc.details()

    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize("name", ["", "ActionServer", "action_server_webhook.ActionService"])
async def test_health_follows_readiness_and_its_watches_end(name: str) -> None:
    """A watch that stayed open would keep the server for its whole grace."""
    async with served({"action_look": nothing}, grace=300) as (_, assembly):
        port = assembly.settings.port
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        health = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(service=name), timeout=PATIENCE)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        assembly.readiness.state = "draining"
        checked = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert checked.status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    # The server has ended within its grace of five minutes, and the watch with it.
    assert await watch.read() is grpc.aio.EOF
    await channel.close()


async def test_a_service_that_is_not_there_has_no_health() -> None:
    """As the protocol has it: NOT_FOUND, and SERVICE_UNKNOWN for who watches."""
    async with (
        served({"action_look": nothing}) as (_, assembly),
        grpc.aio.insecure_channel(f"127.0.0.1:{assembly.settings.port}") as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        error = await failed(health.Check(health_pb2.HealthCheckRequest(service="x"), timeout=PATIENCE))
        watch = health.Watch(health_pb2.HealthCheckRequest(service="x"), timeout=PATIENCE)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN

    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_a_domain_that_nobody_reads_is_not_decoded() -> None:
    """As over HTTP: what is not read is not checked."""
    async with served({"action_look": nothing}) as (stub, _):
        assert await answered(stub, request("action_look", {"events": [{"no": "name"}]})) == {}
