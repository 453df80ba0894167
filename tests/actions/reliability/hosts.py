"""Several hosts of the clinic, as processes, and what they are told to do at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.actions.reliability.systems import Place
from tests.processes import PATIENCE, environment

ROOT = Path(__file__).parents[3]
HOSTS = 4
CUSTOMERS = 50


@dataclass
class Host:
    """A process that waits for orders."""

    process: subprocess.Popen[str]

    def tell(self, **order: object) -> None:
        """Send an order."""
        self._write(json.dumps(order))

    def go(self) -> None:
        """Let it begin with what it is ready for."""
        self._write("go")

    def hear(self) -> Any:
        """Return the next thing that it says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"a host ended with {self.process.wait(PATIENCE)}"
        return json.loads(line)

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()


@contextmanager
def hosts(count: int = HOSTS) -> Iterator[Sequence[Host]]:
    """Run so many hosts within the block."""
    command = [sys.executable, "-W", "error", "-m", "tests.actions.reliability.host"]
    with ExitStack() as stack:
        started = []
        for _ in range(count):
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            started.append(Host(process))
        yield started


@dataclass(frozen=True)
class Answers:
    """What the patients of a race were told: the references by start, how many heard "taken", and all other answers."""

    booked: dict[str, list[str]]
    taken: int
    problems: list[str]

    @classmethod
    def of(cls, answers: Sequence[tuple[str, str]]) -> Answers:
        booked: dict[str, list[str]] = {}
        for start, answer in answers:
            if answer.startswith("APT-"):
                booked.setdefault(start, []).append(answer)
        known = [answer for _, answer in answers if not answer.startswith("APT-")]
        return cls(booked, known.count("taken"), [answer for answer in known if answer != "taken"])


def race(
    running: Sequence[Host],
    place: Place,
    day: datetime,
    ledgers: Sequence[str],
    seed: int,
    looks: int = 0,
    **transport: object,
) -> Answers:
    """Let every host ask for the ten times of the day for fifty patients, all at once, after so many looks at it."""
    for number, (host, ledger) in enumerate(zip(running, ledgers, strict=True)):
        clinic = place.clinic(ledger, **transport)
        order = {"clinic": clinic, "day": day.isoformat(), "host": number, "customers": CUSTOMERS, "seed": seed}
        host.tell(do="race", looks=looks, **order)
    for host in running:
        assert host.hear() == "ready"
    for host in running:
        host.go()
    return Answers.of([(start, answer) for host in running for start, answer in host.hear()])


def sweep(running: Sequence[Host], place: Place, ledgers: Sequence[str]) -> None:
    """Let each ledger be swept once."""
    for host, ledger in zip(running, dict.fromkeys(ledgers), strict=False):
        host.tell(do="sweep", clinic=place.clinic(ledger))
        assert host.hear() == "swept"


def deliver(
    running: Sequence[Host], place: Place, day: datetime, ledgers: Sequence[str], kill: int | None, **calls: object
) -> list[Any]:
    """Deliver the same calls to the first two hosts at once, then to the second one again; return what each said.

    `kill` is the step at which the second one is killed; it says None then.
    """
    first, second = running[:2]
    for host, ledger, step in ((first, ledgers[0], None), (second, ledgers[1], kill)):
        host.tell(do="copies", clinic=place.clinic(ledger), day=day.isoformat(), kill=step, **calls)
    for host in (first, second):
        assert host.hear() == "ready"
    for host in (first, second):
        host.go()
    answers = [host.hear() for host in (first, second)]
    second.tell(do="copies", clinic=place.clinic(ledgers[1]), day=day.isoformat(), ready=False, **calls)
    return [*answers, second.hear()]
