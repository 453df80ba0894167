"""The systems, each started once for a file of tests, and the hosts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import pytest

from tests.actions.reliability.hosts import Host, hosts
from tests.actions.reliability.systems import EMBEDDED, REMOTE, System, on_postgresql, on_sqlite

pytest.register_assert_rewrite("tests.actions.reliability.cells")


@pytest.fixture(scope="module")
def running() -> Iterator[Sequence[Host]]:
    """Four hosts."""
    with hosts() as found:
        yield found


@pytest.fixture(scope="module", params=[*EMBEDDED, *REMOTE])
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Each of the systems."""
    folder = tmp_path_factory.mktemp(request.param)
    opening: AbstractContextManager[System]
    if request.param == "postgresql":
        opening = nullcontext(on_postgresql(request.getfixturevalue("postgresql"), folder))
    else:
        opening = {"sqlite": on_sqlite, **REMOTE}[request.param](folder)
    with opening as found:
        yield found
