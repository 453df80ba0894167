"""A conversation whose flow calls a tool of the project's own server, through the real command."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.processes import PATIENCE, QUICK, command, environment, server
from tests.projects import project

FILES = {
    "tool_bot.py": """
        from typing import Any
        from action_server import action
        from rasa_sdk.executor import CollectingDispatcher

        @action
        async def book(day: str | None, dispatcher: CollectingDispatcher) -> dict[str, Any]:
            dispatcher.utter_message(text=f"Booked {day}.")
            return {"code": "A7", "times": [1, 2]}
    """,
    "domain.yml": """
        slots:
          day: {type: text, initial_value: Monday}
          code: {type: text}
          times: {type: any}
        responses:
          utter_code: [{text: "Your code is {code}, times {times}."}]
        actions: [action_book]
        intents: [book]
    """,
    "data/flows.yml": """
        flows:
          book:
            name: book
            description: book an appointment
            nlu_trigger: [{intent: book}]
            steps:
              - call: action_book
                mcp_server: clinic
                mapping:
                  input: [{slot: day, param: day}]
                  output:
                    - {slot: code, value: result.structuredContent.code}
                    - {slot: times, value: result.structuredContent.times}
              - action: utter_code
    """,
}
ENDPOINTS = """
action_endpoint: {url: "http://localhost:5055/webhook"}
mcp_servers: [{name: clinic, url: "URL", type: http}]
action_server: {actions: tool_bot, mcp: {actions: ["action_*"]}}
"""


@pytest.mark.parametrize("where", ["in process", "elsewhere"])
def test_chat_plays_a_step_that_calls_a_tool(where: str, tmp_path: Path) -> None:
    """In this process where the address is the project's own server, which does not run; elsewhere by HTTP."""
    bot = project(tmp_path, {**FILES, "endpoints.yml": ENDPOINTS.replace("URL", "http://localhost:5055/mcp")})
    if where == "in process":
        said = _say(bot)
    else:
        with server(bot, *QUICK, "--port", "0") as running:
            (bot / "endpoints.yml").write_text(ENDPOINTS.replace("URL", f"{running.url}/mcp"))
            said = _say(bot)

    assert "Your code is A7, times [1, 2]." in said


def _say(bot: Path) -> str:
    ended = subprocess.run(
        command("chat", "--project", "."),
        cwd=bot,
        env=environment(),
        input="/book\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout
