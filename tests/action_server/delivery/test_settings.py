"""Settings of the delivery: each wrong one is said by its name, and no secret is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from action_server.config import settings
from action_server.errors import SettingsError

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("no address", {"engine": "localhost:5005"}, "delivery.engine: must be the engine's address"),
    ("a query", {"engine": "http://host/?token=secret-word"}, "delivery.engine: must be the engine's address"),
    ("a credential", {"engine": "http://me:secret-word@host"}, "delivery.engine: must hold no credential"),
    ("two credentials", {"engine": "http://host", "token": "secret-word", "jwt_secret": "x"}, "token and jwt_secret"),
    ("a credential for nobody", {"token": "secret-word"}, "a credential and no engine"),
    ("no engine", {"engine": "''"}, "delivery.engine: must be the engine's address"),
    ("an engine of nothing", {"engine": "null"}, "delivery.engine: is empty"),
    ("a token of nothing", {"engine": "http://host", "token": "null"}, "delivery.token: is empty"),
    ("a method without a secret", {"engine": "http://host", "jwt_method": "HS512"}, "nothing without jwt_secret"),
    ("a route to nobody", {"route": "set-slots"}, "route does nothing without engine"),
    ("a channel's route to nobody", {"channels": "{rest: set-slots}"}, "channels does nothing without engine"),
    ("a time for nobody", {"lock_life": 3}, "lock_life does nothing without engine"),
    ("no route", {"route": "nowhere"}, "delivery.route"),
    ("no route of a channel", {"channels": {"rest": "auto"}}, "delivery.channels.rest"),
    ("a name that is none", {"engin": "http://host"}, "did you mean 'engine'?"),
    ("no time", {"timeout": 0}, "delivery.timeout"),
]


@pytest.mark.parametrize(("block", "said"), [r[1:] for r in WRONG], ids=[r[0] for r in WRONG])
def test_a_wrong_setting_is_said(tmp_path: Path, block: dict[str, Any], said: str) -> None:
    """In one line, with the place."""
    lines = ["action_server:", "  delivery:", *(f"    {name}: {value}" for name, value in block.items())]
    (tmp_path / "endpoints.yml").write_text("\n".join(lines))
    with pytest.raises(SettingsError) as refused:
        settings.read({"endpoints": str(tmp_path / "endpoints.yml")}, {})

    assert said in str(refused.value)
    assert "secret-word" not in str(refused.value)


def test_a_token_of_the_environment_is_not_shown() -> None:
    """Two underscores between the levels, as of all settings."""
    prefix = "ACTION_SERVER__DELIVERY__"
    variables = {f"{prefix}ENGINE": "https://engine.example/api/", f"{prefix}TOKEN": "secret-word"}
    read = settings.read({}, variables)

    assert read.delivery.engine == "https://engine.example/api"
    assert "secret-word" not in repr(read)
