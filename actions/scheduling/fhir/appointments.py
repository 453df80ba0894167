"""The Appointment of an entry: found by its id where that is known, created once, also where searches lag behind."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection

from actions.errors import OutcomeUnknownError, UnavailableError
from actions.scheduling.fhir.client import FhirClient
from actions.scheduling.fhir.resources import Resource, has_begun, has_identifier, is_live, is_of
from actions.scheduling.fhir.settings import FhirSettings
from actions.scheduling.remote import Entry

# How often something is looked at again that others keep changing.
TRIES = 5
_KIND = "Appointment"
_FIRST_PAUSE = 0.1
# So many entries are remembered whose names the ledger may not have yet.
_MOST_MADE = 1000


def ids_in(entry: Entry, kind: str) -> list[str]:
    """Return the ids of that type among the entry's names."""
    return [name.partition("/")[2] for name in entry.names if name.startswith(f"{kind}/")]


class Appointments:
    """Finds and creates the Appointments of entries; `sleep` is for tests."""

    def __init__(
        self, client: FhirClient, settings: FhirSettings, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._client = client
        self._system = settings.identifier_system
        self._lag = settings.search_lag_seconds
        self._attempts = settings.transport.attempts
        self._sleep = sleep
        self._made: OrderedDict[str, str] = OrderedDict()

    async def live(self, entry: Entry) -> list[Resource]:
        """Return the entry's Appointments of which somebody is expected: usually one, found by its id.

        One that was deleted may have been made anew under another id, of which a search may not know yet.
        """
        known = await self._by_id(entry)
        live = [one for one in known.values() if one is not None and is_live(one)]
        if not live:
            found = await self.search(entry, known)
            if ids_in(entry, _KIND) and not any(known.values()):
                found = await self._asked_again(entry, found, known)
            live = [one for one in found if is_live(one)]
        return live

    async def every(self, entry: Entry) -> list[Resource]:
        """Return all Appointments of the entry that can be found in one way or another, live ones first."""
        found: dict[str, Resource | None] = {str(one.get("id")): one for one in await self.search(entry)}
        found |= await self._by_id(entry)
        return sorted((one for one in found.values() if one is not None), key=lambda one: not is_live(one))

    async def _by_id(self, entry: Entry) -> dict[str, Resource | None]:
        """Return the Appointments whose ids are known, as they are now; None for those that are there no more."""
        ids = {*ids_in(entry, _KIND), *([self._made[entry.uid]] if entry.uid in self._made else [])}
        found = {one: await self._client.read(_KIND, one) for one in sorted(ids)}
        return {name: one if one and is_of(one, self._system, entry) else None for name, one in found.items()}

    async def search(self, entry: Entry, known: Collection[str] = ()) -> list[Resource]:
        """Return what a search for the entry's uid finds, which may not know what was just written.

        Nor what was deleted: those that are `known` by their ids are left out.
        """
        found = await self._client.search(_KIND, ("identifier", f"{self._system}|{entry.uid}"))
        return [one for one in found if has_identifier(one, self._system, entry.uid) and one.get("id") not in known]

    async def awaited(self, entry: Entry) -> list[Resource]:
        """Return the entry's Appointments; asked again while a search may lag behind if there seem to be none."""
        return await self._asked_again(entry, await self.every(entry))

    async def _asked_again(self, entry: Entry, found: list[Resource], known: Collection[str] = ()) -> list[Resource]:
        async for _ in self.pauses():
            if found:
                break
            found = await self.search(entry, known)
        return found

    async def pauses(self) -> AsyncIterator[None]:
        """Wait again and again, until every search knows what had been written before."""
        left, pause = self._lag, _FIRST_PAUSE
        while left > 0:
            await self._sleep(min(pause, left))
            yield
            left -= pause
            pause *= 2

    async def only(self, entry: Entry, made: Resource) -> Resource:
        """Return the one Appointment of an entry that several have worked on, and cancel what they made besides.

        All of them see the same ones after a while, and keep the same one.
        """
        await self._sleep(self._lag)
        every = {str(one.get("id")): one for one in (made, *await self.search(entry)) if is_live(one)}
        first, *others = sorted(every) or [str(made.get("id"))]
        for name in others:
            await self.cancel(every[name])
        return self.remember(entry, every.get(first, made))

    async def create(self, entry: Entry, new: Resource) -> Resource | None:
        """Create the entry's Appointment and return it, or the one that is there; None if the server has no room.

        Raises `OutcomeUnknownError` if it may have been created.
        """
        for tries_left in reversed(range(self._attempts)):
            try:
                accepted, stored = await self._client.create(new, ("identifier", f"{self._system}|{entry.uid}"))
            except OutcomeUnknownError:
                if not tries_left:
                    raise
                found = await self._client.look_back(self.awaited(entry))
                if found:
                    return self.remember(entry, found[0])
                continue
            if not accepted:
                return next(iter(await self.search(entry)), None)
            if stored is None:
                # The server does not say what it made.
                stored = next(iter(await self._client.look_back(self.awaited(entry))), None)
            if stored is None:
                raise OutcomeUnknownError(f"{self._client.system} has created something that could not be found again")
            return self.remember(entry, stored)
        raise AssertionError("the last try either returns or raises")

    async def cancel(self, appointment: Resource) -> bool:
        """Cancel an Appointment; return whether there was anything to cancel. Whoever changes it meanwhile is heard."""
        current: Resource | None = appointment
        for _ in range(TRIES):
            if current is None or not is_live(current) or has_begun(current):
                return False
            if await self._client.update({**current, "status": "cancelled"}) is not None:
                return True
            current = await self._client.read(_KIND, str(current.get("id")))
        raise UnavailableError(
            f"{self._client.system} has an appointment that others keep changing; it was not removed"
        )

    def remember(self, entry: Entry, appointment: Resource) -> Resource:
        """Remember the id of the entry's Appointment until the ledger knows it."""
        self._made[entry.uid] = str(appointment.get("id"))
        while len(self._made) > _MOST_MADE:
            self._made.popitem(last=False)
        return appointment
