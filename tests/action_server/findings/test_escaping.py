"""What steers a terminal is written out, and what people write is left alone."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_server.findings.escaping import escape_controls, escape_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m\x85", r"\x9b31m\x85"),
        ("a\nb\r", r"a\nb\r"),
        ("\u202eabc\u2069\u200f", r"\u202eabc\u2069\u200f"),
        ("a\u2028b", r"a\u2028b"),
        ("\x00\x08\x7f", r"\x00\x08\x7f"),
        ("\ud800", r"\ud800"),
    ],
    ids=["csi", "title and bell", "C1", "line breaks", "bidi", "separator", "others", "surrogate"],
)
def test_what_steers_a_terminal_is_written_out(text: str, shown: str) -> None:
    """So that a reader sees it, and the terminal does not."""
    assert escape_controls(text) == shown


@pytest.mark.parametrize("text", ["Zoë", "e\u0301", "שלום", "日本語", "👩‍👩‍👧 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "a\tb", "नमस्ते", "می‌خواهم"])
def test_what_people_write_stays(text: str) -> None:
    """Letters that combine, joined emoji, joiners of scripts and tabs are ordinary."""
    assert escape_controls(text) == text


@given(st.text(alphabet=st.characters(), max_size=40))
def test_nothing_that_steers_is_left(text: str) -> None:
    """Whatever the text: no control character but the tab, no separator, one line."""
    shown = escape_controls(text)

    assert {unicodedata.category(character) for character in shown if character != "\t"}.isdisjoint(
        {"Cc", "Zl", "Zp", "Cs"}
    )
    assert {unicodedata.bidirectional(character) for character in shown}.isdisjoint(
        {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    )
    assert len(shown.splitlines()) <= 1


def test_lines_of_ones_own_stay_lines() -> None:
    """Each of them is escaped by itself."""
    assert escape_lines("a\x1b\n b\r\n") == "a\\x1b\n b\\r\n"
