"""One server process serves the CALM assistant and its classic twin at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from action_server.testing import webhook_request
from tests.assistant.reading import CALM, CLASSIC, ROOT, read
from tests.processes import ServerProcess, server

ROUNDS = 4
STACK = [
    {"frame_id": "A1", "flow_id": "book_appointment", "step_id": "START", "frame_type": "regular", "type": "flow"},
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The clinic's actions with an appointment book of their own."""
    database = str(tmp_path_factory.mktemp("clinic") / "appointments.sqlite3")
    variables = {
        "ACTION_SERVER__SERVICES__CLINIC__DATABASE": database,
        "ACTION_SERVER__SERVICES__CLINIC__OPENING_HOURS": "24/7",
    }
    with server(ROOT, "--actions", "actions", variables=variables) as process:
        yield process


class Engine:
    """Calls the webhook as an engine does: one of CALM sends a digest, and the domain only when it is asked for."""

    def __init__(self, url: str, project: Path, *, is_calm: bool) -> None:
        self._url = f"{url}/webhook"
        self._is_calm = is_calm
        self.domain: dict[str, Any] = read(project / "domain.yml")
        if is_calm:
            # What tells the two domains apart: the actions then say their own text.
            del self.domain["responses"]["utter_which_date"]
        self.statuses: list[int] = []

    async def call(self, action: str, sender: str, **slots: Any) -> dict[str, Any]:
        body = self._body(action, sender, slots)
        if not self._is_calm:
            return await self._post(body)
        answer = await self._post({name: part for name, part in body.items() if name != "domain"})
        return await self._post(body) if self.statuses[-1] == 449 else answer

    def _body(self, action: str, sender: str, slots: dict[str, Any]) -> dict[str, Any]:
        said = {"said": "next week", "stack": STACK} if self._is_calm else {"said": "next week"}
        version = "3.21.0" if self._is_calm else "3.6.21"
        filled = {**dict.fromkeys(self.domain["slots"]), **slots}
        return webhook_request(action, filled, sender=sender, domain=self.domain, version=version, **said)

    async def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        async with aiohttp.ClientSession() as session, session.post(self._url, json=body) as response:
            self.statuses.append(response.status)
            answer: dict[str, Any] = await response.json()
            return answer


def payloads(answer: dict[str, Any]) -> list[str]:
    return [button["payload"] for response in answer["responses"] for button in response.get("buttons") or []]


async def test_interleaved_calls_of_both_assistants_ask_once_for_a_domain(running: ServerProcess) -> None:
    """Each gets answers by its own domain and in its own engine's language; only the first call of CALM gets a 449."""
    calm, classic = Engine(running.url, CALM, is_calm=True), Engine(running.url, CLASSIC, is_calm=False)

    for number in range(ROUNDS):
        asked = await calm.call("action_ask_preferred_date", f"calm-{number}", appointment_type="general")
        (said,) = asked["responses"]
        assert said["text"]
        assert not said["response"]
        assert payloads(asked)
        assert all(payload.startswith("/SetSlots(preferred_date=") for payload in payloads(asked))

        asked = await classic.call("action_ask_preferred_date", f"classic-{number}", appointment_type="general")
        (said,) = asked["responses"]
        assert said["response"] == "utter_which_date"
        assert payloads(asked)
        assert not any(payload.startswith("/SetSlots") for payload in payloads(asked))

    assert calm.statuses == [449, *[200] * ROUNDS]
    assert classic.statuses == [200] * ROUNDS


async def test_what_one_assistant_books_is_taken_for_the_other(running: ServerProcess) -> None:
    """They are two ways to the same appointment book."""
    calm, classic = Engine(running.url, CALM, is_calm=True), Engine(running.url, CLASSIC, is_calm=False)
    offered = payloads(await classic.call("action_ask_preferred_date", "before", appointment_type="general"))

    booked = await calm.call("action_create_appointment", "ann", appointment_type="general", preferred_date=offered[-1])
    slots = {event["name"]: event["value"] for event in booked["events"] if event["event"] == "slot"}
    offered_later = payloads(await classic.call("action_ask_preferred_date", "after", appointment_type="general"))

    assert slots["booking_status"] == "booked"
    assert offered[-1] not in offered_later
    assert len(offered_later) == len(offered)
