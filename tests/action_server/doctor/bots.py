"""A bot for the doctor, and what it finds there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from action_server.config import settings
from action_server.doctor.examine import examine
from action_server.findings.finding import Finding
from tests.projects import GREET, project

URL = "http://localhost:5055/webhook"


OPEN = {"url": URL}


CLOSED: Mapping[str, Any] = {"auth": {"tokens": "right"}}


GRPC = {"url": "grpc://localhost:5055"}


AS_GRPC = {"grpc": True}


# A module of a name of its own, imported once for all tests that are about other things than the package.
BOT = "bot_of_the_doctor"


SERVICE = """
    from contextlib import asynccontextmanager

    def ping(_):
        raise ConnectionError("S3CR3T")

    @asynccontextmanager
    async def lifespan(registry, config):
        if "broken" in config:
            raise ConnectionError("S3CR3T")
        registry.register_value(int, 5, ping=ping)
        yield
"""


def basic(username: object, password: object) -> dict[str, Any]:
    return {"basic_auth": {"username": username, "password": password}}


def examine_bot(
    folder: Path,
    content: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    **options: Any,
) -> list[Finding]:
    """What the doctor finds in a project with this endpoints file."""
    file = folder / "endpoints.yml"
    file.write_text(json.dumps(content), encoding="utf-8")
    shared = {"actions": BOT, "endpoints": file} if (folder / f"{BOT}.py").exists() else {}
    if not shared and not (folder / "actions.py").exists():
        project(folder, {"actions.py": GREET})
    read = settings.read({"host": "127.0.0.1", **shared, **(flags or {})}, environment or {})
    return [*examine(read, environment or {}, **options).findings]


def ids(findings: list[Finding]) -> list[str]:
    """Return the ids of the rules that found something."""
    return [finding.rule.id for finding in findings]
