"""What verbs print with: the console, tables and JSON. Readable without colour and through a pipe."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Wider than any line: a guessed width would break what others read line by line.
_UNLIMITED = 1_000_000


def make_console(out: TextIO | None = None) -> Console:
    """Return the console for a stream (default: standard output): a terminal's width counts, a pipe has none."""
    # Loaded late: `--help` and `--json` need none of it.
    from rich.console import Console

    class VerbConsole(Console):
        def on_broken_pipe(self) -> None:
            # Rich would exit with 1, which is what verbs say of findings; the command line knows what to do.
            raise BrokenPipeError

    stream = sys.stdout if out is None else out
    return VerbConsole(file=stream) if stream.isatty() else VerbConsole(file=stream, width=_UNLIMITED)


def make_table(*columns: str) -> Table:
    """Return an empty table without a frame, whose columns are as wide as they need to be."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def print_json(value: object, out: TextIO | None = None) -> None:
    """Print a value as JSON, indented; what JSON has no word for, such as a path or a date, as text."""
    stream = sys.stdout if out is None else out
    stream.write(json.dumps(value, indent=2, default=str) + "\n")


def print_error(text: str) -> None:
    """Print a line on standard error."""
    sys.stderr.write(f"{text}\n")
