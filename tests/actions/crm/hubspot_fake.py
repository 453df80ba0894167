"""A small strict HubSpot: contacts and meetings, on sockets.

`python -m tests.actions.crm.hubspot_fake PORT LOG` runs it.

Its answers follow the public reference and answers that people report. It is driven by HubSpot's own client in the
tests, so that it cannot drift away from what that understands.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.actions.crm.crm_fakes import Failure, Switches, json_object, serve_as_process

TOKEN = "pat-eu1-made-up"
CONTACT_KEY = "action_server_contact"
ACTIVITY_ID = "action_server_activity"
PROPERTIES = {
    "contacts": {"email", "firstname", "lastname", "phone", CONTACT_KEY},
    "meetings": {
        "hs_timestamp",
        "hs_meeting_title",
        "hs_meeting_body",
        "hs_meeting_start_time",
        "hs_meeting_end_time",
        "hs_meeting_outcome",
        ACTIVITY_ID,
    },
}
UNIQUE = {"contacts": ("email", CONTACT_KEY), "meetings": (ACTIVITY_ID,)}
OUTCOMES = {"SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED"}
CORRELATION = "aeb5f871-7f07-4993-9211-075dc63e7cbf"


def error(status: int, category: str, message: str, **more: object) -> Failure:
    return Failure(
        status, {"status": "error", "message": message, "correlationId": CORRELATION, "category": category, **more}
    )


def invalid(*problems: tuple[str, str]) -> Failure:
    """Properties that are refused, as name and error."""
    found = [{"isValid": False, "message": f"no good: {e}", "error": e, "name": name} for name, e in problems]
    return error(400, "VALIDATION_ERROR", f"Property values were not valid: {json.dumps(found)}")


@dataclass
class Record:
    """One contact or meeting."""

    id: str
    properties: dict[str, str]
    contacts: list[str] = field(default_factory=list)


class HubSpot:
    """Holds what was written.

    `conflict_status` is how a value that must be unique is refused: 400 or 409. While `lags`, nothing is found by a
    property of ours, though its values are unique all the time.
    """

    def __init__(self, log: Path | None = None) -> None:
        self.switches = Switches()
        self.token = TOKEN
        self.scopes = {"crm.objects.contacts.read", "crm.objects.contacts.write"}
        self.conflict_status = 400
        self.lags = False
        self.records: dict[str, dict[str, Record]] = {"contacts": {}, "meetings": {}}
        self.merged: dict[str, str] = {}
        self.custom = {"contacts": {CONTACT_KEY}, "meetings": {ACTIVITY_ID}}
        self._numbers = count(101)
        self._log = log

    @property
    def contacts(self) -> list[Record]:
        return list(self.records["contacts"].values())

    @property
    def meetings(self) -> list[Record]:
        return list(self.records["meetings"].values())

    def merge(self, gone: str, left: str) -> None:
        """Merge a contact into another one, as people do: what is left keeps its own values where it has any."""
        record, kept = self.records["contacts"].pop(gone), self.records["contacts"][left]
        kept.properties = {**record.properties, **kept.properties}
        for meeting in self.meetings:
            meeting.contacts = [left if one == gone else one for one in meeting.contacts]
        self.merged[gone] = left

    def routes(self) -> list[web.RouteDef]:
        found = []
        for root in (
            "/crm/v3/objects/{kind:contacts|meetings}",
            r"/crm/objects/{v:20\d\d-\d\d}/{kind:contacts|meetings}",
        ):
            found += [
                web.get(root, self._list),
                web.post(root, self._create),
                web.get(root + "/{id}", self._read),
                web.patch(root + "/{id}", self._update),
            ]
        return found

    def too_many(self) -> Failure:
        headers = {"Retry-After": self.switches.retry_after} if self.switches.retry_after else {}
        body = {
            "status": "error",
            "message": "You have reached your ten_secondly_rolling limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": CORRELATION,
            "policyName": "TEN_SECONDLY_ROLLING",
        }
        return Failure(429, body, headers)

    def unauthorized(self, request: web.Request) -> Failure | None:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        scope = "crm.objects.contacts." + ("read" if request.method == "GET" else "write")
        if scope not in self.scopes:
            return error(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes.")
        return None

    async def _list(self, request: web.Request) -> web.Response:
        records = list(self.records[request.match_info["kind"]].values())[: int(request.query.get("limit", "10"))]
        return web.json_response({"results": [self._shown(record, request) for record in records]})

    async def _create(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        body = await json_object(request)
        refused = self._malformed(body, {"properties", "associations"})
        if refused is None:
            assert body is not None
            refused = self._refused(kind, body["properties"], None) or self._incomplete(kind, body)
        if refused is not None:
            return _answer(refused)
        assert body is not None
        record = Record(str(next(self._numbers)), dict(body["properties"]))
        record.contacts = [str(a["to"]["id"]) for a in body.get("associations") or []]
        self.records[kind][record.id] = record
        if self._log is not None:
            with self._log.open("a") as log:
                log.write(json.dumps({"kind": kind, "contacts": record.contacts, **record.properties}) + "\n")
        return web.json_response(self._shown(record, request), status=201)

    async def _read(self, request: web.Request) -> web.Response:
        found = self._found(request)
        return _answer(found) if isinstance(found, Failure) else web.json_response(self._shown(found, request))

    async def _update(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        found = self._found(request)
        refused = self._malformed(body, {"properties"}) or (found if isinstance(found, Failure) else None)
        if refused is None:
            assert body is not None
            assert isinstance(found, Record)
            refused = self._refused(request.match_info["kind"], body["properties"], found)
        if refused is not None:
            return _answer(refused)
        assert body is not None
        assert isinstance(found, Record)
        found.properties.update(body["properties"])
        return web.json_response(self._shown(found, request))

    def _found(self, request: web.Request) -> Record | Failure:
        kind, value, by = request.match_info["kind"], request.match_info["id"], request.query.get("idProperty")
        if by is not None and by not in {"email"} & set(UNIQUE[kind]) | self.custom[kind]:
            return error(400, "VALIDATION_ERROR", f"Property {by} is not a unique property")
        lag = self.lags and by is not None
        while by is None and value in self.merged:
            value = self.merged[value]
        for record in () if lag else self.records[kind].values():
            if value == (record.properties.get(by) if by else record.id):
                return record
        return error(404, "OBJECT_NOT_FOUND", "resource not found")

    def _malformed(self, body: dict[str, Any] | None, known: set[str]) -> Failure | None:
        if body is None:
            return error(400, "VALIDATION_ERROR", "Invalid input JSON on line 1, column 1")
        properties = body.get("properties")
        strings = isinstance(properties, dict) and all(isinstance(v, str) for v in properties.values())
        if not strings or body.keys() - known:
            return error(400, "VALIDATION_ERROR", "Invalid input JSON: unknown or wrong fields")
        return None

    def _refused(self, kind: str, properties: dict[str, str], record: Record | None) -> Failure | None:
        known = PROPERTIES[kind] - {CONTACT_KEY, ACTIVITY_ID} | self.custom[kind]
        if unknown := properties.keys() - known:
            return invalid(*((name, "PROPERTY_DOESNT_EXIST") for name in sorted(unknown)))
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]{2,}", properties.get("email", "a@b.de")):
            return invalid(("email", "INVALID_EMAIL"))
        if properties.get("hs_meeting_outcome", "SCHEDULED") not in OUTCOMES:
            return invalid(("hs_meeting_outcome", "INVALID_OPTION"))
        for name in UNIQUE[kind]:
            for other in self.records[kind].values():
                if other is not record and name in properties and _same(other.properties.get(name), properties[name]):
                    return self._conflict(kind, name, other)
        return None

    def _conflict(self, kind: str, name: str, other: Record) -> Failure:
        if name == "email":
            return error(409, "CONFLICT", f"Contact already exists. Existing ID: {other.id}")
        if self.conflict_status == 409:
            return error(409, "CONFLICT", f"{kind} with this {name} already exists. Existing ID: {other.id}")
        return invalid((name, "CONFLICTING_UNIQUE_VALUE"))

    def _incomplete(self, kind: str, body: dict[str, Any]) -> Failure | None:
        properties, associations = body["properties"], body.get("associations") or []
        if kind == "contacts":
            if not properties.keys() & {"email", "firstname", "lastname"}:
                return error(400, "VALIDATION_ERROR", "One of [firstname, email, lastname] is required")
            return None if not associations else error(400, "VALIDATION_ERROR", "no such association")
        try:
            datetime.fromisoformat(properties["hs_timestamp"].replace("Z", "+00:00"))
        except (KeyError, ValueError):
            return invalid(("hs_timestamp", "REQUIRED_FIELD"))
        for association in associations:
            types = association.get("types")
            if types != [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 200}]:
                return error(400, "VALIDATION_ERROR", "invalid association type")
            if str(association["to"]["id"]) not in self.records["contacts"]:
                return error(404, "OBJECT_NOT_FOUND", "One or more associated objects could not be found")
        return None

    def _shown(self, record: Record, request: web.Request) -> dict[str, Any]:
        when = "2026-11-22T16:20:00.000Z"
        wanted = request.query.get("properties", "")
        # HubSpot's client sends a list as one value with commas or as several values.
        names = [name for value in request.query.getall("properties", []) for name in value.split(",")]
        shown = {name: record.properties.get(name) for name in names} if wanted else dict(record.properties)
        body: dict[str, Any] = {"id": record.id, "properties": shown, "createdAt": when, "updatedAt": when}
        if "contacts" in request.query.get("associations", ""):
            results = [{"id": contact, "type": "meeting_event_to_contact"} for contact in record.contacts]
            body["associations"] = {"contacts": {"results": results}}
        return {**body, "archived": False}


def _same(one: str | None, other: str) -> bool:
    return one is not None and one.casefold() == other.casefold()


def _answer(failure: Failure) -> web.Response:
    return web.json_response(failure.body, status=failure.status, headers=failure.headers)


if __name__ == "__main__":
    serve_as_process(HubSpot(Path(sys.argv[2])), int(sys.argv[1]), Path(sys.argv[2]))
