"""The verb `types`: writes a module of typed slots, made of the domain."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from action_server.cli.console import write_file
from action_server.cli.project_flags import add_cache_flag, add_domain_flags, cache_of, folder_of
from action_server.cli.values import parse_path
from action_server.errors import SettingsError
from action_server.yaml_file import read_text

DESCRIPTION = """\
Write a module with the slots of the domain as typed fields, so that editors complete their names and mypy finds a
misspelt one.

Exit code 0: it is written, or with --check up to date; 1: with --check it is not; 2: there is no domain."""
EXAMPLES = """\
examples:
  action-server types --write domain_slots.py
  action-server types --check domain_slots.py"""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.epilog = EXAMPLES
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--write", metavar="FILE", type=parse_path, help="write the module to this file (default: print it)"
    )
    what.add_argument("--check", metavar="FILE", type=parse_path, help="write nothing; is this file up to date?")
    add_domain_flags(parser)
    add_cache_flag(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Write the module. Returns 1 if one that is checked is out of date.

    Raises:
        SettingsError: there is no domain.
    """
    from action_server.project.project_reader import read_project
    from action_server.project.typed_slots import MADE_BY, typed_slots
    from action_server.project.yaml_tree import Trees

    project = read_project(folder_of(args), domain=args.domain, trees=Trees(cache=cache_of(args)))
    if not project.domain_files:
        where = args.domain or args.project or Path.cwd()
        raise SettingsError("--domain", f"there is no domain to read slots from in {where}")
    text = typed_slots(project.domain)
    if args.check is not None:
        before = _read(args.check, "--check")
        state = "not there" if before is None else "up to date" if before == text else "out of date"
        sys.stdout.write(f"{args.check} is {state}\n")
        return 0 if before == text else 1
    if args.write is None:
        sys.stdout.write(text)
    else:
        before = _read(args.write, "--write")
        if before and MADE_BY not in before:
            raise SettingsError("--write", f"{args.write} was not made by `action-server types`; name another file")
        write_file(args.write, text)
    return 0


def _read(file: Path, flag: str) -> str | None:
    """Return what a module holds that was written before; None if there is none."""
    try:
        return read_text(file, errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise SettingsError(flag, f"{file} cannot be read: {exc.strerror}") from exc
