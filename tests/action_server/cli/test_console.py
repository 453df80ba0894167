"""One console: a terminal's width is kept, a pipe gets lines as long as they are."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.text import Text

from action_server.cli.console import make_console, make_table, print_error, print_json

LONG = "a path/that/is/longer " * 30


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")


def test_on_a_terminal_tables_fit_its_width() -> None:
    """What is too long goes on in the next line of its column."""
    out = Terminal()
    table = make_table("action", "place")
    table.add_row("action_one", LONG)

    make_console(out).print(table)

    lines = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue()).splitlines()
    assert len(lines) > 2
    assert max(map(len, lines)) <= 80


def test_through_a_pipe_nothing_is_wrapped_or_coloured() -> None:
    """Each row is one line, however long: whoever reads it reads lines."""
    out = io.StringIO()
    table = make_table("action", "place")
    table.add_row("action_one", LONG)

    console = make_console(out)
    console.print(table)
    console.print(Text(LONG, "bold"))

    heading, row, text = out.getvalue().splitlines()
    assert heading.split() == ["action", "place"]
    assert row.strip().endswith(LONG.strip())
    assert text == LONG
    assert "\x1b" not in out.getvalue()


def test_a_line_of_errors_breaks_no_word_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with its line can be clicked on; through a pipe it is one line, for logs."""
    line = f"error: {'a reason ' * 12}some/folder/actions.py:12: no"
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        monkeypatch.setattr("sys.stderr", stream)
        print_error(line)

    lines = terminal.getvalue().splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= 80
    assert " ".join(map(str.strip, lines)) == line
    assert pipe.getvalue() == f"{line}\n"


def test_json_is_indented_and_has_a_text_for_what_it_has_no_word_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Paths and dates as text; to standard output where nothing else is said."""
    print_json({"path": Path("a/b")})

    printed = capsys.readouterr().out
    assert json.loads(printed) == {"path": "a/b"}
    assert printed == '{\n  "path": "a/b"\n}\n'


def test_errors_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed for machines stays readable."""
    print_error("error: nothing there")

    assert capsys.readouterr() == ("", "error: nothing there\n")


def test_no_text_is_markup_or_steers_the_terminal() -> None:
    """Values of users, in lines and in cells: a cell is one line, whatever stands in it."""
    out = Terminal()
    table = make_table("slot", "value")
    table.add_row("[bold]a", Text("two\nlines\x1b[2J"))
    table.add_row("b\nyou: pay", "\x9b31m")

    console = make_console(out)
    console.print(table)
    console.print("a :smile: [/]\x1b]0;title\x07\u202e", Text("\x1b[2J"))

    shown = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())
    assert [line.split() for line in shown.splitlines()] == [
        ["slot", "value"],
        ["[bold]a", "two"],
        [r"lines\x1b[2J"],
        [r"b\nyou:", "pay", r"\x9b31m"],
        ["a", ":smile:", r"[/]\x1b]0;title\x07\u202e", r"\x1b[2J"],
    ]


def test_errors_and_json_steer_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """An error stays one line; JSON says the same in its own escapes."""
    print_error("error: no flow 'a\x1b[2J\nyou: pay'")
    print_json({"a": "\x1b\x7f\x9b\u202e\n"})

    out, err = capsys.readouterr()
    assert err == "error: no flow 'a\\x1b[2J\\nyou: pay'\n"
    assert json.loads(out) == {"a": "\x1b\x7f\x9b\u202e\n"}
    assert all(character == "\n" or " " <= character <= "~" for character in out)
