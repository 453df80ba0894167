"""The project whose actions are tested: its folder, its settings and its domain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from action_server.config import settings
from action_server.config.server_fields import DEFAULT_ENDPOINTS
from action_server.config.settings import Settings
from action_server.errors import SettingsError
from action_server.project.domain import Domain
from action_server.project.location import holds_project, locate_project
from action_server.project.project_reader import read_project
from action_server.runtime.loader import prefer
from action_server.source import Place


@dataclass(frozen=True)
class TestedProject:
    """What is tested. ``domain`` has no slots where the project has no domain."""

    # Not a test, whatever its name: pytest would collect it.
    __test__ = False

    folder: Path
    settings: Settings
    domain: Domain

    @property
    def knows_slots(self) -> bool:
        """Whether the domain has slots of its own: then no others can be set."""
        return bool(self.domain.own_slots)


def find_folder(start: Path, root: Path) -> Path:
    """Return the folder of the project that a test in ``start`` belongs to, no higher than ``root``.

    That is the nearest one with an endpoints.yml or a domain; otherwise the nearest with actions; otherwise ``root``.
    """
    above = [start, *start.parents]
    folders = above[: above.index(root) + 1] if root in above else [start]
    for folder in folders:
        if (folder / DEFAULT_ENDPOINTS).is_file() or holds_project(folder):
            return folder
    return next((f for f in folders if holds_code(f)), root)


def holds_code(folder: Path, package: str = "actions") -> bool:
    """Tell whether a folder has the package or module of actions."""
    path = folder.joinpath(*package.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def read_tested_project(folder: Path, *, actions: str | None = None, domain: Path | None = None) -> TestedProject:
    """Read a project. ``actions`` is the package or module of them, ``domain`` a file or folder, if it is not usual.

    Raises:
        SettingsError: its settings are wrong.
    """
    endpoints = folder / DEFAULT_ENDPOINTS
    flags = {"endpoints": endpoints if endpoints.exists() else None, "actions": actions}
    read = settings.read(flags)
    # A file that tests import by its path has no folder on the path of imports.
    prefer(folder, read.actions)
    return TestedProject(folder, read, read_domain_in(folder, domain))


def read_domain_in(folder: Path, domain: Path | None = None) -> Domain:
    """Return the domain of the project in a folder; one with nothing in it where there is no project."""
    found = folder if domain is not None else locate_project(folder)
    return Domain() if found is None else _read_domain_of(found, domain, _newest_change(found))


@lru_cache(maxsize=8)
def _read_domain_of(folder: Path, domain: Path | None, changed: float) -> Domain:
    """Read a domain once for all tests; one that was edited is another one."""
    project = read_project(folder, domain=domain)
    problem = next((p for p in project.problems if p.severity == "error" and _is_of_domain(p.file, domain)), None)
    if problem is not None and not project.domain.own_slots:
        # Without its slots no name could be refused, and a misspelt one would pass.
        raise SettingsError(str(Place(problem.file, problem.line)), f"the domain cannot be read: {problem.message}")
    return project.domain


def _is_of_domain(file: str, domain: Path | None) -> bool:
    names = {"domain"} if domain is None else {domain.stem}
    return not names.isdisjoint(Path(part).stem for part in Path(file).parts)


def _newest_change(folder: Path) -> float:
    files = [*folder.glob("domain*"), *folder.glob("domain/**/*")]
    return max((file.stat().st_mtime for file in files), default=0.0)


def fresh_database(folder: str) -> dict[str, Any]:
    """Return settings of a database of its own: what ran once before runs again, and the user's is left alone."""
    return {"database": str(Path(folder) / "server.sqlite3"), "database_password": ()}
