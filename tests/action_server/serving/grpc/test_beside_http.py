"""HTTP and gRPC in one process, pages beside gRPC, and a client that knows nothing but the published .proto."""

from __future__ import annotations

import importlib
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.json_format import MessageToDict
from rasa_sdk.grpc_py import action_webhook_pb2 as pb
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from action_server.testing import webhook_request
from tests.action_server.security.certificates import Files, make_files
from tests.action_server.serving.grpc.test_service import free_port
from tests.engine_calls import grpc_request
from tests.processes import PATIENCE, run, server
from tests.projects import GREET, project

CALL = webhook_request("action_greet")


async def greet_over_grpc(url: str) -> dict[str, Any]:
    async with grpc.aio.insecure_channel(url.removeprefix("grpc://")) as channel:
        stub = action_webhook_pb2_grpc.ActionServiceStub(channel)
        call = grpc_request("action_greet")
        sent = stub.Webhook(call, timeout=PATIENCE, wait_for_ready=True, metadata=(("x-request-id", "r-1"),))
        found: dict[str, Any] = MessageToDict(await sent)
        return {**found, "bytes": call.ByteSize()}


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_one_process_serves_both(tmp_path: Path, workers: str) -> None:
    """The same answer; one page of metrics counts both, and one signal ends both."""
    project(tmp_path, {"actions.py": GREET})
    with server(tmp_path, "--grpc-port", "0", "--workers", workers) as running:
        ready = next(line for line in running.log if line["event"] == "server.ready")
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{running.url}/webhook", json=CALL) as response:
                over_http = await response.json()
            over_grpc = await greet_over_grpc(ready["grpc_url"])
            async with session.get(f"{running.url}/metrics") as response:
                page = await response.text()
        told = {answer["responses"][0]["text"] for answer in (over_http, over_grpc)}
        # The kernel gives each connection to one of the workers.
        assert len(told) == 1 or workers == "2"
        assert all(text.startswith("hello from ") for text in told)
        assert 'transport="grpc"' in page
        assert running.stop() == 0
    lines = [line for line in running.log if line["event"] == "action.finished" and line["transport"] == "grpc"]
    assert [(line["request_id"], line["bytes"]) for line in lines] == [("r-1", over_grpc["bytes"])]


async def test_pages_are_beside_grpc(tmp_path: Path) -> None:
    """For Prometheus and for probes that speak no gRPC; calls are not taken there."""
    project(tmp_path, {"actions.py": GREET})
    with server(tmp_path, "--grpc", "--monitoring-port", "0") as running:
        ready = next(line for line in running.log if line["event"] == "server.ready")
        pages = f"http://127.0.0.1:{ready['monitoring_port']}"
        assert (await greet_over_grpc(running.url))["responses"]
        async with aiohttp.ClientSession() as session:
            statuses = {}
            for path in ("/health", "/ready", "/metrics"):
                async with session.get(pages + path) as response:
                    statuses[path] = response.status
            async with session.post(f"{pages}/webhook", json=CALL) as response:
                statuses["/webhook"] = response.status
        assert running.stop() == 0

    assert statuses == {"/health": 200, "/ready": 200, "/metrics": 200, "/webhook": 404}


def test_a_second_server_on_the_port_does_not_start(tmp_path: Path) -> None:
    """gRPC's sockets would share it, and each server get half of the calls."""
    project(tmp_path, {"actions.py": GREET})
    port = str(free_port())
    with server(tmp_path, "--grpc", "--port", port):
        second = run(tmp_path, ["run", "--grpc", "--host", "127.0.0.1", "--port", port])
        third = run(tmp_path, ["run", "--host", "127.0.0.1", "--port", "0", "--grpc-port", port])

    assert (second.returncode, third.returncode) == (2, 2)
    assert "choose another --port" in second.stderr
    assert "choose another --grpc-port" in third.stderr
    assert (second.stderr.count("\n"), third.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--grpc", "--grpc-port", "5056"], "leave one of the two out"),
        (["--monitoring-port", "5056"], "does nothing without --grpc"),
        (["--grpc-port", "5056", "--port", "5056"], "--grpc-port: is --port too, where HTTP is"),
        (["--grpc", "--monitoring-port", "5056", "--port", "5056"], "--monitoring-port: is --port too, where gRPC is"),
    ],
    ids=["two ways to serve gRPC", "pages beside pages", "gRPC on the port of HTTP", "pages on the port of gRPC"],
)
def test_ports_that_do_nothing_are_refused(tmp_path: Path, flags: list[str], problem: str) -> None:
    """Before a socket opens."""
    ended = run(tmp_path, ["run", *flags])

    assert ended.returncode == 2
    assert problem in ended.stderr


def published_proto() -> str:
    """The published file as text, which the package does not bring."""
    file = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    types = {9: "string", 8: "bool"}
    lines = ['syntax = "proto3";', "package action_server_webhook;"]
    lines += [f'import "{name}";' for name in file.dependency]
    for message in file.message_type:
        lines.append(f"message {message.name} {{")
        for field in message.field:
            kind = field.type_name.removeprefix(".") or types[field.type]
            label = "repeated " if field.label == 3 else "optional " if field.proto3_optional else ""
            if kind.endswith("ActiveLoopEntry"):
                label, kind = "", "map<string, string>"
            line = f"{label}{kind} {field.name} = {field.number};"
            is_choice = field.HasField("oneof_index") and not field.proto3_optional
            lines.append(f"  oneof {message.oneof_decl[0].name} {{ {line} }}" if is_choice else f"  {line}")
        lines.append("}")
    for service in file.service:
        lines.append(f"service {service.name} {{")
        for method in service.method:
            stream = "stream " if method.server_streaming else ""
            output = method.output_type.removeprefix(".")
            lines.append(f"  rpc {method.name}({method.input_type.removeprefix('.')}) returns ({stream}{output});")
        lines.append("}")
    # Alternatives of one choice stand in one block.
    return re.sub(r" \}\n  oneof \w+ \{", "", "\n".join(lines))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("certificates"))


# Makes a client from a .proto alone, in a process whose pool of messages has no other one of these names.
CLIENT = """
import sys, grpc
sys.path.insert(0, sys.argv[1])
import plain_pb2 as pb, plain_pb2_grpc
credentials = grpc.ssl_channel_credentials(open(sys.argv[3], "rb").read())
with grpc.secure_channel(f"localhost:{sys.argv[2]}", credentials) as channel:
    stub = plain_pb2_grpc.ActionServiceStub(channel)
    call = pb.WebhookRequest(next_action="action_greet", tracker=pb.Tracker(sender_id="s"))
    print([action["name"] for action in stub.Actions(pb.ActionsRequest(), wait_for_ready=True, timeout=60).actions])
    print(len(stub.Webhook(call, timeout=60).responses))
    print([event.WhichOneof("event") for event in stub.WebhookStream(call, timeout=60)])
    stub.AckStreamChunks(pb.StreamChunkAck(response_id="x"), timeout=60)
"""


def test_a_client_made_from_the_proto_alone_works_over_tls(tmp_path: Path, files: Files) -> None:
    """Any language's would be made so."""
    protoc = pytest.importorskip("grpc_tools.protoc")
    project(tmp_path, {"actions.py": GREET})
    (tmp_path / "plain.proto").write_text(published_proto())
    included = str(Path(importlib.import_module("grpc_tools").__file__ or "").parent / "_proto")
    made = [f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}"]
    assert protoc.main(["protoc", f"-I{tmp_path}", f"-I{included}", *made, "plain.proto"]) == 0
    port = str(free_port())
    with server(tmp_path, "--grpc", "--port", port, "--ssl-certificate", str(files["both.pem"])):
        client = [sys.executable, "-c", CLIENT, str(tmp_path), port, str(files["ca.pem"])]
        ended = subprocess.run(client, capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[1:] == ["1", "['final_result']"]
    assert "action_greet" in ended.stdout


def test_a_free_port_is_taken_and_named(tmp_path: Path) -> None:
    """`--port 0` means the same over gRPC as over HTTP."""
    project(tmp_path, {"actions.py": GREET})
    with server(tmp_path, "--grpc") as running:
        port = int(running.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE):
            assert port != 0


STREAM = """
    import asyncio
    from rasa_sdk import Action

    class ActionTalk(Action):
        def name(self):
            return "action_talk"

        async def run(self, dispatcher, tracker, domain):
            await dispatcher.stream_start()
            while not dispatcher.is_streaming_cancelled:
                await asyncio.sleep(0.01)
            return []
"""


async def test_a_barge_in_reaches_the_stream_in_whichever_worker_it_is(tmp_path: Path) -> None:
    """Engines open a connection for each call: the kernel gives it to any of the workers."""
    project(tmp_path, {"actions.py": STREAM})
    with server(tmp_path, "--grpc", "--workers", "2") as running:
        target = running.url.removeprefix("grpc://")
        async with grpc.aio.insecure_channel(target) as channel:
            stub = action_webhook_pb2_grpc.ActionServiceStub(channel)
            call = grpc_request("action_talk")
            for number in range(8):
                rpc = stub.WebhookStream(call, timeout=PATIENCE, wait_for_ready=True)
                started = await rpc.read()
                # Another connection each time: of eight, one at least reaches the other worker, but for bad luck.
                async with grpc.aio.insecure_channel(target, options=[("connection", number)]) as another:
                    acknowledge = action_webhook_pb2_grpc.ActionServiceStub(another).AckStreamChunks
                    await acknowledge(pb.StreamChunkAck(response_id=started.chunk_start.response_id), timeout=PATIENCE)
                assert (await rpc.read()).WhichOneof("event") == "final_result"
