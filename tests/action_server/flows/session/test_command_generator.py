"""Who understands the user is chosen by a flag, and by the project's files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from action_server.errors import SettingsError
from action_server.flows.commands.llm import LlmCommandGenerator
from action_server.flows.commands.offline import OfflineCommandGenerator
from action_server.flows.commands.scripted import ScriptedCommandGenerator
from action_server.flows.session.command_generator import choose_command_generator, model_group_of
from action_server.project.project import Project
from action_server.project.project_reader import read_project
from tests.action_server.flows.cafe import DOMAIN, FLOWS
from tests.projects import project

MODEL = """
model_groups:
  - id: small
    models: [{provider: openai, model: gpt-small, api_base: "http://127.0.0.1:9/v1", api_key: "${CAFE_KEY}"}]
"""
CONFIG = "pipeline:\n- name: CompactLLMCommandGenerator\n  llm: {model_group: small}\n"


@pytest.fixture
def cafe(tmp_path: Path) -> Project:
    files = {"domain.yml": DOMAIN, "data/flows.yml": FLOWS, "config.yml": CONFIG, "endpoints.yml": MODEL}
    return read_project(project(tmp_path, files))


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        (["offline"], OfflineCommandGenerator),
        (["llm"], LlmCommandGenerator),
        (["scripted", "script.yml"], ScriptedCommandGenerator),
    ],
    ids=["offline", "llm", "scripted"],
)
async def test_each_conversation_has_one_of_its_own(
    cafe: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: list[str], kind: type
) -> None:
    """A script begins anew, a language model has seen nothing."""
    monkeypatch.chdir(project(tmp_path, {"script.yml": "turns: [[cancel_flow]]\n"}))

    async with AsyncExitStack() as stack:
        make = await choose_command_generator(how, cafe, {"CAFE_KEY": "sk-secret"}, stack)
        first, second = make(), make()

    assert isinstance(first, kind)
    assert isinstance(second, kind)
    assert first is not second


@pytest.mark.parametrize("how", [["magic"], ["scripted"], ["offline", "x"], ["scripted", "a", "b"]], ids=" ".join)
async def test_another_way_to_understand_is_refused(cafe: Project, how: list[str]) -> None:
    """The line says which there are."""
    async with AsyncExitStack() as stack:
        with pytest.raises(SettingsError, match="is none of offline, llm and scripted FILE"):
            await choose_command_generator(how, cafe, {}, stack)


@pytest.mark.parametrize(
    ("config", "group"),
    [
        ({"pipeline": [{"name": "X"}, {"name": "a.b.CompactLLMCommandGenerator", "llm": {"model_group": "g"}}]}, "g"),
        ({"pipeline": [{"name": "NLUCommandAdapter", "llm": {"model_group": "g"}}]}, None),
        ({"pipeline": [{"name": "LLMCommandGenerator", "llm": "g"}, "LLMCommandGenerator"]}, None),
        ({"pipeline": None}, None),
        ({}, None),
    ],
    ids=["named", "no generator", "no group", "an empty pipeline", "nothing"],
)
def test_the_model_group_is_the_command_generators(config: Mapping[str, Any], group: str | None) -> None:
    """Whatever else a config.yml holds does no harm."""
    assert model_group_of(config) == group
