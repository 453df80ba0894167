"""What a message of doubles brings and takes: nothing changes that need not, and nothing changes silently."""

from __future__ import annotations

import logging
import math
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from rasa_sdk.events import SlotSet
from rasa_sdk.grpc_py import action_webhook_pb2 as pb

from action_server import current_call
from action_server.deadlines import time_left
from tests.action_server.serving.grpc.grpc_calls import PATIENCE, answered, failed, request, served
from tests.engine_calls import grpc_request

FLOAT_DOMAIN = {"slots": {"weight": {"type": "float"}, "age": {"type": "any"}}}


class Looks:
    """An action that keeps what it was given."""

    def __init__(self, *returned: Any) -> None:
        self.slots: dict[str, Any] = {}
        self.events: list[Any] = []
        self.message: dict[str, Any] = {}
        self.loop: dict[str, Any] = {}
        self.domain: dict[str, Any] = {}
        self._returned = list(returned)

    def __call__(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        self.slots, self.events, self.message = tracker.slots, tracker.events, tracker.latest_message
        self.loop, self.domain = tracker.active_loop, domain
        domain.get("intents")
        return self._returned


NUMBERS = [
    ("an integer", 3, 3),
    ("the largest exact one", 2**53 - 1, 2**53 - 1),
    ("a fraction", 2.5, 2.5),
    ("minus nought", -0.0, -0.0),
    ("infinity", math.inf, math.inf),
]


@pytest.mark.parametrize(("sent", "expected"), [case[1:] for case in NUMBERS], ids=[case[0] for case in NUMBERS])
async def test_a_number_comes_as_what_it_was(sent: float, expected: float) -> None:
    """rasa-sdk makes floats of all of them."""
    looks = Looks()
    call = grpc_request("action_look")
    call.tracker.slots.fields["n"].number_value = sent
    async with served({"action_look": looks}) as (stub, _):
        await answered(stub, call)

    assert (looks.slots["n"], type(looks.slots["n"])) == (expected, type(expected))
    assert math.copysign(1, looks.slots["n"]) == math.copysign(1, expected)


@pytest.mark.parametrize("known_by", ["the call", "its digest", "the setting"])
async def test_a_slot_that_the_domain_calls_float_stays_one(known_by: str) -> None:
    """In the slots and in their events; an integral number below it, or in another slot, is an integer."""
    looks = Looks()
    tracker = {
        "slots": {"weight": 70.0, "age": 3, "more": {"weight": 1}},
        "events": [
            {"event": "slot", "name": "weight", "value": 70, "timestamp": 1.0},
            {"event": "slot", "name": "age", "value": 3, "timestamp": 2.0},
        ],
    }
    digest: dict[str, Any] = {"domain_digest": "d1"} if known_by == "its digest" else {}
    async with served({"action_look": looks}, FLOAT_DOMAIN if known_by == "the setting" else None) as (stub, _):
        if known_by == "its digest":
            await answered(stub, request("action_look", domain=FLOAT_DOMAIN, **digest))
        domain: dict[str, Any] = {"domain": FLOAT_DOMAIN} if known_by == "the call" else {}
        await answered(stub, request("action_look", tracker, **digest, **domain))

    assert repr(looks.slots["weight"]) == "70.0"
    assert (repr(looks.slots["age"]), repr(looks.slots["more"])) == ("3", "{'weight': 1}")
    assert [repr(event["value"]) for event in looks.events] == ["70.0", "3"]
    assert [repr(event["timestamp"]) for event in looks.events] == ["1.0", "2.0"]


async def test_a_number_that_a_double_may_not_hold_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """9007199254740993 arrives as the double before it, which no longer tells what it was."""
    looks = Looks(SlotSet("n", 2**53 + 1), SlotSet("huge", 10**400), SlotSet("text", "\ud800"))
    async with served({"action_look": looks}) as (stub, _):
        answer = await answered(stub, request("action_look", {"slots": {"n": 2**53 + 1}}))

    assert looks.slots["n"] == float(2**53)
    assert [event.get("value") for event in answer["events"]] == [float(2**53), None, "\ufffd"]
    told = [record.message for record in caplog.records]
    assert told.count("grpc.number_inexact") == 1
    assert told.count("grpc.value_changed") + told.count("event.dropped") >= 2


async def test_names_of_a_domain_that_the_client_emptied_are_filled_in() -> None:
    """Engines empty plain names before they send; the same domain, known otherwise, still has them."""
    looks = Looks()
    whole = {"intents": ["greet", {"bye": {"use_entities": []}}], "slots": {}}
    emptied = {
        "intents": [{}, {"dict_value": {"bye": {"use_entities": []}}}],
        "actions": [{"string_value": "action_x"}],
    }
    async with served({"action_look": looks}, whole) as (stub, _):
        await answered(stub, request("action_look", domain=emptied))

    assert looks.domain["intents"] == ["greet", {"bye": {"use_entities": []}}]
    assert looks.domain["actions"] == ["action_x"]


async def test_an_active_form_comes_as_the_messages_can_carry_it() -> None:
    """A map of texts; engines raise before they send another one."""
    looks = Looks()
    async with served({"action_look": looks}) as (stub, _):
        await answered(stub, request("action_look", {"active_loop": {"name": "form"}}))

    assert looks.loop == {"name": "form"}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


def raw_request(depth: int) -> bytes:
    """A request whose slot nests so deeply, which Python's own library would not write."""
    value = b"\x11" + bytes(8)
    for _ in range(depth):
        entry = b"\x0a\x01a\x12" + varint(len(value)) + value
        value = b"\x0a" + varint(len(entry)) + entry
        value = b"\x2a" + varint(len(value)) + value
    entry = b"\x0a\x01s\x12" + varint(len(value)) + value
    slots = b"\x0a" + varint(len(entry)) + entry
    tracker = b"\x0a\x01s\x12" + varint(len(slots)) + slots
    return b"\x0a\x0baction_look\x1a" + varint(len(tracker)) + tracker


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


@pytest.mark.parametrize("body", [b"\xff\xff", raw_request(40)], ids=["no message", "too deep"])
async def test_a_malformed_request_is_an_invalid_argument(body: bytes) -> None:
    """Of the service itself, not of its library, which says UNKNOWN."""
    async with (
        served({"action_look": Looks()}) as (_, assembly),
        grpc.aio.insecure_channel(f"127.0.0.1:{assembly.settings.port}") as channel,
    ):
        call = channel.unary_unary("/action_server_webhook.ActionService/Webhook")
        error = await failed(call(body, timeout=PATIENCE))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "protobuf" in str(error.details())


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize(("depth", "arrives"), [(32, True), (33, False)])
async def test_an_answer_arrives_whole_or_as_an_error(depth: int, arrives: bool, stream: bool) -> None:
    """Deeper than readers of protobuf follow, it would arrive as nothing, with OK."""
    async with served({"action_look": Looks(SlotSet("deep", nested(depth)))}) as (stub, _):
        sent = request("action_look")
        if arrives and not stream:
            found = await stub.Webhook(sent, timeout=PATIENCE)
        elif arrives:
            found = (await stub.WebhookStream(sent, timeout=PATIENCE).read()).final_result
        else:
            rpc = stub.WebhookStream(sent, timeout=PATIENCE) if stream else stub.Webhook(sent, timeout=PATIENCE)
            error = await failed(read_to_the_end(rpc) if stream else rpc)
    if arrives:
        assert MessageToDict(found)["events"][0]["value"] == nested(depth)
    else:
        assert error.code() is grpc.StatusCode.INTERNAL
        assert "error_id" in str(error.details())


async def read_to_the_end(rpc: Any) -> None:
    async for _ in rpc:
        pass


@pytest.mark.parametrize(
    ("deadline", "least", "most"), [(60.0, 0, 60), (None, 60, 120)], ids=["the caller's", "the server's"]
)
async def test_a_deadline_is_handed_to_the_action(deadline: float | None, least: float, most: float) -> None:
    """Engines set none: then it is the server's."""
    left: list[float | None] = []

    def run(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        left.append(time_left())
        return []

    async with served({"action_look": run}, timeout=120) as (stub, _):
        await stub.Webhook(request("action_look"), timeout=deadline, wait_for_ready=True)

    assert left[0] is not None
    # The header's value is rounded up on its way.
    assert least < left[0] <= most + 1, left


async def test_a_request_over_the_limit_is_refused() -> None:
    """The receive limit is `--max-request-bytes`."""
    async with served({"action_look": Looks()}, max_request_bytes=2000) as (stub, _):
        error = await failed(stub.Webhook(request("action_look", {"slots": {"s": "x" * 3000}}), timeout=PATIENCE))

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_domain_over_grpc_and_the_tracker_read_as_over_http() -> None:
    """Whole trackers, too: a copy of one has every attribute."""
    looks = Looks()
    tracker = {"latest_message": {"intent": {"name": "hi", "confidence": 1}}, "stack": [{"frame_id": "f", "n": 1}]}
    async with served({"action_look": looks}) as (stub, _):
        await stub.Webhook(ParseDict(MessageToDict(request("action_look", tracker)), pb.WebhookRequest()))

    assert repr(looks.message["intent"]["confidence"]) == "1.0"


@pytest.mark.parametrize(
    ("text", "sent"),
    [("a\ud800b", "a\ufffdb"), ("\ud83d\ude00", "\U0001f600"), (5, "5")],
    ids=["lone surrogate", "two surrogates", "number"],
)
async def test_a_chunks_text_is_written_as_an_answers_is(text: Any, sent: str) -> None:
    """What UTF-8 cannot hold becomes U+FFFD, and the log says of which call."""
    told: list[tuple[str, str, str]] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "grpc.value_changed":
                context = current_call()
                told.append((context.action, context.sender_id, context.transport))

    async def run(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        await dispatcher.stream_chunk(text=text)
        return []

    listener = Listener()
    logging.getLogger("action_server").addHandler(listener)
    try:
        async with served({"action_say": run}) as (stub, _):
            events = [event async for event in stub.WebhookStream(request("action_say"), timeout=PATIENCE)]
            said = await answered(stub, request("action_say"))
    finally:
        logging.getLogger("action_server").removeHandler(listener)

    assert events[1].chunk.text == sent
    assert said["responses"][0]["text"] == sent
    assert told == [("action_say", "s", "grpc")] * (2 if "\ufffd" in sent else 0)
