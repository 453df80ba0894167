"""The usual call does nothing it does not need: counted in decoded bytes, functions and memory, not in time."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType, MethodType
from typing import Any
from uuid import uuid4

import pytest
from rasa_sdk import FormValidationAction

from action_server import assembly as assembly_module
from action_server.assembly import Assembly
from action_server.config.settings import Settings
from action_server.protocol import calls, lazy
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.options import ActionOptions, OptionsTable
from action_server.runtime.registry import Registry
from action_server.serving.http.app import create_app
from action_server.serving.http.fast_webhook import Webhook, WebhookProtocol, fast_protocol
from action_server.serving.http.slow_requests import ImpatientHttpProtocol
from action_server.serving.http.usual_heads import Head
from action_server.telemetry import call_lines, logs
from action_server.telemetry.metrics import Metrics

HEAD = Head({}, keep_alive=True)
DOMAIN = {"slots": {f"slot_{number}": {"type": "text"} for number in range(500)}}
# Python functions entered for one call, from its body to its answer. Raise it only for something every call needs.
MOST_CALLS = 37
# The same with a line in the log and metrics, which is how it is shipped.
MOST_CALLS_AS_SHIPPED = 60


async def noop(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
    return []


async def two_slots(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
    # No assert: what pytest makes of one could look at every variable, the domain included.
    return [] if (tracker.get_slot("a"), tracker.get_slot("b")) == ("x", None) else [{}]


class ValidateForm(FormValidationAction):
    def name(self) -> str:
        return "validate_form"

    def validate_a(self, value: Any, *_: Any) -> dict[str, Any]:
        return {"a": value.upper()}


async def with_domain(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
    return [] if len(domain["slots"]) == 500 else [{}]


def body(action: str, events: int, **more: Any) -> bytes:
    event = {"event": "user", "timestamp": 1.5, "text": "x" * 100, "parse_data": {"entities": [{"value": [1, 2]}]}}
    tracker: dict[str, Any] = {"sender_id": "s", "slots": {"a": "x", "b": None}, "latest_message": {"text": "hi"}}
    tracker |= {"events": [event] * events, "stack": [{"flow_id": "f"}], "active_loop": {}}
    call = {"next_action": action, "sender_id": "s", "tracker": tracker, "version": "3.21.0", **more}
    return json.dumps(call).encode()


SHORT, LONG = body("action_noop", 10), body("action_noop", 4000)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    registry = Registry()
    for function in (noop, two_slots, with_domain):
        registry.register_function(f"action_{function.__name__}", function)
    registry.register_action(ValidateForm)
    options = OptionsTable(ActionOptions(timeout=30.0), {})
    executor = Executor(registry, options=options, metrics=Metrics(enabled=False))
    assembly = Assembly(Settings(), executor, Readiness())
    app = create_app(assembly, name=f"test-{uuid4().hex}", only_one=False)
    make = fast_protocol(assembly, app, ImpatientHttpProtocol)
    assert isinstance(make, MethodType)
    found = make.__self__
    assert isinstance(found, Webhook)
    yield found
    assembly.executor.close()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is decoded beyond splitting the body; decoding all of it is an error."""
    parts: list[bytes] = []
    real = lazy._decode

    def decode(part: bytes) -> Any:
        parts.append(part)
        return real(part)

    monkeypatch.setattr(lazy, "_decode", decode)
    monkeypatch.setattr(calls, "decode_call", None)
    return parts


async def test_what_an_action_does_not_read_is_not_decoded(webhook: Webhook, decoded: list[bytes]) -> None:
    """Of a history of half a megabyte and a domain not a byte; for one that reads two slots, the slots."""
    assert b'"events":[]' in await webhook.answer(body("action_noop", 4000, domain=DOMAIN), HEAD)
    assert decoded == []

    assert b'"events":[]' in await webhook.answer(body("action_two_slots", 4000, domain=DOMAIN), HEAD)
    assert decoded == [b'{"a": "x", "b": null}']


async def test_a_form_reads_its_candidates_and_nothing_before_them(webhook: Webhook, decoded: list[bytes]) -> None:
    """Its own slots are added to the events without decoding those."""
    domain = {"forms": {"form": {"required_slots": ["a", "b"]}}}
    call = json.loads(body("validate_form", 4000, domain=domain))
    call["tracker"]["events"] += [{"event": "slot", "name": "a", "value": "new"}]
    answer = await webhook.answer(json.dumps(call).encode(), HEAD)

    assert b'"name":"a","value":"NEW"' in answer
    assert sum(map(len, decoded)) < 1000


async def test_a_domain_is_decoded_once(webhook: Webhook, decoded: list[bytes]) -> None:
    """Sent with each call under one digest, or not at all."""
    for more in ({"domain": DOMAIN}, {"domain": DOMAIN}, {}):
        assert b'"events":[]' in await webhook.answer(body("action_with_domain", 1, domain_digest="d", **more), HEAD)
    assert decoded == [json.dumps(DOMAIN).encode()]


def calls_of(run: Callable[[], Any]) -> list[str]:
    """Return the names of the Python functions that are entered, coroutines each time they go on."""
    entered: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            entered.append(frame.f_code.co_name)

    # Whoever measures coverage enters functions as well.
    tracer = sys.gettrace()
    sys.settrace(None)
    # A collection that comes in between has callbacks of its own.
    gc.disable()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
        gc.enable()
        sys.settrace(tracer)
    return entered


def to_its_end(webhook: Webhook, data: bytes) -> None:
    """Drive an answer that never has to wait."""
    answer: bytes = b""
    try:
        webhook.answer(data, HEAD).send(None)
    except StopIteration as done:
        answer = done.value
    assert answer.startswith(b"HTTP/1.1 200 OK")


async def test_a_call_enters_few_functions_however_long_its_history_is(webhook: Webhook) -> None:
    """Neither events nor slots are walked through, and what is switched off is not asked for each call."""
    to_its_end(webhook, SHORT)

    short, long = (calls_of(partial(to_its_end, webhook, data)) for data in (SHORT, LONG))

    assert short == long
    assert len(short) <= MOST_CALLS, short
    assert not {"inspect", "call_started", "step", "bound_contextvars", "_log"} & set(short)


async def test_as_shipped_a_call_enters_few_functions_more(
    monkeypatch: pytest.MonkeyPatch, webhook: Webhook, tmp_path: Path
) -> None:
    """No record is made for its line, no value of prometheus_client is touched, and nothing is written for it alone."""
    metrics = Metrics()
    metrics.know(["action_noop"])
    monkeypatch.setattr(webhook.calls.executor, "_metrics", metrics)
    monkeypatch.setattr(logging.root, "handlers", [])
    logs.configure(logs.LogSettings(format="json", file=tmp_path / "server.log"))
    try:
        for _ in range(2):
            to_its_end(webhook, SHORT)
        entered = calls_of(partial(to_its_end, webhook, SHORT))
    finally:
        call_lines.use(None)
        for handler in logging.root.handlers:
            handler.close()

    assert len(entered) <= MOST_CALLS_AS_SHIPPED, entered
    assert {"put", "call_finished"} <= set(entered)
    assert not {"makeRecord", "emit", "format", "inc", "observe", "flush", "labels", "fold"} & set(entered)


async def test_a_call_takes_no_memory_for_its_history(webhook: Webhook) -> None:
    """At its peak as much for half a megabyte as for a kilobyte."""
    peaks = []
    for data in (SHORT, LONG, SHORT, LONG):
        to_its_end(webhook, data)
        tracemalloc.start()
        to_its_end(webhook, data)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert max(peaks) < 32_000, peaks


class Wire:
    """A transport of which nothing is wanted."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.answered = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.answered.set()

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, **_: int) -> None: ...

    def get_extra_info(self, name: str) -> None: ...


async def test_a_received_body_is_not_copied(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came in one piece is decoded where it is."""
    seen: list[Any] = []

    def read_call(data: Any, depth: int) -> Any:
        seen.append(data)
        return lazy.read_call(data, depth)

    monkeypatch.setattr(assembly_module, "read_call", read_call)
    connection = webhook.protocol(loop=asyncio.get_running_loop(), connections=set(), app=webhook.app)
    assert isinstance(connection, WebhookProtocol)
    wire_ = Wire()
    connection.connection_made(wire_)
    data = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(LONG) + LONG

    connection.data_received(data)
    await asyncio.wait_for(wire_.answered.wait(), 30)

    assert isinstance(seen[0], memoryview)
    assert seen[0].obj is data
