"""A call and its steps are spans of one trace, told in rasa-sdk's words and without what a user said."""

from __future__ import annotations

import asyncio
import contextvars
import re
import threading
from collections.abc import Mapping

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from action_server.errors import ActionFailedError, CallError, MissingDomainError, SaturatedError
from action_server.protocol.calls import Call
from action_server.runtime.threads import ThreadPool
from action_server.telemetry.spans import NO_SPAN
from action_server.telemetry.tracing import Tracing, outbound_headers, trace_id
from tests.action_server.telemetry.recorded_spans import (
    CALL,
    PARENT,
    SECRET,
    TRACE,
    TRACEPARENT,
    Recorded,
    attributes_of,
    id_of,
    parent_of,
)
from tests.engine_calls import decoded_call


def test_a_call_is_a_child_of_the_engines_span(recorded: Recorded) -> None:
    with recorded.call(TRACEPARENT, "action_book"):
        assert recorded.trace_id() == trace_id() == TRACE
    span = recorded.spans["action_server.webhook"]
    assert (parent_of(span), span.kind) == (PARENT, SpanKind.SERVER)
    assert attributes_of(span) == {"next_action": "action_book"}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"traceparent": "00-zz-zz-01"}, id="malformed"),
        pytest.param({"traceparent": f"00-{'0' * 32}-{'0' * 16}-01"}, id="zeros"),
        pytest.param({"traceparent": ""}, id="empty"),
    ],
)
def test_a_call_without_a_trace_begins_one(recorded: Recorded, headers: Mapping[str, str]) -> None:
    with recorded.call(headers):
        assert re.fullmatch("[0-9a-f]{32}", trace_id())
    assert parent_of(recorded.spans["action_server.webhook"]) == ""


def test_a_trace_that_is_not_sampled_is_not_recorded_but_has_its_id(recorded: Recorded) -> None:
    with recorded.call({"traceparent": f"00-{TRACE}-{PARENT}-00"}):
        assert trace_id() == TRACE
        assert outbound_headers()["traceparent"].endswith("-00")
    assert recorded.spans == {}


def test_after_a_call_there_is_no_trace(recorded: Recorded) -> None:
    with recorded.call(TRACEPARENT):
        pass
    assert (trace_id(), outbound_headers(), recorded.trace_id()) == ("", {}, "")


def test_steps_are_children_of_their_call_one_after_another(recorded: Recorded) -> None:
    with recorded.call(TRACEPARENT):
        with recorded.step("decode"):
            pass
        queue = recorded.step("queue")
        queue.end()
        with recorded.step("run"):
            pass
        queue.end()
    call = id_of(recorded.spans["action_server.webhook"])
    assert {name: parent_of(recorded.spans[name]) for name in ("decode", "queue", "run")} == {
        "decode": call,
        "queue": call,
        "run": call,
    }
    assert len(recorded.memory.get_finished_spans()) == 4


def test_a_call_is_told_in_rasa_sdks_words_and_without_its_message(recorded: Recorded) -> None:
    with recorded.call() as span:
        span.about(CALL)
    span_of_call = recorded.spans["action_server.webhook"]
    assert attributes_of(span_of_call) == {
        "next_action": "action_book",
        "version": "3.21.1",
        "sender_id": "ann",
        "message_id": CALL.tracker["latest_message"]["message_id"],
    }
    assert SECRET not in span_of_call.to_json()


def test_a_lone_surrogate_and_a_long_name_do_not_reach_the_exporter(recorded: Recorded) -> None:
    """Protobuf refuses the one, and with it the whole batch; the other is anybody's to send."""
    with recorded.call() as span:
        span.about(decoded_call("x" * 100_000, sender="\ud800ann"))
    attributes = attributes_of(recorded.spans["action_server.webhook"])
    assert (attributes["sender_id"], len(attributes["next_action"])) == ("?ann", 256)


@pytest.mark.parametrize(
    ("error", "status", "attributes"),
    [
        (ValueError(SECRET), StatusCode.ERROR, {"error.type": "ValueError"}),
        (ActionFailedError("a", "e1"), StatusCode.ERROR, {"error.type": "ActionFailedError", "error_id": "e1"}),
        (SaturatedError("a", "--max-calls", 1), StatusCode.ERROR, {"error.type": "SaturatedError"}),
        (MissingDomainError("a"), StatusCode.UNSET, {"error.type": "MissingDomainError"}),
        (asyncio.CancelledError(), StatusCode.UNSET, {"error.type": "CancelledError"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_a_failure_is_told_by_its_class_and_id_alone(
    recorded: Recorded, error: BaseException, status: StatusCode, attributes: dict[str, str]
) -> None:
    with pytest.raises(type(error)), recorded.call():
        raise error
    span = recorded.spans["action_server.webhook"]
    assert (span.status.status_code, attributes_of(span), span.events) == (status, attributes, ())
    assert SECRET not in span.to_json()


def test_a_failure_that_is_answered_is_told_too(recorded: Recorded) -> None:
    """A policy turns failures into replies of 200; the trace says what was behind them."""
    error: CallError = ActionFailedError("action_book", "e1")
    with recorded.call():
        with recorded.step("run"):
            pass
        recorded.failed(error)
    assert attributes_of(recorded.spans["action_server.webhook"])["error_id"] == "e1"
    assert recorded.spans["run"].status.status_code is StatusCode.UNSET


def test_a_call_inside_of_a_span_of_rasa_sdks_grpc_is_its_child(recorded: Recorded) -> None:
    assert recorded.provider is not None
    with recorded.provider.get_tracer("rasa").start_as_current_span("GRPCActionServerWebhook.Webhook"), recorded.call():
        pass
    inner = recorded.spans["action_server.webhook"]
    assert parent_of(inner) == id_of(recorded.spans["GRPCActionServerWebhook.Webhook"])
    assert inner.kind is SpanKind.INTERNAL


async def test_calls_side_by_side_keep_their_traces_apart(recorded: Recorded) -> None:
    async def one(number: int) -> bool:
        mine = f"{number:032x}"
        with recorded.call({"traceparent": f"00-{mine}-{PARENT}-01"}), recorded.step("run"):
            await asyncio.sleep(0.001 * (number % 3))
            return trace_id() == mine

    assert all(await asyncio.gather(*(one(number) for number in range(1, 30))))


async def test_the_trace_goes_along_to_an_actions_thread(recorded: Recorded) -> None:
    workers = ThreadPool(1)
    try:
        with recorded.call(TRACEPARENT), recorded.step("run"):
            found = await workers.call(lambda: (trace_id(), outbound_headers(), threading.current_thread().name))
    finally:
        workers.close()
    assert found[0] == TRACE
    assert found[1]["traceparent"] == f"00-{TRACE}-{id_of(recorded.spans['run'])}-01"
    assert found[2] != threading.current_thread().name


def test_a_call_that_ends_elsewhere_than_it_began_ends(recorded: Recorded) -> None:
    """As when a stream's generator is closed by the garbage collector."""
    span = contextvars.copy_context().run(recorded.call, TRACEPARENT)
    span.end()
    assert list(recorded.spans) == ["action_server.webhook"]


def test_a_call_that_is_not_sampled_has_no_steps_and_is_not_decoded_for_its_span(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At 1 % that is 99 of 100 calls; what they ask of others still says that they are not sampled."""
    tracing = Tracing(TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False))
    monkeypatch.setattr(Call, "part", None)

    with tracing.call(TRACEPARENT) as span:
        span.about(CALL)
        assert tracing.step("decode") is NO_SPAN
        headers: dict[str, str] = {}
        tracing.inject(headers)

    assert headers["traceparent"].startswith(f"00-{TRACE}-")
    assert headers["traceparent"].endswith("-00")
