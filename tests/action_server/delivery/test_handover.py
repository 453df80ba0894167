"""What a run wants said: checked where it is said, kept with where it was asked for, handed over when it returns."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from action_server import current_job, job, later
from action_server.database import Database
from action_server.errors import DeliveryError, JobError, RegistrationError
from action_server.jobs.definitions import Job
from action_server.jobs.forsaken import Forsaken
from action_server.jobs.handover import DELIVER, Delivery
from action_server.jobs.origin import Origin, add_origin, read_origin
from action_server.jobs.overview import list_jobs
from action_server.jobs.queue import JobQueue
from action_server.jobs.rules import Rules
from action_server.jobs.table import metadata
from action_server.protocol.calls import Call
from action_server.protocol.tool_calls import ToolCall
from action_server.runtime.engine_call import engine_call
from action_server.telemetry.logs import CallContext, calling
from tests.action_server.jobs.job_fixtures import Clock, asking, state_of
from tests.action_server.jobs.running_jobs import ended, running


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[JobQueue]:
    """A queue by the real clock."""
    database = await Database.open(tmp_path / "jobs.sqlite3", metadata.create_all)
    yield JobQueue(database)
    await database.close()


CALL = Call(
    "action_x",
    "ann",
    {"latest_input_channel": "callback", "stack": [{"flow_id": "x"}], "latest_message": {"text": "hello"}},
    version="3.21.0",
)
TOLD = {"channel": "callback", "version": "3.21.0", "has_flows": True, "has_user": True}


@job
async def speak() -> str:
    """Say two things and set a slot."""
    run = current_job()
    run.delivers("one")
    run.delivers(["two"], {"a": 1})
    return "done"


@job(retries=1, backoff=0)
async def stumble() -> None:
    """Say something else in each run; the first raises."""
    run = current_job()
    run.delivers(f"run {run.attempt}")
    if run.attempt == 1:
        raise ValueError


@job
async def hand_on() -> None:
    """Have another job speak."""
    await later(speak)


def collecting(taken: list[dict[str, Any]]) -> Job[..., Any]:
    """Stand for what delivers."""

    async def deliver(
        job_id: str,
        job: str,
        conversation: str,
        texts: list[str],
        slots: dict[str, Any],
        intent: str | None,
        route: str | None,
        origin: dict[str, Any],
    ) -> None:
        taken.append(
            {"job_id": job_id, "to": conversation, "texts": texts, "slots": slots, "route": route, "origin": origin}
        )

    return Job(deliver, DELIVER, Rules())


async def asked(queue: JobQueue, wanted: Job[..., Any], taken: list[dict[str, Any]], *jobs: Job[..., Any]) -> str:
    """Ask for a job within a call, and wait for its end and that of its delivery."""
    async with running(queue, wanted, collecting(taken), *jobs):
        token = engine_call.set(CALL)
        try:
            with calling(CallContext("action_x", "ann", request_id="r1")):
                ordered = await later(wanted)
        finally:
            engine_call.reset(token)
        await ended(queue, ordered.id)
        while not taken:
            # Its row is written in another task.
            await ended(queue, ordered.id)
    return ordered.id


async def test_what_a_run_says_is_handed_over_when_it_returns(queue: JobQueue) -> None:
    """All of it at once, with what the call told of its engine."""
    taken: list[dict[str, Any]] = []
    job_id = await asked(queue, speak, taken)

    assert taken == [
        {"job_id": job_id, "to": "ann", "texts": ["one", "two"], "slots": {"a": 1}, "route": None, "origin": TOLD}
    ]


async def test_a_run_that_raised_said_nothing(queue: JobQueue) -> None:
    """Only the words of the run that returned count."""
    taken: list[dict[str, Any]] = []
    await asked(queue, stumble, taken)

    assert [one["texts"] for one in taken] == [["run 2"]]


async def test_a_job_of_a_job_speaks_in_the_same_conversation(queue: JobQueue) -> None:
    """What is known of the engine goes along."""
    taken: list[dict[str, Any]] = []
    await asked(queue, hand_on, taken, speak)

    assert [(one["to"], one["origin"]) for one in taken] == [("ann", TOLD)]


async def test_a_repeated_run_is_handed_over_once(queue: JobQueue) -> None:
    """Killed after it was handed over and before it was written: the job's id is the key."""
    await queue.enqueue(Delivery("a1", "speak", "ann", ["one"]).as_order(await claimed(queue), 60))
    again = await queue.enqueue(Delivery("a1", "speak", "ann", ["other"]).as_order(await claimed(queue), 60))

    assert not again.is_new
    assert "one" in str((await state_of(queue, again.id))["arguments"])


async def claimed(queue: JobQueue) -> Any:
    """A job that is ours to run."""
    from tests.action_server.jobs.job_fixtures import order

    await queue.enqueue(order())
    (found,) = await queue.claim(["work"], 1)
    return found


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("no text", {"texts": "  "}),
    ("NUL", {"texts": "secret\0word"}),
    ("a message", {"texts": {"text": "secretword", "buttons": []}}),
    ("messages", {"texts": [{"text": "secretword", "image": "x"}]}),
    ("a lone surrogate", {"texts": "secret\ud800word"}),
    ("no JSON", {"slots": {"a": object()}}),
    ("not a number", {"slots": {"a": float("nan")}}),
    ("a name that is none", {"slots": {1: "secretword"}}),
]


@pytest.mark.parametrize("said", [r[1] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_cannot_be_said_is_refused_at_once(said: dict[str, Any]) -> None:
    """Where it is written; no value is repeated."""
    with pytest.raises(JobError) as refused:
        Delivery("a1", "speak", "ann").with_more(said.get("texts", ()), said.get("slots"), None, None, None)

    assert "secret" not in str(refused.value)


def test_another_conversation_is_on_another_channel() -> None:
    """Nothing is known of it."""
    delivery = Delivery("a1", "speak", "ann", origin=Origin("rest"))

    assert delivery.with_more("x", None, "bob", None, None).origin == Origin()
    assert delivery.with_more("x", None, "ann", None, None).origin == Origin("rest")


def test_the_origin_stands_under_a_name_no_parameter_can_have() -> None:
    """It goes with the arguments through every queue, and the function does not see it."""
    origin = Origin.of(CALL)
    for text in ("{}", '{"a": 1}'):
        stored = add_origin(text, origin)
        assert read_origin(stored) == origin
        assert {k: v for k, v in json.loads(stored).items() if k} == json.loads(text)
    assert add_origin('{"a": 1}', Origin()) == '{"a": 1}'
    assert read_origin('{"a": 1}') == Origin()
    assert speak.decode_arguments(add_origin("{}", origin)) == {}


def test_a_tool_is_a_channel_that_only_answers() -> None:
    """Its calls have no channel of the engine's."""
    assert Origin.of(ToolCall("action_x", "ann", {})) == Origin("mcp")


async def test_an_error_that_knows_its_words_keeps_them(queue: JobQueue) -> None:
    """What to do is in the row and in the log; a final one is parked at once."""

    @job(name="never", retries=5)
    async def never() -> None:
        raise DeliveryError("set `delivery.engine`", is_final=True)

    async with running(queue, never):
        ordered = await later(never)
        row = await ended(queue, ordered.id, "parked")

    assert (row["problem"], row["attempt"]) == ("set `delivery.engine`", 1)


@job(retries=0, on_giving_up=lambda name: [f"I could not reach {name}.", "Please call us."])
async def give_up(name: str, number: int) -> None:
    """Say something that must not be said, and raise."""
    current_job().delivers("done")
    raise ValueError


@job(retries=0, on_giving_up="Please call us.")
async def give_up_plainly() -> None:
    raise ValueError


@job(retries=0, on_giving_up=lambda: "x" * (1 // 0))
async def give_up_in_vain() -> None:
    raise ValueError


@pytest.mark.parametrize(
    ("wanted", "arguments", "texts"),
    [
        (give_up, {"name": "Ann", "number": 7}, ["I could not reach Ann.", "Please call us."]),
        (give_up_plainly, {}, ["Please call us."]),
        (give_up_in_vain, {}, None),
    ],
    ids=["made of arguments", "a text", "fails"],
)
async def test_what_is_given_up_is_said(
    queue: JobQueue, wanted: Job[..., Any], arguments: dict[str, Any], texts: list[str] | None
) -> None:
    """With its being parked, in the conversation of the call; a result that comes after a retry is another delivery."""
    taken: list[dict[str, Any]] = []
    async with running(queue, wanted, collecting(taken)):
        with calling(CallContext("action_x", "ann", request_id="r1")):
            ordered = await later(wanted, **arguments)
        await ended(queue, ordered.id, "parked")
        said = await list_jobs(queue.database, ["waiting", "running", "done"], DELIVER, 10)
        for one in said:
            await ended(queue, one.id)

    assert [one["texts"] for one in taken] == ([] if texts is None else [texts])
    assert all(one["to"] == "ann" and one["job_id"] != ordered.id for one in taken)


async def test_outside_of_a_conversation_nothing_is_said_on_giving_up(queue: JobQueue) -> None:
    """There is nobody to say it to."""
    async with running(queue, give_up_plainly):
        await ended(queue, (await later(give_up_plainly)).id, "parked")

    assert await list_jobs(queue.database, ["waiting"], DELIVER, 10) == []


async def test_what_is_said_on_giving_up_takes_arguments_of_the_job() -> None:
    """Others are an error where the job is written."""
    with pytest.raises(RegistrationError, match="takes age, which the job does not"):
        job(on_giving_up=lambda age: "x")(give_up_plainly.function)
    with pytest.raises(RegistrationError, match="is a coroutine"):
        job(on_giving_up=cast(Any, give_up_plainly.function))(give_up_plainly.function)


async def test_jobs_that_nobody_knows_are_said_once(queue: JobQueue, caplog: pytest.LogCaptureFixture) -> None:
    """When their deadline has passed; they stay, for whoever knows the name may come yet."""
    clock = Clock()
    stopped = JobQueue(queue.database, clock=clock)
    with asking(stopped):
        ordered = await later(speak.having(deadline=10))
        kept = await later(stumble)
    found = Forsaken(stopped, ["action_server.deliver"])
    clock.time += 9
    await found.say()
    assert "job.not_known" not in caplog.text
    clock.time += 2
    await found.say()
    await found.say()

    said = [record for record in caplog.records if record.msg == "job.not_known"]
    assert [vars(record)["job"] for record in said] == ["speak"]
    assert {(await state_of(queue, one.id))["state"] for one in (ordered, kept)} == {"waiting"}
