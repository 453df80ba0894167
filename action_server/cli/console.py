"""What verbs print with, and write files with: the console, tables and JSON. Readable without colour, through a pipe.

Values come from users, servers and files: whatever is printed here is escaped, and none of it is markup.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from action_server.errors import SettingsError
from action_server.findings.escaping import escape_controls, escape_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions
    from rich.table import Column, Table
    from rich.text import Text

# Wider than any line: a guessed width would break what others read line by line.
_UNLIMITED = 1_000_000
# Blanks between two columns.
_GAP = 3


def make_console(out: TextIO | None = None) -> Console:
    """Return the console for a stream (default: standard output): a terminal's width counts, a pipe has none."""
    # Loaded late: `--help` and `--json` need none of it.
    from rich.console import Console

    class VerbConsole(Console):
        def print(self, *objects: Any, **options: Any) -> None:
            """Print as rich does, but no text as markup, and none raw: line breaks alone are kept."""
            # A word that is longer than a line goes on over its end: half of a file's name helps nobody.
            super().print(*map(_make_safe, objects), **{"crop": False, **options})

        def on_broken_pipe(self) -> None:
            # Rich would exit with 1, which is what verbs say of findings; the command line knows what to do.
            raise BrokenPipeError

    stream = sys.stdout if out is None else out
    return VerbConsole(file=stream) if stream.isatty() else VerbConsole(file=stream, width=_UNLIMITED)


def make_table(*columns: str, indent: int = 0, ratio: int | None = None) -> Table:
    """Return an empty table without a frame, whose columns are as wide as they need to be.

    Its cells are escaped; a text is one line in its cell, and several lines are a ``Text`` of rich's.
    With ``indent`` that many blanks stand before each column; with ``ratio`` they share a terminal's width alike.
    """
    from rich.table import Table

    class VerbTable(Table):
        def add_row(self, *cells: Any, **options: Any) -> None:
            lines = (escape_controls(cell) if isinstance(cell, str) else cell for cell in cells)
            super().add_row(*map(_make_safe, lines), **options)

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
            """Print a table if no word in it has to be broken for it, otherwise some short lines for each row."""
            longest = [_longest_word(column) for column in self.columns]
            if ratio is None and sum(longest) + _GAP * len(longest) > options.max_width:
                yield from _as_records(self, options.max_width)
                return
            for column, width in zip(self.columns, longest, strict=True):
                column.min_width = width if ratio is None else None
            yield from super().__rich_console__(console, options)

    padding = (0, 0, 0, indent) if indent else (0, _GAP, 0, 0)
    table = VerbTable(box=None, pad_edge=bool(indent), padding=padding, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", ratio=ratio)
    return table


def _longest_word(column: Column) -> int:
    words = (word for cell in (column.header, *column.cells) for word in str(cell).split())
    return max((len(word) for word in words), default=0)


def _as_records(table: Table, width: int) -> Iterator[Text]:
    """Yield each row as its first cell and, indented below it, the others with their columns' names."""
    from rich.text import Text

    first, *others = table.columns
    rows = zip(first.cells, *(column.cells for column in others), strict=True)
    for name, *cells in rows:
        yield Text(str(name), "bold", no_wrap=True, overflow="ignore")
        line = ""
        for column, cell in zip(others, cells, strict=True):
            part = f"{column.header}: {cell}" if str(cell) else ""
            if line and len(line) + _GAP + len(part) > width:
                yield Text(_wrapped(line, width), no_wrap=True, overflow="ignore")
                line = ""
            line = f"{line}{' ' * _GAP}{part}" if line else f"  {part}"
        yield Text(_wrapped(line, width), no_wrap=True, overflow="ignore")


def _wrapped(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    return textwrap.fill(line, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _make_safe(printed: Any) -> Any:
    from rich.text import Text

    if isinstance(printed, str):
        return Text(escape_lines(printed))
    if isinstance(printed, Text) and escape_lines(printed.plain) != printed.plain:
        # Its styles would stand in the wrong places.
        return Text(escape_lines(printed.plain), printed.style)
    return printed


def print_json(value: object, out: TextIO | None = None) -> None:
    """Print a value as JSON, indented; what JSON has no word for, such as a path or a date, as text."""
    stream = sys.stdout if out is None else out
    stream.write(to_json(value, indent=2) + "\n")


def to_json(value: object, indent: int | None = None) -> str:
    """Return a value as JSON in ASCII without control characters: it may be read on a terminal."""
    return json.dumps(value, indent=indent, default=str).replace("\x7f", "\\u007f")


def print_error(text: str) -> None:
    """Print a line on standard error; on a terminal it goes on below. What steers a terminal in it is escaped."""
    line = escape_controls(text)
    if sys.stderr.isatty():
        line = _wrapped(line, shutil.get_terminal_size().columns)
    sys.stderr.write(f"{line}\n")


def write_file(file: Path, text: str) -> None:
    """Write a text, in a folder that is made if it is not there.

    Raises:
        SettingsError: it cannot be written; names the file and the reason.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise SettingsError(str(file), f"cannot be written: {exc.strerror}") from exc
