"""``${VARIABLE}`` in endpoints.yml, replaced from the environment as the engine does in the same file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from action_server.errors import SettingsError

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def expanded(value: Any, where: str, environment: Mapping[str, str]) -> Any:
    """Return a value of a YAML file with each ``${VARIABLE}`` in its texts replaced, in whatever it holds as well.

    Raises:
        SettingsError: a variable is not set; ``where`` is the place of ``value``, which it names to the very entry.
    """
    if isinstance(value, dict):
        return {name: expanded(item, f"{where}.{name}", environment) for name, item in value.items()}
    if isinstance(value, list):
        return [expanded(item, f"{where}[{index}]", environment) for index, item in enumerate(value)]

    def content(found: re.Match[str]) -> str:
        if found[1] not in environment:
            raise SettingsError(where, f"the environment variable {found[1]} is not set")
        return environment[found[1]]

    return _VARIABLE.sub(content, value) if isinstance(value, str) else value
