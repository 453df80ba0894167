"""The flags of verbs about a Rasa project, the project's folder, and the settings that count in it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from action_server import __version__
from action_server.cli.values import parse_path
from action_server.config import settings
from action_server.config.server_fields import DEFAULT_ENDPOINTS
from action_server.config.sources import file_exists
from action_server.errors import SettingsError
from action_server.project.location import DEFAULT_PROJECT, project_folder
from action_server.project.tree_cache import FOLDER, TreeCache


def add_domain_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which project, and where its domain is."""
    what = f"the Rasa project (default: {DEFAULT_PROJECT})"
    parser.add_argument("--project", metavar="DIR", type=parse_path, help=what)
    what = "its domain, if it is not domain.yml or domain/"
    parser.add_argument("--domain", metavar="PATH", type=parse_path, help=what)


def add_project_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which project, where its parts are, and which actions belong to it."""
    add_domain_flags(parser)
    parser.add_argument("--data", metavar="PATH", type=parse_path, help="its flows, rules and stories, if not in data/")
    for name in ("actions", "endpoints"):
        settings.add_flag(parser, name)


def add_cache_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag of verbs that read all of the project's YAML files."""
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help=f"read all YAML files anew, and keep nothing of them in {FOLDER}/ of the project",
    )


def cache_of(args: argparse.Namespace) -> TreeCache | None:
    """Return what earlier runs have kept of the project's files; None if the flags do not want it.

    Raises:
        SettingsError: as :func:`folder_of` does.
    """
    return None if args.no_cache else TreeCache(folder_of(args), __version__)


def folder_of(args: argparse.Namespace) -> Path:
    """Return the project's folder.

    Raises:
        SettingsError: the one that was given does not exist, nor a part of it that was; or there is no project.
    """
    parts = given_parts(args)
    return project_folder(args.project, is_spread=bool(parts))


def given_parts(args: argparse.Namespace) -> list[Path]:
    """Return the places of domain and data that flags give.

    Raises:
        SettingsError: one is not there: what stands in the usual place would be read instead.
    """
    given = {f"--{name}": getattr(args, name, None) for name in ("domain", "data")}
    for flag, path in given.items():
        if path is not None and not file_exists(path):
            raise SettingsError(flag, f"there is no file or folder {path}")
    return [path for path in given.values() if path is not None]


def read_settings(args: argparse.Namespace, environment: Mapping[str, str]) -> settings.Settings:
    """Return the server's settings; where neither a flag nor the working directory has a file, the project's counts.

    Raises:
        SettingsError: an entry is wrong, or there is no project.
    """
    flags = vars(args)
    read = settings.read(flags, environment)
    own = folder_of(args) / DEFAULT_ENDPOINTS
    if read.endpoints != Path(DEFAULT_ENDPOINTS) or read.endpoints.exists() or not own.exists():
        return read
    return settings.read({**flags, "endpoints": own}, environment)
