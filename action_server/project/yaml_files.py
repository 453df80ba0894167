"""Finds the YAML files of a folder.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# What lies among a project's data and holds none.
SETTINGS_FILES = frozenset({"config.yml", "endpoints.yml", "credentials.yml", "docker-compose.yml"})
_GENERATED_FOLDERS = frozenset({"node_modules", "models", "results", "venv", "__pycache__", "site-packages"})


# Where a domain is looked for; the first that is there is read, and no other. Engines do not know the last one.
_DOMAINS = ("domain.yml", "domain", "domain.yaml")


def domain_path(root: Path) -> Path:
    """Return the file or the folder that is the domain of a project."""
    return next((path for path in (root / name for name in _DOMAINS) if path.exists()), root / _DOMAINS[0])


def yaml_files(folder: Path, *, follow_links: bool = True) -> Iterator[Path]:
    """Yield the YAML files of a folder and those below it, sorted, but none of hidden and of generated folders.

    Linked folders are followed, as engines do it. Each folder is entered once and each file named once, whatever links
    lead to it, and none leads back above the folder.
    """
    return _walk(folder, follow_links, {str(above) for above in Path(os.path.realpath(folder)).parents})


def _walk(folder: Path, follow_links: bool, seen: set[str]) -> Iterator[Path]:
    if not folder.is_dir() or not _is_new(folder, seen):
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _GENERATED_FOLDERS:
            continue
        if path.is_dir():
            if follow_links or not path.is_symlink():
                yield from _walk(path, follow_links, seen)
        elif path.suffix in (".yml", ".yaml") and _is_new(path, seen):
            yield path


def _is_new(path: Path, seen: set[str]) -> bool:
    real = os.path.realpath(path)
    is_new = real not in seen
    seen.add(real)
    return is_new
