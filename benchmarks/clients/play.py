"""Plays the clients one after another against one server and one stand-in for the provider."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import aiohttp

from benchmarks.clients.environments import PROGRAMS, Client
from benchmarks.clients.formats import Json, texts_of
from benchmarks.clients.provider import Kept, Provider, provider
from benchmarks.clients.readings import Row, plan_of, row_of
from tests.mcp_clients import environment_of, writes_bytecode
from tests.npm_clients import folder_of
from tests.processes import ROOT, server

# A client starts, books and ends; the largest of them take ten seconds to be imported.
_PATIENCE = 120
_CLINIC = "ACTION_SERVER__SERVICES__CLINIC__"
_ENDPOINTS = """
action_server:
  mcp:
    actions: ["action_*"]
    conversation_argument: patient_email
"""


async def play_all(clients: Sequence[Client], folder: Path, say: Callable[[Client, Row], None]) -> dict[Client, Row]:
    """Play each client; return its line of the matrix."""
    (folder / "endpoints.yml").write_text(_ENDPOINTS, encoding="utf-8")
    database = folder / "clinic.sqlite3"
    flags = ("--actions", "benchmarks.clients.served", "--endpoints", str(folder / "endpoints.yml"))
    # Open each day, so that any day will do.
    hours = {f"{_CLINIC}OPENING_HOURS": "Mo-Su,PH 08:00-17:00"}
    variables = {f"{_CLINIC}DATABASE": str(database), **hours}
    rows = {}
    with server(ROOT, *flags, variables=variables) as running:
        url = f"{running.url}/mcp"
        offered = await _offered(url)
        async with provider() as models:
            for number, client in enumerate(clients):
                email, day = f"{client.key.lower()}@example.org", date.today() + timedelta(days=7 + number)
                models.plans[client.key] = plan_of(email, day.isoformat())
                rows[client] = await _play(client, url, models, offered, database)
                say(client, rows[client])
    return rows


async def _offered(url: str) -> dict[str, Json]:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    async with aiohttp.ClientSession() as session, session.post(url, json=message) as response:
        return _schemas((await response.json())["result"]["tools"])


def _schemas(tools: Sequence[Json]) -> dict[str, Json]:
    return {tool["name"]: {"description": tool.get("description"), **tool["inputSchema"]} for tool in tools}


async def _play(client: Client, url: str, models: Provider, offered: Mapping[str, Json], database: Path) -> Row:
    before = _bookings(database)
    plan = models.plans[client.key]
    variables = {"MCP_URL": url, "PROVIDER_URL": f"{models.url}/{client.key}", "PLAN": json.dumps(plan)}
    code, output, errors = await _run(client, variables)
    kept = models.kept[client.key]
    if client.direct and code == 0:
        found = json.loads(output.splitlines()[-1])
        kept = Kept(_schemas(found["tools"]), [" ".join(texts_of(result)) for result in found["results"]])
    row = row_of(offered, kept, _bookings(database) - before)
    return row if code == 0 else replace(row, problem=f"ended with {code}: {_last_words(errors)}")


def _bookings(database: Path) -> int:
    with sqlite3.connect(database) as connection:
        return int(connection.execute("SELECT count(*) FROM bookings").fetchone()[0])


async def _run(client: Client, variables: Mapping[str, str]) -> tuple[int, str, str]:
    if client.is_python:
        python = await asyncio.to_thread(environment_of, client.packages)
        command, folder = [str(python), str(PROGRAMS / client.program)], ROOT / "tests"
    else:
        folder = await asyncio.to_thread(folder_of, client.packages)
        # A module finds its packages beside it.
        (folder / client.program).write_bytes((PROGRAMS / client.program).read_bytes())
        command = ["node", client.program]
    process = await asyncio.create_subprocess_exec(
        *command,
        *([client.argument] if client.argument else []),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={**writes_bytecode(), **variables},
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), _PATIENCE)
    except asyncio.TimeoutError:
        return 124, "", "it did not end"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(), errors.decode()


def _last_words(errors: str) -> str:
    """Return the error that a traceback ends with; a group of errors is drawn as a tree."""
    lines = [line.strip(" |+-") for line in errors.splitlines()]
    return next((line[:200] for line in reversed(lines) if line), "")
