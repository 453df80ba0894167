"""The endpoints file as far as the doctor looks at it, and the places of its entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from action_server.source import Place
from action_server.yaml_file import read_yaml


@dataclass(frozen=True)
class EndpointsFile:
    """Three blocks as they are written, variables and all; ``tracing`` is None where it is not there."""

    path: Path
    action_endpoint: Mapping[str, Any]
    action_server: Mapping[str, Any]
    tracing: object = None

    def at(self, key: str) -> Place:
        """Return the place of an entry; of the file without one."""
        return Place(str(self.path), key=key)

    def setting(self, name: str) -> Place:
        """Return the place of one of this server's settings, which may come from a flag or the environment."""
        return self.at(f"action_server.{name}") if name in self.action_server else Place(key=f"setting {name}")


def read_endpoints_file(path: Path) -> EndpointsFile:
    """Read the blocks; those of another shape count as empty, as does a file that is not there.

    Raises:
        SettingsError: it cannot be read, or is not YAML.
    """
    content = read_yaml(path, str(path)) if path.exists() else None
    blocks = content if isinstance(content, dict) else {}
    return EndpointsFile(
        path, _mapping(blocks.get("action_endpoint")), _mapping(blocks.get("action_server")), blocks.get("tracing")
    )


def _mapping(block: object) -> Mapping[str, Any]:
    return block if isinstance(block, dict) else {}
