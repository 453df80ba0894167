"""Flags that several verbs have."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from action_server.cli.values import parse_header, parse_path, parse_server, parse_url
from action_server.config import settings
from action_server.errors import SettingsError

if TYPE_CHECKING:
    from action_server.testing.server_access import Access

_TLS_FLAGS = {
    "--cafile": "over TLS: trust the CA in this file instead of the system's",
    "--ssl-client-cert": "over TLS: show this certificate to the server",
    "--ssl-client-key": "over TLS: the key of that certificate",
}


def add_action_flags(parser: argparse.ArgumentParser) -> None:
    """Add the settings that say which actions there are."""
    for name in ("actions", "endpoints", "strict"):
        settings.add_flag(parser, name)


def add_log_flag(parser: argparse.ArgumentParser, default: str = "INFO") -> None:
    """Add ``--log-level`` for a verb that shows the log; ``default`` is what it shows without."""
    text = f"what of the log is shown: DEBUG, INFO, WARNING or ERROR (default: {default})"
    parser.add_argument("--log-level", metavar="LEVEL", help=text)


def add_url_flags(parser: argparse.ArgumentParser, *, or_grpc: bool = False) -> None:
    """Add ``--url`` and ``--header``; ``headers`` is the list of names and values.

    The files of TLS are those of :func:`add_tls_flags`. ``or_grpc`` lets the URL be that of a server over gRPC, too.
    """
    parser.add_argument(
        "--url",
        metavar="URL",
        type=parse_server if or_grpc else parse_url,
        help="call the webhook of a server that runs, instead of the actions in place"
        + (", or grpc://host:port, grpcs:// with TLS" if or_grpc else ""),
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
    add_tls_flags(parser)


def add_tls_flags(parser: argparse.ArgumentParser) -> None:
    """Add the files that calls over TLS need; named as in the engine's endpoints.yml."""
    for flag, what in _TLS_FLAGS.items():
        parser.add_argument(flag, metavar="FILE", type=parse_path, help=what)


def access_of(args: argparse.Namespace, *urls: str | None) -> Access:
    """Return how the servers at these addresses are reached, by the flags of :func:`add_tls_flags` and ``headers``.

    Raises:
        SettingsError: a file cannot be used, or is of no use.
    """
    from action_server.testing.server_access import Access

    access = Access(dict(args.headers), args.cafile, args.ssl_client_cert, args.ssl_client_key)
    access.check(*filter(None, urls))
    return access


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
