"""Writes docs/reference/openapi.json and endpoints.schema.json anew: `python -m tests.tools.write_schemas`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from action_server import __version__
from action_server.config.schema import endpoints_schema
from action_server.protocol.openapi import openapi

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def schemas() -> dict[str, dict[str, Any]]:
    """The files there are, and what is in them."""
    return {"openapi.json": openapi(__version__), "endpoints.schema.json": endpoints_schema()}


def as_text(schema: dict[str, Any]) -> str:
    """What stands in a file."""
    return json.dumps(schema, indent=1) + "\n"


if __name__ == "__main__":
    for name, schema in schemas().items():
        (REFERENCE / name).write_text(as_text(schema), encoding="utf-8")
