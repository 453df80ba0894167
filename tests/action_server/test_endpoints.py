"""``${VARIABLE}`` in endpoints.yml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from action_server.config import settings
from action_server.endpoints import expanded
from action_server.errors import SettingsError

ENVIRONMENT = {"HOST": "crm.example", "PORT": "8443", "EMPTY": ""}


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("https://${HOST}:${PORT}/x", "https://crm.example:8443/x"),
        (["${HOST}", 1, {"deep": "${PORT}"}], ["crm.example", 1, {"deep": "8443"}]),
        ("${EMPTY}", ""),
        ("costs $5, ${} or $HOST", "costs $5, ${} or $HOST"),
        ({"${HOST}": None}, {"${HOST}": None}),
    ],
    ids=["in a text", "at any depth", "an empty one", "nothing like one", "a key"],
)
def test_variables_are_replaced_wherever_they_stand_in_a_value(value: Any, meant: Any) -> None:
    """As Rasa does it in its part of the file."""
    assert expanded(value, "", ENVIRONMENT) == meant


def test_a_variable_that_is_not_set_is_named_with_its_place() -> None:
    """Not replaced by nothing: a password would be empty. No value is shown."""
    with pytest.raises(SettingsError) as refused:
        expanded({"keys": ["a", "secret ${NOT_SET}"]}, "FILE: crm", ENVIRONMENT)

    assert refused.value.where == "FILE: crm.keys[1]"
    assert "NOT_SET is not set" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_settings_of_the_server_and_of_services_may_hold_variables(tmp_path: Path) -> None:
    """A number as well; a secret is not shown."""
    file = tmp_path / "endpoints.yml"
    file.write_text(
        "action_server: {port: '${PORT}', auth: {tokens: '${TOKEN}'}, services: {crm: {url: '${HOST}'}}}",
        encoding="utf-8",
    )

    found = settings.read({"endpoints": str(file)}, {**ENVIRONMENT, "TOKEN": "hunter2"})

    assert (found.port, found.services) == (8443, {"crm": {"url": "crm.example"}})
    assert "hunter2" not in repr(found)
