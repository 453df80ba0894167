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
    (
        "a secret and a method of keys",
        {"engine": "http://host", "jwt_secret": "secret-word", "jwt_method": "RS256"},
        "RS256 does not go with jwt_secret",
    ),
    (
        "a key and a method of secrets",
        {"engine": "http://host", "jwt_private_key": "key.pem"},
        "HS256 does not go with jwt_private_key",
    ),
    ("no method", {"engine": "http://host", "jwt_secret": "secret-word", "jwt_method": "none"}, "delivery.jwt_method"),
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
    ("an engine's name that is none", {"engines": "{'my engine': {}}"}, "delivery.engines: the name of an engine has"),
    ("a name in an engine that is none", {"engines": "{calm: {engin: x}}"}, "did you mean 'engine'?"),
    ("no address of an engine", {"engines": "{calm: {engine: x}}"}, "delivery.engines.calm.engine: must be"),
    ("a credential of nobody", {"engines": "{calm: {token: secret-word}}"}, "delivery.engines.calm: has a credential"),
    ("a deadline of one engine", {"engines": "{calm: {deadline: 3}}"}, "delivery.engines.calm.deadline: there is no"),
    ("engines in engines", {"engines": "{calm: {engines: {}}}"}, "delivery.engines.calm.engines: there is no"),
    ("a route without an engine", {"engines": "{calm: {}}", "route": "set-slots"}, "route does nothing without"),
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
