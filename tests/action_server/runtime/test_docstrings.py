"""Docstrings are read as people write them."""

from __future__ import annotations

import pytest

from action_server.runtime.docstrings import Docstring, read_docstring

DOCSTRINGS: dict[str, tuple[str | None, Docstring]] = {
    "none": (None, Docstring("", {})),
    "one line": ("Book it.", Docstring("Book it.", {})),
    "Google's": (
        """Book an appointment.

        Only in the future.

        Args:
            day: The day,
                as it was said: tomorrow.
            kind (str | None): General or urgent.
            empty:

        Returns:
            booked: whether it was.
        """,
        Docstring(
            "Book an appointment.\n\nOnly in the future.",
            {"day": "The day, as it was said: tomorrow.", "kind": "General or urgent."},
        ),
    ),
    "Sphinx'": (
        """Book it.

        :param day: The day,
            as it was said.
        :param str kind: General.
        :returns: nothing
        """,
        Docstring("Book it.", {"day": "The day, as it was said.", "kind": "General."}),
    ),
    "text after the sections": (
        "Book it.\n\nArgs:\n    day: The day.\n\nMore of it.",
        Docstring("Book it.\n\nMore of it.", {"day": "The day."}),
    ),
}


@pytest.mark.parametrize(("text", "expected"), DOCSTRINGS.values(), ids=DOCSTRINGS)
def test_a_docstring_gives_its_summary_and_its_parameters(text: str | None, expected: Docstring) -> None:
    """Sections for who calls the function from Python are no part of the summary."""
    assert read_docstring(text) == expected
