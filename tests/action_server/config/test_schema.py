"""The schema of endpoints.yml takes what the server takes, and shows editors what is misspelt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from action_server.config import settings
from action_server.config.schema import endpoints_schema
from action_server.errors import SettingsError
from tests.tools.write_schemas import REFERENCE, as_text, schemas

ROOT = Path(__file__).parents[3]
VALIDATOR = jsonschema.Draft202012Validator(endpoints_schema())

RIGHT: list[str] = [
    "",
    "action_server:",
    "action_endpoint: {url: http://localhost:5055/webhook}",
    "action_server: {port: 5056, actions: bot.actions, cors: ['*']}",
    "action_server: {port: '${PORT}'}",
    "action_server: {actions: {action_x: {timeout: 8, on_error: reject, idempotent: true}}}",
    "action_server: {actions: {action_x: {on_error: {say: utter_sorry}, on_timeout: {slot: failed}}}}",
    "action_server: {auth: {tokens: abc, basic: [{username: a, password: b}]}}",
    "action_server: {auth: {tokens: [abc, {file: token}], headers: {X-Key: abc}}}",
    "action_server: {services: {clinic: {anything: [1, 2]}}}",
]
WRONG: list[str] = [
    "action_server: {prot: 5056}",
    "action_server: {port: many}",
    "action_server: {port: 70000}",
    "action_server: {actions: {action_x: {timout: 8}}}",
    "action_server: {actions: {action_x: {on_error: explode}}}",
    "action_server: {auth: {token: abc}}",
    "action_server: [1]",
]


def is_valid(text: str) -> bool:
    return bool(VALIDATOR.is_valid(YAML(typ="safe").load(text) or {}))


def is_taken(text: str, folder: Path) -> bool:
    file = folder / "endpoints.yml"
    file.write_text(text, encoding="utf-8")
    variables: Mapping[str, str] = {"PORT": "5056"}
    flags: dict[str, Any] = {"endpoints": file}
    try:
        settings.read(flags, variables)
    except SettingsError:
        return False
    return True


@pytest.mark.parametrize(("text", "is_right"), [*((t, True) for t in RIGHT), *((t, False) for t in WRONG)])
def test_the_schema_and_the_server_agree(tmp_path: Path, text: str, is_right: bool) -> None:
    """What an editor marks is what the server refuses."""
    assert (is_valid(text), is_taken(text, tmp_path)) == (is_right, is_right)


def test_our_own_file_is_valid() -> None:
    """The one of this repository."""
    assert is_valid((ROOT / "endpoints.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(schemas()))
def test_the_files_of_the_reference_are_what_the_code_says(name: str) -> None:
    """Write them anew with `python -m tests.tools.write_schemas` when they differ."""
    assert (REFERENCE / name).read_text(encoding="utf-8") == as_text(schemas()[name])
