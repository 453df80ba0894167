"""The verb `run`: serves the actions."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial

from action_server.config import settings

DESCRIPTION = "Serve the actions of a package to dialogue engines."


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb: every setting that has one."""
    settings.add_flags(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Serve until a signal comes.

    Raises:
        StartupError: the server cannot start.
    """
    from action_server.cli.background_check import check_in_background
    from action_server.serving import server

    read = settings.read(vars(args), environment)
    on_code = partial(check_in_background, read) if read.dev else None
    # A reload reads files and environment again, under the same flags.
    server.serve(read, on_code=on_code, read_again=partial(settings.read, vars(args), environment))
    return 0
