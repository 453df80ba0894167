"""Where the project is that somebody means who names no folder: one rule for every verb."""

from __future__ import annotations

import re
from pathlib import Path

from action_server.errors import SettingsError
from action_server.project.mantle import is_mantle
from action_server.project.yaml_files import yaml_files
from action_server.yaml_file import read_text

# The rule, for `--help` of each verb that has a project.
DEFAULT_PROJECT = "the working directory if it has a domain or flows, otherwise assistant/ if that has"
_BELOW = "assistant"
_DOMAIN_FILES = ("domain.yml", "domain.yaml")
_FLOWS = re.compile(r"^flows:", re.MULTILINE)


def project_folder(given: Path | None, *, here: Path = Path(), is_spread: bool = False) -> Path:
    """Return the folder of the project: the one that is given, else the one :func:`locate_project` finds in ``here``.

    ``is_spread``: flags name the places of domain or flows; where none is found, the project is ``here`` then.

    Raises:
        SettingsError: the given folder does not exist, or none was given and there is no project.
    """
    if given is not None:
        if not given.is_dir():
            raise SettingsError("--project", f"there is no folder {given}")
        return given
    found = locate_project(here)
    if found is not None:
        return found
    if is_spread:
        return here
    places = f"neither {here.resolve()} nor {_BELOW}/ in it"
    raise SettingsError(
        "--project",
        f"there is no Rasa project: {places} has a domain ({', '.join(_DOMAIN_FILES)} or YAML files in domain/) or "
        "flows (YAML files with `flows:` in data/); name the project's folder with --project DIR",
    )


def locate_project(here: Path) -> Path | None:
    """Return ``here`` if it holds a project, else the folder `assistant` in it if that does, else None."""
    return next((folder for folder in (here, here / _BELOW) if holds_project(folder)), None)


def holds_project(folder: Path) -> bool:
    """Tell whether a folder has a domain or flows, or is a project of Mantle.

    Their content is not judged: an empty domain.yml counts.
    """
    return _has_domain(folder) or _has_flows(folder) or is_mantle(folder)


def _has_domain(folder: Path) -> bool:
    if any((folder / name).is_file() for name in _DOMAIN_FILES):
        return True
    return any(True for _ in yaml_files(folder / "domain"))


def _has_flows(folder: Path) -> bool:
    return any(_FLOWS.search(_read(file)) for file in yaml_files(folder / "data"))


def _read(file: Path) -> str:
    try:
        return read_text(file, errors="replace")
    except OSError:
        return ""
