"""A project's folder is read completely: domain, flows, patterns and what lies beside them."""

from __future__ import annotations

from pathlib import Path

from action_server.flows.player.default_actions import DEFAULT_ACTIONS
from action_server.project.flows import ActionStep, CallStep, CollectStep
from action_server.project.project_reader import read_project
from tests.action_server.flows.bots import PROJECTS, read
from tests.projects import project


def test_a_folder_without_anything(tmp_path: Path) -> None:
    found = [p.message for p in read_project(tmp_path).problems]

    assert found == ["has no domain: neither domain.yml nor a folder `domain` with YAML files", "has no flows"]


def test_flows_beside_the_domain_and_a_domain_beside_the_flows(tmp_path: Path) -> None:
    """A project without a data folder, and one that keeps slots and responses with the flow that uses them."""
    domain = "slots: {a: {type: text}}"
    flow = "flows: {f: {description: d, steps: [{action: utter_a}]}}"
    flat = read_project(project(tmp_path / "flat", {"domain.yml": domain, "my/flows.yml": flow}))
    mixed = project(
        tmp_path / "mixed",
        {
            "domain.yml": domain,
            "data/f.yml": f"{flow}\nslots: {{b: {{type: bool}}}}\nresponses: {{utter_a: [{{text: A}}]}}",
        },
    )

    assert (flat.problems, set(flat.flows)) == ((), {"f"})
    assert read_project(mixed).problems == ()
    assert {"a", "b"} < set(read_project(mixed).domain.slots)
    assert "utter_a" in read_project(mixed).domain.responses


def test_parts_that_lie_elsewhere(tmp_path: Path) -> None:
    found = read_project(
        tmp_path,
        domain=PROJECTS / "bank" / "domain",
        data=PROJECTS / "bank" / "data" / "flows",
        endpoints=PROJECTS / "bank" / "endpoints.yml",
    )

    assert found.problems == ()
    assert (len(found.flows), found.webhook_url) == (10, "http://localhost:5055/webhook")


def test_generated_and_hidden_folders_are_left_alone(tmp_path: Path) -> None:
    files = {
        "domain.yml": "slots: {}",
        "data/.hidden/x.yml": "- [",
        "data/models/x.yml": "- [",
        "data/f.yml": "flows: {}",
    }

    assert [p.message for p in read_project(project(tmp_path, files)).problems] == ["has no flows"]


def test_all_of_a_project_s_folder() -> None:
    found = read("bank")

    assert [Path(f).name for f in found.domain_files] == ["actions.yml", "responses.yml", "slots.yml"]
    assert [Path(f).name for f in found.flow_files] == ["accounts.yml", "money.yml"]
    assert found.nlu == {"greet": ("hello", "hi Bob, I am in Vienna")}
    assert (found.has_rules, found.has_stories) == (True, False)
    assert found.config["language"] == "en"
    assert Path(found.config_file).name == "config.yml"
    assert found.webhook_url == "http://localhost:5055/webhook"


def test_the_engine_s_patterns_are_there_unless_the_project_has_its_own() -> None:
    plain, repair = read("plain"), read("repair")

    assert len(plain.patterns) == 21
    assert "pattern_completed" not in repair.patterns
    assert not repair.all_flows["pattern_completed"].is_default
    assert plain.all_flows["pattern_completed"].is_default
    assert plain.domain.responses["utter_ask_rephrase"].is_default


def test_the_engine_s_patterns_agree_with_themselves() -> None:
    """Every slot they ask for, every response they say and every action they run is there."""
    project = read("plain")

    for flow in project.patterns.values():
        for step in flow.steps:
            if isinstance(step, CollectStep):
                assert step.collect in project.domain.slots
                assert step.ask_utter in project.domain.responses
            if isinstance(step, ActionStep) and "{" not in step.action:
                assert step.action in {*DEFAULT_ACTIONS, *project.domain.responses}
            assert not isinstance(step, CallStep)
