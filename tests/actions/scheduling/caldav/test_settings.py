"""Settings of a CalDAV server: what is refused before anything starts."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from actions.scheduling.caldav import CalDavSettings

GOOD: dict[str, Any] = {
    "type": "caldav",
    "url": "https://cloud.example.org/remote.php/dav",
    "username": "clinic",
    "password": "s3cret",
    "calendars": {"practice": "calendars/clinic/practice", "specialist": "/elsewhere/specialist/"},
}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no address": ({"url": "cloud.example.org"}, "must be an address"),
    "another protocol": ({"url": "ftp://cloud.example.org"}, "must be an address"),
    "a query": ({"url": "https://cloud.example.org/?a=b"}, "must be an address"),
    "a password in the address": ({"url": "https://clinic:s3cret@cloud.example.org"}, "user or a password"),
    "no password": ({"password": None}, "needs exactly one of password"),
    "two passwords": ({"password_file": "/p"}, "needs exactly one of password"),
    "a password of nobody": ({"username": None}, "need a username"),
    "a token and a password": ({"token": "t"}, "a token needs no"),
    "two tokens": ({"username": None, "password": None, "token": "t", "token_file": "/t"}, "only one of token"),
    "a colon in the name": ({"username": "a:b"}, "match pattern"),
    "no calendars": ({"calendars": {}}, "at least 1 item"),
    "an empty path": ({"calendars": {"practice": ""}}, "at least 1 character"),
    "a path with a query": ({"calendars": {"practice": "a?b"}}, "path or an address"),
    "another server": ({"calendars": {"practice": "https://evil.example.org/cal/"}}, "on the server of url"),
    "another server by its name only": ({"calendars": {"practice": "//evil.example.org/cal/"}}, "on the server of url"),
    "another port": ({"calendars": {"practice": "https://cloud.example.org:8443/cal/"}}, "on the server of url"),
    "one calendar for two": ({"calendars": {"a": "cal", "b": "/remote.php/dav/cal/"}}, "must not share a calendar"),
    "a grid that does not fit": ({"cell_minutes": 50}, "must divide the day"),
    "too fine a grid": ({"cell_minutes": 1}, "greater than or equal to 5"),
    "a mistyped name": ({"calender": {}}, "Extra inputs"),
}


@pytest.mark.parametrize(("change", "words"), BAD.values(), ids=BAD)
def test_bad_settings_are_refused(change: dict[str, Any], words: str) -> None:
    """With what is wrong, and without the value."""
    with pytest.raises(ValidationError, match=words) as caught:
        CalDavSettings.model_validate({**GOOD, **change})
    assert "s3cret" not in str(caught.value)


def test_paths_are_relative_to_the_url() -> None:
    """Or start at the server's root; all end in a slash."""
    settings = CalDavSettings.model_validate(GOOD)

    assert settings.address("practice") == "https://cloud.example.org/remote.php/dav/calendars/clinic/practice/"
    assert settings.address("specialist") == "https://cloud.example.org/elsewhere/specialist/"
    assert settings.origin == "https://cloud.example.org"
    assert "s3cret" not in repr(settings)


def test_a_whole_address_on_the_same_server_is_fine() -> None:
    """As calendar programs show it for copying."""
    calendars = {"practice": "https://cloud.example.org/remote.php/dav/calendars/clinic/practice/"}

    assert CalDavSettings.model_validate({**GOOD, "calendars": calendars}).address("practice") == calendars["practice"]
