"""A whole server, configured by endpoints.yml: bookings through its webhook, with the systems up, down and back."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from action_server.cli.client import call_action
from action_server.webhook_client import Reply
from tests.actions.conversation import SLOTS
from tests.actions.crm.crm_fakes import process
from tests.actions.crm.hubspot_fake import ACTIVITY_ID, TOKEN
from tests.actions.reliability.hosts import ROOT
from tests.actions.reliability.systems import REMOTE, on_sqlite
from tests.processes import ServerProcess, run, server

HUBSPOT = {
    "type": "hubspot",
    "token": TOKEN,
    "outbox": {"first_pause": 0.05, "longest_pause": 0.2},
    "transport": {"attempts": 1, "breaker_pause": 0.1},
}
WORDS = {"radicale": "the CalDAV server", "medplum": "the FHIR server"}
SORRY = "I cannot reach the appointment book right now."


@contextmanager
def serving(folder: Path, clinic: Mapping[str, Any], *flags: str) -> Iterator[ServerProcess]:
    """Run the clinic's server on settings in a file."""
    file = folder / "endpoints.yml"
    file.write_text(json.dumps({"action_server": {"services": {"clinic": dict(clinic)}}}), encoding="utf-8")
    with server(ROOT, "--actions", "actions", "--endpoints", str(file), *flags) as running:
        yield running


def call(running: ServerProcess, action: str, **slots: object) -> Reply:
    """Call an action as an engine does."""
    return asyncio.run(call_action(f"{running.url}/webhook", action, {**SLOTS, **slots}, sender_id="a conversation"))


def texts(reply: Reply) -> list[str]:
    assert reply.status == 200
    return [response["text"] for response in reply.responses]


def slots(reply: Reply) -> dict[str, Any]:
    return {event["name"]: event["value"] for event in reply.events}


def services(folder: Path) -> tuple[int, str]:
    """Ask whether everything works."""
    done = run(ROOT, ["services", "--actions", "actions", "--endpoints", str(folder / "endpoints.yml")])
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", ["radicale", "medplum"])
def test_the_webhook_books_in_the_system_and_stays_polite_when_it_is_gone(name: str, tmp_path: Path) -> None:
    """The reference that the user hears is in the system; without the system, nothing is promised."""
    with ExitStack() as remote:
        system = remote.enter_context(REMOTE[name](tmp_path))
        day = system.next_day()
        wish = {"appointment_type": "general", "preferred_date": f"{day:%Y-%m-%dT%H:%M}"}
        with serving(tmp_path, system.place.clinic(str(tmp_path / "ledger.sqlite3"))) as running:
            booked = call(running, "action_create_appointment", **wish)
            code, said = services(tmp_path)
            assert code == 0
            assert re.search(r"SchedulingBackend +yes ", said)

            reference = slots(booked)["booking_reference"]
            assert reference in texts(booked)[0]
            assert [one.reference for one in system.place.appointments(day)] == [reference]

            remote.close()
            later = {**wish, "preferred_date": f"{day:%Y-%m-%d}T09:00"}
            failed = call(running, "action_create_appointment", **later)
            assert SORRY in texts(failed)[0]
            assert slots(failed)["booking_status"] == "failed"
            code, said = services(tmp_path)
            assert code == 1
            assert f"{WORDS[name]} cannot be reached: 127.0.0.1 port " in said
            # What was promised is still so, and is said again.
            assert texts(call(running, "action_create_appointment", **wish)) == texts(booked)


def test_with_the_crm_down_for_the_whole_conversation_the_booking_stands_and_the_crm_hears_of_it_later(
    tmp_path: Path,
) -> None:
    """Booked and moved while nothing listens; each becomes one activity when the CRM is back, and nothing waits."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "hubspot.log"
    with on_sqlite(tmp_path) as system:
        day = system.next_day()
        clinic = {**system.place.clinic(""), "crm": {**HUBSPOT, "base_url": f"http://127.0.0.1:{port}"}}
        with serving(tmp_path, clinic) as running:
            wish = {"appointment_type": "general", "preferred_date": f"{day:%Y-%m-%dT%H:%M}"}
            booked = call(running, "action_create_appointment", **wish)
            reference = slots(booked)["booking_reference"]
            assert reference in texts(booked)[0]
            assert [one.reference for one in system.place.appointments(day)] == [reference]
            moved = call(
                running,
                "action_reschedule_appointment",
                appointment_choice=reference,
                preferred_date=f"{day:%Y-%m-%d}T10:00",
            )
            assert reference in texts(moved)[0]
            assert [one.start[11:16] for one in system.place.appointments(day)] == ["10:00"]
            running.wait_for("job.held")
            with process("hubspot_fake", log, port):
                for _ in range(2):
                    running.wait_for("job.done")

    written = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [(one["kind"], one.get("hs_meeting_outcome")) for one in written] == [
        ("contacts", None),
        ("meetings", "SCHEDULED"),
        ("meetings", "RESCHEDULED"),
    ]
    with closing(sqlite3.connect(system.place.origin)) as connection:
        told = "SELECT state, arguments, conversation FROM action_server_jobs WHERE name = 'crm.tell'"
        assert connection.execute(told).fetchall() == [("done", "{}", "")] * 2
    assert len({one[ACTIVITY_ID] for one in written[1:]}) == 2
