"""The files of a bot that say how it is installed and started."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from action_server.source import Place

# Not the bot's own, however large: virtual environments, what tools keep, models.
_SKIPPED = frozenset(
    {"node_modules", "venv", "env", "site-packages", "models", "build", "dist", "__pycache__", "results", "data"}
)
_DEEPEST = 4
_MOST = 2000
_LARGEST = 512_000


@dataclass(frozen=True)
class File:
    """A file, by its path below the bot's folder."""

    name: str
    text: str

    @property
    def basename(self) -> str:
        """Return its name without folders."""
        return self.name.rpartition("/")[2]

    def at(self, line: int) -> Place:
        """Return a place in it; lines count from 1."""
        return Place(self.name, line)

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield its lines with their numbers; one that ends with a backslash goes on in the next."""
        first, joined = 1, ""
        for number, line in enumerate(self.text.splitlines(), 1):
            if line.endswith("\\") and not line.lstrip().startswith("#"):
                joined += line[:-1] + " "
                continue
            yield first, joined + line
            first, joined = number + 1, ""
        if joined:
            yield first, joined


def files_of(root: Path) -> list[File]:
    """Return the readable text files of a bot, sorted, without its environments, models and training data."""
    found: list[File] = []
    for folder, folders, names in os.walk(root):
        here = Path(folder).relative_to(root)
        folders[:] = sorted(
            n for n in folders if n not in _SKIPPED and not n.startswith(".") and len(here.parts) < _DEEPEST
        )
        for name in sorted(names):
            path = Path(folder) / name
            if len(found) < _MOST and path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST:
                found += _read(path, (here / name).as_posix())
    return found


def _read(path: Path, name: str) -> list[File]:
    try:
        raw = path.read_bytes()
        # Windows writes the mark of an encoding, PowerShell both of them; pip and Python go by it, too.
        is_utf_16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = raw.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return []
    return [] if "\0" in text else [File(name, text)]
