"""80 columns: no word and no ``file:line`` is broken; what does not fit side by side stands below each other."""

from __future__ import annotations

import io

from action_server.cli.console import make_table


def printed(width: int, *rows: tuple[str, ...]) -> list[str]:
    from rich.console import Console

    table = make_table("action", "runs on", "place")
    for row in rows:
        table.add_row(*row)
    out = io.StringIO()
    Console(file=out, width=width).print(table, crop=False)
    return [line.rstrip() for line in out.getvalue().splitlines()]


LONG = ("action_ask_appointment_choice", "event loop", "actions/appointments/validation.py:128")
SHORT = ("action_a", "thread", "actions.py:1")


def test_what_fits_is_a_table() -> None:
    """As many columns as there are."""
    assert printed(80, SHORT)[0].split() == ["action", "runs", "on", "place"]
    assert printed(80, SHORT)[1].split() == list(SHORT)


def test_what_does_not_fit_is_two_short_lines_for_each() -> None:
    """The first cell, and the others with the names of their columns."""
    assert printed(80, LONG, SHORT) == [
        "action_ask_appointment_choice",
        "  runs on: event loop   place: actions/appointments/validation.py:128",
        "action_a",
        "  runs on: thread   place: actions.py:1",
    ]


def test_only_blanks_are_where_a_line_is_broken() -> None:
    """Prose wraps below its beginning; what is longer than a line stands on one of its own, whole."""
    prose = " ".join("abcdefghijklmnopqrstuvw")
    place = "actions/in/very/long/folders/of/a/bot/file.py:128"

    lines = printed(40, ("action_x", prose, place))

    assert lines[0] == "action_x"
    assert [len(line) <= 40 for line in lines[:-1]] == [True] * (len(lines) - 1)
    assert " ".join(" ".join(lines[1:]).split()) == f"runs on: {prose} place: {place}"
    assert lines[2].startswith("    ")
    assert place in lines[-1]


def test_columns_are_never_narrower_than_their_words() -> None:
    """Beside a long prose the place stays whole."""
    lines = printed(60, ("action_x", "word " * 30, "actions/file.py:128"))

    assert "actions/file.py:128" in lines[1]
    assert len(lines) > 3
