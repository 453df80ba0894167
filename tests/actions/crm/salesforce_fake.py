"""A small strict Salesforce: login, Contact and Event, on sockets.

`python -m tests.actions.crm.salesforce_fake PORT LOG` runs it.

Its answers follow the public reference and answers that people report. It is driven by simple-salesforce in the tests,
so that it cannot drift away from what that understands.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tests.actions.crm.crm_fakes import Failure, Switches, json_object, serve_as_process

CLIENT_ID = "3MVG9.made.up"
CLIENT_SECRET = "made-up-secret"
USERNAME = "integration@clinic.example"
AUDIENCE = "https://login.salesforce.com"
CONTACT_KEY = "Action_Server_Contact__c"
ACTIVITY_ID = "Action_Server_Activity__c"
FIELDS = {
    "Contact": {"FirstName": 40, "LastName": 80, "Email": 80, "Phone": 40, CONTACT_KEY: 64},
    "Event": {
        "WhoId": 18,
        "Subject": 255,
        "Description": 32000,
        "StartDateTime": 40,
        "EndDateTime": 40,
        "ShowAs": 40,
        ACTIVITY_ID: 255,
    },
}
EXTERNAL_ID = {"Contact": CONTACT_KEY, "Event": ACTIVITY_ID}
REQUIRED = {"Contact": ["LastName"], "Event": ["StartDateTime", "EndDateTime"]}
PREFIX = {"Contact": "003", "Event": "00U"}


def error(status: int, code: str, message: str, *fields: str) -> Failure:
    return Failure(status, [{"message": message, "errorCode": code, "fields": list(fields)}])


LOCKED = error(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")


class Salesforce:
    """Holds what was written. `expire` ends every session; `public_key` belongs to who may log in by JWT."""

    def __init__(self, log: Path | None = None, public_key: RSAPublicKey | None = None) -> None:
        self.switches = Switches()
        self.public_key = public_key
        self.records: dict[str, dict[str, dict[str, Any]]] = {"Contact": {}, "Event": {}}
        self.deleted: dict[str, dict[str, Any]] = {}
        self.missing: set[str] = set()
        self.duplicate_rule = False
        self.logins = 0
        self.instance_url: str | None = None
        self.sessions: set[str] = set()
        self._numbers = count(1)
        self._log = log

    @property
    def contacts(self) -> list[dict[str, Any]]:
        return list(self.records["Contact"].values())

    @property
    def events(self) -> list[dict[str, Any]]:
        return list(self.records["Event"].values())

    def expire(self) -> None:
        self.sessions.clear()

    def delete(self, gone: str, master: str | None = None) -> None:
        """Delete a Contact, as people do; with `master` it is merged into that one, which keeps its own values."""
        record = self.records["Contact"].pop(gone)
        self.deleted[gone] = {**record, "IsDeleted": True, "MasterRecordId": master}
        for event in self.events:
            event["WhoId"] = master if event.get("WhoId") == gone else event.get("WhoId")

    def routes(self) -> list[web.RouteDef]:
        root = r"/services/data/v{version:\d\d\.0}/sobjects/{kind:Contact|Event}"
        return [
            web.post("/services/oauth2/token", self._token),
            web.post(root, self._create),
            web.post(root + "/", self._create),
            web.get(root + "/describe", self._describe),
            web.get(r"/services/data/v{version:\d\d\.0}/queryAll", self._query_all),
            web.get(root + "/{id}", self._read_by_id),
            web.patch(root + "/{id}", self._update_by_id),
            web.get(root + "/{field}/{value}", self._read),
            web.patch(root + "/{field}/{value}", self._upsert),
        ]

    def too_many(self) -> Failure:
        return error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")

    def unauthorized(self, request: web.Request) -> Failure | None:
        if request.path == "/services/oauth2/token":
            return None
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return None if token in self.sessions else error(401, "INVALID_SESSION_ID", "Session expired or invalid")

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = {name: str(value) for name, value in form.items()}
        known = {
            "client_credentials": self._knows_secret,
            "urn:ietf:params:oauth:grant-type:jwt-bearer": self._knows_key,
        }
        check = known.get(asked.get("grant_type", ""))
        if check is None:
            return web.json_response({"error": "unsupported_grant_type", "error_description": "no"}, status=400)
        if not check(request, asked):
            return web.json_response({"error": "invalid_grant", "error_description": "no"}, status=400)
        self.logins += 1
        token = f"00D!{self.logins}"
        self.sessions.add(token)
        origin = self.instance_url or f"{request.scheme}://{request.host}"
        # Without expires_in, as Salesforce does: a session lives as long as it is used.
        return web.json_response(
            {
                "access_token": token,
                "instance_url": origin,
                "id": f"{origin}/id/00D/005",
                "token_type": "Bearer",
                "issued_at": "1763828400000",
                "scope": "api",
            }
        )

    def _knows_secret(self, request: web.Request, asked: Mapping[str, str]) -> bool:
        kind, _, coded = request.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            return base64.b64decode(coded).decode() == f"{CLIENT_ID}:{CLIENT_SECRET}"
        return (asked.get("client_id"), asked.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)

    def _knows_key(self, _request: web.Request, asked: Mapping[str, str]) -> bool:
        if self.public_key is None:
            return False
        try:
            claims = jwt.decode(
                asked.get("assertion", ""),
                self.public_key,
                algorithms=["RS256"],
                audience=AUDIENCE,
                options={"require": ["exp", "iss", "sub"]},
            )
        except jwt.InvalidTokenError:
            return False
        return bool(claims["iss"] == CLIENT_ID and claims["sub"] == USERNAME)

    async def _create(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        body = await json_object(request)
        if body is None:
            return _answer(_unreadable())
        refused = self._refused(request, body) or self._incomplete(kind, body) or self._taken(kind, body)
        return _answer(refused) if refused else self._store(kind, body)

    async def _upsert(self, request: web.Request) -> web.Response:
        kind, field, value = (request.match_info[name] for name in ("kind", "field", "value"))
        body = await json_object(request)
        if body is None:
            return _answer(_unreadable())
        if field != EXTERNAL_ID[kind] or field in self.missing:
            return _answer(error(404, "NOT_FOUND", f"Provided external ID field does not exist: {field}"))
        if field in body:
            return _answer(
                error(400, "INVALID_FIELD", f"The {field} field should not be specified in the sobject data.")
            )
        record = self._by(kind, field, value)
        refused = self._refused(request, body)
        if refused is None and record is None:
            refused = self._incomplete(kind, body)
        if refused is not None:
            return _answer(refused)
        if record is None:
            return self._store(kind, {field: value, **body})
        record.update(body)
        return web.json_response({"id": record["Id"], "success": True, "errors": [], "created": False})

    async def _read(self, request: web.Request) -> web.Response:
        kind, field, value = (request.match_info[name] for name in ("kind", "field", "value"))
        record = self._by(kind, field, value)
        if record is None:
            return _answer(error(404, "NOT_FOUND", "The requested resource does not exist"))
        return web.json_response({"attributes": {"type": kind}, **record})

    async def _query_all(self, request: web.Request) -> web.Response:
        asked = re.fullmatch(r"SELECT ([\w, ]+) FROM Contact WHERE Id = '(\w+)'", request.query["q"])
        if asked is None:
            return _answer(error(400, "MALFORMED_QUERY", "unexpected token"))
        live = {name: {**one, "IsDeleted": False} for name, one in self.records["Contact"].items()}
        found = {**self.deleted, **live}.get(asked[2])
        names = asked[1].split(", ")
        records = [{"attributes": {"type": "Contact"}, **{name: found.get(name) for name in names}}] if found else []
        return web.json_response({"totalSize": len(records), "done": True, "records": records})

    def _gone(self, name: str) -> web.Response:
        code = "ENTITY_IS_DELETED" if name in self.deleted else "NOT_FOUND"
        return _answer(error(404, code, "entity is deleted"))

    async def _read_by_id(self, request: web.Request) -> web.Response:
        kind, name = request.match_info["kind"], request.match_info["id"]
        record = self.records[kind].get(name)
        return web.json_response({"attributes": {"type": kind}, **record}) if record else self._gone(name)

    async def _update_by_id(self, request: web.Request) -> web.Response:
        kind, name = request.match_info["kind"], request.match_info["id"]
        body, record = await json_object(request), self.records[kind].get(name)
        if body is None:
            return _answer(_unreadable())
        if record is None:
            return self._gone(name)
        refused = self._refused(request, body) or self._taken(kind, body)
        if refused:
            return _answer(refused)
        record.update(body)
        return web.Response(status=204)

    async def _describe(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        fields = [
            {"name": name, "createable": True, "externalId": custom, "unique": custom}
            for name in sorted(FIELDS[kind].keys() - self.missing)
            for custom in [name == EXTERNAL_ID[kind]]
        ]
        return web.json_response({"name": kind, "createable": True, "updateable": True, "fields": fields})

    def _by(self, kind: str, field: str, value: str) -> dict[str, Any] | None:
        # External ids are compared without regard to case.
        found = (r for r in self.records[kind].values() if str(r.get(field)).casefold() == value.casefold())
        return next(found, None)

    def _store(self, kind: str, body: Mapping[str, Any]) -> web.Response:
        record = {"Id": f"{PREFIX[kind]}{next(self._numbers):015d}", **body}
        self.records[kind][record["Id"]] = record
        if self._log is not None:
            with self._log.open("a") as log:
                log.write(json.dumps({"kind": kind, **record}) + "\n")
        return web.json_response({"id": record["Id"], "success": True, "errors": [], "created": True}, status=201)

    def _refused(self, request: web.Request, body: Mapping[str, Any]) -> Failure | None:
        kind = request.match_info["kind"]
        if unknown := sorted(body.keys() - (FIELDS[kind].keys() - self.missing)):
            return error(400, "INVALID_FIELD", f"No such column '{unknown[0]}' on sobject of type {kind}")
        for name, value in body.items():
            if not isinstance(value, str):
                return error(400, "JSON_PARSER_ERROR", "Cannot deserialize instance of string")
            if len(value) > FIELDS[kind][name]:
                return error(400, "STRING_TOO_LONG", f"{name}: data value too large: {value}", name)
            if name.endswith("DateTime") and not _is_instant(value):
                return error(400, "JSON_PARSER_ERROR", "Cannot deserialize instance of datetime")
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]{2,}", body.get("Email", "a@b.de")):
            return error(400, "INVALID_EMAIL_ADDRESS", f"Email: invalid email address: {body['Email']}", "Email")
        if body.get("WhoId", "") and body["WhoId"] not in self.records["Contact"]:
            return error(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", "WhoId")
        similar = any(r.get("Email") == body.get("Email", "") for r in self.contacts)
        if (
            self.duplicate_rule
            and similar
            and "allowSave=true" not in request.headers.get("Sforce-Duplicate-Rule-Header", "")
        ):
            return error(400, "DUPLICATES_DETECTED", "You're creating a duplicate record.")
        return None

    def _incomplete(self, kind: str, body: Mapping[str, Any]) -> Failure | None:
        missing = [name for name in REQUIRED[kind] if not body.get(name)]
        if not missing:
            return None
        listed = ", ".join(missing)
        return error(400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{listed}]", *missing)

    def _taken(self, kind: str, body: Mapping[str, Any]) -> Failure | None:
        field = EXTERNAL_ID[kind]
        other = self._by(kind, field, body[field]) if field in body else None
        if other is None:
            return None
        return error(
            400, "DUPLICATE_VALUE", f"duplicate value found: {field} duplicates value on record with id: {other['Id']}"
        )


def _is_instant(value: str) -> bool:
    try:
        return datetime.fromisoformat(value.replace("Z", "+00:00")).tzinfo is not None
    except ValueError:
        return False


def _unreadable() -> Failure:
    return error(400, "JSON_PARSER_ERROR", "Unexpected character at [line:1, column:1]")


def _answer(failure: Failure) -> web.Response:
    return web.json_response(failure.body, status=failure.status, headers=failure.headers)


if __name__ == "__main__":
    serve_as_process(Salesforce(Path(sys.argv[2])), int(sys.argv[1]), Path(sys.argv[2]))
