"""A calendar that is locked for the moment of somebody else's write."""

from __future__ import annotations

from pathlib import Path

from actions.transport import open_session
from tests.actions.scheduling.caldav.caldav_servers import xandikos
from tests.actions.scheduling.caldav.caldav_system import CalDavSystem, value_of
from tests.actions.scheduling.calendar_contract import entry_at
from tests.actions.transport.fault_proxy import Fault, FaultProxy


async def test_a_calendar_that_is_locked_for_a_moment_is_written_a_moment_later(tmp_path: Path) -> None:
    """Both writes of an appointment meet locks: it is there, and confirmed."""
    locks = (Fault("answer", "PUT", nth=1, times=2, status=423), Fault("answer", "PUT", nth=4, status=423))
    with xandikos(tmp_path) as server:
        path = server.make_calendar("practice")
        async with open_session() as session, FaultProxy.open(server.url, *locks) as proxy:
            system = CalDavSystem(server, session, path)
            await (await system.open(url=proxy.url)).write(entry_at())

            assert proxy.done["answer"] == 3
            [text] = system.objects().values()
            assert value_of("STATUS", text) == "CONFIRMED"
