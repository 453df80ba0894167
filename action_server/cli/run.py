"""The verb `run`: serves the actions."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from action_server.config import settings
from action_server.config.settings import Settings
from action_server.errors import SettingsError
from action_server.extras import packages_for

if TYPE_CHECKING:
    from action_server.serving.extension import Extension

logger = logging.getLogger(__name__)

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
    again = partial(settings.read, vars(args), environment)
    server.serve(read, on_code=on_code, read_again=again, extension=_extension_of(read))
    return 0


def _extension_of(read: Settings) -> Extension | None:
    """Return the inspector, if it is asked for; at `--dev` it is left out where its packages are not installed."""
    if not (read.inspector or read.dev) or read.http_port is None:
        return None
    try:
        with packages_for("inspector"):
            from action_server.inspector.serving import inspect
    except SettingsError as exc:
        if read.inspector:
            raise
        logger.warning("inspector.not_served", extra={"problem": exc.problem})
        return None
    return inspect
