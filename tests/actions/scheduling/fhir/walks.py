"""Walk at random over the variants of a FHIR server, and count what went wrong::

python -m tests.actions.scheduling.fhir.walks --walks 1000
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.actions.scheduling.fhir.fhir_servers import FhirServer, fhir_server
from tests.actions.scheduling.fhir.variants import VARIANTS
from tests.actions.scheduling.fhir.walk import FAULTS, Walk, walking


async def walk(variant: str, servers: tuple[FhirServer, FhirServer], folder: Path, seed: int, steps: int) -> Walk:
    """Walk once; the seed says where."""
    random = Random(f"{variant} {seed}")  # noqa: S311 (not a secret)
    async with walking(VARIANTS[variant], servers, folder, random) as walked:
        for _ in range(steps):
            await walked.step()
        await walked.finish()
        return walked


def main() -> None:
    """Print the faults of each kind, and the steps of the first walks that had one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--walks", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variant", choices=list(VARIANTS), action="append")
    parser.add_argument("--show", type=int, default=3, help="so many walks with a fault are told step by step")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    names, faults, shown, began = args.variant or list(VARIANTS), Counter[str](), 0, time.monotonic()
    with fhir_server() as server, fhir_server() as index, tempfile.TemporaryDirectory() as folder:
        for number in range(args.walks):
            name = names[number % len(names)]
            walked = asyncio.run(walk(name, (server, index), Path(folder), args.seed + number, args.steps))
            faults += walked.faults
            if walked.faults and shown < args.show:
                shown += 1
                print(f"--- {name}, seed {args.seed + number}", *walked.steps, sep="\n", flush=True)  # noqa: T201
    counts = ", ".join(f"{fault} {faults[fault]}" for fault in FAULTS)
    print(f"{args.walks} walks of {args.steps} steps, {time.monotonic() - began:.0f} s: {counts}")  # noqa: T201
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
