"""FHIR's RESTful interactions, as far as appointments need them, with failures as the clinic's errors."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin

from actions.errors import BackendError, InvalidRequestError, OutcomeUnknownError
from actions.scheduling.fhir.resources import Resource, version
from actions.transport import Response, Transport

T = TypeVar("T")

_JSON = "application/fhir+json"
# At a hundred Slots a page this is more than a year of one doctor's.
_MOST_PAGES = 200
_PAGE = "100"
_LOST_RACE = frozenset({409, 412})
_MISSING = frozenset({404, 410})
# Codes and paths of elements; an OperationOutcome's free text may quote what was sent.
_CODE = re.compile(r"[a-z][a-z-]{1,39}")
_PATH = re.compile(r"[A-Za-z]+(\.[A-Za-z]+|\[\d+\]){0,9}")


class FhirClient:
    """Reads and writes resources of one server; `base_url` is where they are, and what links may lead to."""

    def __init__(self, transport: Transport, base_url: str) -> None:
        self.system = transport.system
        self._transport = transport
        self._base_url = base_url.rstrip("/")

    async def capabilities(self) -> Resource:
        """Return the server's CapabilityStatement."""
        return self._resource(await self._request("GET", "metadata", name="metadata"), "CapabilityStatement")

    async def search(self, kind: str, *parameters: tuple[str, str], most: int | None = None) -> list[Resource]:
        """Return every match of all pages, or no more than the `most` first ones. The same name may come twice."""
        count = _PAGE if most is None else str(most)
        found: list[Resource] = []
        path, query = kind, [*parameters, ("_count", count)]
        for _ in range(_MOST_PAGES):
            bundle = self._resource(await self._request("GET", path, params=query, name=kind), "Bundle")
            found.extend(_matches(bundle, kind))
            link = self._next(bundle)
            if link is None or (most is not None and len(found) >= most):
                return found[:most]
            path, query = link, []
        raise InvalidRequestError(f"{self.system} answered a search for {kind} with more than {_MOST_PAGES} pages")

    async def read(self, kind: str, name: str) -> Resource | None:
        """Return a resource, or None if there is none (any more)."""
        response = await self._request("GET", f"{kind}/{name}", name=f"{kind}/{{id}}", allowed=_MISSING)
        return None if response.status in _MISSING else self._resource(response, kind)

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
        return _representation(response, kind) or await self._look_back(self.read(kind, name))

    async def create(self, resource: Resource, unless: tuple[str, str]) -> Resource | None:
        """Create the resource unless a search finds one, and return it, or the one that was found.

        None if the server found several, or takes the resource for in conflict with others.
        """
        kind = resource["resourceType"]
        headers = {"If-None-Exist": urlencode([unless])}
        response = await self._request("POST", kind, name=kind, body=resource, headers=headers, allowed=_LOST_RACE)
        if response.status in _LOST_RACE:
            return None
        stored = _representation(response, kind)
        if stored is None:
            stored = next(iter(await self._look_back(self.search(kind, unless, most=1))), None)
        return stored

    async def _look_back(self, reading: Awaitable[T]) -> T:
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
    ) -> Response:
        sent = {"Accept": _JSON, **(headers or {})}
        if body is not None:
            sent |= {"Content-Type": _JSON, "Prefer": "return=representation"}
        # Every write carries a condition that its first success makes false.
        response = await self._transport.request(
            method, path, params=params or None, headers=sent, json=body, repeatable=True, name=name
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


def _matches(bundle: Resource, kind: str) -> Iterable[Resource]:
    for entry in bundle.get("entry") or ():
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
