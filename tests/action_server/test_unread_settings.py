"""What no service reads of its settings is said, and where a flag gave it, the services are not opened."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import svcs

from action_server.assembly import open_services
from action_server.errors import SettingsError
from action_server.runtime.loader import LoadedPackage
from action_server.runtime.registry import Registry

opened: list[str] = []


@asynccontextmanager
async def lifespan(registry: svcs.Registry, config: Mapping[str, Any]) -> AsyncIterator[None]:
    opened.append(config.get("clinic", {}).get("database", "the real one"))
    yield
    opened.pop()


PACKAGE = LoadedPackage(Registry(), lifespan)
TYPO = {"clinc": {"database": "mine"}}


async def test_one_of_a_file_or_a_variable_is_a_warning_with_the_nearest_name(caplog: pytest.LogCaptureFixture) -> None:
    """A server that has run for long goes on running."""
    with caplog.at_level(logging.WARNING):
        async with AsyncExitStack() as stack:
            await open_services(stack, PACKAGE, {**TYPO, "clinic": {"database": "mine"}})
            assert opened == ["mine"]

    said = [(record.getMessage(), vars(record)["setting"], vars(record)["problem"]) for record in caplog.records]
    assert said == [
        ("services.setting_unread", "services.clinc", "nobody reads it; did you mean services.clinic?"),
    ]


@pytest.mark.parametrize("package", [PACKAGE, LoadedPackage(Registry(), None)], ids=["misspelt", "no lifespan"])
async def test_one_of_a_flag_is_an_error_and_what_was_opened_is_closed(package: LoadedPackage) -> None:
    """Whoever gives it means it now, for this one run."""
    async with AsyncExitStack() as stack:
        with pytest.raises(SettingsError, match=r"--set services\.clinc: no service reads it"):
            await open_services(stack, package, TYPO, TYPO)

    assert opened == []
