"""The verbs that play, test, draw and check flows.

What they need is an extra (``pip install "action-server[flows]"``), so each is imported when it is asked for.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from action_server.config import settings
from action_server.config.environment import process_environment
from action_server.config.settings import Settings
from action_server.errors import SettingsError

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]

logger = logging.getLogger(__name__)

_EXTRA = 'needs packages that are not installed: pip install "action-server[flows]"'


def add(verbs: Verbs, given: Sequence[str]) -> None:
    """Add the verbs; only the one that was ``given`` gets its flags.

    Raises:
        SettingsError: its packages are not installed.
    """
    asked = tuple(given[:2])
    chat = verbs.add_parser("chat", help="talk to an assistant's flows")
    if asked[:1] == ("chat",):
        _play(chat, "chat", "action_server.cli.chat")
    flows = verbs.add_parser("flows", help="test flows, draw flows", description="Test and draw CALM flows.")
    kinds = flows.add_subparsers(title="verbs", metavar="VERB", required=True)
    test = kinds.add_parser("test", help="run end-to-end tests in Rasa's format against the actions")
    if asked == ("flows", "test"):
        _play(test, "flows test", "action_server.cli.flows_test")
    graph = kinds.add_parser("graph", help="draw flows as Mermaid or SVG")
    if asked == ("flows", "graph"):
        _play(graph, "flows graph", "action_server.cli.flows_graph")
    check = verbs.add_parser("check", help="find where code, domain and flows disagree")
    if asked[:1] == ("check",):
        for name in ("actions", "endpoints"):
            settings.add_flag(check, name)
        _module("check", "action_server.cli.check").add_flags(check)
        check.set_defaults(verb=_check)


def check_in_background(read: Settings) -> None:
    """Log what `check` finds as warnings; for ``run --dev``. Returns at once."""
    threading.Thread(target=_log_findings, args=(read,), name="check", daemon=True).start()


def _play(parser: argparse.ArgumentParser, verb: str, name: str) -> None:
    module = _module(verb, name)
    parser.description = module.DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    module.add_flags(parser)

    def run(args: argparse.Namespace) -> int:
        from action_server.flows.session import stage

        read = settings.read(stage.flags_of(args))
        code: int = module.run(args, read, process_environment())
        return code

    parser.set_defaults(verb=run)


def _check(args: argparse.Namespace) -> int:
    from action_server.cli import check
    from action_server.telemetry import logs

    read = settings.read(vars(args))
    # Importing the actions may log; the findings say what is wrong.
    logs.configure(logs.LogSettings("CRITICAL", "CRITICAL"))
    return check.run(args, read)


def _module(verb: str, name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if (exc.name or "").startswith("action_server"):
            raise
        raise SettingsError(verb, _EXTRA) from None


def _log_findings(read: Settings) -> None:
    try:
        from action_server.flows.check import checking
    except ModuleNotFoundError:
        return
    root = checking.project_folder(Path.cwd())
    endpoints = read.endpoints if read.endpoints.exists() else None
    try:
        # The workers import the actions; this process must not, or it would have to be replaced with each edit.
        found = checking.check_text(root, read.actions, endpoints)
    except SettingsError as exc:
        logger.warning("check.failed", extra={"problem": str(exc)})
        return
    for finding in found:
        facts = {"rule": finding.rule, "place": finding.where, "problem": finding.message, "fix": finding.fix}
        logger.warning("check.found", extra=facts)
