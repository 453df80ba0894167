"""Files that keep a reader busy for ever, or nearly so, and what counts how often files are opened."""

from __future__ import annotations

import os
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

# Nine lines that stand for a billion values.
ALIAS_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
MERGE_BOMB = "a0: &a0 {x: 1, y: 2}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}], k{n}: 1}}\n" for n in range(1, 9)
)
BOMBS = {
    "aliases": ALIAS_BOMB,
    "merged aliases": MERGE_BOMB,
    "open brackets": "[" * 20_000,
    "open braces": "{a: " * 20_000,
    "lists in lists": "- " * 20_000 + "x",
    "an alias of itself": "a: &a [*a]",
    "an alias of itself under a name that was used": "b: &a 1\na: &a [*a]",
    "aliases of aliases": "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 5_000)),
}

_opened: list[Counter[str]] = []


def write_pipe(path: Path) -> None:
    """A named pipe that nobody writes to."""
    os.mkfifo(path)


def write_socket(path: Path) -> None:
    """A socket, which cannot be opened as a file."""
    # The path of a socket may have about a hundred characters.
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path.name)
    finally:
        os.chdir(here)


def write_device(path: Path) -> None:
    """A link to a device that never ends."""
    path.symlink_to("/dev/zero")


def write_large(path: Path) -> None:
    """A file of five million bytes, which takes no place on the disk."""
    with path.open("wb") as file:
        file.truncate(5_000_000)


IRREGULAR = {"pipe": write_pipe, "socket": write_socket, "device": write_device, "too large": write_large}


@lru_cache
def _listen() -> None:
    # Once: a hook cannot be taken away again.
    sys.addaudithook(_count)


def _count(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _opened:
        _opened[-1][os.path.realpath(str(arguments[0]))] += 1


@contextmanager
def count_opened() -> Iterator[Counter[str]]:
    """Count how often this process opens which file within the block, by any way."""
    _listen()
    _opened.append(Counter())
    try:
        yield _opened[-1]
    finally:
        _opened.pop()
