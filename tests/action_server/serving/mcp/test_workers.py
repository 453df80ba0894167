"""The clinic's tools, served by several workers: any of them answers any request."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import aiohttp

from tests import mcp_clients
from tests.processes import ROOT, server

CLINIC = "ACTION_SERVER__SERVICES__CLINIC__"
PATIENT = {"patient_email": "ada@example.org"}
WISH = {"appointment_type": "general", "preferred_date": "in two weeks", "urgent_slot": None, **PATIENT}


async def test_a_step_of_a_flow_books_whichever_worker_answers(tmp_path: Path) -> None:
    """A session of the engine's client, spread over three workers, and the same appointment when it asks again."""
    # Open each day: it is never Sunday then.
    variables = {f"{CLINIC}DATABASE": str(tmp_path / "clinic.sqlite3"), f"{CLINIC}OPENING_HOURS": "Mo-Su 08:00-17:00"}
    with server(ROOT, "--workers", "3", variables=variables) as running:
        calls: list[mcp_clients.Call] = [("action_create_appointment", WISH, None)] * 2
        spoken, _, results = await mcp_clients.use_client(mcp_clients.ENGINE, f"{running.url}/mcp", calls)
        running.stop()

    first, second = [result["structuredContent"] for result in results]
    assert spoken == "2025-11-25"
    assert first["booking_status"] == "booked"
    assert first["booking_reference"] == second["booking_reference"]


async def test_no_call_is_lost_when_the_server_stops(tmp_path: Path) -> None:
    """Calls that come until its end, each over a connection of its own, are all answered with 200."""
    variables = {f"{CLINIC}DATABASE": str(tmp_path / "clinic.sqlite3")}
    params = {"name": "action_list_appointments", "arguments": PATIENT}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    with server(ROOT, "--drain-delay", "30", variables=variables) as running:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=20)) as session:

            async def call(_: int) -> int:
                async with session.post(f"{running.url}/mcp", data=body) as response:
                    assert (await response.json())["result"]["structuredContent"]["ok"] is True
                    return response.status

            before = await asyncio.gather(*map(call, range(50)))
            os.kill(running.process.pid, signal.SIGTERM)
            await asyncio.to_thread(running.wait_for, "worker.stopping")
            after = await asyncio.gather(*map(call, range(200)))

    assert set(before) == set(after) == {200}
