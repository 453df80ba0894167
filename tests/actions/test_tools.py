"""The clinic's actions as tools: one table of calls over every face, and patients who never see one another."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import pytest
import svcs
from google.protobuf.json_format import MessageToDict
from rasa_sdk.executor import ActionExecutor
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from action_server.assembly import Assembly
from action_server.config import settings as server_settings
from action_server.config.settings import Settings
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.loader import load
from action_server.runtime.services import Services, use_services
from action_server.serving.grpc.server import serve_grpc
from action_server.serving.server import listen
from action_server.serving.worker import serve_http
from action_server.testing import webhook_request
from actions.booking import BookingDesk
from tests.actions.clinic import FixedClock, booking_desk, open_backend
from tests.actions.conversation import SLOTS
from tests.engine_calls import grpc_request

ROOT = Path(__file__).parents[2]
TOMORROW = "2026-11-23T09:00"
BOOK: dict[str, Any] = {"appointment_type": "general", "preferred_date": TOMORROW}

Answer = tuple[dict[str, Any], list[str]]


class Faces:
    """The clinic's actions, by webhook, gRPC, MCP and rasa-sdk's own executor."""

    def __init__(
        self,
        assembly: Assembly,
        services: Services,
        url: str,
        session: aiohttp.ClientSession,
        channel: grpc.aio.Channel,
    ) -> None:
        self._assembly = assembly
        self._services = services
        self._url = url
        self._session = session
        self._stub = action_webhook_pb2_grpc.ActionServiceStub(channel)

    async def webhook(self, action: str, sender: str, slots: Mapping[str, Any]) -> Answer:
        call = webhook_request(action, {**SLOTS, **slots}, sender=sender)
        async with self._session.post(f"{self._url}/webhook", json=call) as found:
            return _answer(await found.json())

    async def grpc(self, action: str, sender: str, slots: Mapping[str, Any]) -> Answer:
        call = grpc_request(action, {**SLOTS, **slots}, sender=sender)
        return _answer(MessageToDict(await self._stub.Webhook(call), preserving_proto_field_name=True))

    async def stream(self, action: str, sender: str, slots: Mapping[str, Any]) -> Answer:
        call = grpc_request(action, {**SLOTS, **slots}, sender=sender)
        events = [event async for event in self._stub.WebhookStream(call)]
        return _answer(MessageToDict(events[-1].final_result, preserving_proto_field_name=True))

    async def rasa_sdk(self, action: str, sender: str, slots: Mapping[str, Any]) -> Answer:
        """In this process, by rasa-sdk's own executor."""
        executor = ActionExecutor()
        executor.register_function(action, self._assembly.executor.registry.get(action).run)
        call = webhook_request(action, {**SLOTS, **slots}, sender=sender, domain={"version": "3.1"})
        with use_services(self._services):
            found = await executor.run(call)
        assert found is not None
        return _answer(found.model_dump())

    async def mcp(self, action: str, sender: str, slots: Mapping[str, Any]) -> Answer:
        found = await self.call(action, {"conversation_id": sender}, **slots)
        said = [r["text"] for r in found.pop("responses")]
        assert found.pop("text") == "\n".join(said)
        assert (found.pop("ok"), found.pop("error")) == (True, None)
        return found, said

    async def call(self, tool: str, meta: Mapping[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
        """Call a tool; return the structure of its result."""
        params = {"name": tool, "arguments": arguments, "_meta": meta or {}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        async with self._session.post(f"{self._url}/mcp", json=message) as response:
            found: dict[str, Any] = (await response.json())["result"]["structuredContent"]
            return found


def _answer(body: Mapping[str, Any]) -> Answer:
    slots = {event["name"]: event.get("value") for event in body.get("events", [])}
    return slots, [response["text"] for response in body.get("responses", [])]


@asynccontextmanager
async def faces(registry: svcs.Registry) -> AsyncIterator[Faces]:
    mcp = server_settings.read({"endpoints": ROOT / "endpoints.yml"}, {}).mcp
    settings = Settings(grace=0, host="127.0.0.1", mcp=mcp, domain=ROOT / "assistant" / "domain.yml")
    services = Services(registry, asyncio.get_running_loop())
    executor = Executor(load("actions").registry, services=services)
    assembly = Assembly(settings, executor, Readiness())
    sock, other = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
    port = other.getsockname()[1]
    other.close()
    by_grpc = Assembly(Settings(grace=0, host="127.0.0.1", port=port, grpc=True), executor, Readiness())
    async with (
        serve_http(assembly, sock, f"test-{uuid4().hex}", only_one=False),
        serve_grpc(by_grpc),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        aiohttp.ClientSession() as session,
    ):
        yield Faces(assembly, services, f"http://127.0.0.1:{sock.getsockname()[1]}", session, channel)
    executor.close()
    sock.close()


@asynccontextmanager
async def open_clinic(folder: Path, empty: Path, name: str) -> AsyncIterator[Faces]:
    """A clinic of its own, with an empty book."""
    database = folder / f"{name}.sqlite3"
    shutil.copy(empty, database)
    backend = await open_backend(database)
    registry = svcs.Registry()
    registry.register_value(BookingDesk, booking_desk(backend, FixedClock()))
    try:
        async with faces(registry) as found:
            yield found
    finally:
        await backend.close()


@pytest.fixture
async def clinic(tmp_path: Path, empty_clinic: Path) -> AsyncIterator[Faces]:
    async with open_clinic(tmp_path, empty_clinic, "clinic") as found:
        yield found


CALLS: list[tuple[str, list[tuple[str, dict[str, Any]]]]] = [
    ("an urgent time", [("action_check_urgent_slots", {})]),
    ("a booking", [("action_create_appointment", BOOK)]),
    ("a booking of somebody with a name", [("action_create_appointment", {**BOOK, "patient_name": "Ada"})]),
    ("a closed day", [("action_create_appointment", {**BOOK, "preferred_date": "2026-11-29"})]),
    ("a day nobody understands", [("action_create_appointment", {**BOOK, "preferred_date": "blurb"})]),
    ("no wish", [("action_create_appointment", {})]),
    ("a repeat", [("action_create_appointment", BOOK)] * 2),
    ("a list of nothing", [("action_list_appointments", {})]),
    ("a list of one", [("action_create_appointment", BOOK), ("action_list_appointments", {})]),
    ("a cancellation of nothing", [("action_cancel_appointment", {})]),
    (
        "a cancellation",
        [("action_create_appointment", BOOK), ("action_cancel_appointment", {"cancellation_confirmed": True})],
    ),
    (
        "a cancellation that was not confirmed",
        [("action_create_appointment", BOOK), ("action_cancel_appointment", {"cancellation_confirmed": False})],
    ),
    (
        "a move",
        [
            ("action_create_appointment", BOOK),
            ("action_reschedule_appointment", {"preferred_date": "2026-11-24T10:00"}),
        ],
    ),
    ("a move of nothing", [("action_reschedule_appointment", {"preferred_date": "2026-11-24T10:00"})]),
]


@pytest.mark.parametrize("calls", [c[1] for c in CALLS], ids=[c[0] for c in CALLS])
async def test_the_same_call_has_the_same_answer_over_every_face(
    calls: list[tuple[str, dict[str, Any]]], tmp_path: Path, empty_clinic: Path
) -> None:
    """The same slots and texts; a tool's answer has the slots that it did not set as well, as null."""
    answers: dict[str, list[Answer]] = {}
    for face in ("webhook", "grpc", "stream", "rasa_sdk", "mcp"):
        async with open_clinic(tmp_path, empty_clinic, face) as clinic:
            send = getattr(clinic, face)
            answers[face] = [masked(await send(action, "c-1", slots)) for action, slots in calls]

    assert answers["grpc"] == answers["stream"] == answers["rasa_sdk"] == answers["webhook"]
    for (slots, texts), (expected, said) in zip(answers["mcp"], answers["webhook"], strict=True):
        assert texts == said
        assert {name: value for name, value in slots.items() if name in expected} == expected
        assert all(value is None for name, value in slots.items() if name not in expected)


def masked(answer: Answer) -> Answer:
    """The answer without what is made up for each booking."""
    found: Answer = json.loads(re.sub(r"APT-[A-Z0-9]+", "APT", json.dumps(answer)))
    return found


ADA: dict[str, Any] = {"patient_email": "ada@example.org"}
BOB: dict[str, Any] = {"patient_email": "bob@example.org"}


async def test_two_patients_behind_one_client_never_see_each_others_appointments(clinic: Faces) -> None:
    """Where no conversation is sent, the patient's address stands for it; whoever gives none gets nothing."""
    booked = await clinic.call("action_create_appointment", **BOOK, **ADA)
    of_ada = await clinic.call("action_list_appointments", patient_email=" ADA@example.org")
    of_bob = await clinic.call("action_list_appointments", **BOB)
    cancelled = await clinic.call("action_cancel_appointment", **BOB, cancellation_confirmed=True)
    of_nobody = await clinic.call("action_list_appointments")
    in_a_conversation = await clinic.call("action_list_appointments", {"conversation_id": "ada@example.org"})

    reference = booked["booking_reference"]
    assert reference
    assert reference in of_ada["text"]
    for answer in (of_bob, cancelled, of_nobody, in_a_conversation):
        assert reference not in json.dumps(answer)
    assert of_nobody["error"] == "patient_email is missing: it says who this is for"


async def test_a_repeat_books_nothing_more_and_has_the_same_reference(clinic: Faces) -> None:
    """Clients report a success as failed, and models ask again."""
    repeats = [await clinic.call("action_create_appointment", **BOOK, **ADA) for _ in range(2)]
    at_once = await asyncio.gather(*(clinic.call("action_create_appointment", **BOOK, **ADA) for _ in range(5)))

    assert len({answer["booking_reference"] for answer in (*repeats, *at_once)}) == 1


@pytest.mark.parametrize("nothing", [None, "", "null"])
async def test_what_models_say_for_nothing_is_nothing(clinic: Faces, nothing: str | None) -> None:
    """In a category; a text keeps its words, and the clinic reads none of these as a wish."""
    answer = await clinic.call("action_create_appointment", preferred_date=TOMORROW, appointment_type=nothing, **ADA)

    assert answer["ok"] is True
    assert answer["booking_status"] == "failed"
