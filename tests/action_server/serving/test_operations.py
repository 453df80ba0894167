"""What an operator relies on, with real server processes: credentials, readiness, metrics, limits, running once."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families
from rasa_sdk.grpc_py import action_webhook_pb2 as pb
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from action_server.testing import webhook_request
from tests.action_server.serving.grpc.test_service import free_port
from tests.action_server.serving.server_calls import gate
from tests.processes import run, server
from tests.projects import GREET, WAITING, project

TOKEN = "correct-horse"
OPEN = {"ACTION_SERVER__AUTH__TOKENS": TOKEN}


async def get(url: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as response:
        text = await response.text()
        return response.status, json.loads(text) if response.content_type == "application/json" else text


async def post(url: str, action: str, headers: dict[str, str] | None = None, **slots: Any) -> tuple[int, Any, Any]:
    body = webhook_request(action, slots, sender="tester")
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as response:
        return response.status, await response.json(), response.headers


async def test_nothing_but_health_is_open_without_a_credential(tmp_path: Path) -> None:
    """Whatever path or method: 401 with a challenge. The token opens as bearer and as Rasa's query parameter."""
    project(tmp_path, {"actions.py": GREET})
    with server(tmp_path, variables=OPEN) as running:
        assert (await get(f"{running.url}/health"))[0] == 200
        for path in ("/", "/actions", "/ready", "/metrics", "/nothing", "/webhook"):
            assert (await get(f"{running.url}{path}"))[0] == 401
        status, body, headers = await post(f"{running.url}/webhook", "action_greet")
        assert (status, body["action_name"], headers["WWW-Authenticate"][:6]) == (401, "", "Bearer")

        assert (await post(f"{running.url}/webhook?token={TOKEN}", "action_greet"))[0] == 200
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert (await post(f"{running.url}/webhook", "action_greet", bearer))[0] == 200
        assert (await get(f"{running.url}/actions", bearer))[0] == 200

        header = f"Authorization: Bearer {TOKEN}"
        called = run(tmp_path, ["call", "action_greet", "--url", f"{running.url}/webhook", "--header", header])
        assert called.returncode == 0
    assert TOKEN not in json.dumps(running.log)
    assert {line["problem"] for line in running.log if line["event"] == "call.refused"} == {"no valid credential"}


async def test_grpc_takes_the_same_credentials(tmp_path: Path) -> None:
    """As metadata; health checks stay open."""
    project(tmp_path, {"actions.py": GREET})
    port = free_port()
    with server(tmp_path, "--grpc", "--port", str(port), variables=OPEN):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = action_webhook_pb2_grpc.ActionServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Actions(pb.ActionsRequest(), wait_for_ready=True)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                _ = [e async for e in stub.WebhookStream(pb.WebhookRequest())]
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED

            metadata = (("authorization", f"Bearer {TOKEN}"),)
            listed = await stub.Actions(pb.ActionsRequest(), metadata=metadata)
            assert len(listed.actions) == 1


@pytest.fixture
def certificate(tmp_path: Path) -> None:
    """A certificate that is its own CA, for the server and its clients."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout", "key.pem"),
            *("-out", "cert.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )


@pytest.mark.usefixtures("certificate")
async def test_a_client_without_a_certificate_is_turned_away(tmp_path: Path) -> None:
    """With --ssl-ca-file over HTTP."""
    project(tmp_path, {"actions.py": GREET})
    flags = ["--ssl-certificate", "cert.pem", "--ssl-keyfile", "key.pem", "--ssl-ca-file", "cert.pem"]
    with server(tmp_path, *flags) as running:
        trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get(f"{running.url}/health", ssl=trusting)
            trusting.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
            async with session.get(f"{running.url}/health", ssl=trusting) as response:
                assert response.status == 200


async def test_ready_says_so_and_why_not(tmp_path: Path) -> None:
    """A failing service is a reason; /health does not care."""
    text = """
        from contextlib import asynccontextmanager
        from pathlib import Path
        from action_server.runtime.services import DegradedError

        class Book:
            pass

        def ping(book):
            if Path("broken").exists():
                raise ConnectionError("password hunter2")
            if Path("degraded").exists():
                raise DegradedError("no CRM") from ConnectionError("password hunter2")

        @asynccontextmanager
        async def lifespan(registry, config):
            registry.register_value(Book, Book(), ping=ping)
            yield
    """
    project(tmp_path, {"actions.py": text})
    with server(tmp_path) as running:
        status, body = await get(f"{running.url}/ready")
        assert (status, body["status"], body["reasons"], body["degraded"]) == (200, "ready", [], [])
        (tmp_path / "degraded").touch()

        status, body = await get(f"{running.url}/ready")

        assert (status, body["status"], body["reasons"]) == (200, "ready", [])
        assert body["degraded"] == ["service actions.Book fails: ConnectionError"]
        (tmp_path / "broken").touch()

        status, body = await get(f"{running.url}/ready")

        assert (status, body["status"]) == (503, "not ready")
        assert body["reasons"] == ["service actions.Book fails: ConnectionError"]
        assert (await get(f"{running.url}/health"))[0] == 200


async def test_metrics_of_all_workers_are_on_one_page(tmp_path: Path) -> None:
    """Whichever worker is scraped; no conversation is in them."""
    project(tmp_path, {"actions.py": GREET})
    with server(tmp_path, "--workers", "2") as running:
        for _ in range(20):
            assert (await post(f"{running.url}/webhook", "action_greet"))[0] == 200
        assert (await post(f"{running.url}/webhook", "action_nobody"))[0] == 404

        _, page = await get(f"{running.url}/metrics")

    families = {family.name: family for family in text_string_to_metric_families(page)}
    calls = families["action_server_calls"].samples
    assert sum(s.value for s in calls if s.labels.get("action") == "action_greet") == 20
    assert families["action_server_workers"].samples[0].value == 2
    assert "tester" not in page
    assert "action_nobody" not in page


async def test_a_call_carries_its_request_id_from_the_header_to_the_log(tmp_path: Path) -> None:
    """Also on what the action logs on its thread; an unfit one is replaced."""
    project(tmp_path, {"actions.py": GREET})
    with server(tmp_path) as running:
        _, _, headers = await post(f"{running.url}/webhook", "action_greet", {"X-Request-ID": "r-1"})
        assert headers["X-Request-ID"] == "r-1"
        _, _, headers = await post(f"{running.url}/webhook", "action_greet", {"X-Request-ID": "x" * 500})
        assert len(headers["X-Request-ID"]) == 16
        assert running.stop() == 0

    lines = [line for line in running.log if line.get("request_id") == "r-1"]
    assert [line["event"] for line in lines] == ["greeting", "action.finished"]
    assert lines[1]["bytes"] > 0
    assert {"waiting_ms", "ms", "outcome", "transport", "action", "sender_id"} <= set(lines[1])


async def test_an_action_runs_within_its_options_of_endpoints_yml(tmp_path: Path) -> None:
    """A time limit and a policy by pattern."""
    endpoints = """
        action_server:
          actions:
            action_w*: {timeout: 0.05, on_timeout: {slot: too_slow}}
    """
    project(tmp_path, {"actions.py": WAITING, "endpoints.yml": endpoints})
    async with gate() as (port, arrived):
        with server(tmp_path, "--grace", "0") as running:
            status, body, _ = await post(f"{running.url}/webhook", "action_wait", port=port)
            (await arrived.get()).close()

    assert (status, body["events"][0]["name"], body["events"][0]["value"]) == (200, "too_slow", True)
    assert "thread.abandoned" in [line["event"] for line in running.log]


async def test_a_call_beyond_the_limits_is_told_when_to_come_back(tmp_path: Path) -> None:
    """503 with Retry-After; /ready says that the worker is saturated."""
    project(tmp_path, {"actions.py": WAITING})
    async with gate() as (port, arrived):
        with server(tmp_path, "--max-calls", "1", "--max-queue", "0", "--queue-timeout", "3") as running:
            first = asyncio.create_task(post(f"{running.url}/webhook", "action_wait", port=port))
            writer = await arrived.get()

            status, body, headers = await post(f"{running.url}/webhook", "action_wait", port=port)

            assert (status, headers["Retry-After"], body["action_name"]) == (503, "3", "action_wait")
            assert (await get(f"{running.url}/ready"))[0] == 503
            writer.write(b"!")
            assert (await first)[0] == 200
            writer.close()
            assert (await get(f"{running.url}/ready"))[0] == 200


async def test_an_action_marked_as_such_runs_once_in_two_workers(tmp_path: Path) -> None:
    """Twenty repeats of one request: one run, the same answer for all."""
    text = """
        import uuid
        from rasa_sdk import Action
        from action_server import idempotent

        @idempotent
        class ActionOnce(Action):
            def name(self):
                return "action_once"

            def run(self, dispatcher, tracker, domain):
                with open("runs", "a") as file:
                    file.write("run\\n")
                dispatcher.utter_message(text=str(uuid.uuid4()))
                return []
    """
    project(tmp_path, {"actions.py": text})
    with server(tmp_path, "--workers", "2", "--database", str(tmp_path / "once.sqlite3")) as running:
        again = webhook_request("action_once", sender="tester")
        async with aiohttp.ClientSession() as session:
            sent = [session.post(f"{running.url}/webhook", json=again) for _ in range(20)]
            replies = [(reply.status, await reply.json()) for reply in await asyncio.gather(*sent)]

    assert {status for status, _ in replies} == {200}
    assert len({body["responses"][0]["text"] for _, body in replies}) == 1
    assert (tmp_path / "runs").read_text() == "run\n"


async def test_a_middleware_of_the_package_is_found(tmp_path: Path) -> None:
    """It sees every call of the server."""
    text = """
        from action_server import Answer, middleware

        @middleware
        async def audit(call, run):
            answer = await run(call)
            seen = {"event": "slot", "name": "seen", "value": call.sender_id}
            return Answer([*answer.events, seen], answer.responses)
    """
    project(tmp_path, {"actions/__init__.py": "", "actions/greet.py": GREET, "actions/audit.py": text})
    with server(tmp_path) as running:
        _, body, _ = await post(f"{running.url}/webhook", "action_greet")

    assert body["events"][0]["value"] == "tester"


async def test_what_rasas_privacy_rules_name_is_masked_in_the_log(tmp_path: Path) -> None:
    """Also in what the author logs and in a traceback."""
    text = """
        import logging
        from rasa_sdk import Action

        class ActionTell(Action):
            def name(self):
                return "action_tell"

            def run(self, dispatcher, tracker, domain):
                logging.getLogger("my.bot").info(f"card {tracker.get_slot('card')}")
                raise ValueError(tracker.get_slot("card"))
    """
    rules = "privacy:\n  rules:\n    - slot: card\n      anonymization:\n        type: redact\n"
    project(tmp_path, {"actions.py": text, "endpoints.yml": rules})
    with server(tmp_path) as running:
        assert (await post(f"{running.url}/webhook", "action_tell", card="4111111111111111"))[0] == 500
        assert running.stop() == 0

    assert "4111111111111111" not in json.dumps(running.log)
    assert any(line["event"].startswith("card ") for line in running.log)


def test_a_public_address_without_credentials_is_warned_about_once(tmp_path: Path) -> None:
    """Loudly, and not for this machine's own address."""
    project(tmp_path, {"actions.py": GREET})
    with server(tmp_path, "--workers", "2", "--host", "0.0.0.0") as public:  # noqa: S104 - what it is about
        public.wait_for("server.open_to_everybody")
        public.stop()
    with server(tmp_path) as private:
        private.stop()

    assert [line["event"] for line in public.log].count("server.open_to_everybody") == 1
    assert "server.open_to_everybody" not in [line["event"] for line in private.log]


async def test_the_plug_in_hook_of_rasa_sdk_gets_the_sanic_app(tmp_path: Path) -> None:
    """A package `rasa_sdk_plugins` adds routes and listeners, as under rasa-sdk."""
    plugins = """
        import pluggy
        from sanic.response import json

        hookimpl = pluggy.HookimplMarker("rasa_sdk")

        class Plugin:
            @hookimpl
            def attach_sanic_app_extensions(self, app):
                @app.get("/plugged")
                async def plugged(request):
                    return json({"plugged": app.ctx.started})

                @app.before_server_start
                async def start(app):
                    app.ctx.started = True

        def init_hooks(manager):
            manager.register(Plugin())
    """
    project(tmp_path, {"actions.py": GREET, "rasa_sdk_plugins/__init__.py": plugins})
    with server(tmp_path, "--workers", "2") as running:
        assert await get(f"{running.url}/plugged") == (200, {"plugged": True})


async def test_a_logger_has_the_level_endpoints_yml_gives_it(tmp_path: Path) -> None:
    """In the workers, where it counts."""
    levels = "action_server:\n  log_levels:\n    my.bot: ERROR\n"
    project(tmp_path, {"actions.py": GREET, "endpoints.yml": levels})
    with server(tmp_path) as running:
        assert (await post(f"{running.url}/webhook", "action_greet"))[0] == 200
        running.stop()

    assert "greeting" not in [line["event"] for line in running.log]
    assert "action.finished" in [line["event"] for line in running.log]
