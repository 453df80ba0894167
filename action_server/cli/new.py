"""The verb `new`: makes a project that passes its checks at once, or adds what is missing to one that exists."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from action_server.cli.console import make_console, write_file
from action_server.cli.values import parse_path
from action_server.errors import SettingsError

DESCRIPTION = """\
Make a project: an action, its domain, a flow, tests, endpoints.yml, Dockerfile, CI and a pre-commit hook. `check`,
`flows test` and `pytest` pass in it at once.

With --from an existing Rasa project gets a test, CI, a hook and a Dockerfile; none of its files is changed.

Exit code 2: the folder is not empty, or there is no project to adopt."""
EXAMPLES = """\
examples:
  action-server new party
  action-server new --from ."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.epilog = EXAMPLES
    parser.add_argument("folder", metavar="DIR", nargs="?", type=parse_path, help="the folder of the new project")
    parser.add_argument("--from", metavar="DIR", dest="adopted", type=parse_path, help="a Rasa project that exists")


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Write the files.

    Raises:
        SettingsError: the folder cannot be used.
    """
    from action_server.testing.new_project import files_beside, missing_files, new_files

    if (args.folder is None) == (args.adopted is None):
        raise SettingsError("new", "needs the folder of a new project, or --from DIR for one that exists")
    if args.adopted is not None:
        folder, files = args.adopted, files_beside(_actions_of(args.adopted))
    else:
        folder = args.folder
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SettingsError(str(folder), "is not empty; name another folder, or adopt it with --from")
        files = new_files()
    missing, kept = missing_files(folder, files)
    console = make_console()
    for name, text in missing.items():
        write_file(folder / name, text)
        console.print(f"wrote {folder / name}")
    for name in kept:
        console.print(f"left  {folder / name}")
    where = "" if args.adopted is not None else f"cd {folder}, then "
    console.print(f"next: {where}pytest, action-server check, action-server call NAME slot=value")
    sys.stdout.flush()
    return 0


def _actions_of(folder: Path) -> list[str]:
    """Return the actions that the domain of a project lists."""
    from action_server.project.engine_names import DEFAULT_ACTIONS
    from action_server.project.location import holds_project
    from action_server.project.project_reader import read_project
    from action_server.testing.tested_project import holds_code, read_tested_project

    if not folder.is_dir() or not holds_project(folder):
        raise SettingsError("--from", f"there is no Rasa project in {folder}: no domain and no flows")
    domain = read_project(folder).domain
    if not holds_code(folder, read_tested_project(folder).settings.actions):
        # The server of these actions is elsewhere: a test that none of them is here would help nobody.
        return []
    return [name for name in domain.actions if name not in DEFAULT_ACTIONS and not name.startswith("utter_")]
