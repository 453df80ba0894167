"""What R4 allows a server to do: a proxy before the real one that varies it, by a clock of the tests' own.

    async with varied(VARIANTS["lag 2 s"], server, index, clock) as running:
        ... running.url is the base; running.put and running.delete are what people at the clinic do ...

A search that lags behind asks a second server, the `index`, which hears of each write so many seconds later. Nothing
here sleeps: each request takes 10 ms on the clock, and whoever waits moves it.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from tests.actions.clinic import FixedClock
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, Json

_BASE = "/fhir/R4"
_REQUEST = timedelta(milliseconds=10)
_CACHED = timedelta(minutes=1)


@dataclass(frozen=True)
class Variant:
    """How a server differs from the one that the others are compared with.

    Attributes:
        lag: how many seconds a search does not know what was written.
        stale: for how many seconds a read by id has the version before.
        vanishes: what was changed is found in no version until then.
        cached: results of searches are used again for a minute: "unless" they are not to be, or "always".
        page: the largest page.
        expires: every third next page is gone (410), or each.
        offset: as which offset instants are spelled; with fractions, if it is negative.
        lost: the answer of each "write", or of "all" requests, is lost once, after what was asked was done.
        failed: each write is answered with 503 once, after it was done.
        limited: each request is answered with 429 once.
        silent: writes are answered with a Location and no body.
        nameless: nor with a Location, but with an OperationOutcome that all is well.
        asks: Appointments are `pending` until somebody agrees.
        drops: headers that are not known.
        ignores: parameters that are not known.
        repeats: each next page begins with what was the last of the one before.
        shifts: what stands first in a search of more than one page is deleted before the next one is asked for, which
            begins where it would have begun: one is on neither page. In "each" of them, or the first "once".
    """

    lag: float = 0
    stale: float = 0
    vanishes: bool = False
    cached: str = ""
    page: int = 0
    expires: str = ""
    offset: int = 0
    lost: str = ""
    failed: bool = False
    limited: bool = False
    silent: bool = False
    nameless: bool = False
    repeats: bool = False
    shifts: str = ""
    zipped: bool = False
    asks: bool = False
    reversed: bool = False
    relative: bool = False
    untimed: bool = False
    drops: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()


VARIANTS: Mapping[str, Variant] = {
    "plain": Variant(),
    "lag 0.1 s": Variant(lag=0.1),
    "lag 2 s": Variant(lag=2),
    "lag 2 s, what changes vanishes": Variant(lag=2, vanishes=True),
    "lag 2 s, no times of changes": Variant(lag=2, untimed=True),
    "lag 2 s, answers of writes lost": Variant(lag=2, lost="write"),
    "lag 2 s, 503 after writes": Variant(lag=2, failed=True),
    "lag 2 s, silent": Variant(lag=2, silent=True),
    "cache": Variant(cached="unless"),
    "cache that cannot be told": Variant(cached="always"),
    "pages of 2": Variant(page=2),
    "pages of 3, relative": Variant(page=3, relative=True),
    "pages that expire": Variant(page=2, expires="third"),
    "pages that are always gone": Variant(page=3, expires="each"),
    "other offsets": Variant(offset=330),
    "other offsets and fractions": Variant(offset=-480),
    "answers of writes lost": Variant(lost="write"),
    "answers lost": Variant(lost="all"),
    "503 after writes": Variant(failed=True),
    "429": Variant(limited=True),
    "silent": Variant(silent=True, drops=("prefer",)),
    "nameless": Variant(nameless=True),
    "lag 2 s, nameless": Variant(lag=2, nameless=True),
    "pages of 3 that overlap": Variant(page=3, repeats=True),
    "pages of 3 that shift": Variant(page=3, shifts="each"),
    "gzip, backwards": Variant(zipped=True, reversed=True),
    "pending": Variant(asks=True),
    "no If-None-Exist": Variant(drops=("if-none-exist",)),
    "parameters ignored": Variant(ignores=("_lastUpdated", "status", "actor", "date"), untimed=True),
}


class Change:
    """One resource as it will be in the index, None if it is deleted."""

    def __init__(self, due: datetime, kind: str, name: str, resource: Json | None) -> None:
        self.due, self.kind, self.name, self.resource = due, kind, name, resource


@dataclass
class VariedServer(FhirServer):
    """A server whose clients meet a variant of it. What people do through this meets none."""

    variant: Variant
    clock: FixedClock
    index: FhirServer | None = None
    base: str = ""
    session: aiohttp.ClientSession | None = None
    _pending: list[Change] = field(default_factory=list)
    _indexed: dict[str, Json] = field(default_factory=dict)
    _cache: dict[str, tuple[datetime, Json]] = field(default_factory=dict)
    _pages: dict[str, str] = field(default_factory=dict)
    _last: Json | None = None
    _before: dict[str, tuple[datetime, Json | None]] = field(default_factory=dict)
    _shifted: set[str] = field(default_factory=set)
    _requests: count[int] = field(default_factory=count)
    _met: set[tuple[str, str, bytes]] = field(default_factory=set)
    # How fresh HealthLake would be asked to be.
    levels: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)

    def put(self, resource: Mapping[str, Any]) -> Json:
        stored = super().put(resource)
        self._will_be_found(stored)
        return stored

    def delete(self, kind: str, name: str) -> None:
        """Delete a resource, as people do."""
        self.control("DELETE", f"/fhir/{kind}/{name}")
        self._pending.append(Change(self._due(), kind, name, None))

    def empty(self) -> None:
        super().empty()
        for store in (self._pending, self._indexed, self._cache, self._pages, self._before):
            store.clear()
        if self.index:
            self.index.empty()

    def settle(self) -> None:
        """Let searches know all that was written."""
        self._catch_up(None)

    def _due(self) -> datetime:
        return self.clock.now + timedelta(seconds=self.variant.lag)

    def _will_be_found(self, stored: Json) -> None:
        if self.index:
            self._pending.append(Change(self._due(), stored["resourceType"], stored["id"], stored))

    def _catch_up(self, now: datetime | None) -> None:
        while self.index and self._pending and (now is None or self._pending[0].due <= now):
            change = self._pending.pop(0)
            name = f"{change.kind}/{change.name}"
            if change.resource is None:
                self.index.control("DELETE", f"/fhir/{name}")
                self._indexed.pop(name, None)
            else:
                self.index.put(change.resource)
                self._indexed[name] = change.resource

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.clock.now += _REQUEST
        number, path = next(self._requests), request.path.removeprefix(_BASE)
        self.seen.append(f"{request.method} {request.path_qs.removeprefix(_BASE)}")
        self.levels.add(request.headers.get("x-amz-fhir-history-consistency-level", ""))
        first = await self._is_first(request)
        if self.variant.limited and first:
            return web.json_response({}, status=429, headers={"Retry-After": "0"})
        if request.method == "GET" and path.count("/") <= 1 and path != "/metadata":
            answer = await self._search(request, number)
        else:
            answer = await self._version_before(request) or await self._forward(request)
        writes = request.method != "GET"
        if first and (self.variant.lost == "all" or (writes and self.variant.lost)):
            assert request.transport is not None
            request.transport.abort()
        elif first and writes and self.variant.failed:
            return web.json_response({}, status=503)
        if self.variant.zipped:
            answer.enable_compression(web.ContentCoding.gzip)
        return answer

    async def _is_first(self, request: web.Request) -> bool:
        address = re.sub(r"&?_count=\d+", "", request.path_qs)
        key = request.method, address, re.sub(rb'"created":"[^"]*"', b"", await request.read())
        is_first = key not in self._met
        self._met.add(key)
        return is_first

    async def _ask(
        self, server: FhirServer, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, Json]:
        assert self.session is not None
        url = URL(f"{server.root}{path}", encoded=True)
        async with self.session.request(method, url, data=body or None, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else {}

    async def _search(self, request: web.Request, number: int) -> web.Response:
        self._catch_up(self.clock.now)
        token = request.query.get("_page")
        if token is not None:
            expired = self.variant.expires == "each" or (self.variant.expires and number % 3 == 0)
            if token not in self._pages or expired:
                return web.json_response({}, status=410)
            return await self._page(self._pages.pop(token) if self.variant.expires else self._pages[token])
        kept, known = self._cache.get(request.path_qs, (None, None))
        told = self.variant.cached == "unless" and "no-cache" in request.headers.get("Cache-Control", "")
        if known is not None and kept is not None and self.clock.now - kept < _CACHED and not told:
            return web.json_response(known)
        pairs = [(name, value) for name, value in request.query.items() if name not in self.variant.ignores]
        if self.variant.page:
            pairs = [(n, str(min(int(v), self.variant.page)) if n == "_count" else v) for n, v in pairs]
        answer = await self._page(str(URL.build(path=request.path, query=pairs)))
        if self.variant.cached:
            self._cache[request.path_qs] = self.clock.now, json.loads(answer.text or "{}")
        return answer

    async def _page(self, path: str) -> web.Response:
        server = self.index or self
        status, bundle = await self._ask(server, "GET", path)
        found = [entry["resource"] for entry in bundle.get("entry", ())]
        if self.index:
            found = [self._indexed.get(f"{one['resourceType']}/{one['id']}", one) for one in found]
        if self.variant.vanishes:
            changing = {(change.kind, change.name) for change in self._pending}
            found = [one for one in found if (one["resourceType"], one["id"]) not in changing]
        if self.variant.reversed:
            found = [{"resourceType": "OperationOutcome", "issue": []}, *reversed(found)]
        if self.variant.repeats and self._last and "_offset" in path:
            found = [self._last, *found]
        if bundle.get("link", [])[1:] and not re.search("_offset|_sort=-", path) and self._shifts(URL(path).name):
            found = [_gone(URL(path)), *found[:-1]]
        self._last = found[-1] if found else None
        bundle["entry"] = [{"resource": self._spelled(one)} for one in found]
        bundle["link"] = [link for link in bundle.get("link", ()) if link["relation"] != "self"]
        for link in bundle["link"]:
            token = f"p{len(self._pages)}"
            self._pages[token] = str(URL(link["url"]).relative())
            kind = URL(path).name
            link["url"] = f"{'' if self.variant.relative else self.base + '/'}{kind}?_page={token}"
        return web.json_response(bundle, status=status)

    def _shifts(self, kind: str) -> bool:
        is_first = kind not in self._shifted
        self._shifted.add(kind)
        return self.variant.shifts == "each" or (self.variant.shifts == "once" and is_first)

    async def _version_before(self, request: web.Request) -> web.Response | None:
        """Return what a read finds that does not know yet of the last write."""
        until, before = self._before.get(request.path, (self.clock.now, None))
        if self.variant.stale and request.method == "PUT":
            due = self.clock.now + timedelta(seconds=self.variant.stale)
            self._before[request.path] = due, (await self._ask(self, "GET", request.path))[1]
        return web.json_response(before) if before and request.method == "GET" and self.clock.now < until else None

    async def _forward(self, request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() in ("if-match", "accept")}
        criteria = request.headers.get("If-None-Exist")
        body = await request.read()
        if body and self.variant.asks and request.method == "POST":
            body = body.replace(b'"status":"booked"', b'"status":"pending"')
        if body and self.variant.offset:
            # The store compares instants as texts.
            body = json.dumps(_with_times(json.loads(body), timezone.utc)).encode()
        if body:
            headers["Content-Type"] = "application/fhir+json"
        if criteria and "if-none-exist" not in self.variant.drops:
            if self.index:
                self._catch_up(self.clock.now)
                _, bundle = await self._ask(self.index, "GET", f"{request.path}?{criteria}")
                if bundle.get("entry"):
                    return web.json_response(self._spelled(bundle["entry"][0]["resource"]))
            else:
                headers["If-None-Exist"] = criteria
        status, found = await self._ask(self, request.method, request.path_qs, body, headers)
        if request.method == "GET" or status >= 300:
            return web.json_response(self._spelled(found), status=status)
        self._will_be_found(found)
        if self.variant.silent:
            place = f"{self.base}/{found['resourceType']}/{found['id']}/_history/{found['meta']['versionId']}"
            return web.Response(status=status, headers={"Location": place})
        if self.variant.nameless:
            return web.json_response({"resourceType": "OperationOutcome", "issue": []}, status=status)
        return web.json_response(self._spelled(found), status=status)

    def _spelled(self, resource: Json) -> Json:
        if self.variant.untimed and "meta" in resource:
            resource = {**resource, "meta": {k: v for k, v in resource["meta"].items() if k != "lastUpdated"}}
        zone = timezone(timedelta(minutes=self.variant.offset))
        return (
            _with_times(resource, zone, ".000" if self.variant.offset < 0 else "") if self.variant.offset else resource
        )


def _gone(search: URL) -> Json:
    """Return what a search finds that will be deleted in a moment: the first one, by its start."""
    bounds = [value[2:] for name in ("start", "date") for value in search.query.getall(name, ()) if value[:2] == "ge"]
    start = bounds[0] if bounds else "2016-01-01T00:00:00Z"
    status = "entered-in-error" if bounds else "busy-unavailable"
    reference = {"schedule": {"reference": search.query["schedule"]}} if "schedule" in search.query else {}
    return {
        "resourceType": search.name,
        "id": f"gone-{start[:13]}",
        "meta": {"versionId": "1"},
        "status": status,
        "start": start,
        "end": start,
        **reference,
    }


def _with_times(resource: Json, zone: timezone, fraction: str = "") -> Json:
    times = {}
    for name in {"start", "end"} & resource.keys():
        moment = datetime.fromisoformat(re.sub("Z$", "+00:00", resource[name])).astimezone(zone)
        times[name] = moment.isoformat()[:19] + fraction + moment.isoformat()[-6:]
    return {**resource, **times}


@asynccontextmanager
async def varied(
    variant: Variant, server: FhirServer, index: FhirServer, clock: FixedClock
) -> AsyncIterator[VariedServer]:
    """Run the proxy in this loop for the length of the block; both servers are emptied."""
    running = VariedServer(server.port, variant, clock, index if variant.lag else None)
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", running.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    running.base = f"http://127.0.0.1:{runner.addresses[0][1]}{_BASE}"
    try:
        async with aiohttp.ClientSession() as session:
            running.session = session
            running.empty()
            yield running
    finally:
        await runner.cleanup()
