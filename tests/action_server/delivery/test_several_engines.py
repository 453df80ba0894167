"""One server for several engines: a result reaches the one whose call asked for it, and no other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from action_server.delivery.store import Kept
from action_server.errors import DeliveryError
from action_server.jobs.handover import Delivery
from action_server.jobs.origin import Origin
from action_server.protocol.calls import encode_call
from action_server.protocol.which_engine import UNFIT, engine_named
from tests.action_server.delivery.delivery_fixtures import Opening
from tests.action_server.delivery.engine_stand_in import EngineStandIn, engine_stand_in
from tests.engine_calls import grpc_request
from tests.processes import PATIENCE, ServerProcess, run, server

pytest_plugins = ["tests.databases", "tests.action_server.delivery.delivery_fixtures"]

NAMED: list[tuple[list[str], str, str]] = [
    ([], "", ""),
    ([], "token=x", ""),
    (["calm"], "", "calm"),
    ([" Calm "], "", "calm"),
    ([], "token=x&engine=calm", "calm"),
    (["calm"], "engine=calm", "calm"),
    (["calm"], "engine=classic", UNFIT),
    (["calm", "classic"], "", UNFIT),
    ([""], "", UNFIT),
    ([], "engine=", UNFIT),
    (["http://elsewhere.example"], "", UNFIT),
    (["x" * 65], "", UNFIT),
    (["cälm"], "", UNFIT),
    ([], "engine=%ff", UNFIT),
    ([], "no_engine=calm", ""),
]


@pytest.mark.parametrize(("told", "query", "name"), NAMED)
def test_what_a_request_names(told: list[str], query: str, name: str) -> None:
    """By the header or the URL; what is no name, or two of them, is nobody's."""
    assert engine_named(told, query) == name


@pytest.fixture
async def calm() -> AsyncIterator[EngineStandIn]:
    """Another engine, which knows a conversation of the same id."""
    async with engine_stand_in(token="of-calm") as other:
        await other.user_says("ann", "hello")
        other.said.clear()
        yield other


def origin(**told: Any) -> dict[str, Any]:
    return {"channel": "callback", "version": "3.21.0", "has_user": True, **told}


async def test_a_result_reaches_the_engine_of_its_call(
    opened: Opening, engine: EngineStandIn, calm: EngineStandIn
) -> None:
    """Each by its own address and credential; whoever names none is of the one that has no name."""
    post = opened(engines={"calm": {"engine": calm.url, "token": "of-calm"}})
    await post.send("a1", texts=["to calm"], origin=origin(engine="calm"))
    await post.send("a2", texts=["to the other"])

    assert calm.said == [("ann", "to calm")]
    assert engine.said == [("ann", "to the other")]
    assert post.tried == [("calm", "tracker-events"), ("", "tracker-events")]


async def test_each_engine_has_routes_and_times_of_its_own(
    opened: Opening, engine: EngineStandIn, calm: EngineStandIn
) -> None:
    """What stands beside `engine` is of that engine alone."""
    named = {"engine": calm.url, "token": "of-calm", "channels": {"callback": "pick-up"}, "timeout": 99}
    post = opened(engines={"calm": named}, timeout=1)

    assert await post.send(origin=origin(engine="calm")) == "pick-up"
    assert await post.send("a2") == "tracker-events"
    assert post.deliverer.job.rules.timeout == 3 * 99


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("clam", "`delivery.engines` has no clam, which the call named as its engine; did you mean 'calm'?"),
        (UNFIT, "what is no name of an engine, or two (x-engine"),
    ],
)
async def test_an_engine_that_nobody_set_is_said(
    opened: Opening, engine: EngineStandIn, calm: EngineStandIn, name: str, said: str
) -> None:
    """Tried again, as the setting may come; nothing reaches another one."""
    post = opened(engines={"calm": {"engine": calm.url}})
    with pytest.raises(DeliveryError) as refused:
        await post.send(origin=origin(engine=name))

    assert said in str(refused.value)
    assert not refused.value.is_final
    assert (engine.said, calm.said) == ([], [])
    assert post.tried == [("?", "failed")]


async def test_words_name_the_settings_of_the_engine(opened: Opening, calm: EngineStandIn) -> None:
    """Of the one that refused."""
    post = opened(engines={"calm": {"engine": calm.url, "token": "wrong"}})
    with pytest.raises(DeliveryError, match=r"set `delivery\.engines\.calm\.token` to its --auth-token"):
        await post.send(origin=origin(engine="calm"))


async def test_without_an_address_the_engine_picks_up(opened: Opening) -> None:
    """Its own results, and not those of another one's conversation with the same id."""
    post = opened(engines={"calm": {}})
    assert await post.send("a1", texts=["calm's"], origin=origin(engine="calm")) == "pick-up"
    await post.store.keep(Kept("a2", ["other"], {}), "ann")

    assert [one.texts for one in await post.store.pick_up("ann", (), "calm")] == [["calm's"]]
    assert [one.texts for one in await post.store.pick_up("ann", ())] == [["other"]]


async def test_what_another_engine_picked_up_does_not_age_ones_own(opened: Opening) -> None:
    """An hour after the other's call it is still there."""
    store = opened().store
    await store.keep(Kept("a1", ["calm's"], {}, "calm"), "ann")
    assert await store.pick_up("ann", ()) == []
    opened.clock.time += 3601  # type: ignore[attr-defined]

    assert len(await store.pick_up("ann", (), "calm")) == 1


def test_another_conversation_is_of_the_same_engine_unless_it_is_said() -> None:
    """Of its channel nothing is known."""
    delivery = Delivery("a1", "speak", "ann", origin=Origin("rest", engine="calm"))

    assert delivery.with_more("x", None, "bob", None, None).origin == Origin(engine="calm")
    assert delivery.with_more("x", None, "ann", None, None, "classic").origin == Origin(engine="classic")
    assert delivery.with_more("x", None, None, None, None, "calm").origin == Origin("rest", engine="calm")


ACTIONS = """
from rasa_sdk import Action
from action_server import ActionJobResult, current_call, current_job, job, later

@job
async def look() -> None:
    current_job().delivers("For " + current_call().engine)

class ActionLook(Action):
    def name(self):
        return "action_look"
    async def run(self, dispatcher, tracker, domain):
        await later(look)
        return []

class ActionNamed(Action):
    '''Say which engine calls.'''

    def name(self):
        return "action_named"
    def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(text="[" + current_call().engine + "]")
        return []
"""


async def call(running: ServerProcess, engine: str, way: str) -> None:
    """Call the action as the engine of this name does."""
    headers = {} if way == "URL" else {"X-Engine": engine}
    # With this a request is unusual for the fast way.
    headers |= {"Expect": "100-continue"} if way == "plain route" else {}
    query = f"?engine={engine}" if way == "URL" else ""
    body = json.loads(encode_call("action_look", slots={}, message="hello", sender_id="ann", version="3.21.0"))
    body["tracker"]["latest_input_channel"] = "callback"
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{running.url}/webhook{query}", json=body, headers=headers) as response,
    ):
        assert response.status == 200, await response.text()


def jobs_shown(folder: Path) -> list[dict[str, Any]]:
    """What `jobs show` tells of each job."""
    database = ("--database", "jobs.sqlite3", "--json")
    listed = json.loads(run(folder, ["jobs", "list", "--all", *database]).stdout)
    return [json.loads(run(folder, ["jobs", "show", one["id"], *database]).stdout) for one in listed]


@pytest.mark.parametrize("way", ["header", "URL", "plain route"])
async def test_two_engines_beside_each_other(
    tmp_path: Path, engine: EngineStandIn, calm: EngineStandIn, way: str
) -> None:
    """From the call's header to the engine, over retries: the one that is down first is the one that is told."""
    (tmp_path / "actions.py").write_text(ACTIONS)
    prefix = "ACTION_SERVER__DELIVERY__"
    variables = {f"{prefix}ENGINES__CLASSIC__ENGINE": engine.url, f"{prefix}ENGINES__CALM__ENGINE": calm.url}
    variables |= {f"{prefix}ENGINES__CALM__TOKEN": "of-calm"}
    calm.model = False
    flags = ("--database", "jobs.sqlite3", "--metrics")
    with server(tmp_path, *flags, variables=variables) as running:
        await call(running, "calm", way)
        failed = await asyncio.to_thread(running.wait_for, "job.failed")
        shown = jobs_shown(tmp_path)
        calm.model = True
        await call(running, "classic", way)
        done = [await asyncio.to_thread(running.wait_for, "delivery.done") for _ in range(2)]
        async with aiohttp.ClientSession() as session, session.get(f"{running.url}/metrics") as response:
            metrics = await response.text()

    assert "no model loaded" in failed["problem"]
    assert {one["name"]: one["engine"] for one in shown} == {"look": "calm", "action_server.deliver": "calm"}
    assert sorted(one["engine"] for one in done) == ["calm", "classic"]
    assert (engine.said, calm.said) == ([("ann", "For classic")], [("ann", "For calm")])
    assert 'action_server_deliveries_total{engine="calm",outcome="failed"}' in metrics
    assert 'action_server_deliveries_total{engine="calm",outcome="tracker-events"} 1.0' in metrics


def test_a_wrong_key_is_said_at_start(tmp_path: Path) -> None:
    """Not when the first result is due; by the name of the setting, of whichever engine it is."""
    (tmp_path / "actions.py").write_text(ACTIONS)
    (tmp_path / "key.pem").write_text("S3CR3T")
    settings = {"ENGINE": "http://127.0.0.1:9", "JWT_METHOD": "RS256", "JWT_PRIVATE_KEY": str(tmp_path / "key.pem")}
    variables = {f"ACTION_SERVER__DELIVERY__ENGINES__CALM__{name}": value for name, value in settings.items()}
    ended = run(tmp_path, ["run", "--port", "0", "--database", "jobs.sqlite3"], **variables)

    assert ended.returncode != 0
    assert "delivery.engines.calm.jwt_private_key: holds no key of PEM" in ended.stdout + ended.stderr
    assert "S3CR3T" not in ended.stdout + ended.stderr


async def test_every_face_takes_the_name(tmp_path: Path) -> None:
    """gRPC by its metadata, a tool by its URL, which is all that `mcp_servers` of an engine can set."""
    (tmp_path / "actions.py").write_text(ACTIONS)
    variables = {"ACTION_SERVER__MCP__ACTIONS": "action_named"}
    params = {"name": "action_named", "arguments": {}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    with server(tmp_path, "--grpc-port", "0", "--database", "jobs.sqlite3", variables=variables) as running:
        ready = next(line for line in running.log if line["event"] == "server.ready")
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{running.url}/mcp?engine=calm", json=message) as response,
        ):
            tool = await response.text()
        async with grpc.aio.insecure_channel(ready["grpc_url"].removeprefix("grpc://")) as channel:
            stub = action_webhook_pb2_grpc.ActionServiceStub(channel)
            told = (("x-engine", "calm"),)
            sent = stub.Webhook(grpc_request("action_named"), timeout=PATIENCE, wait_for_ready=True, metadata=told)
            over_grpc = str(await sent)

    assert "[calm]" in tool
    assert "[calm]" in over_grpc
