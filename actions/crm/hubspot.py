"""HubSpot as the CRM: a contact for each patient, and a meeting on its timeline for whatever became of an appointment.

Both are found again by properties of ours that HubSpot keeps unique, never by its search, which lags behind what was
written. Where even those do not know yet what was just written, its refusal of a second one does: that is believed.
https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/guide
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

import aiohttp
from pydantic import SecretStr, StringConstraints, model_validator

from actions.crm.models import Activity, Contact
from actions.crm.records import Names, VendorSettings, drop_refused, text_of, timestamp, title_of, upsert, without
from actions.errors import InvalidRequestError, UnavailableError
from actions.scheduling.models import Change
from actions.transport import BaseUrl, JsonObject, Response, Transport, TransportSettings
from actions.transport.credentials import Secret, bearer

_logger = logging.getLogger(__name__)

_EXISTING = re.compile(r"Existing ID:\s*(\d+)")
_NOT_UNIQUE = "CONFLICTING_UNIQUE_VALUE"
# HubSpot's number for "meeting to contact".
# https://developers.hubspot.com/docs/api-reference/latest/crm/associations/associate-records/guide
_MEETING_TO_CONTACT = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 200}
_OUTCOMES = {Change.BOOKED: "SCHEDULED", Change.RESCHEDULED: "RESCHEDULED", Change.CANCELLED: "CANCELED"}
# Locked while it is changed in bulk, and moving to another data centre.
# https://developers.hubspot.com/docs/api-reference/error-handling
_NOT_NOW = (423, 477)
_NAMES = Names("firstname", "lastname", "email", "phone")

_Property = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,99}$")]


class HubSpotSettings(VendorSettings):
    """Where HubSpot is, and which of its properties are ours.

    Attributes:
        token: of a private app, or `token_file` with it: scopes `crm.objects.contacts.read` and `.write`.
        api_version: a date such as 2026-03, or v3 for the paths that HubSpot had before.
        id_property: of contacts, text, with unique values: holds the contact's key.
        activity_property: of meetings, text, with unique values: holds the activity's id.
        unknown_name: the last name of somebody who gave neither a name nor an email address.
    """

    type: Literal["hubspot"]
    token: SecretStr | None = None
    token_file: Path | None = None
    base_url: BaseUrl = "https://api.hubapi.com"
    api_version: Annotated[str, StringConstraints(pattern=r"^(v3|20\d\d-\d\d)$")] = "2026-03"
    id_property: _Property = "action_server_contact"
    activity_property: _Property = "action_server_activity"
    # Below the 100 requests in 10 s that HubSpot grants the smallest accounts, for all of their integrations together.
    transport: TransportSettings = TransportSettings(rate=(60, 10.0))

    @model_validator(mode="after")
    def _has_one_token(self) -> HubSpotSettings:
        if (self.token is None) == (self.token_file is None):
            raise ValueError("give either token or token_file")
        return self


class HubSpotCrm:
    """A `CrmBackend` on HubSpot.

    A contact is the one with our key or, failing that, the one with the patient's email address, which then gets our
    key: HubSpot has one contact for an address. What people wrote into such a contact is not overwritten, since anybody
    can say anybody's address to an assistant.
    """

    def __init__(self, settings: HubSpotSettings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._transport = Transport(
            session,
            "HubSpot",
            settings.base_url,
            credentials=bearer(Secret("HubSpot's token", settings.token, settings.token_file)),
            settings=settings.transport,
        )

    async def upsert_contact(self, contact: Contact) -> str:
        """Make the contact, or bring it up to date, and return HubSpot's record id."""

        async def update(key: str, details: Mapping[str, str]) -> str | None:
            return await self._update(key, details) or await self._merged(contact.record, key, details)

        return await upsert("HubSpot", update, self._create, contact.key, _NAMES.fields_of(contact))

    async def log_activity(self, contact_id: str, activity: Activity) -> None:
        """Log the activity as a meeting; HubSpot refuses a second one with its id, which is how a repeat ends."""
        meeting = {
            "properties": {
                self._settings.activity_property: activity.id,
                "hs_timestamp": timestamp(activity.start),
                "hs_meeting_title": title_of(activity),
                "hs_meeting_body": text_of(activity),
                "hs_meeting_start_time": timestamp(activity.start),
                "hs_meeting_end_time": timestamp(activity.end),
                "hs_meeting_outcome": _OUTCOMES[activity.change],
            },
            "associations": [{"to": {"id": contact_id}, "types": [_MEETING_TO_CONTACT]}],
        }
        answer = await self._request("POST", "meetings", json=meeting)
        if answer.status == 201:
            return
        if _says_it_exists(answer) and await self._is_logged(activity.id, answer):
            return
        raise _refusal("the activity", answer)

    async def ping(self) -> None:
        """Return if HubSpot answers, takes the token and has our two properties; nothing is written."""
        properties = {"contacts": self._settings.id_property, "meetings": self._settings.activity_property}
        for kind, name in properties.items():
            listed = await self._request("GET", kind, params={"limit": "1", "properties": name})
            if listed.status != 200:
                raise _refusal(f"to list {kind}; is api_version right?", listed)
            # No record has this value; 404 says that one could be found by it, 400 that there is no such property.
            answer = await self._request("GET", f"{kind}/{secrets.token_hex(16)}", params={"idProperty": name})
            if answer.status not in (200, 404):
                raise InvalidRequestError(f"HubSpot has no property {name} with unique values for {kind}")

    async def _update(self, key: str, details: Mapping[str, str]) -> str | None:
        """Bring the contact with our key up to date; return its id, None if there is none."""
        path = f"contacts/{quote(key, safe='')}"
        by_key = {"idProperty": self._settings.id_property}
        if details:
            answer = await self._request("PATCH", path, params=by_key, json={"properties": details})
        else:
            answer = await self._request("GET", path, params=by_key)
        if answer.status == 200:
            return _id(answer)
        if answer.status == 404:
            return None
        if "email" in details and _says_it_exists(answer):
            # Another contact has the address. Merging the two cannot be undone, so that is left to people.
            _logger.warning("crm.email_of_another_contact")
            return await self._update(key, without(details, {"email"}))
        return await self._update(key, _without_refused(details, answer))

    async def _merged(self, record: str | None, key: str, details: Mapping[str, str]) -> str | None:
        """Return the contact into which people have merged the one with our key; None if they have not.

        HubSpot answers to the id of the merged one with the one that is left.
        """
        if record is None:
            return None
        ours = self._settings.id_property
        answer = await self._request("GET", f"contacts/{quote(record, safe='')}", params={"properties": ours})
        if answer.status != 200 or _id(answer) == record:
            # Without our key it may be the contact of another account that has this id.
            return None
        _logger.info("crm.contact_merged")
        if (answer.json().get("properties") or {}).get(ours):
            return _id(answer)
        return await self._adopt(_id(answer), key, details)

    async def _create(self, key: str, details: Mapping[str, str]) -> str | None:
        """Make the contact, or give our key to the one that has its address; None if somebody else was faster."""
        properties = {self._settings.id_property: key, **details}
        if not details.keys() & {"email", "firstname", "lastname"}:
            properties["lastname"] = self._settings.unknown_name
        answer = await self._request("POST", "contacts", json={"properties": properties})
        if answer.status == 201:
            return _id(answer)
        if _says_it_exists(answer):
            existing = _EXISTING.search(answer.text)
            return await self._adopt(existing[1], key, details) if existing else None
        return await self._create(key, _without_refused(details, answer))

    async def _adopt(self, contact_id: str, key: str, details: Mapping[str, str]) -> str | None:
        ours = self._settings.id_property
        wanted = ",".join([ours, "email", "firstname", "lastname", "phone"])
        answer = await self._request("GET", f"contacts/{contact_id}", params={"properties": wanted})
        if answer.status != 200:
            return None
        has: JsonObject = answer.json().get("properties") or {}
        if has.get(ours) == key:
            # Ours already: made by an earlier try a moment ago, and not found by its key yet.
            return await self._bring_up_to_date(contact_id, details)
        if has.get("firstname") or has.get("lastname"):
            details = without(details, {"firstname", "lastname"})
        missing = {name: value for name, value in details.items() if not has.get(name)}
        changes = {"properties": {ours: key, **missing}}
        answer = await self._request("PATCH", f"contacts/{contact_id}", json=changes)
        if answer.status == 200:
            return _id(answer)
        if _says_it_exists(answer) or answer.status == 404:
            return None
        _without_refused(missing, answer)
        return await self._adopt(contact_id, key, {})

    async def _bring_up_to_date(self, contact_id: str, details: Mapping[str, str]) -> str | None:
        if not details:
            return contact_id
        answer = await self._request("PATCH", f"contacts/{contact_id}", json={"properties": details})
        if answer.status == 200:
            return _id(answer)
        if "email" in details and _says_it_exists(answer):
            _logger.warning("crm.email_of_another_contact")
            return await self._bring_up_to_date(contact_id, without(details, {"email"}))
        if answer.status == 404:
            return None
        return await self._bring_up_to_date(contact_id, _without_refused(details, answer))

    async def _is_logged(self, activity_id: str, refusal: Response) -> bool:
        """Say whether the refusal of a second meeting means that this very activity has one."""
        ours = self._settings.activity_property
        if (ours, _NOT_UNIQUE) in _invalid(refusal):
            return True
        existing = _EXISTING.search(refusal.text)
        if existing:
            answer = await self._request("GET", f"meetings/{existing[1]}", params={"properties": ours})
            has: JsonObject = (answer.json().get("properties") or {}) if answer.status == 200 else {}
            return has.get(ours) == activity_id
        by_id = {"idProperty": ours}
        answer = await self._request("GET", f"meetings/{quote(activity_id, safe='')}", params=by_id)
        return answer.status == 200

    async def _request(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, json: object = None
    ) -> Response:
        # Every write here may be repeated: our unique properties keep a second one from making a second record.
        version = self._settings.api_version
        root = "/crm/v3/objects" if version == "v3" else f"/crm/objects/{version}"
        answer = await self._transport.request(
            method, f"{root}/{path}", params=params, json=json, repeatable=True, name=path.partition("/")[0]
        )
        if answer.status in _NOT_NOW:
            raise UnavailableError(f"HubSpot is busy with these records ({answer.status})")
        return answer


def _says_it_exists(answer: Response) -> bool:
    return answer.status == 409 or (answer.status == 400 and _NOT_UNIQUE in answer.text)


def _without_refused(details: Mapping[str, str], answer: Response) -> dict[str, str]:
    """Return the details without those that HubSpot took exception to; raise if the refusal is about anything else."""
    refused = {name for name, _ in _invalid(answer)}
    if answer.status != 400 or not refused or not refused <= details.keys():
        raise _refusal("the contact", answer)
    return drop_refused(details, refused)


def _invalid(answer: Response) -> list[tuple[str, str]]:
    """Return name and error of each property that HubSpot refused; its message is text with a JSON list at the end."""
    try:
        message = str(answer.json().get("message"))
        found = json.loads(message[message.index("[") :])
        return [(str(item["name"]), str(item["error"])) for item in found]
    except (InvalidRequestError, ValueError, TypeError, KeyError):
        return []


def _refusal(what: str, answer: Response) -> InvalidRequestError:
    # HubSpot's own message repeats the values; names, codes and the id that its support asks for do not.
    try:
        said = answer.json()
    except InvalidRequestError as exc:
        return exc
    reasons = [f"{error} of {name}" for name, error in _invalid(answer)] or [str(said.get("category", "no category"))]
    text = ", ".join(reasons)
    return InvalidRequestError(
        f"HubSpot refused {what}: {answer.status}, {text}, correlation id {said.get('correlationId')}"
    )


def _id(answer: Response) -> str:
    found = answer.json().get("id")
    if not isinstance(found, str) or not found:
        raise InvalidRequestError(f"HubSpot answered {answer.status} without a record's id")
    return found
