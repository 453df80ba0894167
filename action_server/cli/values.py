"""Reads what flags and arguments hold: ``slot=value``, ``NAME:VALUE``, ``services.NAME=VALUE``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from action_server.errors import SettingsError


def parse_slots(pairs: Sequence[str]) -> dict[str, Any]:
    """Read ``slot=value`` pairs; a value is JSON if it reads as such, otherwise text: ``n=4``, ``name=Ann``.

    Raises:
        SettingsError: a pair has no ``=`` or no name.
    """
    slots = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise SettingsError(repr(pair), "is not slot=value")
        slots[name] = json_or_text(text)
    return slots


def parse_header(pair: str) -> tuple[str, str]:
    """Read ``NAME:VALUE``, a header of HTTP.

    Raises:
        SettingsError: it is something else. The text is not repeated: the value may be a credential.
    """
    name, colon, value = pair.partition(":")
    if not colon or not name.strip() or not pair.isprintable():
        raise SettingsError("--header", "is not NAME:VALUE")
    return name.strip(), value.strip()


def parse_path(text: str) -> Path:
    """Read the path of a file or folder.

    Raises:
        ArgumentTypeError: it is empty, as of a shell's variable that is not set: the working directory would be meant.
    """
    if not text:
        # Here, as it brings pydantic, which `--help` and some verbs do without.
        from action_server.security.secrets import EMPTY

        raise argparse.ArgumentTypeError(EMPTY)
    return Path(text)


def parse_url(text: str, where: str = "--url") -> str:
    """Read the URL of a webhook; ``where`` names the flag.

    Raises:
        SettingsError: it is none of HTTP.
    """
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_url = False
    if not is_url:
        raise SettingsError(where, "is not the URL of a webhook, such as http://localhost:5055/webhook")
    return text


def parse_server(text: str, where: str = "--url") -> str:
    """Read the URL of a webhook, or ``grpc://host:port``, or ``grpcs://host:port`` for TLS; ``where`` names the flag.

    Raises:
        SettingsError: it is neither.
    """
    scheme = text.partition("://")[0]
    if scheme not in ("grpc", "grpcs"):
        return parse_url(text, where)
    try:
        parts = urlsplit(text)
        is_address = bool(parts.hostname and parts.port) and text == f"{scheme}://{parts.netloc}"
    except ValueError:
        is_address = False
    if not is_address:
        raise SettingsError(
            where, f"{text.rpartition('@')[2]} is no address of gRPC, such as {scheme}://localhost:5055"
        )
    return text


def parse_service_setting(pair: str) -> dict[str, Any]:
    """Read ``services.NAME=VALUE``, where NAME may have dots, as the tree of settings below ``services``.

    Raises:
        SettingsError: it is something else. The text is not repeated: the value may be a credential.
    """
    name, equals, text = pair.partition("=")
    keys = name.split(".")
    if not equals or keys[0] != "services" or len(keys) < 2 or not all(keys):
        raise SettingsError("--set", "is not services.NAME=VALUE, such as services.clinic.database=test.sqlite3")
    *groups, last = keys[1:]
    tree: dict[str, Any] = {last: json_or_text(text)}
    for key in reversed(groups):
        tree = {key: tree}
    return tree


def json_or_text(text: str) -> Any:
    """Return what a text says as JSON, or the text itself if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text
