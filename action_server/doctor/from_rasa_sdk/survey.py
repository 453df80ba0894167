"""Reads a bot that runs under `python -m rasa_sdk`, and says what changes for it here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from action_server.doctor.from_rasa_sdk import rules
from action_server.doctor.from_rasa_sdk.code import check_code
from action_server.doctor.from_rasa_sdk.commands import check_commands
from action_server.doctor.from_rasa_sdk.files import File, files_of
from action_server.doctor.from_rasa_sdk.requirements import check_requirements
from action_server.errors import SettingsError
from action_server.findings.finding import Finding, by_place, by_severity


def survey(root: Path) -> list[Finding]:
    """Return what changes for the bot in a folder, errors first: nothing of it is imported or run.

    Raises:
        SettingsError: there is no such folder, or nothing in it uses rasa-sdk.
    """
    if not root.is_dir():
        raise SettingsError("--from-rasa-sdk", f"there is no folder {root}")
    files = files_of(root)
    if not any("rasa_sdk" in file.text or "rasa-sdk" in file.text for file in files):
        raise SettingsError("--from-rasa-sdk", f"nothing in {root} uses rasa-sdk: name the bot's own folder")
    found = dict.fromkeys(finding for file in files for finding in _check(file))
    return by_severity(by_place(found))


def _check(file: File) -> Iterator[Finding]:
    yield from check_requirements(file)
    yield from check_commands(file)
    yield from check_code(file)
    if file.basename in {"endpoints.yml", "endpoints.yaml"}:
        for line, text in file.lines():
            if text.startswith("action_endpoint:"):
                yield Finding.of(rules.ENDPOINT_KEPT, file.at(line))
