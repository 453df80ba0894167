"""HubSpot keeps the contract of every CRM, and what is its own: addresses, limits, properties that are not there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hubspot import Client  # type: ignore[import-untyped]
from hubspot.crm.contacts import ApiException, SimplePublicObjectInputForCreate  # type: ignore[import-untyped]
from hubspot.crm.objects.meetings import (  # type: ignore[import-untyped]
    SimplePublicObjectInputForCreate as MeetingForCreate,
)
from pydantic import ValidationError

from actions.crm.hubspot import HubSpotCrm, HubSpotSettings
from actions.crm.models import Contact
from actions.errors import (
    AuthFailedError,
    InvalidRequestError,
    OutcomeUnknownError,
    RateLimitedError,
    UnavailableError,
)
from actions.transport import TransportSettings, open_session
from tests.actions.crm.crm_contract import *  # noqa: F403
from tests.actions.crm.crm_contract import BOOKED, ERIKA, SOMEBODY, CrmSystem, Logged
from tests.actions.crm.crm_fakes import Failure, application, serving
from tests.actions.crm.hubspot_fake import ACTIVITY_ID, CONTACT_KEY, TOKEN, HubSpot, Record, error

# Without pauses of its own: the tests of the transport have them.
ONCE = TransportSettings(attempts=1)
AGAIN = TransportSettings(attempts=2)


class HubSpotSystem:
    def __init__(self, fake: HubSpot, url: str, backend: HubSpotCrm) -> None:
        self.fake = fake
        self.url = url
        self.backend = backend

    async def contacts(self) -> dict[str, Contact]:
        found = {}
        for record in self.fake.contacts:
            said = record.properties
            words = [said[part] for part in ("firstname", "lastname") if part in said]
            name = " ".join(words) if words not in ([], ["Unknown"]) else None
            found[record.id] = Contact(said[CONTACT_KEY], name, said.get("email"), said.get("phone"))
        return found

    async def activities(self) -> list[Logged]:
        return [
            Logged(
                meeting.contacts[0],
                meeting.properties[ACTIVITY_ID],
                meeting.properties["hs_meeting_start_time"],
                meeting.properties["hs_meeting_end_time"],
                f"{meeting.properties['hs_meeting_title']} {meeting.properties['hs_meeting_body']}",
            )
            for meeting in self.fake.meetings
        ]


def settings(url: str, transport: TransportSettings = AGAIN, **more: Any) -> HubSpotSettings:
    return HubSpotSettings.model_validate(
        {"type": "hubspot", "token": TOKEN, "base_url": url, "transport": transport, **more}
    )


@pytest.fixture(params=["2026-03", "v3"])
async def system(request: pytest.FixtureRequest) -> AsyncIterator[CrmSystem]:
    fake = HubSpot()
    # HubSpot's reference does not say how it refuses a second value of a unique property; people report both.
    fake.conflict_status = 409 if request.param == "v3" else 400
    async with serving(application(fake)) as url, open_session() as session:
        yield HubSpotSystem(fake, url, HubSpotCrm(settings(url, api_version=request.param), session))


@pytest.fixture
async def hubspot() -> AsyncIterator[HubSpotSystem]:
    fake = HubSpot()
    async with serving(application(fake)) as url, open_session() as session:
        yield HubSpotSystem(fake, url, HubSpotCrm(settings(url, ONCE), session))


async def test_hubspots_own_client_gets_on_with_the_fake() -> None:
    """Create, find by our properties, refuse, associate: what the backend uses, through the vendor's code."""
    fake = HubSpot()
    async with serving(application(fake)) as url:
        await asyncio.to_thread(_drive, url)
    assert [contact.properties["email"] for contact in fake.contacts] == ["a@b.de"]


def contact_for_create(properties: dict[str, str]) -> SimplePublicObjectInputForCreate:
    return SimplePublicObjectInputForCreate(associations=[], properties=properties)


def _drive(url: str) -> None:
    client = Client.create(access_token=TOKEN, host=url)
    api = client.crm.contacts.basic_api
    made = api.create(contact_for_create({CONTACT_KEY: "k1", "email": "a@b.de"}))
    found = api.get_by_id("k1", id_property=CONTACT_KEY, properties=["email", CONTACT_KEY])
    assert (found.id, found.properties) == (made.id, {"email": "a@b.de", CONTACT_KEY: "k1"})
    api.update("k1", {"properties": {"phone": "1"}}, id_property=CONTACT_KEY)
    with pytest.raises(ApiException) as conflict:
        api.create(contact_for_create({CONTACT_KEY: "k2", "email": "A@b.de"}))
    assert conflict.value.status == 409
    assert f"Existing ID: {made.id}" in str(conflict.value.body)
    for refused in ({"nickname": "x"}, {CONTACT_KEY: "k1", "lastname": "x"}, {CONTACT_KEY: "k3"}, {"email": "x"}):
        with pytest.raises(ApiException) as invalid:
            api.create(contact_for_create(refused))
        assert invalid.value.status == 400
    meetings = client.crm.objects.meetings.basic_api
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 200}]
    meeting = MeetingForCreate(
        associations=[{"to": {"id": made.id}, "types": types}],
        properties={ACTIVITY_ID: "a1", "hs_timestamp": "2026-11-24T09:00:00Z"},
    )
    meetings.create(meeting)
    shown = meetings.get_by_id(meetings.get_page().results[0].id, associations=["contacts"])
    assert shown.associations["contacts"].results[0].id == made.id
    stranger = Client.create(access_token="wrong", host=url)
    with pytest.raises(ApiException) as unauthorized:
        stranger.crm.contacts.basic_api.get_page()
    assert unauthorized.value.status == 401


async def test_a_contact_with_the_same_address_gets_our_key_and_keeps_what_people_wrote(
    hubspot: HubSpotSystem,
) -> None:
    """No second contact for one address, and nobody's chat overwrites another's name."""
    client = Client.create(access_token=TOKEN, host=hubspot.url)
    by_hand = contact_for_create({"email": "Erika.Geheim@example.org", "lastname": "Dr. Geheim"})
    made = await asyncio.to_thread(client.crm.contacts.basic_api.create, by_hand)

    assert await hubspot.backend.upsert_contact(ERIKA) == made.id
    assert await hubspot.backend.upsert_contact(Contact(ERIKA.key)) == made.id
    (contact,) = hubspot.fake.contacts
    assert contact.properties == {
        CONTACT_KEY: ERIKA.key,
        "email": "Erika.Geheim@example.org",
        "lastname": "Dr. Geheim",
        "phone": ERIKA.phone,
    }


async def test_a_second_conversation_with_the_address_shares_the_contact(hubspot: HubSpotSystem) -> None:
    """The newest conversation's key finds it, with and without the address."""
    first = await hubspot.backend.upsert_contact(ERIKA)
    second = await hubspot.backend.upsert_contact(Contact("ffff", "Erika Geheim", ERIKA.email))

    assert first == second == await hubspot.backend.upsert_contact(Contact("ffff"))
    assert len(hubspot.fake.contacts) == 1


@pytest.mark.parametrize("conflict_status", [400, 409])
async def test_who_loses_the_race_for_a_new_contact_brings_it_up_to_date(
    hubspot: HubSpotSystem, conflict_status: int
) -> None:
    """Not there when it was looked for, there when it was to be made."""
    hubspot.fake.conflict_status = conflict_status
    contact_id = await hubspot.backend.upsert_contact(Contact(SOMEBODY.key, phone="1"))
    hubspot.fake.switches.failures = [error(404, "OBJECT_NOT_FOUND", "resource not found")]

    assert await hubspot.backend.upsert_contact(Contact(SOMEBODY.key, phone="2")) == contact_id
    assert [contact.properties["phone"] for contact in hubspot.fake.contacts] == ["2"]


async def test_what_was_just_written_is_known_where_it_is_not_found_yet(hubspot: HubSpotSystem) -> None:
    """HubSpot refuses a second record long before it finds the first one: nothing is made twice, nothing waits."""
    hubspot.fake.lags = True
    contact_id = await hubspot.backend.upsert_contact(ERIKA)
    await hubspot.backend.log_activity(contact_id, BOOKED)

    later = Contact(ERIKA.key, "Erika Geheim", ERIKA.email, "+49 30 1")
    assert await hubspot.backend.upsert_contact(later) == contact_id
    await hubspot.backend.log_activity(contact_id, BOOKED)
    assert [contact.properties["phone"] for contact in hubspot.fake.contacts] == ["+49 30 1"]
    assert len(hubspot.fake.meetings) == 1


async def test_a_meeting_that_is_not_found_yet_is_known_by_the_refusal_of_a_second_one(hubspot: HubSpotSystem) -> None:
    """Whichever way HubSpot refuses it."""
    contact_id = await hubspot.backend.upsert_contact(ERIKA)
    await hubspot.backend.log_activity(contact_id, BOOKED)
    hubspot.fake.lags, hubspot.fake.conflict_status = True, 409

    await hubspot.backend.log_activity(contact_id, BOOKED)
    assert len(hubspot.fake.meetings) == 1


async def test_a_contact_of_ours_that_is_not_found_yet_keeps_out_the_address_of_another(hubspot: HubSpotSystem) -> None:
    """As it would if it were found."""
    await hubspot.backend.upsert_contact(ERIKA)
    mine = await hubspot.backend.upsert_contact(SOMEBODY)
    hubspot.fake.lags, hubspot.fake.conflict_status = True, 409

    assert await hubspot.backend.upsert_contact(Contact(SOMEBODY.key, phone="2")) == mine
    assert [c.properties.get("phone") for c in hubspot.fake.contacts] == [ERIKA.phone, "2"]


async def test_a_contact_that_people_deleted_is_made_anew(hubspot: HubSpotSystem) -> None:
    """Also between its upsert and its activity: the next delivery has a contact again."""
    contact_id = await hubspot.backend.upsert_contact(ERIKA)
    del hubspot.fake.records["contacts"][contact_id]
    with pytest.raises(InvalidRequestError):
        await hubspot.backend.log_activity(contact_id, BOOKED)

    again = await hubspot.backend.upsert_contact(ERIKA)
    await hubspot.backend.log_activity(again, BOOKED)
    assert [c.id for c in hubspot.fake.contacts] == [again] == hubspot.fake.meetings[0].contacts


async def test_a_contact_that_people_merged_into_another_is_found_by_its_address(hubspot: HubSpotSystem) -> None:
    """The one that is left has the address and no key of ours; what people wrote there stays."""
    merged = await hubspot.backend.upsert_contact(ERIKA)
    left = await hubspot.backend.upsert_contact(SOMEBODY)
    contacts = hubspot.fake.records["contacts"]
    contacts[left].properties |= {"email": contacts.pop(merged).properties["email"], "lastname": "Dr. Geheim"}

    assert await hubspot.backend.upsert_contact(ERIKA) == left
    assert [c.properties["lastname"] for c in hubspot.fake.contacts] == ["Dr. Geheim"]


async def test_an_address_that_another_contact_has_is_left_with_it(hubspot: HubSpotSystem) -> None:
    """Two contacts that exist are not merged, and the activity has one to go to."""
    other = await hubspot.backend.upsert_contact(ERIKA)
    mine = await hubspot.backend.upsert_contact(SOMEBODY)

    assert await hubspot.backend.upsert_contact(Contact(SOMEBODY.key, "Max", ERIKA.email)) == mine != other
    assert [c.properties.get("email") for c in hubspot.fake.contacts] == [ERIKA.email, None]


async def test_an_activity_is_a_meeting_of_its_time_and_outcome(hubspot: HubSpotSystem) -> None:
    """What HubSpot's timeline and reports go by."""
    await hubspot.backend.log_activity(await hubspot.backend.upsert_contact(ERIKA), BOOKED)

    (meeting,) = hubspot.fake.meetings
    assert meeting.properties["hs_timestamp"] == "2026-11-24T09:00:00Z"
    assert meeting.properties["hs_meeting_outcome"] == "SCHEDULED"
    assert meeting.properties["hs_meeting_title"] == "Appointment booked: general"


async def test_a_write_whose_answer_was_lost_is_repeated_without_a_second_record(system: CrmSystem) -> None:
    """The transport sends it again, HubSpot refuses the second one, and the first one is found."""
    assert isinstance(system, HubSpotSystem)
    system.fake.switches.cut_after_write = 1
    contact_id = await system.backend.upsert_contact(SOMEBODY)
    system.fake.switches.cut_after_write = 1
    await system.backend.log_activity(contact_id, BOOKED)

    assert (len(system.fake.contacts), len(system.fake.meetings)) == (1, 1)


async def test_without_a_second_try_the_outcome_is_unknown_and_the_next_call_settles_it(
    hubspot: HubSpotSystem,
) -> None:
    """As the outbox does it."""
    hubspot.fake.switches.cut_after_write = 1
    with pytest.raises(OutcomeUnknownError):
        await hubspot.backend.upsert_contact(ERIKA)
    contact_id = await hubspot.backend.upsert_contact(ERIKA)
    hubspot.fake.switches.cut_after_write = 1
    with pytest.raises(OutcomeUnknownError):
        await hubspot.backend.log_activity(contact_id, BOOKED)
    await hubspot.backend.log_activity(contact_id, BOOKED)

    assert (len(hubspot.fake.contacts), len(hubspot.fake.meetings)) == (1, 1)


@pytest.mark.parametrize("retry_after", [None, "7"])
async def test_too_many_requests_are_said_with_how_long_to_wait(
    hubspot: HubSpotSystem, retry_after: str | None
) -> None:
    """HubSpot says it for some of its limits."""
    hubspot.fake.switches.allowance = 0
    hubspot.fake.switches.retry_after = retry_after
    with pytest.raises(RateLimitedError) as caught:
        await hubspot.backend.upsert_contact(ERIKA)

    assert caught.value.retry_after == (float(retry_after) if retry_after else None)


@pytest.mark.parametrize("status", [423, 477, 502, 503])
async def test_a_hubspot_that_cannot_now_is_not_a_refusal(hubspot: HubSpotSystem, status: int) -> None:
    """Whatever was asked is asked again later; a read, as here, left nothing."""
    hubspot.fake.switches.failures = [Failure(status, {"status": "error"})]
    with pytest.raises(UnavailableError):
        await hubspot.backend.upsert_contact(SOMEBODY)


async def test_a_wrong_token_is_not_a_refusal_of_the_contact(hubspot: HubSpotSystem) -> None:
    """Nor is a scope that is missing."""
    hubspot.fake.scopes.discard("crm.objects.contacts.write")
    with pytest.raises(AuthFailedError, match="scope"):
        await hubspot.backend.upsert_contact(ERIKA)
    hubspot.fake.token = "another"
    with pytest.raises(AuthFailedError, match="401"):
        await hubspot.backend.ping()


async def test_a_token_that_was_replaced_in_its_file_is_used(tmp_path: Path) -> None:
    """No restart is needed."""
    file = tmp_path / "token"
    file.write_text("old\n")
    fake = HubSpot()
    async with serving(application(fake)) as url, open_session() as session:
        backend = HubSpotCrm(settings(url, token=None, token_file=file), session)
        with pytest.raises(AuthFailedError):
            await backend.ping()
        file.write_text(f"{TOKEN}\n")
        await backend.ping()


@pytest.mark.parametrize(("kind", "name"), [("contacts", CONTACT_KEY), ("meetings", ACTIVITY_ID)])
async def test_a_property_that_is_not_there_is_named(hubspot: HubSpotSystem, kind: str, name: str) -> None:
    """By the ping before anything is told, and by the refusal."""
    hubspot.fake.custom[kind].clear()

    with pytest.raises(InvalidRequestError, match=f"no property {name} with unique values for {kind}"):
        await hubspot.backend.ping()
    with pytest.raises(InvalidRequestError, match=f"VALIDATION_ERROR|PROPERTY_DOESNT_EXIST of {name}"):
        await hubspot.backend.log_activity(await hubspot.backend.upsert_contact(ERIKA), BOOKED)


async def test_a_refusal_says_what_and_repeats_no_value(hubspot: HubSpotSystem) -> None:
    """With the number that HubSpot's support asks for."""
    refusal = error(400, "VALIDATION_ERROR", 'Property values were not valid: [{"name":"lastname","error":"REQUIRED"}]')
    hubspot.fake.switches.failures = [error(404, "OBJECT_NOT_FOUND", "Geheim"), refusal]
    with pytest.raises(InvalidRequestError) as caught:
        await hubspot.backend.upsert_contact(SOMEBODY)

    assert str(caught.value) == (
        "HubSpot refused the contact: 400, REQUIRED of lastname, correlation id aeb5f871-7f07-4993-9211-075dc63e7cbf"
    )


async def test_refused_details_are_named_in_the_log(hubspot: HubSpotSystem, caplog: pytest.LogCaptureFixture) -> None:
    """By name, not by value."""
    with caplog.at_level(logging.WARNING):
        await hubspot.backend.upsert_contact(Contact(SOMEBODY.key, email="none"))

    (record,) = (record for record in caplog.records if record.message == "crm.details_refused")
    assert vars(record)["details"] == ["email"]
    assert "email" not in hubspot.fake.contacts[0].properties


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": None},
        {"token_file": "/run/secrets/hubspot"},
        {"api_version": "v2"},
        {"id_property": "Our Key"},
        {"base_url": "api.hubapi.com"},
        {"outbox": {"refusals": 0}},
    ],
)
def test_settings_that_cannot_be_used_are_refused(wrong: dict[str, object]) -> None:
    """And the token is in no message."""
    with pytest.raises(ValidationError) as caught:
        HubSpotSettings.model_validate({"type": "hubspot", "token": TOKEN, **wrong})
    assert TOKEN not in str(caught.value)


async def test_a_contact_that_people_merged_into_another_is_that_one_from_then_on(hubspot: HubSpotSystem) -> None:
    """HubSpot answers to the old id with the one that is left: no third contact, and that one's name stays its own."""
    known = await hubspot.backend.upsert_contact(SOMEBODY)
    for number in range(2):
        left = _contact_by_hand(hubspot, "Geheim-Meier") if number else await hubspot.backend.upsert_contact(ERIKA)
        hubspot.fake.merge(known, left)
        told = replace(SOMEBODY, name="Somebody Else", record=known)

        assert await hubspot.backend.upsert_contact(told) == left
        await hubspot.backend.log_activity(left, BOOKED)

        assert [contact.id for contact in hubspot.fake.contacts] == [left]
        assert hubspot.fake.contacts[0].properties["lastname"] in ("Geheim", "Geheim-Meier")
        known = left


async def test_an_id_of_another_account_finds_nobody(hubspot: HubSpotSystem) -> None:
    """Who has that id there is somebody else."""
    other = _contact_by_hand(hubspot, "Meier")

    assert await hubspot.backend.upsert_contact(replace(ERIKA, record=other)) != other
    assert len(hubspot.fake.contacts) == 2


def _contact_by_hand(hubspot: HubSpotSystem, name: str) -> str:
    record = Record(f"9{len(hubspot.fake.contacts)}", {"lastname": name})
    hubspot.fake.records["contacts"][record.id] = record
    return record.id
