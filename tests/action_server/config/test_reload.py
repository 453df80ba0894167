"""What a running server takes from settings that were read again, and what needs a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from action_server.config.reload import NEED_RESTART, take_over
from action_server.config.settings import Settings
from action_server.endpoints import endpoints_of

# A value for each that is not its default.
OTHER: dict[str, Any] = {
    "host": "127.0.0.1",
    "port": 1,
    "workers": 2,
    "grpc": True,
    "grpc_port": 2,
    "monitoring_port": 3,
    "ssl_certificate": Path("a.pem"),
    "ssl_keyfile": Path("a.key"),
    "ssl_password": "p",
    "ssl_ca_file": Path("ca.pem"),
    "endpoints": Path("other.yml"),
    "auto_reload": True,
    "dev": True,
    "metrics": False,
}


@pytest.mark.parametrize("name", NEED_RESTART)
def test_what_only_a_restart_changes_stays_and_is_named(name: str) -> None:
    """And what changed with it is taken over all the same."""
    running = Settings()

    found, named = take_over(running, Settings(**{name: OTHER[name]}, timeout=7))

    assert (getattr(found, name), named) == (getattr(running, name), [name])
    assert found.timeout == 7


def test_the_blocks_are_taken_over_with_the_settings() -> None:
    """All of the file as it is now, or nothing of it."""
    blocks = endpoints_of({"privacy": {"rules": []}}, "endpoints.yml", {})

    found, named = take_over(Settings(), Settings(port=1, grace=2).with_blocks(blocks))

    assert (found.blocks, found.grace, named) == (blocks, 2, ["port"])


def test_the_free_port_that_was_found_for_grpc_stays() -> None:
    """Nobody has changed a setting."""
    assert take_over(Settings(grpc=True, port=4711), Settings(grpc=True, port=0))[0].port == 4711
    assert take_over(Settings(grpc=True, port=4711), Settings(grpc=True, port=0))[1] == []


def test_settings_that_are_the_same_need_nothing() -> None:
    """Most edits are of code."""
    assert take_over(Settings(), Settings()) == (Settings(), [])


def test_every_setting_named_is_one() -> None:
    """One that is renamed must not be forgotten here; and the page on settings names them all."""
    page = (Path(__file__).parents[3] / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    paragraph = page[page.index("## When they change") :]

    assert set(NEED_RESTART) <= set(Settings.model_fields)
    assert [name for name in NEED_RESTART if f"`{name}`" not in paragraph] == []
