"""The parts of config.yml and endpoints.yml that rules look at, whatever else stands there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# What engines take for a value from the environment; behind it may stand more (rasa-pro 3.21.0, read).
FROM_ENVIRONMENT = re.compile(r"\$\{\w+\}")
# Settings of servers and agents that an engine takes from the environment alone (rasa-pro 3.21.0, read).
SECRETS = ("api_key", "token", "client_secret")


def is_from_environment(value: Any) -> bool:
    """Tell a value that begins with one from the environment."""
    return isinstance(value, str) and FROM_ENVIRONMENT.match(value) is not None


def mappings_in(settings: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    """Yield the mappings of the list under a key; nothing if there is no such list."""
    listed = settings.get(key)
    yield from (part for part in (listed if isinstance(listed, list) else ()) if isinstance(part, Mapping))


def mapping_of(settings: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the mapping under a key, empty if there is none."""
    found = settings.get(key)
    return found if isinstance(found, Mapping) else {}


def class_name(part: Mapping[str, Any]) -> str:
    """Return the name of a component without the module in front of it."""
    return str(part.get("name")).rpartition(".")[2]
