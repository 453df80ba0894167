"""The name by which a call tells its engine, where one server works for several: a header, or a parameter of the URL.

It is a name and never an address: where results are brought to is in the settings alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl

# Of gRPC's metadata as well, whose names are in small letters.
HEADER = "x-engine"
# For those that can set no header: an engine's `mcp_servers` [read].
PARAMETER = "engine"
# Stands for what can be no name; no settings have an engine that is called so.
UNFIT = "?"

_NAME = re.compile(r"[a-z0-9_-]{1,64}")


def is_engine_name(text: str) -> bool:
    """Tell whether an engine may be called so."""
    return bool(_NAME.fullmatch(text))


def engine_named(told: Iterable[str], query: str = "") -> str:
    """Return the engine that a request names, "" if it names none, :data:`UNFIT` for what is no name, or two of them.

    ``told`` are the values of the header; ``query`` is what stands behind the ``?`` of the URL.
    """
    named = list(told)
    if PARAMETER in query:
        pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
        named += [value for name, value in pairs if name == PARAMETER]
    names = {name.strip().lower() for name in named}
    if not names:
        return ""
    name = names.pop()
    return name if not names and is_engine_name(name) else UNFIT
