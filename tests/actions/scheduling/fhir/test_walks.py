"""Random walks end in what was told: one of each variant here, a thousand by `python -m tests...fhir.walks`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actions.scheduling.fhir.variants import VARIANTS
from tests.actions.scheduling.fhir.walks import fhir_walks
from tests.actions.scheduling.walking import Open, try_any_order, walk


@pytest.fixture(scope="module")
def opens() -> Iterator[Open]:
    with fhir_walks() as opened:
        yield opened


@pytest.mark.parametrize("variant", list(VARIANTS))
async def test_a_walk_ends_in_what_was_told(variant: str, opens: Open, tmp_path: Path) -> None:
    """Nobody is booked twice, forgotten, or believes in a time that is not there; no time hangs."""
    walked = await walk(opens, variant, tmp_path, seed=7)

    assert not walked.faults, "\n".join(walked.steps)


def test_any_order_of_steps_ends_in_what_was_told(opens: Open) -> None:
    """On any variant; what fails is shortened to the steps that matter."""
    try_any_order(opens, list(VARIANTS))
