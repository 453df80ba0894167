"""The verb `tools` shows each tool as a model sees it."""

from __future__ import annotations

import json
from pathlib import Path

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


def test_wrong_usage_is_one_line(tmp_path: Path) -> None:
    """With exit code 2, and the name that may have been meant."""
    folder = bot(tmp_path)
    misspelt = run(folder, ["tools", "action_bok"])
    useless = run(folder, ["tools", "--server", "clinic"])
    (folder / "endpoints.yml").write_text("{}", encoding="utf-8")
    nothing = run(folder, ["tools"])

    assert [misspelt.returncode, useless.returncode, nothing.returncode] == [2, 2, 2]
    assert "action_book" in misspelt.stderr
    assert "--for" in useless.stderr
    assert "mcp: actions:" in nothing.stderr
