"""Finds the YAML files of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

# What lies among a project's data and holds none.
SETTINGS_FILES = frozenset({"config.yml", "endpoints.yml", "credentials.yml", "docker-compose.yml"})
_GENERATED_FOLDERS = frozenset({"node_modules", "models", "results", "venv", "__pycache__", "site-packages"})


def yaml_files(folder: Path, *, follow_links: bool = True) -> Iterator[Path]:
    """Yield the YAML files of a folder and those below it, sorted, but none of hidden and of generated folders.

    Linked folders are followed, as engines do it, and each folder is entered once: a link may lead back up.
    """
    return _walk(folder, follow_links, set())


def _walk(folder: Path, follow_links: bool, entered: set[Path]) -> Iterator[Path]:
    if not folder.is_dir() or folder.resolve() in entered:
        return
    entered.add(folder.resolve())
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _GENERATED_FOLDERS:
            continue
        if path.is_dir():
            if follow_links or not path.is_symlink():
                yield from _walk(path, follow_links, entered)
        elif path.suffix in (".yml", ".yaml"):
            yield path
