"""FHIR's RESTful interactions, as far as appointments need them, with failures as the clinic's errors."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

from actions.errors import BackendError, InvalidRequestError, OutcomeUnknownError, UnavailableError
from actions.scheduling.fhir.pages import Parameter, Reading, is_sorted_as_asked, said_to_be_in_part, starts_of
from actions.scheduling.fhir.recent import Recent
from actions.scheduling.fhir.resources import Resource, version
from actions.transport import Response, Transport

T = TypeVar("T")

_JSON = "application/fhir+json"
# Searches are made for windows of days: at ten Slots a page this is more than a month of one doctor's.
_MOST_PAGES = 200
# Each search asks for another one of so many sizes of a page. Nobody else asks for the same just then, so that no
# cache, which knows a search by its address, has an old answer to it.
_PAGES = range(60, 101)
# How often a search is begun anew whose next page the server has thrown away.
_BEGINNINGS = 3
# Searches are as fresh as can be had: HAPI reuses their results for a minute unless it is told not to, HealthLake
# leaves out what was just changed. https://hapifhir.io/hapi-fhir/docs/server_jpa/configuration.html
# https://docs.aws.amazon.com/healthlake/latest/devguide/searching-fhir-consistency-levels.html
_FRESH = {"Cache-Control": "no-cache", "x-amz-fhir-history-consistency-level": "strong"}
_LOST_RACE = frozenset({409, 412})
_MISSING = frozenset({404, 410})
# Codes and paths of elements; an OperationOutcome's free text may quote what was sent.
_CODE = re.compile(r"[a-z][a-z-]{1,39}")
_PATH = re.compile(r"[A-Za-z]+(\.[A-Za-z]+|\[\d+\]){0,9}")


class PagesExpiredError(UnavailableError):
    """The server throws the pages of a search away faster than they can be read: a narrower one may have fewer."""


class FhirClient:
    """Reads and writes resources of one server; `base_url` is where they are, and what links may lead to.

    What was written or read by id counts more than an older version of it that a search finds.
    """

    def __init__(self, transport: Transport, base_url: str) -> None:
        self.system = transport.system
        self._transport = transport
        self._base_url = base_url.rstrip("/")
        self._recent = Recent()
        # Whether a search was seen to lag behind what had been written.
        self.lags = False
        self._searches = count(random.randrange(len(_PAGES)))  # noqa: S311 (not a secret)
        # Of which types it was seen that searches are sorted by a parameter, or are not.
        self._sorts: dict[tuple[str, str], bool] = {}

    async def capabilities(self) -> Resource:
        """Return the server's CapabilityStatement."""
        return self._resource(await self._request("GET", "metadata", name="metadata"), "CapabilityStatement")

    async def search(
        self, kind: str, *parameters: Parameter, most: int | None = None, by: str | None = None
    ) -> list[Resource]:
        """Return every match of all pages, or no more than the `most` first ones.

        `by` is the parameter by which such resources may be sorted: their start. Raises `PagesExpiredError` if the
        server keeps forgetting its own pages, and `UnavailableError` if it says that this is not all.
        """
        before: Reading | None = None
        for _ in range(_BEGINNINGS):
            reading = await self._pages(kind, parameters, most, by)
            if reading is None:
                continue
            # What is read by turning pages may lack one that moved from one to the other: it is read until it is so.
            if by is None or not reading.was_turned or (before and before.names == reading.names):
                return self._as_new_as_known(reading.found[:most])
            before = reading
        if before is not None:
            return self._as_new_as_known(before.found[:most])
        raise PagesExpiredError(f"{self.system} forgets the pages of a search for {kind} before they can be read")

    async def first_page(self, kind: str, *parameters: Parameter) -> tuple[list[Resource], bool]:
        """Return the matches of the first page, and whether there are more."""
        bundle = await self._page(kind, [*parameters, self._size()], kind) or {}
        return self._as_new_as_known(_matches(bundle, kind)), self._next(bundle) is not None

    def _as_new_as_known(self, found: Iterable[Resource]) -> list[Resource]:
        newest = [(one, self.newest(one)) for one in found]
        self.lags = self.lags or any(one is not known for one, known in newest)
        return [known for _, known in newest]

    def newest(self, found: Resource) -> Resource:
        """Return the resource as it was written or read by id within the last two minutes, if that is newer."""
        return self._recent.newest(found)

    async def _pages(
        self, kind: str, parameters: Sequence[Parameter], most: int | None, by: str | None
    ) -> Reading | None:
        """Read all pages; None if one of them has expired."""
        size = self._size(most)
        reading = Reading([*parameters, size], by if by and self._sorts.get((kind, by)) else None)
        path, query, turned = kind, reading.query, reading.turned
        for _ in range(_MOST_PAGES):
            bundle = await self._page(path, query, kind, allowed=_MISSING if path in turned else ())
            if bundle is None:
                return None
            asks_on = reading.take(list(_matches(bundle, kind)))
            link = self._next(bundle)
            if link is None or (most is not None and len(reading.found) >= most):
                return reading
            if by and await self._learns_to_sort(kind, by, reading.found, [*parameters, size]):
                return await self._pages(kind, parameters, most, by)
            if not asks_on and link in turned:
                break
            path, query = (kind, reading.query) if asks_on else (link, [])
            turned |= {path} - {kind}
        problem = f"more than {_MOST_PAGES} pages, or some that lead back"
        raise InvalidRequestError(f"{self.system} answered a search for {kind} with {problem}")

    async def _learns_to_sort(
        self, kind: str, by: str, found: Sequence[Resource], parameters: Sequence[Parameter]
    ) -> bool:
        """Look whether the server sorts, if that is to be seen; return whether it was found out now that it does.

        Servers may leave parameters out of account that they do not know, without a word.
        """
        if (kind, by) in self._sorts or len(set(starts_of(found) or ())) <= 1:
            return False
        try:
            first, last = [
                list(_matches(await self._page(kind, [*parameters, ("_sort", sort)], kind), kind))
                for sort in (by, f"-{by}")
            ]
            self._sorts[kind, by] = is_sorted_as_asked(first, last)
        except InvalidRequestError:
            self._sorts[kind, by] = False
        return self._sorts[kind, by]

    async def _page(
        self, path: str, query: Sequence[Parameter], kind: str, allowed: Collection[int] = ()
    ) -> Resource | None:
        """Return a page of a search for a type; None if the answer is one of those that are `allowed`."""
        # A search that may be sent as a form only (R4, http.html#search) goes on in the same way.
        method = "POST" if urlsplit(path).path.endswith("/_search") else "GET"
        response = await self._request(method, path, params=query, name=kind, allowed=allowed)
        if response.status in allowed:
            return None
        bundle = self._resource(response, "Bundle")
        in_part = said_to_be_in_part(bundle)
        if in_part:
            raise UnavailableError(f"{self.system} answered a search for {kind} in part only: {in_part}")
        return bundle

    def _size(self, most: int | None = None) -> Parameter:
        return "_count", str(_PAGES[next(self._searches) % len(_PAGES)] if most is None else most)

    def recent(self, kind: str) -> list[Resource]:
        """Return what was written or read by id within the last two minutes."""
        return self._recent.of_kind(kind)

    async def read(self, kind: str, name: str) -> Resource | None:
        """Return a resource, no older than it is known to be, or None if there is none (any more)."""
        response = await self._request("GET", f"{kind}/{name}", name=f"{kind}/{{id}}", allowed=_MISSING)
        if response.status in _MISSING:
            self._recent.forget(kind, name)
            return None
        found = self._resource(response, kind)
        # A copy of the server's that has not heard yet of what was written may have answered.
        known = self._recent.newest(found)
        if known is found:
            self._recent.note(found)
        return known

    async def update(self, resource: Resource) -> Resource | None:
        """Write the resource if nobody has changed it since it was read, and return it as it is now; else None."""
        kind, name, read = resource["resourceType"], resource["id"], version(resource)
        if read is None:
            raise InvalidRequestError(
                f"{self.system} gives {kind} resources no version, so they cannot be changed without overwriting others"
            )
        response = await self._request(
            "PUT",
            f"{kind}/{name}",
            name=f"{kind}/{{id}}",
            body=resource,
            headers={"If-Match": f'W/"{read}"'},
            allowed=_LOST_RACE | _MISSING,
        )
        if response.status in _LOST_RACE | _MISSING:
            return None
        stored = _representation(response, kind)
        if stored is None:
            return await self.look_back(self.read(kind, name))
        self._recent.note(stored)
        return stored

    async def create(self, resource: Resource, unless: tuple[str, str]) -> tuple[bool, Resource | None]:
        """Create the resource unless a search finds one; return whether there is one now, and it, if that is said.

        It is sent once: where searches lag behind, a second one would find nothing and create a second resource. There
        is none for certain if the server found several, or takes the resource for in conflict with others.
        """
        kind = resource["resourceType"]
        headers = {"If-None-Exist": urlencode([unless])}
        response = await self._request(
            "POST", kind, name=kind, body=resource, headers=headers, allowed=_LOST_RACE, repeatable=False
        )
        if response.status in _LOST_RACE:
            return False, None
        stored = _representation(response, kind)
        if stored is not None:
            self._recent.note(stored)
            return True, stored
        made = re.search(rf"(?:^|/){kind}/([A-Za-z0-9.-]{{1,64}})(?:/|$)", response.headers.get("Location", ""))
        return True, await self.look_back(self.read(kind, made[1])) if made else None

    async def look_back(self, reading: Awaitable[T]) -> T:
        """Read what a write has left, for servers that do not say it."""
        try:
            return await reading
        except BackendError as exc:
            # A read that failed promises that nothing happened; the write did.
            raise OutcomeUnknownError(f"{self.system} has written something that could not be read again") from exc

    async def _request(
        self,
        method: str,
        path: str,
        *,
        name: str,
        params: Sequence[tuple[str, str]] = (),
        body: Resource | None = None,
        headers: Mapping[str, str] | None = None,
        allowed: Collection[int] = (),
        repeatable: bool = True,
    ) -> Response:
        sent = {"Accept": _JSON, **_FRESH, **(headers or {})}
        if body is not None:
            sent |= {"Content-Type": _JSON, "Prefer": "return=representation"}
        # An update carries a condition that its first success makes false.
        response = await self._transport.request(
            method, path, params=params or None, headers=sent, json=body, repeatable=repeatable, name=name
        )
        if response.status // 100 == 2 or response.status in allowed:
            return response
        text = f"{self.system} answered {response.status} to {method} {name}{_issues(response)}"
        if response.uncertain:
            raise OutcomeUnknownError(f"{text}; an earlier try may have been carried out")
        raise InvalidRequestError(text)

    def _resource(self, response: Response, kind: str) -> Resource:
        found = response.json()
        if found.get("resourceType") != kind:
            raise InvalidRequestError(f"{self.system} answered with something that is not a FHIR {kind}")
        return found

    def _next(self, bundle: Resource) -> str | None:
        links = [link for link in bundle.get("link") or () if isinstance(link, dict) and link.get("relation") == "next"]
        # A relative link is relative to the base: https://hl7.org/fhir/R4/http.html#paging. The transport makes sure
        # that the next request, and the credentials with it, go nowhere else.
        return urljoin(f"{self._base_url}/", str(links[0].get("url"))) if links else None


def _matches(bundle: Resource | None, kind: str) -> Iterable[Resource]:
    for entry in (bundle or {}).get("entry") or ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and resource.get("resourceType") == kind:
            yield resource


def _representation(response: Response, kind: str) -> Resource | None:
    """Return what is stored now; servers may leave it out, or answer with an OperationOutcome that all is well."""
    try:
        found = json.loads(response.body)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("resourceType") == kind else None


def _issues(response: Response) -> str:
    """Say of which kind the problems are and where, without any word about a patient."""
    try:
        outcome: Any = json.loads(response.body)
    except ValueError:
        return ""
    listed = outcome.get("issue") if isinstance(outcome, dict) else None
    said = [_issue(issue) for issue in listed[:3] if isinstance(issue, dict)] if isinstance(listed, list) else []
    known = [words for words in said if words]
    return f": {', '.join(known)}" if known else ""


def _issue(issue: dict[str, Any]) -> str:
    code = issue.get("code")
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return ""
    paths = issue.get("expression")
    path = paths[0] if isinstance(paths, list) and paths else None
    return f"{code} at {path}" if isinstance(path, str) and _PATH.fullmatch(path) else code
