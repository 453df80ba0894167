"""Whether a FHIR server can keep appointments, in words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from actions.errors import InvalidRequestError
from actions.scheduling.fhir.client import FhirClient
from actions.scheduling.fhir.resources import Resource, version
from actions.scheduling.fhir.settings import FhirSettings

# What is done with each type of resource, as a CapabilityStatement calls it.
_NEEDED = {"Slot": {"search-type", "update"}, "Appointment": {"search-type", "create", "update"}}


async def check_server(client: FhirClient) -> None:
    """Raise a `BackendError` that says what the server cannot do. A CapabilityStatement may have some megabytes."""
    _check_capabilities(client.system, await client.capabilities())


async def check_access(client: FhirClient, settings: FhirSettings) -> None:
    """Raise a `BackendError` that says what is missing or cannot be read there. Nothing is written."""
    found = await asyncio.gather(
        client.search("Appointment", ("identifier", f"{settings.identifier_system}|ping"), most=1),
        *(_check_schedule(client, resource, schedule) for resource, schedule in settings.schedules.items()),
        return_exceptions=True,
    )
    for problem in found:
        if isinstance(problem, BaseException):
            raise problem


async def _check_schedule(client: FhirClient, resource: str, schedule: str) -> None:
    found = await client.read(*schedule.split("/"))
    if found is None:
        raise InvalidRequestError(f"{client.system} has no {schedule}, the one of {resource!r}")
    if found.get("active") is False:
        raise InvalidRequestError(f"{schedule}, the one of {resource!r}, is not in use (active is false)")
    slots = await client.search("Slot", ("schedule", schedule), most=1)
    if slots and version(slots[0]) is None:
        raise InvalidRequestError(f"{client.system} gives Slots no version, so they cannot be claimed safely")


def _check_capabilities(system: str, statement: Resource) -> None:
    spoken = str(statement.get("fhirVersion"))
    if not spoken.startswith("4."):
        raise InvalidRequestError(f"{system} speaks FHIR {spoken[:20]}, not R4 (4.0)")
    kinds = _resources(statement)
    for kind, needed in _NEEDED.items() if kinds else ():
        stated = kinds.get(kind)
        if stated is None:
            raise InvalidRequestError(f"{system} offers no {kind} (its CapabilityStatement says)")
        offered = {one.get("code") for one in stated.get("interaction") or () if isinstance(one, dict)}
        if offered and needed - offered:
            missing = ", ".join(sorted(needed - offered))
            raise InvalidRequestError(f"{system} does not offer {missing} for {kind} (its CapabilityStatement says)")
        if stated.get("versioning") == "no-version":
            raise InvalidRequestError(f"{system} keeps no versions of {kind}, so it cannot be changed safely")
        if kind == "Appointment" and stated.get("conditionalCreate") is False:
            raise InvalidRequestError(f"{system} has no conditional create for Appointment, so a repeat would make two")


def _resources(statement: Resource) -> Mapping[str, Mapping[str, Any]]:
    rest = statement.get("rest")
    server = next((one for one in rest if isinstance(one, dict)), {}) if isinstance(rest, list) else {}
    return {one["type"]: one for one in server.get("resource") or () if isinstance(one, dict) and "type" in one}
