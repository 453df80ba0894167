"""Where something stands in the user's YAML files, and what could not be read there."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from action_server.errors import CommandLineError

Severity = Literal["error", "warning"]


class Frozen(BaseModel):
    """The base of everything that is read: it never changes, and errors do not quote it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Place(Frozen):
    """A place in a file; lines and columns count from 1, 0 stands for the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Problem(Frozen):
    """Something in a file that could not be read as it stands, or that an engine would refuse."""

    file: str
    line: int
    column: int
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


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
