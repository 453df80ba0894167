"""The verb `list`: lists the actions."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from action_server.cli.console import make_console, make_table, print_json
from action_server.cli.flags import add_action_flags, add_json_flag, add_log_flag
from action_server.config import settings
from action_server.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import Console

    from action_server.runtime.registry import RegisteredAction

DESCRIPTION = "List the actions of a package."


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    add_action_flags(parser)
    add_log_flag(parser)
    add_json_flag(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Import the actions and print what there is.

    Raises:
        StartupError: the settings are wrong, a module does not import, or there are no actions.
    """
    from action_server.runtime import loader
    from action_server.telemetry import logs

    read = settings.read(vars(args), environment)
    logs.configure(read.logs)
    actions = list(loader.load(read.actions, strict=read.strict).registry)
    if not actions:
        raise SettingsError("--actions", no_actions(read.actions))
    if args.json:
        print_json([{k: v for k, v in vars(action).items() if k != "run"} for action in actions])
    else:
        show_actions(make_console(), actions)
    return 0


def no_actions(package: str) -> str:
    """Say that a package has no actions, and what would be one."""
    from action_server.runtime.loader import NO_ACTIONS

    return f"{package} has no actions: {NO_ACTIONS}"


def show_actions(console: Console, actions: Iterable[RegisteredAction]) -> None:
    """Print a table of actions: name, how it runs, class or function, place."""
    table = make_table("action", "runs on", "code", "place")
    for action in sorted(actions, key=lambda a: a.name):
        table.add_row(action.name, "event loop" if action.is_async else "thread", action.source, action.place)
    console.print(table)
