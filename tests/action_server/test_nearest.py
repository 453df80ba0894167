"""The name somebody may have meant."""

from __future__ import annotations

import pytest

from action_server.nearest import did_you_mean, nearest

KNOWN = ["port", "host", "max_domains", "clinic"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("prot", "port"),
        ("Host", "host"),
        ("max-domains", "max_domains"),
        ("clinc", "clinic"),
        ("tsoh", "host"),
        ("zebra", None),
        ("", None),
    ],
)
def test_a_close_name_is_found_and_no_other(name: str, meant: str | None) -> None:
    """Case and hyphens do not count."""
    assert nearest(name, KNOWN) == meant
    assert did_you_mean(name, KNOWN) == (f"; did you mean {meant!r}?" if meant else "")


def test_where_nothing_is_known_nothing_is_meant() -> None:
    """Nor is there an error."""
    assert nearest("port", []) is None


def test_letters_that_changed_places_are_found_in_short_names() -> None:
    """Three letters, two of them wrong: too little is left for the usual measure."""
    assert nearest("rnu", ["run", "new", "list"]) == "run"
