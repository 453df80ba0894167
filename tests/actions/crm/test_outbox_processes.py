"""The outbox between real processes: a CRM that is down and comes back, deaths in the middle, several at once."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from actions.crm.hubspot import HubSpotCrm
from actions.database import open_database
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.ledger import Ledger
from actions.scheduling.models import BookingKey, Patient, Window
from actions.transport import open_session
from tests.actions.clinic import opening_hours
from tests.actions.crm.crm_fakes import ROOT, application, process, serving
from tests.actions.crm.hubspot_fake import ACTIVITY_ID, HubSpot
from tests.actions.crm.memory_crm import ERIKA, PATIENCE, TEN, change, events, eventually
from tests.actions.crm.outbox_kit import let_leases_end, states, tell, telling, until_told, writing
from tests.actions.crm.outbox_process import QUICK, hubspot_settings

pytest_plugins = ["tests.databases"]


@contextmanager
def delivering(database_url: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process that delivers for the length of the block."""
    command = [sys.executable, "-W", "error", "-m", "tests.actions.crm.outbox_process", database_url, url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            yield child
        finally:
            child.kill()


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_with_the_crm_down_for_the_whole_conversation_the_user_has_the_booking_and_the_crm_hears_of_it_later(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing listens while the appointment is booked and cancelled; when the CRM is back, the outbox gets empty."""
    port, log = unused_port(), tmp_path / "hubspot.log"
    settings = hubspot_settings(f"http://127.0.0.1:{port}")
    caplog.set_level(logging.INFO)
    database = await open_database(database_url)
    async with open_session() as session, telling(database, HubSpotCrm(settings, session), QUICK) as outbox:
        clinic = EmbeddedBackend(Ledger(database, on_change=outbox.on_change), opening_hours())
        key = BookingKey(ERIKA.conversation, "general", Window.at(TEN.start))
        booking = await clinic.book(key, TEN, ERIKA)

        async def is_down() -> bool:
            return len(events(caplog, "job.held")) >= 3

        await eventually(is_down)
        assert await clinic.get(key) == booking
        assert await clinic.cancel(key) == booking
        assert len(await states(database)) == 2
        with process("hubspot_fake", log, port):
            await until_told(database)
    await database.close()

    written = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(one["kind"], one.get("hs_meeting_outcome")) for one in written] == [
        ("contacts", None),
        ("meetings", "SCHEDULED"),
        ("meetings", "CANCELED"),
    ]
    assert booking.reference in written[1]["hs_meeting_body"]
    assert len(events(caplog, "job.resumed")) == 1


async def test_a_process_killed_in_the_middle_of_a_delivery_has_delivered_once(database_url: str) -> None:
    """It dies after HubSpot wrote the meeting, and before it heard so; another process goes on."""
    fake = HubSpot()
    fake.switches.stall_at = "meetings"
    database = await open_database(database_url)
    async with writing(database) as outbox:
        await tell(database, outbox, change(1), change(2))
    async with serving(application(fake)) as url:
        with delivering(database_url, url) as child:
            await asyncio.wait_for(fake.switches.stalled.wait(), PATIENCE)
            child.kill()
            child.wait(PATIENCE)
        fake.switches.stall_at = None
        await let_leases_end(database)
        async with open_session() as session, telling(database, HubSpotCrm(hubspot_settings(url), session), QUICK):
            await until_told(database)
    await database.close()

    assert [meeting.properties[ACTIVITY_ID] for meeting in fake.meetings] == ["change-1", "change-2"]
    assert len(fake.contacts) == 1


async def test_processes_that_deliver_at_once_send_each_change_once_and_in_order(database_url: str) -> None:
    """Two of them, eight contacts, five changes each: forty requests, none of them a repeat."""
    fake = HubSpot()
    database = await open_database(database_url)
    people = [Patient(f"conversation {who}", name=f"Patient {who}") for who in range(8)]
    changes = [change(10 * number + who, patient) for number in range(5) for who, patient in enumerate(people)]
    async with serving(application(fake)) as url:
        with ExitStack() as stack:
            starting = [asyncio.to_thread(stack.enter_context, delivering(database_url, url)) for _ in range(2)]
            await asyncio.gather(*starting)
            async with writing(database) as outbox:
                await tell(database, outbox, *changes)
            await until_told(database)
    await database.close()

    told = defaultdict(list)
    for meeting in fake.meetings:
        told[meeting.contacts[0]].append(int(meeting.properties[ACTIVITY_ID].removeprefix("change-")))
    assert sorted(told.values()) == [[10 * number + who for number in range(5)] for who in range(8)]
    assert Counter(fake.switches.requests)["POST /crm/objects/2026-03/meetings"] == 40
