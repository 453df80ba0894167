"""CalDAV does what every calendar has to do, on two servers."""

from __future__ import annotations

from tests.actions.scheduling.calendar_contract import *  # noqa: F403

# The fixture `system`.
pytest_plugins = ["tests.actions.scheduling.caldav.caldav_servers"]
