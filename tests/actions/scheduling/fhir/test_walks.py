"""Random walks end in what was told: a few of each variant here, a thousand by `python -m tests...fhir.walks`."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.actions.scheduling.fhir.fhir_servers import FhirServer, fhir_server_or_skip
from tests.actions.scheduling.fhir.variants import VARIANTS
from tests.actions.scheduling.fhir.walk import PATIENTS, PAUSES, walking
from tests.actions.scheduling.fhir.walks import walk


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[FhirServer, FhirServer]]:
    with fhir_server_or_skip() as server, fhir_server_or_skip() as index:
        yield server, index


@pytest.mark.parametrize("variant", list(VARIANTS))
async def test_a_walk_ends_in_what_was_told(
    variant: str, servers: tuple[FhirServer, FhirServer], tmp_path: Path
) -> None:
    """Nobody is booked twice, forgotten, or believes in a time that is not there; no time hangs."""
    walked = await walk(variant, servers, tmp_path, seed=7, steps=12)

    assert not walked.faults, "\n".join(walked.steps)


class Walks(RuleBasedStateMachine):
    """Patients and people do anything in any order; at the end it is looked at."""

    servers: ClassVar[tuple[FhirServer, FhirServer]]

    @initialize(variant=st.sampled_from(list(VARIANTS)), seed=st.integers(0, 999))
    def begin(self, variant: str, seed: int) -> None:
        self.files, self.opened, self.loop = ExitStack(), AsyncExitStack(), asyncio.new_event_loop()
        folder = Path(self.files.enter_context(tempfile.TemporaryDirectory()))
        random = Random(seed)  # noqa: S311 (not a secret)
        walked = walking(VARIANTS[variant], self.servers, folder, random)
        self.walk = self.run(self.opened.enter_async_context(walked))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @rule(patient=st.sampled_from(PATIENTS), number=st.integers(0, 9))
    def book(self, patient: str, number: int) -> None:
        self.run(self.walk.book(patient, number))

    @rule(patient=st.sampled_from(PATIENTS), number=st.integers(0, 7))
    def move(self, patient: str, number: int) -> None:
        self.run(self.walk.move(patient, number))

    @rule(patient=st.sampled_from(PATIENTS))
    def cancel(self, patient: str) -> None:
        self.run(self.walk.cancel(patient))

    @rule(number=st.integers(0, 12))
    def edit(self, number: int) -> None:
        self.walk.edit(number)

    @rule(seconds=st.sampled_from(PAUSES))
    def wait(self, seconds: float) -> None:
        self.run(self.walk.wait(seconds))

    def teardown(self) -> None:
        if not hasattr(self, "walk"):
            return
        try:
            self.run(self.walk.finish())
            assert not self.walk.faults, "\n".join(self.walk.steps)
        finally:
            self.run(self.opened.aclose())
            self.loop.close()
            self.files.close()


def test_any_order_of_steps_ends_in_what_was_told(servers: tuple[FhirServer, FhirServer]) -> None:
    """On any variant; what fails is shortened to the steps that matter."""

    class Machine(Walks):
        pass

    Machine.servers = servers
    few = settings(
        max_examples=10, stateful_step_count=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(Machine, settings=few)
