"""Flags that several verbs have."""

from __future__ import annotations

import argparse

from action_server.cli.values import parse_header, parse_server, parse_url
from action_server.config import settings
from action_server.errors import SettingsError


def add_action_flags(parser: argparse.ArgumentParser) -> None:
    """Add the settings that say which actions there are and how they log."""
    for name in ("actions", "endpoints", "strict", "log_level"):
        settings.add_flag(parser, name)


def add_url_flags(parser: argparse.ArgumentParser, *, or_grpc: bool = False) -> None:
    """Add ``--url`` and ``--header``; ``headers`` is the list of names and values.

    ``or_grpc`` lets the URL be that of a server over gRPC, too.
    """
    parser.add_argument(
        "--url",
        metavar="URL",
        type=parse_server if or_grpc else parse_url,
        help="call the webhook of a server that runs, instead of the actions in place"
        + (", or grpc://host:port" if or_grpc else ""),
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


def refuse_useless(args: argparse.Namespace, **useless_with_url: str) -> None:
    """Refuse ``--header`` without ``--url``, and with it the flags of these names, which only count in place.

    Raises:
        SettingsError: one of them was given.
    """
    if args.headers and not args.url:
        raise SettingsError("--header", "does nothing without --url: the actions are called in place")
    for name, flag in useless_with_url.items():
        if args.url and getattr(args, name):
            raise SettingsError(flag, "does nothing with --url: the server that runs there has its own")


def add_json_flag(parser: argparse._ActionsContainer, what: str = "print JSON for machines") -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help=what)
