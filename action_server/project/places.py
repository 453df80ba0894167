"""Where something stands in the user's YAML files, and what could not be read there.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from action_server.errors import CommandLineError
from action_server.source import Place

Severity = Literal["error", "warning"]


class Frozen(BaseModel):
    """The base of everything that is read: it never changes, and errors do not quote it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Problem(Frozen):
    """Something in a file that could not be read as it stands, or that an engine would refuse."""

    file: str
    line: int
    column: int
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{where}: {self.message}"


class Problems(list[Problem]):
    """Collects problems while files are read."""

    def at(self, place: Place, message: str, severity: Severity = "error") -> None:
        """Note a problem at a place."""
        self.append(Problem(file=place.file, line=place.line, column=place.column, message=message, severity=severity))


class UnsupportedError(CommandLineError):
    """CALM has this, the player does not play it. ``place`` is where it stands, if it stands in a file."""

    def __init__(self, what: str, place: Place | None = None) -> None:
        super().__init__(f"{place}: {what}" if place else what)
        self.place = place
