"""What walks on every system need: a new ledger, many walks one after the other, and a state machine of hypothesis."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.actions.clinic import open_backend
from tests.actions.scheduling.walk import FAULTS, PATIENTS, PAUSES, Walk

# Opens a walk: on which of the variants, where ledgers are kept, and by which chance.
Open = Callable[[str, Path, Random], AbstractAsyncContextManager[Walk]]

STEPS = 12


@asynccontextmanager
async def new_database(folder: Path, random: Random) -> AsyncIterator[Path]:
    """Make a ledger for one walk: copying an empty one is faster than making its tables."""
    empty = folder / "empty.sqlite3"
    if not empty.exists():
        await (await open_backend(empty)).close()
    database = folder / f"walk-{random.randrange(10**9)}.sqlite3"
    shutil.copy(empty, database)
    try:
        yield database
    finally:
        database.unlink()


async def walk(opens: Open, variant: str, folder: Path, seed: int, steps: int = STEPS) -> Walk:
    """Walk once; the seed says where."""
    async with opens(variant, folder, Random(f"{variant} {seed}")) as walked:  # noqa: S311 (not a secret)
        for _ in range(steps):
            await walked.step()
        await walked.finish()
        return walked


def walk_many(opens: Open, variants: Sequence[str], seeds: Sequence[int], *, steps: int = STEPS) -> Sequence[Walk]:
    """Walk from each seed, on one variant after the other; return the walks that have a fault."""
    faulty = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            variant = variants[seed % len(variants)]
            walked = asyncio.run(walk(opens, variant, Path(folder), seed, steps))
            if walked.faults:
                walked.steps.insert(0, f"--- {variant}, seed {seed}")
                faulty.append(walked)
    return faulty


def run_from_the_command_line(opens: Open, variants: Sequence[str], description: str | None) -> None:
    """Print the faults of each kind, and the steps of the first walks that had one; exit with 1 if there are any."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--walks", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variant", choices=variants, action="append")
    parser.add_argument("--show", type=int, default=3, help="so many walks with a fault are told step by step")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    seeds = range(args.seed, args.seed + args.walks)
    faulty = walk_many(opens, args.variant or variants, seeds, steps=args.steps)
    for walked in faulty[: args.show]:
        print(*walked.steps, sep="\n")  # noqa: T201 (its only output)
    faults = sum((walked.faults for walked in faulty), Counter[str]())
    counts = ", ".join(f"{fault} {faults[fault]}" for fault in FAULTS)
    took = time.monotonic() - began
    print(f"{args.walks} walks of {args.steps} steps, {took:.0f} s: {counts}", flush=True)  # noqa: T201
    sys.exit(1 if faults else 0)


class Steps(RuleBasedStateMachine):
    """Patients and people do anything in any order; at the end it is looked at."""

    opens: ClassVar[Open]
    variants: ClassVar[Sequence[str]]

    @initialize(data=st.data(), seed=st.integers(0, 999))
    def begin(self, data: st.DataObject, seed: int) -> None:
        self.files, self.opened, self.loop = ExitStack(), AsyncExitStack(), asyncio.new_event_loop()
        folder = Path(self.files.enter_context(tempfile.TemporaryDirectory()))
        variant = data.draw(st.sampled_from(self.variants))
        opened = type(self).opens(variant, folder, Random(seed))  # noqa: S311 (not a secret)
        self.walk = self.run(self.opened.enter_async_context(opened))

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


def try_any_order(opens: Open, variants: Sequence[str], examples: int = 10) -> None:
    """Have hypothesis look for an order of steps with a fault; what fails is shortened to the steps that matter."""
    machine = type("Machine", (Steps,), {"opens": staticmethod(opens), "variants": variants})
    few = settings(
        max_examples=examples,
        stateful_step_count=8,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=few)
