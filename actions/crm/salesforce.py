"""Salesforce as the CRM: a Contact for each patient, and an Event for whatever became of an appointment.

A Contact is upserted by an external id. An Event is created, never upserted: its external id is unique, and the
refusal of a second one is what makes a repeat harmless.
https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_upsert_patch.htm
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import quote

import aiohttp
import stamina
from pydantic import Field, SecretStr, StringConstraints, model_validator

from actions.crm.models import Activity, Contact
from actions.crm.records import Names, VendorSettings, drop_refused, text_of, timestamp, title_of, upsert
from actions.crm.salesforce_login import SalesforceLogin
from actions.errors import AuthFailedError, InvalidRequestError, RateLimitedError, UnavailableError
from actions.transport import BaseUrl, Response, Transport
from actions.transport.credentials import Secret
from actions.transport.grants import ClientSecretGrant, JwtBearerGrant, Signer
from actions.transport.tokens import Grant

# Somebody else writes to the same record, or to the account above it; that takes moments.
_LOCKED = "UNABLE_TO_LOCK_ROW"
_LOCK_TRIES = 4
_LOCK_PAUSE = 0.2
# Duplicate rules that only warn refuse what comes through the API, unless it says that it has seen the warning.
_SAVE_THOUGH_SIMILAR = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}

_MISSING, _TAKEN = "REQUIRED_FIELD_MISSING", "DUPLICATE_VALUE"
# What Salesforce says of a record that is not there (any more).
_GONE = {"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND", "MALFORMED_ID"}
_RECORD_ID = re.compile(r"[A-Za-z0-9]{15,18}")
# A Contact that was merged into one that was merged, and so on: so many are followed.
_MOST_MERGES = 5
_NAMES = Names("FirstName", "LastName", "Email", "Phone")
_LONGEST = {"FirstName": 40, "LastName": 80, "Email": 80, "Phone": 40}

_Field = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}__c$")]


class SalesforceSettings(VendorSettings):
    """Where Salesforce is, how to log in, and which of its fields are ours.

    With `client_secret` the login is OAuth's client credentials; with `private_key` and `username` it is the JWT
    bearer flow, whose `audience` is https://test.salesforce.com for a sandbox.

    Attributes:
        login_url: the My Domain of the organisation, https://NAME.my.salesforce.com.
        client_id: the consumer key of the external client app or connected app.
        api_version: such as 62.0.
        contact_field: of Contact, text, external id, unique: holds the contact's key.
        activity_field: of Activity, text, external id, unique: holds the activity's id.
        unknown_name: the last name, which Salesforce demands, of somebody who gave none.
    """

    type: Literal["salesforce"]
    login_url: BaseUrl
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    private_key: SecretStr | None = None
    private_key_file: Path | None = None
    username: str | None = None
    audience: str = "https://login.salesforce.com"
    api_version: Annotated[str, StringConstraints(pattern=r"^(4[6-9]|[5-9]\d)\.0$")] = "62.0"
    contact_field: _Field = "Action_Server_Contact__c"
    activity_field: _Field = "Action_Server_Activity__c"

    @model_validator(mode="after")
    def _has_one_login(self) -> SalesforceSettings:
        given = (self.client_secret, self.client_secret_file, self.private_key, self.private_key_file)
        if sum(value is not None for value in given) != 1:
            raise ValueError("give exactly one of client_secret, client_secret_file, private_key, private_key_file")
        by_key = self.private_key is not None or self.private_key_file is not None
        if by_key != (self.username is not None):
            raise ValueError("username belongs to private_key, and is the user that Salesforce lets the key act for")
        return self

    def grant(self) -> Grant:
        """Return what is sent to log in."""
        if self.username is None:
            secret = Secret("Salesforce's client_secret", self.client_secret, self.client_secret_file)
            return ClientSecretGrant(self.client_id, secret, None, "body")
        key = Secret("Salesforce's private_key", self.private_key, self.private_key_file)
        return JwtBearerGrant(self.client_id, self.username, Signer(key, "RS256", None), None, self.audience)


class Problem(NamedTuple):
    """One of the errors in an answer of Salesforce."""

    code: str
    fields: frozenset[str]
    message: str


class SalesforceCrm:
    """A `CrmBackend` on Salesforce."""

    def __init__(self, settings: SalesforceSettings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._session = session
        login = Transport(session, "Salesforce", settings.login_url, settings=settings.transport)
        self._login = SalesforceLogin(login, settings.grant(), settings.login_url.partition("/")[0])
        self._instance: tuple[str, Transport] | None = None

    async def upsert_contact(self, contact: Contact) -> str:
        """Make the Contact, or bring it up to date, and return its Id."""
        fields = _fields(contact)
        if contact.record is not None and _RECORD_ID.fullmatch(contact.record):
            known = await self._update(contact.record, fields) or await self._merged(contact.record, contact.key)
            if known:
                return known
        return await upsert("Salesforce", self._upsert, self._create, contact.key, fields)

    async def log_activity(self, contact_id: str, activity: Activity) -> None:
        """Log the activity as an Event; Salesforce refuses a second one with its id, which is how a repeat ends."""
        event = {
            self._settings.activity_field: activity.id,
            "WhoId": contact_id,
            "Subject": title_of(activity),
            "Description": text_of(activity),
            "StartDateTime": timestamp(activity.start),
            "EndDateTime": timestamp(activity.end),
            # It tells what happened. The time belongs to the clinic's calendar, not to whom the API acts for.
            "ShowAs": "Free",
        }
        answer = await self._request("POST", "Event", json=event)
        if answer.status == 201 or self._is_taken(answer, self._settings.activity_field):
            return
        raise _refusal("the Event", answer)

    async def ping(self) -> None:
        """Return if we can log in, and may write Contact and Event with our two fields; nothing is written."""
        wanted = {"Contact": self._settings.contact_field, "Event": self._settings.activity_field}
        for kind, name in wanted.items():
            answer = await self._request("GET", f"{kind}/describe")
            if answer.status != 200:
                raise _refusal(f"to describe {kind}; is api_version right?", answer)
            described = answer.json()
            if not described.get("createable"):
                raise AuthFailedError(f"Salesforce does not let the user create {kind} records")
            field = next((f for f in described.get("fields", []) if f.get("name") == name), None)
            if field is None or not field.get("createable"):
                raise InvalidRequestError(f"Salesforce has no field {name} of {kind} that the user may write")
            if not (field.get("externalId") and field.get("unique")):
                raise InvalidRequestError(f"Salesforce's field {name} of {kind} is not a unique external id")

    async def _update(self, record: str, fields: Mapping[str, str]) -> str | None:
        """Bring a Contact up to date by its Id and return that; None if it is gone."""
        method, body = ("PATCH", fields) if fields else ("GET", None)
        answer = await self._request(method, f"Contact/{record}", json=body)
        if answer.status in (200, 204):
            return record
        if answer.status == 404 or _GONE & {problem.code for problem in _problems(answer)}:
            return None
        return await self._update(record, _without_refused(fields, answer))

    async def _merged(self, record: str, key: str) -> str | None:
        """Return the Contact into which people have merged this one; None if it was deleted for other reasons."""
        ours = self._settings.contact_field
        wanted: object = record
        for _ in range(_MOST_MERGES):
            if not isinstance(wanted, str) or not _RECORD_ID.fullmatch(wanted):
                return None
            query = f"SELECT Id, IsDeleted, MasterRecordId, {ours} FROM Contact WHERE Id = '{wanted}'"  # noqa: S608 (two checked names)
            answer = await self._request("GET", "queryAll", params={"q": query})
            found = answer.json().get("records") if answer.status == 200 else None
            if not found:
                return None
            if not found[0].get("IsDeleted"):
                if not found[0].get(ours):
                    # From now on it is found by our key, unless somebody minds.
                    await self._request("PATCH", f"Contact/{wanted}", json={ours: key})
                return wanted
            wanted = found[0].get("MasterRecordId")
        return None

    async def _upsert(self, key: str, fields: Mapping[str, str]) -> str | None:
        """Bring the Contact with our key up to date, or make it; None if it is not there and cannot be made of that."""
        path = f"Contact/{self._settings.contact_field}/{quote(key, safe='')}"
        if not fields:
            answer = await self._request("GET", path)
            if answer.status == 404:
                return None
            return _id(answer, "Id")
        answer = await self._request("PATCH", path, json=fields)
        if answer.status in (200, 201):
            return _id(answer, "id")
        missing = {field for problem in _problems(answer) for field in problem.fields if problem.code == _MISSING}
        if missing == {"LastName"} or self._is_taken(answer, self._settings.contact_field):
            return None
        return await self._upsert(key, _without_refused(fields, answer))

    async def _create(self, key: str, fields: Mapping[str, str]) -> str | None:
        """Make the Contact of somebody without a last name; None if somebody else was faster.

        An upsert with the name that stands for none could overwrite the real one, which came in between.
        """
        record = {self._settings.contact_field: key, "LastName": self._settings.unknown_name, **fields}
        answer = await self._request("POST", "Contact", json=record)
        if answer.status == 201:
            return _id(answer, "id")
        if self._is_taken(answer, self._settings.contact_field):
            return None
        return await self._create(key, _without_refused(fields, answer))

    def _is_taken(self, answer: Response, field: str) -> bool:
        return any(problem.code == _TAKEN and field in problem.message for problem in _problems(answer))

    async def _request(
        self, method: str, path: str, *, json: object = None, params: Mapping[str, str] | None = None
    ) -> Response:
        """Send a request to the instance; raises `UnavailableError` if records stay locked."""
        tries = stamina.retry_context(
            _LockedError, attempts=_LOCK_TRIES, timeout=None, wait_initial=_LOCK_PAUSE, wait_jitter=_LOCK_PAUSE
        )
        async for attempt in tries.with_name("Salesforce", (), {}):
            with attempt:
                return await self._request_once(method, path, json, params)
        raise AssertionError("stamina ended without an answer and without an exception")

    async def _request_once(self, method: str, path: str, json: object, params: Mapping[str, str] | None) -> Response:
        # Every write here may be repeated: our unique fields keep a second one from making a second record.
        place = path if path == "queryAll" else f"sobjects/{path}"
        answer = await (await self._transport()).request(
            method,
            f"/services/data/v{self._settings.api_version}/{place}",
            params=params,
            headers=_SAVE_THOUGH_SIMILAR if path.startswith("Contact") and method != "GET" else None,
            json=json,
            repeatable=True,
            accept=(403,),
            name=path.partition("/")[0],
        )
        codes = {problem.code for problem in _problems(answer)} if answer.status >= 400 else set()
        if _LOCKED in codes:
            raise _LockedError("Salesforce keeps the record locked for somebody else")
        if answer.status == 403:
            if "REQUEST_LIMIT_EXCEEDED" in codes:
                raise RateLimitedError("Salesforce has had as many requests as it grants in a day, or at once")
            raise AuthFailedError(f"Salesforce refuses this to the user: {', '.join(sorted(codes)) or '403'}")
        return answer

    async def _transport(self) -> Transport:
        url = (await self._login.session()).instance_url
        if self._instance is None or self._instance[0] != url:
            transport = Transport(
                self._session, "Salesforce", url, credentials=self._login, settings=self._settings.transport
            )
            self._instance = (url, transport)
        return self._instance[1]


class _LockedError(UnavailableError):
    """Somebody else is writing to the record."""


def _fields(contact: Contact) -> dict[str, str]:
    """Return Salesforce's fields for what is known, no longer than Salesforce takes them."""
    return {name: value[: _LONGEST[name]] for name, value in _NAMES.fields_of(contact).items()}


def _problems(answer: Response) -> list[Problem]:
    """Return the errors in an answer: Salesforce sends a list of objects."""
    try:
        found = json.loads(answer.body)
        return [
            Problem(str(item["errorCode"]), frozenset(item.get("fields") or ()), str(item.get("message")))
            for item in found
        ]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _without_refused(fields: Mapping[str, str], answer: Response) -> dict[str, str]:
    """Return the fields without those that Salesforce took exception to; raise if the refusal is about more."""
    problems = _problems(answer)
    refused = {field for problem in problems for field in problem.fields}
    if answer.status != 400 or not problems or not all(p.fields and p.fields <= fields.keys() for p in problems):
        raise _refusal("the Contact", answer)
    return drop_refused(fields, refused)


def _refusal(what: str, answer: Response) -> InvalidRequestError:
    # Salesforce's own message repeats the values; codes and names of fields do not.
    reasons = [f"{p.code} ({', '.join(sorted(p.fields))})" if p.fields else p.code for p in _problems(answer)]
    return InvalidRequestError(f"Salesforce refused {what}: {answer.status} {', '.join(reasons)}".rstrip())


def _id(answer: Response, name: str) -> str:
    found = answer.json().get(name) if answer.status in (200, 201) else None
    if not isinstance(found, str) or not found:
        raise _refusal("the Contact", answer)
    return found
