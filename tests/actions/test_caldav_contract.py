"""CalDAV does what every calendar has to do, on two servers."""

from __future__ import annotations

from tests.actions.calendar_contract import *  # noqa: F403

# The fixture `system`.
pytest_plugins = ["tests.actions.caldav_servers"]
