"""Salesforce keeps the contract of every CRM, and what is its own: logins, locks, limits, names it demands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce as Client
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceMalformedRequest, SalesforceRefusedRequest

from actions.crm.models import Contact
from actions.crm.salesforce import SalesforceCrm, SalesforceSettings
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
from tests.actions.crm.salesforce_fake import (
    ACTIVITY_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    CONTACT_KEY,
    LOCKED,
    USERNAME,
    Salesforce,
    error,
)

ONCE = TransportSettings(attempts=1)
AGAIN = TransportSettings(attempts=2)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
BY_SECRET = {"client_secret": CLIENT_SECRET}
BY_KEY = {"private_key": PEM, "username": USERNAME}


class SalesforceSystem:
    def __init__(self, fake: Salesforce, url: str, backend: SalesforceCrm) -> None:
        self.fake = fake
        self.url = url
        self.backend = backend

    async def contacts(self) -> dict[str, Contact]:
        found = {}
        for record in self.fake.contacts:
            words = [record[part] for part in ("FirstName", "LastName") if part in record]
            name = " ".join(words) if words != ["Unknown"] else None
            found[record["Id"]] = Contact(record[CONTACT_KEY], name, record.get("Email"), record.get("Phone"))
        return found

    async def activities(self) -> list[Logged]:
        return [
            Logged(
                event["WhoId"],
                event[ACTIVITY_ID],
                event["StartDateTime"],
                event["EndDateTime"],
                f"{event['Subject']} {event['Description']}",
            )
            for event in self.fake.events
        ]


def settings(url: str, login: dict[str, str], transport: TransportSettings = AGAIN, **more: Any) -> SalesforceSettings:
    given = {"type": "salesforce", "login_url": url, "client_id": CLIENT_ID, "transport": transport}
    return SalesforceSettings.model_validate({**given, **login, **more})


@pytest.fixture(params=[BY_SECRET, BY_KEY], ids=["client credentials", "jwt bearer"])
async def system(request: pytest.FixtureRequest) -> AsyncIterator[CrmSystem]:
    fake = Salesforce(public_key=KEY.public_key())
    async with serving(application(fake)) as url, open_session() as session:
        yield SalesforceSystem(fake, url, SalesforceCrm(settings(url, request.param), session))


@pytest.fixture
async def salesforce() -> AsyncIterator[SalesforceSystem]:
    fake = Salesforce()
    async with serving(application(fake)) as url, open_session() as session:
        yield SalesforceSystem(fake, url, SalesforceCrm(settings(url, BY_SECRET, ONCE), session))


class ToTheFake(HTTPAdapter):
    """Sends what simple-salesforce sends to https://NAME.salesforce.com, which cannot be set, to the fake."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = self.url + request.path_url
        return super().send(request, *args, **kwargs)


def client(url: str, **login: Any) -> Any:
    session = requests.Session()
    session.mount("https://", ToTheFake(url))
    return Client(session=session, consumer_key=CLIENT_ID, **login)


async def test_simple_salesforce_gets_on_with_the_fake() -> None:
    """Log in both ways, upsert, create, refuse: what the backend uses, through another client's code."""
    fake = Salesforce(public_key=KEY.public_key())
    async with serving(application(fake)) as url:
        await asyncio.to_thread(_drive, url, fake)
    assert [(contact["LastName"], contact["Phone"]) for contact in fake.contacts] == [("Geheim", "1")]


def _drive(url: str, fake: Salesforce) -> None:
    by_key = client(url, username=USERNAME, privatekey=PEM)
    by_secret = client(url, consumer_secret=CLIENT_SECRET, domain="clinic.my")
    assert by_key.Contact.upsert(f"{CONTACT_KEY}/k1", {"LastName": "Geheim"}) == 201
    assert by_secret.Contact.upsert(f"{CONTACT_KEY}/K1", {"Phone": "1"}) == 200
    contact = by_secret.Contact.get_by_custom_id(CONTACT_KEY, "k1")["Id"]
    times = {"StartDateTime": "2026-11-24T09:00:00Z", "EndDateTime": "2026-11-24T09:30:00Z"}
    event = {ACTIVITY_ID: "a1", "WhoId": contact, **times}
    assert by_secret.Event.create(event)["success"]
    assert {field["name"] for field in by_secret.Event.describe()["fields"]} >= {ACTIVITY_ID, "WhoId"}
    refused = {
        "DUPLICATE_VALUE": event,
        "INVALID_FIELD": {"Nickname": "x", **times},
        "REQUIRED_FIELD_MISSING": {"WhoId": contact},
        "INVALID_CROSS_REFERENCE_KEY": {**times, "WhoId": "003nobody"},
    }
    for code, body in refused.items():
        with pytest.raises(SalesforceMalformedRequest) as malformed:
            by_secret.Event.create(body)
        content: Any = malformed.value.content
        assert content[0]["errorCode"] == code
    fake.switches.allowance = 0
    with pytest.raises(SalesforceRefusedRequest):
        by_secret.Contact.describe()
    fake.switches.allowance = None
    by_hand = client(url, session_id="old", instance_url="https://clinic.my.salesforce.com")
    with pytest.raises(SalesforceExpiredSession):
        by_hand.Contact.describe()


async def test_an_activity_is_an_event_that_takes_nobodys_time(salesforce: SalesforceSystem) -> None:
    """The calendar of whoever the API acts for stays free."""
    await salesforce.backend.log_activity(await salesforce.backend.upsert_contact(ERIKA), BOOKED)

    (event,) = salesforce.fake.events
    assert (event["Subject"], event["ShowAs"]) == ("Appointment booked: general", "Free")


async def test_a_name_that_is_not_known_does_not_replace_one_that_is(salesforce: SalesforceSystem) -> None:
    """Salesforce demands a last name for a new Contact only."""
    await salesforce.backend.upsert_contact(ERIKA)
    await salesforce.backend.upsert_contact(Contact(ERIKA.key, phone="1"))
    await salesforce.backend.upsert_contact(Contact(SOMEBODY.key, phone="2"))

    assert [(c["LastName"], c["Phone"]) for c in salesforce.fake.contacts] == [("Geheim", "1"), ("Unknown", "2")]


async def test_a_warning_about_similar_contacts_is_not_a_refusal(salesforce: SalesforceSystem) -> None:
    """As duplicate rules are by default: people see the warning, and may save."""
    salesforce.fake.duplicate_rule = True
    await salesforce.backend.upsert_contact(ERIKA)
    await salesforce.backend.upsert_contact(Contact(SOMEBODY.key, ERIKA.name, ERIKA.email))

    assert len(salesforce.fake.contacts) == 2


async def test_requests_go_where_the_login_says(salesforce: SalesforceSystem) -> None:
    """The instance may be another host than the login."""
    instance = Salesforce()
    instance.sessions = salesforce.fake.sessions
    async with serving(application(instance)) as url:
        salesforce.fake.instance_url = url
        await salesforce.backend.upsert_contact(ERIKA)

    assert len(instance.contacts) == 1
    assert salesforce.fake.switches.requests == ["POST /services/oauth2/token"]


async def test_a_session_that_ended_is_made_anew(salesforce: SalesforceSystem) -> None:
    """Once, for all that find out at the same time."""
    await salesforce.backend.upsert_contact(ERIKA)
    salesforce.fake.expire()
    await asyncio.gather(*(salesforce.backend.upsert_contact(ERIKA) for _ in range(10)))

    assert salesforce.fake.logins == 2


@pytest.mark.parametrize(
    ("login", "why"),
    [
        ({"client_secret": "wrong"}, "gave no token: .* \\(invalid_grant\\)"),
        ({"private_key": PEM, "username": "somebody.else"}, "gave no token: .* \\(invalid_grant\\)"),
        ({"private_key": "not a key", "username": USERNAME}, "not a private key"),
    ],
    ids=["secret", "user", "key"],
)
async def test_a_login_that_is_refused_says_so(system: CrmSystem, login: dict[str, str], why: str) -> None:
    """The ping tells what to look at, and nothing secret."""
    assert isinstance(system, SalesforceSystem)
    async with open_session() as session:
        with pytest.raises(AuthFailedError, match=why) as caught:
            await SalesforceCrm(settings(system.url, login), session).ping()
    assert all(value not in str(caught.value) for name, value in login.items() if name != "username")


async def test_a_login_that_is_refused_is_tried_once_for_all_who_wait(salesforce: SalesforceSystem) -> None:
    """Each try of its own would bring the account nearer to being locked."""
    salesforce.fake.switches.failures = [Failure(400, {"error": "invalid_client"})]

    tried = [salesforce.backend.upsert_contact(ERIKA) for _ in range(5)]
    outcomes = await asyncio.gather(*tried, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [AuthFailedError] * 5
    assert salesforce.fake.switches.failures == []


async def test_a_login_that_cannot_be_reached_did_nothing() -> None:
    """Whatever was to be written after it."""
    async with serving(application(Salesforce())) as url:
        pass
    async with open_session() as session:
        with pytest.raises(UnavailableError, match="refuses connections"):
            await SalesforceCrm(settings(url, BY_SECRET, ONCE), session).upsert_contact(ERIKA)


async def test_a_locked_record_is_tried_again(salesforce: SalesforceSystem) -> None:
    """Until somebody else has finished with it."""
    await salesforce.backend.ping()
    salesforce.fake.switches.failures = [LOCKED, LOCKED]
    await salesforce.backend.upsert_contact(ERIKA)

    assert len(salesforce.fake.contacts) == 1


async def test_a_login_that_answers_something_else_is_refused_too(salesforce: SalesforceSystem) -> None:
    """A page of a proxy, for example."""
    salesforce.fake.switches.failures = [Failure(403, ["no"])]
    with pytest.raises(AuthFailedError, match="gave no token: it answered 403"):
        await salesforce.backend.ping()


async def test_too_many_requests_come_as_403(salesforce: SalesforceSystem) -> None:
    """And are no lack of a permission; Salesforce does not say for how long."""
    await salesforce.backend.ping()
    salesforce.fake.switches.allowance = 0
    with pytest.raises(RateLimitedError) as caught:
        await salesforce.backend.upsert_contact(ERIKA)

    assert caught.value.retry_after is None


async def test_another_403_is_a_lack_of_permission(salesforce: SalesforceSystem) -> None:
    """Named as Salesforce names it."""
    await salesforce.backend.ping()
    salesforce.fake.switches.failures = [error(403, "API_DISABLED_FOR_ORG", "no")]
    with pytest.raises(AuthFailedError, match="API_DISABLED_FOR_ORG"):
        await salesforce.backend.upsert_contact(ERIKA)


async def test_a_write_whose_answer_was_lost_is_repeated_without_a_second_record(system: CrmSystem) -> None:
    """A Contact is upserted again; an Event is refused, as it is there."""
    assert isinstance(system, SalesforceSystem)
    await system.backend.ping()
    system.fake.switches.cut_after_write = 1
    contact_id = await system.backend.upsert_contact(ERIKA)
    system.fake.switches.cut_after_write = 1
    await system.backend.log_activity(contact_id, BOOKED)

    assert (len(system.fake.contacts), len(system.fake.events)) == (1, 1)


async def test_without_a_second_try_the_outcome_is_unknown_and_the_next_call_settles_it(
    salesforce: SalesforceSystem,
) -> None:
    """As the outbox does it."""
    contact_id = await salesforce.backend.upsert_contact(ERIKA)
    salesforce.fake.switches.cut_after_write = 1
    with pytest.raises(OutcomeUnknownError):
        await salesforce.backend.log_activity(contact_id, BOOKED)
    await salesforce.backend.log_activity(contact_id, BOOKED)

    assert len(salesforce.fake.events) == 1


async def test_a_failing_salesforce_is_not_a_refusal(salesforce: SalesforceSystem) -> None:
    """A server that is busy says so with 503."""
    await salesforce.backend.ping()
    salesforce.fake.switches.failures = [Failure(503, [{"errorCode": "SERVER_UNAVAILABLE", "message": "busy"}])]
    with pytest.raises(UnavailableError):
        await salesforce.backend.upsert_contact(SOMEBODY)


@pytest.mark.parametrize(("kind", "name"), [("Contact", CONTACT_KEY), ("Event", ACTIVITY_ID)])
async def test_a_field_that_is_not_there_is_named(salesforce: SalesforceSystem, kind: str, name: str) -> None:
    """By the ping before anything is told, and by the refusal."""
    salesforce.fake.missing.add(name)

    with pytest.raises(InvalidRequestError, match=f"no field {name} of {kind} that the user may write"):
        await salesforce.backend.ping()
    with pytest.raises(InvalidRequestError, match=r"NOT_FOUND|INVALID_FIELD"):
        await salesforce.backend.log_activity(await salesforce.backend.upsert_contact(ERIKA), BOOKED)


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_secret": None},
        {"client_secret_file": "/run/secrets/salesforce"},
        {"username": USERNAME},
        {"client_secret": None, "private_key": PEM},
        {"api_version": "v62.0"},
        {"contact_field": "Our_Key"},
        {"login_url": "clinic.my.salesforce.com"},
    ],
)
def test_settings_that_cannot_be_used_are_refused(wrong: dict[str, object]) -> None:
    """And the secret is in no message."""
    given = {"type": "salesforce", "login_url": "https://clinic.my.salesforce.com", "client_id": CLIENT_ID}
    with pytest.raises(ValidationError) as caught:
        SalesforceSettings.model_validate({**given, **BY_SECRET, **wrong})
    assert CLIENT_SECRET not in str(caught.value)


async def test_a_contact_that_people_merged_into_another_is_that_one_from_then_on(salesforce: SalesforceSystem) -> None:
    """Also if that one was merged in turn: no further Contact is made, and its details stay as people left them."""
    known = await salesforce.backend.upsert_contact(SOMEBODY)
    between = await salesforce.backend.upsert_contact(Contact("ffff", "Erika Meier"))
    left = await salesforce.backend.upsert_contact(ERIKA)
    salesforce.fake.delete(known, between)
    salesforce.fake.delete(between, left)

    for _ in range(2):
        assert await salesforce.backend.upsert_contact(Contact(SOMEBODY.key, "Somebody Else", record=known)) == left
    await salesforce.backend.log_activity(left, BOOKED)

    assert [(c["Id"], c["LastName"], c[CONTACT_KEY]) for c in salesforce.fake.contacts] == [(left, "Geheim", ERIKA.key)]


async def test_a_contact_without_our_key_gets_it_when_ours_was_merged_into_it(salesforce: SalesforceSystem) -> None:
    """Then the key finds it, too."""
    known = await salesforce.backend.upsert_contact(SOMEBODY)
    by_hand = await salesforce.backend.upsert_contact(ERIKA)
    del salesforce.fake.records["Contact"][by_hand][CONTACT_KEY]
    salesforce.fake.delete(known, by_hand)

    assert await salesforce.backend.upsert_contact(Contact(SOMEBODY.key, record=known)) == by_hand
    assert await salesforce.backend.upsert_contact(Contact(SOMEBODY.key)) == by_hand


async def test_a_contact_that_is_known_by_its_id_is_brought_up_to_date(salesforce: SalesforceSystem) -> None:
    """Though people have changed its key; one that they deleted is made anew."""
    known = await salesforce.backend.upsert_contact(ERIKA)
    salesforce.fake.records["Contact"][known][CONTACT_KEY] = "changed by hand"

    for details in ({"phone": "1"}, {}, {"phone": "2", "email": "no address"}):
        assert await salesforce.backend.upsert_contact(Contact(ERIKA.key, record=known, **details)) == known
    assert [c["Phone"] for c in salesforce.fake.contacts] == ["2"]

    salesforce.fake.delete(known)
    again = await salesforce.backend.upsert_contact(Contact(ERIKA.key, "Erika Geheim", record=known))
    assert [c["Id"] for c in salesforce.fake.contacts] == [again]
