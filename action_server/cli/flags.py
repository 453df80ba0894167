"""Flags that several verbs have."""

from __future__ import annotations

import argparse

from action_server.cli.values import parse_header
from action_server.config import settings


def add_action_flags(parser: argparse.ArgumentParser) -> None:
    """Add the settings that say which actions there are and how they log."""
    for name in ("actions", "endpoints", "strict", "log_level"):
        settings.add_flag(parser, name)


def add_url_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``--url`` and ``--header``; ``headers`` is the list of names and values."""
    parser.add_argument(
        "--url", metavar="URL", help="call the webhook of a server that runs, instead of the actions in place"
    )
    parser.add_argument(
        "--header",
        metavar="NAME:VALUE",
        dest="headers",
        type=parse_header,
        action="append",
        default=[],
        help="with --url: send this header as well, a credential say",
    )


def add_json_flag(parser: argparse._ActionsContainer, what: str = "print JSON for machines") -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help=what)
