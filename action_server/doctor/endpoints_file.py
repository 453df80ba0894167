"""The endpoints file as far as the doctor looks at it, and the places of its entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from action_server.config.settings import Settings
from action_server.source import Place


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
        """Return the place of one of this server's settings, or of a part of it (``delivery.token``).

        It may come from a flag or the environment.
        """
        is_here = name.partition(".")[0] in self.action_server
        return self.at(f"action_server.{name}") if is_here else Place(key=f"setting {name}")


def endpoints_file_of(settings: Settings) -> EndpointsFile:
    """Return the blocks that were read with the settings; those of another shape count as empty."""
    blocks = settings.blocks
    return EndpointsFile(
        settings.endpoints,
        _mapping(blocks.action_endpoint.written),
        _mapping(blocks.action_server.written),
        blocks.tracing.written,
    )


def _mapping(block: object) -> Mapping[str, Any]:
    return block if isinstance(block, dict) else {}
