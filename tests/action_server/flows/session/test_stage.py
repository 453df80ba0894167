"""What conversations are played on: whose settings count, and where actions are found."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from action_server.config.settings import Settings
from action_server.errors import SettingsError
from action_server.flows.player.webhook import InProcess
from action_server.flows.session.stage import (
    Stage,
    StageOptions,
    add_import_path,
    fill_temporary,
    open_stage,
    read_test_services,
)
from action_server.project.project import Project
from action_server.project.project_reader import read_project
from action_server.runtime import loader, registry
from tests.action_server.flows.cafe import ACTIONS, DOMAIN, FLOWS, TEST_SETTINGS
from tests.engine_calls import call_body
from tests.projects import project

SETTINGS = Settings(services={"book": {"file": "real", "size": 3}})


@pytest.fixture
def cafe(tmp_path: Path) -> Project:
    files = {"domain.yml": DOMAIN, "data/flows.yml": FLOWS, "tests/action_server.yml": TEST_SETTINGS}
    return read_project(project(tmp_path, files))


async def opened(cafe: Project, **options: object) -> Stage:
    async with open_stage(cafe, SETTINGS, {}, StageOptions(**options)) as stage:  # type: ignore[arg-type]
        return stage


async def test_settings_of_tests_count_in_tests_and_flags_over_them(cafe: Project) -> None:
    """Without tests neither do, and an entry that nobody sets stays."""
    flags = {"book": {"size": 4}}

    assert (await opened(cafe)).services == {}
    assert (await opened(cafe, as_in_tests=True)).services == {"book": {"file": "{tmp}/book"}}
    stage = await opened(cafe, as_in_tests=True, services=flags)
    assert stage.services == {"book": {"file": "{tmp}/book", "size": 4}}
    assert (await opened(cafe, services=flags)).services == flags


@pytest.mark.parametrize("text", ["services: {}", "action_server: {port: 1}", "action_server:", "[]"])
def test_settings_of_tests_that_say_something_else_are_refused(tmp_path: Path, text: str) -> None:
    """They would be ignored, and a test would write into a database somebody uses."""
    project(tmp_path, {"tests/action_server.yml": text})

    with pytest.raises(SettingsError, match=r"action_server\.yml: must hold `action_server:` with `services:`"):
        read_test_services(tmp_path)


def test_a_project_without_settings_of_tests_has_none(tmp_path: Path) -> None:
    """The file need not be there."""
    assert read_test_services(tmp_path) == {}


def test_the_temporary_folder_is_filled_in_everywhere() -> None:
    """Below mappings and lists; what is no text stays."""
    tree = {"a": "{tmp}/x", "b": [{"c": "sqlite:///{tmp}/y?{tmp}"}, 3, None], "d": True}

    assert fill_temporary(tree, "/t") == {"a": "/t/x", "b": [{"c": "sqlite:////t/y?/t"}, 3, None], "d": True}


async def test_each_conversation_has_services_of_its_own(
    cafe: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a new folder, which is gone afterwards; the settings they were made of are not changed."""
    project(tmp_path, {"stage_actions.py": ACTIONS + "\n\nopened = []\n"})
    monkeypatch.syspath_prepend(tmp_path)
    code = (tmp_path / "stage_actions.py").read_text()
    recorded = code.replace("    yield\n", '    opened.append(config["book"]["file"])\n    yield\n', 1)
    (tmp_path / "stage_actions.py").write_text(recorded)
    settings = SETTINGS.model_copy(update={"actions": "stage_actions"})

    async with open_stage(cafe, settings, {}, StageOptions(as_in_tests=True)) as stage:
        for _ in range(2):
            async with stage.webhook():
                pass

    first, second = sys.modules.pop("stage_actions").opened
    assert first != second
    assert not Path(first).parent.exists()
    assert settings.services == SETTINGS.services


COUNTING = """
from rasa_sdk import Action


class ActionCount(Action):
    def __init__(self):
        self.count = 0

    def name(self):
        return "action_count"

    def run(self, dispatcher, tracker, domain):
        self.count += 1
        return [{"event": "slot", "name": "count", "value": self.count}]


def register_actions(registry):
    registry.register_function("action_by_hook", lambda dispatcher, tracker, domain: [])
"""


async def test_actions_are_loaded_once_and_remember_nothing_in_the_next_conversation(
    cafe: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their modules are searched, and their code is looked at, for the first conversation only."""
    project(tmp_path, {"counting_actions.py": COUNTING})
    monkeypatch.syspath_prepend(tmp_path)
    looked: Counter[str] = Counter()
    for module, name in ((loader, "find_thread_bound"), (registry, "_check_arguments"), (loader, "_import")):
        monkeypatch.setattr(module, name, _counted(getattr(module, name), looked))
    counts, names = [], set()

    async with open_stage(cafe, Settings(actions="counting_actions"), {}, StageOptions()) as stage:
        for _ in range(3):
            async with stage.webhook() as webhook:
                replies = [await webhook.post(call_body("action_count")) for _ in range(2)]
                counts.append([reply.body["events"][0]["value"] for reply in replies if reply.body])
                names.add(webhook.actions if isinstance(webhook, InProcess) else None)

    sys.modules.pop("counting_actions")
    assert counts == [[1, 2]] * 3
    assert names == {frozenset({"action_count", "action_by_hook"})}
    # The hook's function is a new one each time, so what it takes is looked at each time.
    assert looked == {"find_thread_bound": 1, "_import": 1, "_check_arguments": 1 + 3}


def _counted(function: Callable[..., Any], counts: Counter[str]) -> Callable[..., Any]:
    def call(*args: Any, **more: Any) -> Any:
        counts[function.__name__] += 1
        return function(*args, **more)

    return call


@pytest.mark.parametrize(
    ("files", "is_added"),
    [
        ({"bot/acts/__init__.py": ""}, True),
        ({"bot/acts.py": ""}, True),
        ({"bot/acts.py": "", "acts/__init__.py": ""}, False),
        ({"acts.py": ""}, False),
        ({}, False),
    ],
    ids=["package", "module", "in both", "here", "nowhere"],
)
def test_the_projects_own_actions_are_found_unless_the_working_directory_has_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], is_added: bool
) -> None:
    """Behind the working directory, once."""
    project(tmp_path, {"bot/domain.yml": "", **files})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", "/elsewhere"])

    add_import_path("acts.deep", Path("bot"))
    add_import_path("acts.deep", Path("bot"))

    assert sys.path == ["", *([str(tmp_path / "bot")] if is_added else []), "/elsewhere"]
