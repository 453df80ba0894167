"""What requests leave in the log, and what answers and settings show of themselves: facts, and no one's data."""

from __future__ import annotations

import logging

import aiohttp
import pytest

from actions.errors import (
    AuthFailedError,
    UnavailableError,
)
from actions.transport import Response, TransportSettings
from actions.transport.credentials import Secret, bearer
from tests.actions.transport.transport_servers import Answer, failing, remote, transport

SECRET = "s3cr3t-4711"
PATIENT = "Jane-Doe"

pytest_plugins = ["tests.actions.transport.transport_fixtures"]
pytestmark = pytest.mark.usefixtures("no_waiting")


async def test_the_log_has_facts_and_nothing_else(
    session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """System, method, the path's template, status, time and tries; no path, query, header, body or credential."""
    caplog.set_level(logging.DEBUG)
    headers = {"X-Patient": PATIENT}
    async with remote(failing(500), Answer(), failing(403)) as server:
        crm = transport(session, server.url, bearer(Secret("token", SECRET)))
        path = f"Patient/{PATIENT}?token={SECRET}"
        await crm.request("PUT", path, json=PATIENT, headers=headers, repeatable=True, name="Patient/{id}")
        with pytest.raises(AuthFailedError):
            await crm.request("DELETE", path, data=PATIENT.encode(), headers=headers)

    ours = [vars(record) for record in caplog.records if record.name == "actions.transport"]
    wanted = ("message", "levelname", "system", "method", "request", "status", "attempts", "error")
    assert [[line.get(name) for name in wanted] for line in ours] == [
        ["transport.answered", "DEBUG", "crm", "PUT", "Patient/{id}", 200, 2, None],
        ["transport.failed", "WARNING", "crm", "DELETE", None, 403, 1, "AuthFailedError"],
    ]
    assert all(line["ms"] > 0 for line in ours)
    everything = repr([vars(record) for record in caplog.records])
    assert "stamina.retry_scheduled" in everything
    assert PATIENT not in everything
    assert SECRET not in everything


async def test_an_answer_does_not_show_its_body(session: aiohttp.ClientSession) -> None:
    """Nor do settings show a proxy's password, in a line of a log or a failed assertion."""
    async with remote(Answer(body=PATIENT.encode(), headers={"X-Patient": PATIENT})) as server:
        answer: Response = await transport(session, server.url).request("GET", "x")

    assert PATIENT not in repr(answer)
    assert SECRET not in repr(TransportSettings(proxy=f"http://u:{SECRET}@proxy:3128"))


async def test_traffic_in_the_clear_is_said_once(
    session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """Patients' data leaves this machine unencrypted; on this machine that is nobody's business."""
    async with remote() as server:
        await transport(session, server.url).request("GET", "x")
        crm = transport(session, "http://clinic.invalid", attempts=1)
        for _ in range(2):
            with pytest.raises(UnavailableError):
                await crm.request("GET", "x")

    assert [r.host for r in caplog.records if r.message == "transport.not_encrypted"] == ["clinic.invalid"]  # type: ignore[attr-defined]
