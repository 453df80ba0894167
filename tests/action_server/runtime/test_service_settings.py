"""Settings of services remember what was read of them, however it was, and are a plain dict to everybody."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from action_server.runtime.service_settings import ServiceSettings

CONTENT = {"clinic": {"database": "a", "hours": {"from": 8}}, "clinc": {"database": "b"}}


class Clinic(BaseModel):
    model_config = ConfigDict(extra="ignore")

    database: str


class All(BaseModel):
    model_config = ConfigDict(extra="allow")


def unread(settings: ServiceSettings) -> list[tuple[str, str | None]]:
    return [(str(setting), setting.near) for setting in settings.unread()]


def whole(**config: Any) -> dict[str, Any]:
    return config


def by_pattern(config: Any) -> Any:
    match config:
        case {"clinic": _, "clinc": _}:
            return config
    raise AssertionError


EVERYTHING: list[tuple[str, Callable[[Any], Any]]] = [
    ("**", lambda config: whole(**config)),
    ("dict", dict),
    ("a display", lambda config: {**config}),
    ("a union", lambda config: config | {}),
    ("a loop", lambda config: {key: config[key] for key in config}),
    ("items", lambda config: dict(config.items())),
    ("keys and values", lambda config: dict(zip(config.keys(), config.values(), strict=True))),
    ("a copy", copy.copy),
    ("a deep copy", copy.deepcopy),
    ("pickle", lambda config: pickle.loads(pickle.dumps(config))),  # noqa: S301 - our own
    ("json", lambda config: json.loads(json.dumps(config))),
    ("pydantic", lambda config: All.model_validate(config).model_dump()),
    ("a pattern", by_pattern),
]


@pytest.mark.parametrize("read", [e[1] for e in EVERYTHING], ids=[e[0] for e in EVERYTHING])
def test_who_reads_everything_gets_everything_and_leaves_nothing_unread(read: Callable[[Any], Any]) -> None:
    """Authors do with their settings what they do with a dict."""
    settings = ServiceSettings(CONTENT)

    assert read(settings) == CONTENT
    assert unread(settings) == []


def test_what_nobody_asked_for_is_named_with_what_was_asked_for_instead() -> None:
    """A key that was asked for and is not there is the best guess."""
    settings = ServiceSettings({"clinc": {}, "crm": {"urll": 1, "token": 2}})

    assert settings.get("clinic") is None
    assert settings["crm"].get("url") is None
    assert settings["crm"].pop("token") == 2
    assert unread(settings) == [("services.clinc", "clinic"), ("services.crm.urll", "url")]


def test_what_pydantic_passes_over_is_unread() -> None:
    """A model that ignores what it does not know hides typing errors."""
    settings = ServiceSettings(CONTENT)

    Clinic.model_validate(settings["clinic"])

    assert unread(settings) == [("services.clinic.hours", None), ("services.clinc", "clinic")]


def test_where_nobody_reads_anything_everything_is_unread() -> None:
    """A package without a lifespan, say."""
    assert unread(ServiceSettings(CONTENT)) == [("services.clinic", None), ("services.clinc", None)]


def test_a_key_that_is_looked_for_was_read() -> None:
    """`"clinic" in config` asks for it as well, and so does `setdefault`."""
    settings = ServiceSettings({"clinic": 1, "crm": 2})

    assert "clinic" in settings
    assert settings.setdefault("crm", 3) == 2
    assert unread(settings) == []


def test_it_is_a_dict() -> None:
    """For `isinstance`, equality and truth, on all levels."""
    settings = ServiceSettings(CONTENT)

    assert isinstance(settings["clinic"]["hours"], dict)
    assert (settings == CONTENT, bool(settings), len(settings)) == (True, True, 2)
    assert type(settings.copy()) is dict
