"""Takes the picture of the inspector for the README: ``python -m tests.tools.picture_inspector``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.action_server.inspector.inspected import inspected, make_bot
from tests.browsers import browser

PICTURE = Path(__file__).parents[2] / "docs" / "inspector.png"


def main() -> None:
    """Make a call and photograph the page about it."""
    with tempfile.TemporaryDirectory() as folder, browser() as chrome:
        (bot := Path(folder) / "bot").mkdir()
        make_bot(bot)
        with inspected(bot, "--dev") as dev:
            dev.call("action_weather", "ann", city="Oslo", days=2, forecast=None)
            number = dev.newest("ann")
            page = chrome.new_page(base_url=dev.running.url, viewport={"width": 1100, "height": 1000})
            page.goto(f"/inspector/calls/{number}")
            page.screenshot(path=PICTURE)


if __name__ == "__main__":
    main()
