"""What flags and arguments hold is read in one way."""

from __future__ import annotations

import pytest

from action_server.cli.values import parse_header, parse_service_setting, parse_slots, parse_url
from action_server.errors import SettingsError


def test_slots_are_json_or_text() -> None:
    """Numbers, lists and truth values need no quoting; quoting makes them text."""
    pairs = ["n=4", "name=Ann", 'id="7"', "tags=[1, 2]", "ok=true", "none=null", "date=2026-11-24", "eq=a=b", "empty="]

    assert parse_slots(pairs) == {
        "n": 4,
        "name": "Ann",
        "id": "7",
        "tags": [1, 2],
        "ok": True,
        "none": None,
        "date": "2026-11-24",
        "eq": "a=b",
        "empty": "",
    }
    with pytest.raises(SettingsError):
        parse_slots(["=x"])


def test_a_header_is_a_name_and_a_value() -> None:
    """The value may have colons and the spaces of a credential."""
    assert parse_header("Authorization: Bearer a:b") == ("Authorization", "Bearer a:b")
    assert parse_header("X-Empty:") == ("X-Empty", "")


@pytest.mark.parametrize("pair", ["secret", ": secret", "X: secret\r\nY: 1", ""])
def test_what_is_no_header_is_refused_without_repeating_it(pair: str) -> None:
    """It may be a credential; a line break would smuggle in a second header."""
    with pytest.raises(SettingsError) as raised:
        parse_header(pair)

    assert str(raised.value) == "--header: is not NAME:VALUE"


def test_a_setting_of_a_service_is_a_tree() -> None:
    """Dots lead down, values are JSON or text."""
    assert parse_service_setting("services.clinic.database={tmp}/x=1") == {"clinic": {"database": "{tmp}/x=1"}}
    assert parse_service_setting("services.retries=3") == {"retries": 3}


@pytest.mark.parametrize("pair", ["port=secret", "services.x", "services=secret", "services..x=secret"])
def test_what_is_no_setting_of_a_service_is_refused_without_repeating_it(pair: str) -> None:
    """The server's own settings have flags; the value may be a credential."""
    with pytest.raises(SettingsError, match=r"--set: is not services\.NAME=VALUE") as raised:
        parse_service_setting(pair)

    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://localhost:5055/webhook", "https://[::1]/webhook"])
def test_a_url_is_taken_as_it_is(url: str) -> None:
    assert parse_url(url) == url


@pytest.mark.parametrize(
    "url", ["", "localhost:5055/webhook", "127.0.0.1:5055", "grpc://x:1", "http://", "http://x:99999", "http://[::1"]
)
def test_what_no_server_can_answer_at_is_refused(url: str) -> None:
    """An empty one, from a variable that is not set, called the actions in place."""
    with pytest.raises(SettingsError, match=r"--url: is not the URL of a webhook, such as http://"):
        parse_url(url)
