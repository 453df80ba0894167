"""Places in the author's files, written and read."""

from __future__ import annotations

import pytest

from action_server.source import Place, parse_place

PLACES: list[tuple[str, Place, str, str]] = [
    ("a file", Place("a.yml"), "a.yml", "a.yml"),
    ("a line", Place("a.yml", 3), "a.yml:3", "a.yml:3"),
    ("a column", Place("a.yml", 3, 7), "a.yml:3", "a.yml:3:7"),
    ("an entry", Place("a.yml", key="b.c"), "a.yml:b.c", "a.yml:b.c"),
    ("a flag", Place(key="--url"), "--url", "--url"),
]


@pytest.mark.parametrize(("place", "text", "exact"), [p[1:] for p in PLACES], ids=[p[0] for p in PLACES])
def test_a_place_is_written_as_far_as_it_is_known(place: Place, text: str, exact: str) -> None:
    """Messages say the line; findings the column or the entry as well."""
    assert (str(place), place.exact) == (text, exact)


def test_places_are_in_the_order_of_the_file() -> None:
    """Lines and columns count as numbers."""
    places = [Place("b", 1), Place("a", 10, 1), Place("a", 9, 2), Place("a", 9, 10), Place("a")]

    assert [p.exact for p in sorted(places)] == ["a", "a:9:2", "a:9:10", "a:10:1", "b:1"]


@pytest.mark.parametrize("text", ["a.py:12", "C:\\bot\\a.py:12"])
def test_a_place_that_was_written_is_read_again(text: str) -> None:
    """Whatever colons the file's name has."""
    place = parse_place(text)

    assert place is not None
    assert (str(place), place.line) == (text, 12)


@pytest.mark.parametrize("text", ["", "a.py", "a.py:", "a.py:x", "builtins"])
def test_a_text_without_a_line_is_no_place(text: str) -> None:
    """As the module of a class that is written in C."""
    assert parse_place(text) is None
