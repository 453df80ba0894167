"""Services that can say how they understand their own data are asked, each for a limited time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import svcs

from action_server.runtime.health import describe_all
from action_server.runtime.services import Services


class Talking:
    async def describe(self) -> Sequence[str]:
        return ["Monday: 3 free", "Tuesday: closed"]


class Silent:
    """A service without a description."""


class Slow:
    async def describe(self) -> Sequence[str]:
        await asyncio.Event().wait()
        return []


class Broken:
    async def describe(self) -> Sequence[str]:
        raise ValueError("no such calendar")


async def test_each_service_that_can_says_how_it_understands_its_data() -> None:
    """One that does not answer, or fails, says that."""
    registry = svcs.Registry()
    for kind in (Talking, Silent, Slow, Broken):
        registry.register_value(kind, kind(), ping=lambda service: None)
    services = Services(registry)

    said = {name.rpartition(".")[2]: lines for name, lines in (await describe_all(services, 0.01)).items()}
    assert said == {
        "Talking": ("Monday: 3 free", "Tuesday: closed"),
        "Slow": ("did not say within 0.01 s",),
        "Broken": ("ValueError: no such calendar",),
    }
    assert await describe_all(None, 1) == {}
