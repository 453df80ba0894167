"""Walk at random over calendars of Radicale and Xandikos that have been used, and count what went wrong::

python -m tests.actions.scheduling.caldav.walks --walks 1000
"""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from actions.errors import OutcomeUnknownError
from actions.scheduling.synced import SyncedBackend
from actions.transport import Response, Transport, open_session
from tests.actions.clinic import GENERAL, FixedClock, open_synced
from tests.actions.scheduling.caldav import variants
from tests.actions.scheduling.caldav.caldav_servers import radicale, xandikos
from tests.actions.scheduling.caldav.caldav_system import CalDavServer, CalDavSystem
from tests.actions.scheduling.caldav.people import People, write_series
from tests.actions.scheduling.caldav.variants import varied
from tests.actions.scheduling.walk import TUESDAY, Walk
from tests.actions.scheduling.walking import Open, new_database, run_from_the_command_line

_RESOURCES = ("practice", "specialist")
# Xandikos answers the seventh question of a kind from an index.
_QUESTIONS_BEFORE = 8


@dataclass(frozen=True)
class Variant:
    """Which server, on which grid; `loses` every third answer to a write; `differs` as one of `variants` does.

    For `lag` seconds searches do not find what was written, by us or by people, in any version.
    """

    server: str
    cell_minutes: int = 30
    loses: bool = False
    lag: float = 0
    differs: str = ""


VARIANTS: Mapping[str, Variant] = {
    f"{server}{words}": replace(variant, server=server)
    for server in ("radicale", "xandikos")
    for words, variant in {
        "": Variant(""),
        ", cells of 15 minutes": Variant("", cell_minutes=15),
        ", answers of writes lost": Variant("", loses=True),
        ", lag 2 s": Variant("", lag=2),
        ", cut off": Variant("", differs="cut off"),
    }.items()
}


@dataclass
class Wire:
    """What happens to the requests of all processes of a walk."""

    variant: Variant
    clock: FixedClock
    random: Random
    written: dict[str, datetime] = field(default_factory=dict)

    def transport(self) -> type[Transport]:
        """Return a transport on which it happens."""
        wire = self
        behind: Any = varied(variants.VARIANTS[wire.variant.differs]) if wire.variant.differs else Transport

        class Varied(behind):
            async def request(self, method: str, path: str, **rest: Any) -> Response:
                answer = await super().request(method, path, **rest)
                return wire.passed(method, path, answer)

        return Varied

    async def sleep(self, seconds: float) -> None:
        """Let time go by, without waiting."""
        self.clock.now += timedelta(seconds=seconds)

    def note(self, path: str) -> None:
        """Note that an object was written just now."""
        self.written[path.rpartition("/")[2]] = self.clock.now

    def passed(self, method: str, path: str, answer: Response) -> Response:
        """Return the answer as it arrives."""
        self.clock.now += timedelta(milliseconds=10)
        if method == "PUT" and answer.status < 300:
            self.note(path)
        if method in ("PUT", "DELETE") and self.variant.loses and self.random.random() < 1 / 3:
            raise OutcomeUnknownError("the answer was lost")
        if method == "REPORT" and self.variant.lag:
            return replace(answer, body=self._without_the_newest(answer.body))
        return answer

    def _without_the_newest(self, body: bytes) -> bytes:
        since = self.clock.now - timedelta(seconds=self.variant.lag)
        newest = [name.encode() for name, at in self.written.items() if at > since]

        def kept(found: re.Match[bytes]) -> bytes:
            href = re.search(rb"href>([^<]*)<", found[0])
            return b"" if href and any(href[1].endswith(name) for name in newest) else found[0]

        return re.sub(rb"<(\w+:)?response>.*?</(\w+:)?response>", kept, body, flags=re.DOTALL)


@dataclass(frozen=True)
class NotedServer(CalDavServer):
    """A server that tells what people write."""

    note: Callable[[str], None] = print

    def put(self, path: str, content: str) -> None:
        """Write a calendar object by hand."""
        super().put(path, content)
        self.note(path)


@asynccontextmanager
async def walking(server: CalDavServer, variant: Variant, folder: Path, random: Random) -> AsyncIterator[Walk]:
    """Open a walk for the length of the block, on calendars of its own that have been used."""
    clock = FixedClock()
    wire = Wire(variant, clock, random)
    noted = NotedServer(server.name, server.port, server.home, server.user, wire.note)
    async with new_database(folder, random) as database, open_session() as session:
        name = uuid.uuid4().hex[:8]
        practice, specialist, private = (
            CalDavSystem(noted, session, server.make_calendar(f"{name}-{one}"), clock, one, wire.sleep)
            for one in (*_RESOURCES, "private")
        )
        systems = {"practice": practice, "specialist": specialist}
        backends = [await _open(systems, wire, database) for _ in range(2)]
        try:
            await _use(backends[0], practice)
            people = People(practice, specialist, private, random, variant.lag)
            yield Walk(people, clock, backends, random)
        finally:
            for backend in backends:
                await backend.close()


async def _open(systems: Mapping[str, CalDavSystem], wire: Wire, database: Path) -> SyncedBackend:
    calendar = await systems["practice"].open(
        wire.transport(),
        calendars={resource: systems[resource].path for resource in _RESOURCES},
        patient_name=True,
        cell_minutes=wire.variant.cell_minutes,
    )
    return await open_synced(database, calendar, clock=wire.clock)


async def _use(backend: SyncedBackend, practice: CalDavSystem) -> None:
    """Have something stand in the calendar, and ask it often."""
    write_series(practice)
    for _ in range(_QUESTIONS_BEFORE):
        await backend.find_slots(GENERAL, TUESDAY)


@contextmanager
def caldav_walks() -> Iterator[Open]:
    """Run both servers for the length of the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers: dict[str, CalDavServer] = {}
        for run in (radicale, xandikos):
            (folder / run.__name__).mkdir()
            servers[run.__name__] = stack.enter_context(run(folder / run.__name__))
        yield lambda variant, kept, random: walking(servers[VARIANTS[variant].server], VARIANTS[variant], kept, random)


def main() -> None:
    """Walk as the command line says."""
    with caldav_walks() as opens:
        run_from_the_command_line(opens, list(VARIANTS), __doc__)


if __name__ == "__main__":
    main()
