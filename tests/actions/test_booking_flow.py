"""The flow of the documentation that books through a tool, played by `chat` with the clinic's actions."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.processes import PATIENCE, ROOT, command, environment

PAGE = (ROOT / "docs" / "howto" / "offer-actions-as-tools.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## A step of a CALM flow\n")[2].partition("\n## ")[0]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOMAIN = """
version: "3.1"
slots:
  appointment_type: {type: categorical, values: [general, specialist, urgent], mappings: [{type: from_llm}]}
  preferred_date: {type: text, mappings: [{type: from_llm}]}
  patient_email: {type: text, mappings: [{type: from_llm}]}
  booking_reference: {type: text, mappings: [{type: controlled}]}
responses:
  utter_ask_appointment_type: [{text: "What kind of appointment?"}]
  utter_ask_preferred_date: [{text: "When?"}]
  utter_ask_patient_email: [{text: "Your email address?"}]
  utter_booked: [{text: "Booked: {booking_reference}."}]
"""
CONFIG = """
recipe: default.v1
language: en
pipeline: [{name: CompactLLMCommandGenerator}]
policies: [{name: FlowPolicy}]
"""


def test_the_flow_of_the_page_books_through_a_tool(tmp_path: Path) -> None:
    """What the page shows is what comes out, but for the reference."""
    flows, endpoints = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    shown = re.findall(r"```console\n\$ action-server chat --fresh < messages.txt\n(.*?)```", SECTION, re.DOTALL)[0]
    # README shows the step and the conversation of this page.
    (step,) = (block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "mcp_server" in block)
    assert step in flows
    assert f"```console\n$ action-server chat --fresh < messages.txt\n{shown}```" in README
    (tmp_path / "data").mkdir()
    files = {"data/flows.yml": flows, "endpoints.yml": endpoints, "domain.yml": DOMAIN, "config.yml": CONFIG}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "actions", tmp_path / "actions", ignore=shutil.ignore_patterns("__pycache__"))
    said = "\n".join(re.findall(r"^you: (.*)$", shown, re.MULTILINE)) + "\n"
    # Open each day, so that any day will do.
    variables = environment(ACTION_SERVER__SERVICES__CLINIC__OPENING_HOURS="Mo-Su,PH 08:00-17:00")

    found = subprocess.run(
        command("chat", "--fresh"),
        input=said,
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert found.returncode == 0, found.stderr
    assert _masked(found.stdout) == _masked(shown)
    assert "Booked: APT-" in found.stdout


def _masked(text: str) -> str:
    return re.sub(r"APT-[A-Z0-9]+", "APT", text).strip()
