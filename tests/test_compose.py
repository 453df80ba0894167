"""The Compose file: right by the specification's schema, and its actions run as a process with its own environment."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
from ruamel.yaml import YAML
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.action_server.telemetry.test_exporters import collector
from tests.deployments import compose_schema
from tests.engine_calls import call_body
from tests.processes import PATIENCE, ROOT, server

pytest_plugins = ["tests.databases"]

FILE = ROOT / "deploy" / "compose.yml"
BOOKING = {"appointment_type": "general", "preferred_date": "next Tuesday at 10", "booking_reference": None}


def composed() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(FILE)
    return found


def test_the_file_is_right_by_the_specification() -> None:
    """Every key is one of Compose's; the schema is older than `name:` at the top."""
    found = {key: value for key, value in composed().items() if key != "name"}

    jsonschema.Draft7Validator(compose_schema()).validate(found)


def test_what_the_services_name_is_there() -> None:
    """Files that are mounted, volumes, services that are waited for, and hosts in addresses."""
    services = composed()["services"]
    volumes = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])]
    hosts = set(re.findall(r"@(\w+)/|//(\w+):\d", json.dumps(services["actions"]["environment"])))

    assert all((FILE.parent / name).is_file() for name in volumes if name.startswith("."))
    assert {name for name in volumes if not name.startswith(".")} == set(composed()["volumes"])
    assert set(services["actions"]["depends_on"]) <= set(services)
    assert {name for pair in hosts for name in pair if name} == {"db", "collector"}


def test_replicas_outlive_their_drain() -> None:
    """Compose kills after more than drain delay and grace, as they are by default."""
    assert composed()["services"]["actions"]["stop_grace_period"] == "45s"


def test_the_collectors_file_takes_spans_and_scrapes_each_replica() -> None:
    """Each pipeline has its parts; the job has the name that the alerts expect."""
    found = YAML(typ="safe").load(FILE.parent / "otel-collector.yml")
    pipelines = found["service"]["pipelines"].values()
    (job,) = found["receivers"]["prometheus"]["config"]["scrape_configs"]

    assert {kind: set(found[kind]) for kind in ("receivers", "processors", "exporters")} == {
        kind: {name for pipeline in pipelines for name in pipeline[kind]}
        for kind in ("receivers", "processors", "exporters")
    }
    assert job["job_name"] == "action-server"
    assert job["dns_sd_configs"] == [{"names": ["actions"], "type": "A", "port": 5055}]


def test_the_actions_book_in_postgresql_and_their_spans_arrive(tmp_path: Path, empty_postgresql: str) -> None:
    """The image's command with the service's own variables: only the addresses are those of the test."""
    variables = dict(composed()["services"]["actions"]["environment"])
    database = make_url(empty_postgresql).render_as_string(hide_password=False)
    with collector() as (received, port):
        for name, value in variables.items():
            written = re.sub(r"^postgresql://.*@db/clinic$", lambda _: database, value)
            variables[name] = written.replace("collector:4317", f"127.0.0.1:{port}")
        variables.pop("ACTION_SERVER__LOG_FORMAT")
        variables["XDG_DATA_HOME"] = str(tmp_path)
        with server(ROOT, "--actions", "actions", variables=variables) as running:
            reply = _book(running.url)
        assert "action_server.webhook" in received.spans
        assert received.resource["service.name"] == "clinic-actions"

    assert re.search(r"Reference: APT-", reply)
    assert asyncio.run(_bookings(empty_postgresql)) == 1


def _book(url: str) -> str:
    body = call_body("action_create_appointment", BOOKING)
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)) as connection:
        connection.request("POST", "/webhook", body)
        return connection.getresponse().read().decode()


async def _bookings(url: str) -> int:
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        found = await connection.scalar(text("SELECT count(*) FROM bookings"))
    await engine.dispose()
    return int(found or 0)
