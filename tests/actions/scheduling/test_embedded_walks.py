"""Random walks over the embedded backend end in what was told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.actions.scheduling.embedded_walks import embedded_walks, walking
from tests.actions.scheduling.walking import Open, try_any_order, walk

pytest_plugins = ["tests.databases"]


@pytest.mark.parametrize("seed", range(5))
async def test_a_walk_ends_in_what_was_told(seed: int, tmp_path: Path) -> None:
    """Nobody is booked twice or forgotten, and each booking has its cells and no others."""
    with embedded_walks(["sqlite"]) as opens:
        walked = await walk(opens, "sqlite", tmp_path, seed)

    assert not walked.faults, "\n".join(walked.steps)


@pytest.mark.parametrize("seed", range(5))
async def test_a_walk_on_postgresql_ends_in_what_was_told(seed: int, empty_postgresql: str, tmp_path: Path) -> None:
    """The same on the database that several hosts have in common."""
    opens: Open = lambda _, __, random: walking(empty_postgresql, random)  # noqa: E731 (its type is the alias)
    walked = await walk(opens, "postgresql", tmp_path, seed)

    assert not walked.faults, "\n".join(walked.steps)


def test_any_order_of_steps_ends_in_what_was_told() -> None:
    """What fails is shortened to the steps that matter."""
    with embedded_walks(["sqlite"]) as opens:
        try_any_order(opens, ["sqlite"])
