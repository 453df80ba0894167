"""The check behind `run --dev`: what `check` finds, as warnings in the log."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from action_server.config.settings import Settings
from action_server.errors import SettingsError

logger = logging.getLogger(__name__)


def check_in_background(settings: Settings) -> None:
    """Log the findings about the project, if there is one. Returns at once."""
    threading.Thread(target=check_project, args=(settings,), name="check", daemon=True).start()


def check_project(settings: Settings) -> None:
    """Log the findings about the project of the working directory. Logs nothing where there is none."""
    try:
        from action_server.flows.check import checking
        from action_server.project.location import locate_project
    except ModuleNotFoundError:
        # The extra `flows` is not installed: the server runs without.
        return
    folder = locate_project(Path.cwd())
    if folder is None:
        return
    endpoints = settings.endpoints if settings.endpoints.exists() else None
    try:
        # The workers import the actions; this process must not, or it would have to be replaced with each edit.
        findings = checking.check_text(folder, settings.actions, endpoints)
    except SettingsError as exc:
        logger.warning("check.failed", extra={"problem": str(exc)})
        return
    for finding in findings:
        facts = {"rule": finding.rule.id, "place": finding.place.exact, "problem": finding.message, "fix": finding.fix}
        logger.warning("check.found", extra=facts)
