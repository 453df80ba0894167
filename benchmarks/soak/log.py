"""The log of a server that runs, read as it grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Log:
    """The lines of a file that others append to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: list[dict[str, Any]] = []
        self._read = 0
        # What stands behind the last line break.
        self.rest = b""

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines so far; one that is not a JSON object with an event has the event ``?``."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            *whole, self.rest = file.read().split(b"\n")
        self._read += sum(len(text) + 1 for text in whole)
        self._lines += map(_line, whole)
        return self._lines

    def find(self, event: str, start: int = 0) -> dict[str, Any] | None:
        """Return the first line with this event, from line ``start`` on."""
        return next((line for line in self.lines()[start:] if line["event"] == event), None)


def _line(text: bytes) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    known = isinstance(line, dict) and "event" in line
    return line if known else {"event": "?", "text": text.decode("utf-8", "backslashreplace")}
