"""Streams: from every kind of action, no faster than their client reads, and over when it says so or is gone."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from rasa_sdk.events import SlotSet
from rasa_sdk.grpc_py import action_webhook_pb2 as pb
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from action_server.runtime.dispatcher import Dispatcher, join
from action_server.serving.grpc.streams import WAITING, Stream
from tests.action_server.serving.grpc.grpc_calls import PATIENCE, answered, failed, request, served, until

WORDS = ["hel", "lo ", "you"]


async def speak_async(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
    await dispatcher.stream_start()
    for word in WORDS:
        await dispatcher.stream_chunk(text=word)
    await dispatcher.stream_end()
    return [SlotSet("spoken", True)]


def speak_sync(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
    dispatcher.stream_start()
    for word in WORDS:
        dispatcher.stream_chunk(text=word)
    dispatcher.stream_end()
    return [SlotSet("spoken", True)]


SPEAKERS = {"action_async": speak_async, "action_sync": speak_sync}


async def collect(rpc: Any) -> list[Any]:
    """Return all events that are left."""
    found = []
    while (event := await rpc.read()) is not grpc.aio.EOF:
        found.append(event)
    return found


async def keep(rpc: Any, events: list[Any]) -> None:
    async for event in rpc:
        events.append(event)


def kinds(events: list[Any]) -> list[str]:
    return [event.WhichOneof("event") for event in events]


@pytest.mark.parametrize("action", SPEAKERS)
async def test_an_action_of_either_kind_streams(action: str) -> None:
    """rasa-sdk's methods are coroutines, which a synchronous action cannot await."""
    async with served(SPEAKERS) as (stub, _):
        events = await collect(stub.WebhookStream(request(action), timeout=PATIENCE))

    assert kinds(events) == ["chunk_start", "chunk", "chunk", "chunk", "chunk_end", "final_result"]
    assert [event.chunk.text for event in events[1:4]] == WORDS
    assert len({event.chunk.response_id for event in events[1:4]}) == 1
    assert MessageToDict(events[-1].final_result)["events"][0]["value"] is True


@pytest.mark.parametrize("action", SPEAKERS)
async def test_what_streams_to_nobody_is_said_in_messages(action: str) -> None:
    """Over HTTP and MCP, and over gRPC's unary call; joined, if the setting says so."""
    async with served(SPEAKERS) as (stub, _):
        answer = await answered(stub, request(action))

    assert [response["text"] for response in answer["responses"]] == ["hello you"]


def test_chunks_are_joined_into_as_few_messages_as_hold_them() -> None:
    """Texts and lists one after the other; two images are two messages."""
    chunks: list[dict[str, Any]] = [
        {"text": "a"},
        {"text": "b", "image": "1"},
        {"buttons": [{"title": "x"}]},
        {"image": "2", "text": "c"},
    ]

    joined = join([*chunks, {"buttons": [{"title": "y"}]}])

    assert joined == [
        {"text": "ab", "image": "1", "buttons": [{"title": "x"}]},
        {"image": "2", "text": "c", "buttons": [{"title": "y"}]},
    ]


async def test_a_chunk_brings_whatever_its_message_has_a_field_for(caplog: pytest.LogCaptureFixture) -> None:
    """And the log names what it has none for."""

    async def run(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        await dispatcher.stream_chunk(
            text="t", image="i", attachment="a", json_message={"n": 1}, buttons=[{"title": "b"}], elements=[{"e": 2}]
        )
        await dispatcher.stream_chunk(text="u", tone="warm")
        return []

    async with served({"action_rich": run}) as (stub, _):
        events = await collect(stub.WebhookStream(request("action_rich"), timeout=PATIENCE))

    found = MessageToDict(events[1].chunk, preserving_proto_field_name=True)
    found.pop("response_id")
    assert found == {
        "text": "t",
        "image": "i",
        "attachment": "a",
        "custom": {"n": 1.0},
        "buttons": [{"title": "b"}],
        "elements": [{"e": 2.0}],
    }
    assert [record.keys for record in caplog.records if record.message == "stream.keys_lost"] == [["tone"]]  # type: ignore[attr-defined]


async def test_no_more_chunks_wait_than_the_engines_number() -> None:
    """An action that is faster than its client waits for it."""
    dispatcher = Dispatcher()
    stream = Stream(dispatcher, PATIENCE)
    put = 0

    async def speak() -> None:
        nonlocal put
        await dispatcher.stream_start()
        put = 1
        while put < 3 * WAITING:
            await dispatcher.stream_chunk(text="x")
            put += 1

    speaking = asyncio.create_task(speak())
    await until(lambda: put == WAITING)
    for _ in range(10):
        await asyncio.sleep(0)
    assert put == WAITING
    await stream.take()
    await until(lambda: put == WAITING + 1)
    speaking.cancel()


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_barge_in_ends_the_stream_at_the_next_chunk(kind: str) -> None:
    """The result still comes; a stream that the action begins afterwards is not sent either."""
    told: list[bool] = []
    interrupted = threading.Event()

    async def run_async(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        await dispatcher.stream_chunk(text="1")
        while not dispatcher.is_streaming_cancelled:  # noqa: ASYNC110 - as authors do
            await asyncio.sleep(0.005)
        await dispatcher.stream_chunk(text="2")
        await dispatcher.stream_start()
        await dispatcher.stream_chunk(text="3")
        told.append(dispatcher.is_streaming_cancelled)
        return [SlotSet("heard", 1)]

    def run_sync(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        dispatcher.stream_chunk(text="1")
        interrupted.wait(PATIENCE)
        dispatcher.stream_chunk(text="2")
        told.append(dispatcher.is_streaming_cancelled)
        return [SlotSet("heard", 1)]

    async with served({"action_speak": run_sync if kind == "sync" else run_async}) as (stub, _):
        rpc = stub.WebhookStream(request("action_speak"), timeout=PATIENCE)
        first, second = await rpc.read(), await rpc.read()
        await stub.AckStreamChunks(pb.StreamChunkAck(response_id=first.chunk_start.response_id))
        interrupted.set()
        rest = await collect(rpc)

    assert second.chunk.text == "1"
    assert kinds(rest) == ["final_result"]
    assert MessageToDict(rest[0].final_result)["events"][0]["name"] == "heard"
    assert told == [True]


async def test_an_action_that_goes_on_after_a_barge_in_is_cut() -> None:
    """The client gets an empty result, which it needs to go on."""
    outcome: list[str] = []

    async def run(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        await dispatcher.stream_chunk(text="1")
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            outcome.append("cancelled")
            raise
        return []

    async with served({"action_speak": run}, barge_in_timeout=0.05) as (stub, _):
        rpc = stub.WebhookStream(request("action_speak"), timeout=PATIENCE)
        first, _ = await rpc.read(), await rpc.read()
        await stub.AckStreamChunks(pb.StreamChunkAck(response_id=first.chunk_start.response_id))
        rest = await collect(rpc)
        await until(lambda: outcome)

    assert kinds(rest) == ["final_result"]
    assert outcome == ["cancelled"]


async def test_an_ack_of_a_stream_that_is_over_changes_nothing() -> None:
    """It arrives late as often as not."""
    async with served(SPEAKERS) as (stub, _):
        await stub.AckStreamChunks(pb.StreamChunkAck(response_id="gone"), timeout=PATIENCE)
        events = await collect(stub.WebhookStream(request("action_async"), timeout=PATIENCE))
        await stub.AckStreamChunks(pb.StreamChunkAck(response_id=events[0].chunk_start.response_id), timeout=PATIENCE)


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_client_that_leaves_ends_what_streams_to_it(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """At once if it is async, at its next chunk if it is not; without a traceback."""
    ended = threading.Event()

    async def run_async(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        try:
            while True:
                await dispatcher.stream_chunk(text="x" * 4096)
        finally:
            ended.set()

    def run_sync(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        try:
            while True:
                dispatcher.stream_chunk(text="x" * 4096)
                if dispatcher.is_streaming_cancelled:
                    return []
        finally:
            ended.set()

    async with served({"action_speak": run_sync if kind == "sync" else run_async}) as (stub, assembly):
        rpc = stub.WebhookStream(request("action_speak"), timeout=PATIENCE)
        await rpc.read()
        rpc.cancel()
        await until(ended.is_set)
        await until(lambda: assembly.executor.admission.running == 0)

    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


async def test_a_client_that_leaves_while_a_chunk_waits_for_it_makes_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The write that waits fails then, which is no fault of the server's."""
    left, put = asyncio.Event(), 0

    async def run(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        nonlocal put
        try:
            while True:
                await dispatcher.stream_chunk(text="x" * 50_000)
                put += 1
        finally:
            left.set()

    async def until_it_waits() -> None:
        before = -1
        while put != before:
            before = put
            await asyncio.sleep(0.05)

    async with served({"action_speak": run}) as (_, assembly):
        for _ in range(3):
            left.clear()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{assembly.settings.port}") as channel:
                rpc = action_webhook_pb2_grpc.ActionServiceStub(channel).WebhookStream(
                    request("action_speak"), timeout=PATIENCE
                )
                await rpc.read()
                await until_it_waits()
                rpc.cancel()
            await asyncio.wait_for(left.wait(), PATIENCE)
        await until(lambda: assembly.executor.admission.running == 0)

    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


async def test_what_begins_to_stream_when_nobody_listens_any_more_ends_by_itself() -> None:
    """It has streamed nothing when its client leaves, so that it may be a booking: the rule for those holds."""
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def run(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        begun.set()
        await go_on.wait()
        for _ in range(2 * WAITING):
            await dispatcher.stream_start()
            await dispatcher.stream_chunk(text="x")
            await dispatcher.stream_end()
        ended.set()
        return []

    async with served({"action_late": run}) as (stub, assembly):
        rpc = stub.WebhookStream(request("action_late"), timeout=PATIENCE)
        waiting = asyncio.ensure_future(rpc.read())
        await begun.wait()
        rpc.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await until(lambda: assembly.executor.disconnects.unattended == 1)
        go_on.set()
        await asyncio.wait_for(ended.wait(), PATIENCE)
        await until(lambda: assembly.executor.admission.running == 0)


async def test_a_crowd_of_streams_leaves_no_task_behind() -> None:
    """A miniature of the soak's: forty streams of twenty chunks, of which every fifth client vanishes."""

    async def run(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        for number in range(20):
            await dispatcher.stream_chunk(text=str(number))
            await asyncio.sleep(0)
        return []

    async def listen(stub: Any, number: int) -> int:
        rpc = stub.WebhookStream(request("action_count"), timeout=PATIENCE)
        if number % 5 == 0:
            await rpc.read()
            rpc.cancel()
            return 0
        return sum(event.WhichOneof("event") == "chunk" for event in await collect(rpc))

    async with served({"action_count": run}) as (stub, assembly):
        await asyncio.gather(*(listen(stub, 1) for _ in range(2)))
        before = len(asyncio.all_tasks())
        heard = await asyncio.gather(*(listen(stub, number) for number in range(40)))
        await until(lambda: assembly.executor.admission.running == 0)
        # One of them looks how many there are.
        await until(lambda: len(asyncio.all_tasks()) <= before + 1)

    assert sorted(set(heard)) == [0, 20]
    assert heard.count(20) == 32


async def test_streams_that_are_cancelled_one_after_the_other_leave_nothing() -> None:
    """A miniature of the soak's ten thousand: tasks are counted, memory is the soak's matter."""

    async def run(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        while True:
            await dispatcher.stream_chunk(text="x")

    async with served({"action_speak": run}) as (stub, assembly):
        counts = []
        for _ in range(30):
            rpc = stub.WebhookStream(request("action_speak"), timeout=PATIENCE)
            await rpc.read()
            rpc.cancel()
            await until(lambda: assembly.executor.admission.running == 0)
            counts.append(len(asyncio.all_tasks()))

    assert max(counts[20:]) <= max(counts[:10])


async def test_a_stream_that_fails_in_the_middle_says_so_at_its_end() -> None:
    """With an id for the log, and without the exception's text."""

    async def run(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        await dispatcher.stream_chunk(text="1")
        raise RuntimeError("hunter2")

    events: list[Any] = []
    async with served({"action_fail": run}) as (stub, _):
        rpc = stub.WebhookStream(request("action_fail"), timeout=PATIENCE)
        error = await failed(keep(rpc, events))

    assert kinds(events)[-1] == "error"
    assert "hunter2" not in f"{events[-1]} {error.details()}"
    assert "error_id" in str(error.details())
