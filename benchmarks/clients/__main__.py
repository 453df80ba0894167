"""Play the clinic's tools through every client, each in an environment of its own, and write what became of them.

    python -m benchmarks.clients [--only NAME ...]

A client that loses more than is known of it (action_server/tools/callers.py) ends this with exit code 1. The page is
written when all were played.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.clients.environments import CLIENTS, Client
from benchmarks.clients.page import PAGE, page_of, worse_than_known
from benchmarks.clients.play import play_all
from benchmarks.clients.readings import Row


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="clients whose names begin so; no page is written")
    parser.add_argument("--list", action="store_true", help="show the clients and their packages")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the clients; return the exit code."""
    options = _parse(arguments)
    chosen = [c for c in CLIENTS if not options.only or c.key.startswith(tuple(options.only))]
    if options.list:
        for client in chosen:
            sys.stdout.write(f"{client.key:28} {' '.join(client.packages)}\n")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(play_all(chosen, Path(folder), _say))
    worse = [line for client, row in rows.items() for line in worse_than_known(client, row)]
    sys.stdout.write("\n".join([*worse, f"{len(rows)} clients, {len(worse)} cells worse than known", ""]))
    if not options.only:
        PAGE.write_text(page_of(rows), encoding="utf-8")
    return 1 if worse else 0


def _say(client: Client, row: Row) -> None:
    sys.stdout.write(f"{client.key:28} {row}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
