"""The engine's endpoints file: read once, into blocks, with ``${VARIABLE}`` replaced alike in all of them.

Rasa and the server share the file, and each has blocks the other one never looks at. So nothing of a block is checked,
and no variable of it is asked for, before somebody uses it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from action_server.errors import SettingsError
from action_server.nearest import nearest
from action_server.yaml_file import read_yaml

_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Block:
    """One block of the file, or a part of one. ``where`` is its place, such as ``endpoints.yml: tracing[0]``.

    ``written`` is what stands there, None for a block that is missing. ``environment`` is what its variables are
    replaced from.
    """

    where: str = ""
    written: Any = field(default=None, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def content(self) -> Any:
        """Return what stands there, with every variable replaced.

        Raises:
            SettingsError: a variable is not set; names the very entry, and shows no value.
        """
        return expand(self.written, self.where, self.environment)

    def part(self, written: Any, suffix: str) -> Block:
        """Return a part of the block: what is ``written`` at its place and ``suffix``, such as ``.models[0]``."""
        return replace(self, where=f"{self.where}{suffix}", written=written)


@dataclass(frozen=True)
class Endpoints:
    """The blocks of one endpoints file, as it was when it was read."""

    action_server: Block = Block()
    tracing: Block = Block()
    privacy: Block = Block()
    model_groups: Block = Block()
    action_endpoint: Block = Block()
    mcp_servers: Block = Block()
    # The places of entries at the top that nobody knows, each with the block that was meant; Rasa has more than these.
    misspelt: tuple[tuple[str, str], ...] = ()


# The blocks that are read here, and those of Rasa whose names could be taken for a typing error in one of them.
BLOCKS = tuple(block.name for block in fields(Endpoints) if block.name != "misspelt")
_OF_RASA = frozenset({"models", "model", "nlu", "nlg"})


def read_endpoints(file: Path, environment: Mapping[str, str]) -> Endpoints:
    """Read the file into its blocks.

    Raises:
        SettingsError: it cannot be read or is not YAML.
    """
    return endpoints_of(read_yaml(file, str(file)), str(file), environment)


def endpoints_of(content: object, file: str, environment: Mapping[str, str]) -> Endpoints:
    """Return the blocks of what a file holds that was read already. What is no mapping has none."""
    written = content if isinstance(content, Mapping) else {}
    blocks = {name: Block(f"{file}: {name}", written.get(name), environment) for name in BLOCKS}
    unknown = [str(name) for name in written if name not in BLOCKS and name not in _OF_RASA]
    meant = [(f"{file}: {name}", nearest(name, BLOCKS)) for name in unknown]
    return Endpoints(**blocks, misspelt=tuple((place, name) for place, name in meant if name))


def expand(value: Any, where: str, environment: Mapping[str, str]) -> Any:
    """Return a value with each ``${VARIABLE}`` in its texts replaced, in whatever it holds as well.

    Raises:
        SettingsError: a variable is not set; ``where`` is the place of ``value``, which it names to the very entry.
    """

    def fill(text: str, place: str) -> str:
        def content(found: re.Match[str]) -> str:
            if found[1] not in environment:
                raise SettingsError(place, f"the environment variable {found[1]} is not set")
            return environment[found[1]]

        return _VARIABLE.sub(content, text)

    return replace_texts(value, fill, where)


def replace_texts(value: Any, stand_in: Callable[[str, str], str], where: str = "") -> Any:
    """Return a value with every text in it replaced by what ``stand_in`` makes of the text and its place.

    Keys stay as they are. A place is ``where`` and the way down from it: ``where.name[0]``.
    """
    if isinstance(value, Mapping):
        return {name: replace_texts(item, stand_in, f"{where}.{name}") for name, item in value.items()}
    if isinstance(value, list):
        return [replace_texts(item, stand_in, f"{where}[{index}]") for index, item in enumerate(value)]
    return stand_in(value, where) if isinstance(value, str) else value
