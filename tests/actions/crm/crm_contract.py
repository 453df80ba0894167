"""What every `CrmBackend` has to do. A test file runs it with its own fixture `system`::

from tests.actions.crm_contract import *  # noqa: F403

@pytest.fixture
async def system() -> AsyncIterator[CrmSystem]: ...
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol

import pytest

from actions.crm.models import Activity, Contact
from actions.crm.port import CrmBackend
from actions.errors import BackendError, InvalidRequestError
from actions.scheduling.models import Change
from tests.actions.clinic import at

__all__ = [
    "test_a_contact_is_made_of_what_is_known",
    "test_a_contact_needs_nothing_but_its_key",
    "test_a_detail_that_is_none_does_not_keep_the_contact_out",
    "test_a_later_name_replaces_none",
    "test_activities_of_one_appointment_are_logged_one_by_one",
    "test_an_activity_for_a_contact_that_is_not_there_is_refused",
    "test_an_activity_is_logged_once_however_often_it_is_told",
    "test_an_activity_is_logged_with_its_facts",
    "test_names_are_kept_whole",
    "test_nothing_about_the_patient_is_in_an_error",
    "test_of_twenty_upserts_at_once_there_is_one_contact",
    "test_the_crm_can_be_used",
    "test_two_keys_are_two_contacts",
    "test_what_is_not_known_is_left_as_it_is",
]

ERIKA = Contact("6a09e667f3bcc908bb67ae8584caa73b", "Erika Geheim", "erika.geheim@example.org", "+49 30 5550123")
SOMEBODY = Contact("3c6ef372fe94f82ba54ff53a5f1d36f1")
BOOKED = Activity(
    id="0f4e-booked",
    change=Change.BOOKED,
    reference="APT-4K7WQX",
    appointment_type="general",
    start=at("2026-11-24T10:00"),
    end=at("2026-11-24T10:30"),
    at=at("2026-11-22T17:20"),
)


@dataclass(frozen=True)
class Logged:
    """An activity as people see it in the CRM."""

    contact_id: str
    activity_id: str
    start: str
    end: str
    text: str


class CrmSystem(Protocol):
    """The CRM under test, and what people see in it past the backend's own code."""

    @property
    def backend(self) -> CrmBackend:
        """The backend under test."""

    async def contacts(self) -> dict[str, Contact]:
        """Return the contacts by the CRM's own id; a name is one text, and None if there is none of the patient's."""

    async def activities(self) -> list[Logged]:
        """Return the activities; times are UTC, as 2026-11-24T09:00:00Z."""


async def test_the_crm_can_be_used(system: CrmSystem) -> None:
    """A healthy CRM's ping is silent, and writes nothing."""
    await system.backend.ping()

    assert (await system.contacts(), await system.activities()) == ({}, [])


async def test_a_contact_is_made_of_what_is_known(system: CrmSystem) -> None:
    """The id that comes back is the CRM's own."""
    contact_id = await system.backend.upsert_contact(ERIKA)

    assert await system.contacts() == {contact_id: ERIKA}


async def test_a_contact_needs_nothing_but_its_key(system: CrmSystem) -> None:
    """Somebody who gave no name is a contact too, and stays one."""
    first = await system.backend.upsert_contact(SOMEBODY)
    second = await system.backend.upsert_contact(SOMEBODY)

    assert first == second
    assert await system.contacts() == {first: SOMEBODY}


async def test_a_later_name_replaces_none(system: CrmSystem) -> None:
    """What a CRM shows for a name that is not known is gone when it is."""
    contact_id = await system.backend.upsert_contact(SOMEBODY)
    known = replace(SOMEBODY, name="Max Mustermann")
    await system.backend.upsert_contact(known)

    assert await system.contacts() == {contact_id: known}


async def test_what_is_not_known_is_left_as_it_is(system: CrmSystem) -> None:
    """None does not delete, and a new value replaces the old one."""
    contact_id = await system.backend.upsert_contact(ERIKA)
    again = await system.backend.upsert_contact(Contact(ERIKA.key, phone="+49 30 5550199"))

    assert again == contact_id
    assert await system.contacts() == {contact_id: replace(ERIKA, phone="+49 30 5550199")}


@pytest.mark.parametrize("name", ["Erika", "María José García Márquez", "李小龍", "O'Neill-Šťastná", "Ali " * 20])
async def test_names_are_kept_whole(system: CrmSystem, name: str) -> None:
    """Whatever the CRM's own idea of first and last names is."""
    await system.backend.upsert_contact(replace(SOMEBODY, name=name.strip()[:39]))

    (contact,) = (await system.contacts()).values()
    assert contact.name == name.strip()[:39]


async def test_two_keys_are_two_contacts(system: CrmSystem) -> None:
    """People of one name are not the same."""
    first = await system.backend.upsert_contact(replace(ERIKA, email=None))
    second = await system.backend.upsert_contact(replace(ERIKA, key=SOMEBODY.key, email=None))

    assert len({first, second} & (await system.contacts()).keys()) == 2


@pytest.mark.parametrize("contact", [ERIKA, SOMEBODY], ids=["known", "unknown"])
async def test_of_twenty_upserts_at_once_there_is_one_contact(system: CrmSystem, contact: Contact) -> None:
    """All get the same id."""
    ids = await asyncio.gather(*(system.backend.upsert_contact(contact) for _ in range(20)))

    assert await system.contacts() == {ids[0]: contact}
    assert set(ids) == {ids[0]}


async def test_a_detail_that_is_none_does_not_keep_the_contact_out(system: CrmSystem) -> None:
    """Who says "none" when asked for an address is still told about."""
    contact_id = await system.backend.upsert_contact(replace(ERIKA, email="none, thanks"))

    (found,) = (await system.contacts()).items()
    assert (found[0], found[1].name, found[1].phone) == (contact_id, ERIKA.name, ERIKA.phone)


async def test_an_activity_is_logged_with_its_facts(system: CrmSystem) -> None:
    """Which appointment, what became of it, and when it is."""
    contact_id = await system.backend.upsert_contact(ERIKA)
    await system.backend.log_activity(contact_id, BOOKED)

    (logged,) = await system.activities()
    assert (logged.contact_id, logged.activity_id) == (contact_id, BOOKED.id)
    assert (logged.start, logged.end) == ("2026-11-24T09:00:00Z", "2026-11-24T09:30:00Z")
    assert all(word in logged.text for word in ("booked", "general", "APT-4K7WQX"))


async def test_activities_of_one_appointment_are_logged_one_by_one(system: CrmSystem) -> None:
    """Booked, moved, cancelled: three activities of the contact."""
    contact_id = await system.backend.upsert_contact(ERIKA)
    for change in Change:
        await system.backend.log_activity(contact_id, replace(BOOKED, id=f"0f4e-{change.value}", change=change))

    logged = await system.activities()
    assert [a.activity_id for a in logged] == ["0f4e-booked", "0f4e-rescheduled", "0f4e-cancelled"]
    assert all(change.value in activity.text for change, activity in zip(Change, logged, strict=True))


async def test_an_activity_is_logged_once_however_often_it_is_told(system: CrmSystem) -> None:
    """Ten at once and one afterwards."""
    contact_id = await system.backend.upsert_contact(ERIKA)
    await asyncio.gather(*(system.backend.log_activity(contact_id, BOOKED) for _ in range(10)))
    await system.backend.log_activity(contact_id, BOOKED)

    assert len(await system.activities()) == 1


async def test_an_activity_for_a_contact_that_is_not_there_is_refused(system: CrmSystem) -> None:
    """Nothing is logged that no contact shows."""
    contact_id = await system.backend.upsert_contact(ERIKA)
    nobody = str(int(contact_id[-4:]) + 77).rjust(len(contact_id), contact_id[0])
    with pytest.raises(InvalidRequestError):
        await system.backend.log_activity(nobody, BOOKED)

    assert await system.activities() == []


async def test_nothing_about_the_patient_is_in_an_error(system: CrmSystem, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the error's text nor in what is logged on the way."""
    with pytest.raises(BackendError) as caught:
        await system.backend.log_activity("-1", replace(BOOKED, appointment_type="oncology"))
    await system.backend.upsert_contact(replace(ERIKA, email="erika.geheim (work)"))

    told = f"{caught.value!r} {caught.value.__cause__!r} " + " ".join(str(vars(record)) for record in caplog.records)
    for secret in ("Geheim", "geheim", "5550123", "oncology", "APT-4K7WQX", ERIKA.key):
        assert secret not in told
