"""The verb `tools` shows each tool as a model sees it."""

from __future__ import annotations

import json
from pathlib import Path

from action_server.cli import tools
from action_server.tools.model_views import MODELS
from tests.processes import run
from tests.projects import project

BOT = """
    from rasa_sdk import Action
    from rasa_sdk.events import SlotSet

    class ActionBook(Action):
        \"\"\"Book a table.\"\"\"

        def name(self):
            return "action_book"

        def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(text=tracker.get_slot("größe"))
            return [SlotSet("result", tracker.sender_id)]

    class ValidateForm(Action):
        def name(self):
            return "validate_form"

        def run(self, dispatcher, tracker, domain):
            return []
"""
OFFER = "action_server: {mcp: {actions: ['action_*']}}"
DOMAIN = "slots: {größe: {type: categorical, values: [small, large]}}"


def bot(folder: Path, endpoints: str = OFFER) -> Path:
    project(folder, {"actions.py": BOT})
    (folder / "endpoints.yml").write_text(endpoints, encoding="utf-8")
    (folder / "domain.yml").write_text(DOMAIN, encoding="utf-8")
    return folder


def test_the_table_has_arguments_answers_and_size(tmp_path: Path) -> None:
    """Of each tool, and of all together what a model reads."""
    ended = run(bot(tmp_path), ["tools"], COLUMNS="80")

    assert ended.returncode == 0
    assert "action_book" in ended.stdout
    assert "validate_form" not in ended.stdout
    assert "1 tools" not in ended.stdout
    assert "characters" in ended.stdout


def test_one_tool_is_shown_with_its_schemas(tmp_path: Path) -> None:
    """With what it needs and which names are not the slots' own."""
    ended = run(bot(tmp_path), ["tools", "action_book", "--domain", "domain.yml"], COLUMNS="80")

    assert ended.returncode == 0
    assert "needs a conversation (its id in _meta)" in ended.stdout
    assert "grosse is the slot 'größe'" in ended.stdout
    assert "slot_result is the slot 'result'" in ended.stdout
    assert '"outputSchema"' in ended.stdout


def test_json_has_all_there_is_to_know(tmp_path: Path) -> None:
    """For machines; of one tool as of all."""
    ended = run(bot(tmp_path), ["tools", "--json", "--domain", "domain.yml"])
    one = run(tmp_path, ["tools", "action_book", "--json", "--domain", "domain.yml"])

    [tool] = json.loads(ended.stdout)
    assert json.loads(one.stdout) == tool
    assert tool["inputSchema"]["properties"]["grosse"]["anyOf"][0]["enum"] == ["small", "large"]
    read = {key: tool[key] for key in ("name", "description", "inputSchema")}
    assert tool["characters"] == len(json.dumps(read, ensure_ascii=False, separators=(",", ":")))


def test_the_bridge_to_mantle_says_what_has_no_counterpart(tmp_path: Path) -> None:
    """Action by action, with the version it was read in."""
    ended = run(bot(tmp_path), ["tools", "--for", "mantle", "--server", "clinic"], COLUMNS="160")

    assert ended.returncode == 0
    assert "  - mcp/clinic:action_book" in ended.stdout
    assert "rasa-pro 3.21.0" in ended.stdout
    assert "needs a conversation, and none is sent" in ended.stdout
    assert "is about a turn of a conversation" in ended.stdout


def test_the_check_fits_80_columns_and_exits_for_ci(tmp_path: Path) -> None:
    """0 while no caller loses a tool, whatever else is lost; 1 as soon as one does."""
    fine = run(bot(tmp_path), ["tools", "--check"], COLUMNS="80")
    long = f"action_server: {{mcp: {{actions: [action_book], tools: {{action_book: {{description: {'x' * 1100}}}}}}}}}"
    (tmp_path / "endpoints.yml").write_text(long, encoding="utf-8")
    lost = run(tmp_path, ["tools", "--check", "action_book"], COLUMNS="80")
    machine = run(tmp_path, ["tools", "--check", "--json"])

    assert (fine.returncode, lost.returncode, machine.returncode) == (0, 1, 1)
    assert "no caller loses a tool" in fine.stdout
    assert "lost to a caller: action_book" in lost.stdout
    assert max(len(line) for text in (fine.stdout, lost.stdout) for line in text.splitlines()) <= 80
    by_caller = {entry["caller"]: entry for entry in json.loads(machine.stdout)}
    assert [e["rule"] for e in by_caller["litellm openai"]["refused"]] == ["long-description"]
    assert by_caller["litellm anthropic"]["refused"] == []


def test_a_tool_is_printed_as_the_model_gets_it(tmp_path: Path) -> None:
    """As JSON; the names of the models are those there are views for."""
    shown = run(bot(tmp_path), ["tools", "action_book", "--as", "gemini", "--domain", "domain.yml"])

    [option] = json.loads(shown.stdout)["parameters"]["properties"]["grosse"]["anyOf"]
    assert option["nullable"] is True
    assert tools._MODELS == MODELS


def test_wrong_usage_is_one_line(tmp_path: Path) -> None:
    """With exit code 2, and the name that may have been meant."""
    folder = bot(tmp_path)
    misspelt = run(folder, ["tools", "action_bok"])
    useless = run(folder, ["tools", "--server", "clinic"])
    (folder / "endpoints.yml").write_text("{}", encoding="utf-8")
    nothing = run(folder, ["tools"])
    unnamed = run(folder, ["tools", "--as", "gemini"])
    both = run(folder, ["tools", "--check", "--for", "mantle"])
    unfit = run(folder, ["tools", "--for", "mantle", "--server", "my: clinic"])

    assert {ended.returncode for ended in (misspelt, useless, nothing, unnamed, both, unfit)} == {2}
    assert "--server: has letters" in unfit.stderr
    assert "name it" in unnamed.stderr
    assert "--check: does nothing with --for" in both.stderr
    assert "action_book" in misspelt.stderr
    assert "--for" in useless.stderr
    assert "mcp: actions:" in nothing.stderr
