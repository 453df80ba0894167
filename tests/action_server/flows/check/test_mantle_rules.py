"""Mantle projects: servers, imported tools and memory, each with a planted fault; other engines' rules stay silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.cli import main
from action_server.config import settings
from action_server.flows.check.checking import Report, Request, check
from tests.action_server.flows.check.sample_projects import CALM_ACTIONS, edit, lines_of, write_files

AGENT = "agent.yml"
INTEGRATIONS, SKILL, MEMORY, TOP_MEMORY = (
    "integrations.yml",
    "skills/send/skill.md",
    "skills/send/memory.yml",
    "memory.yml",
)
OTHER, TOOLS, SERVER = "skills/other/memory.yml", "skills/send/tools.py", "server.yml"
FILES = {
    AGENT: "agent: {name: Ada}\n",
    INTEGRATIONS: """\
model_groups:
  - id: main
mcp_servers:
  - name: own
    url: http://actions:5055/mcp
    token: ${OWN_TOKEN}
    meta_map: {static: {api: "1"}}
  - name: away
    url: https://away.example.org/mcp
""",
    TOP_MEMORY: "customer: {type: text}\n",
    SKILL: """\
---
name: Send
description: Sends something.
import_tools:
  - mcp/own:action_send
  - mcp/away:whatever
  - shared_one
tool_constraints:
  - action_send:
      requires: session.send.kind and not session.project.customer
  - local_one: {}
---
Ask for @memory.send.amount, call @tool.action_send, then @tool.complete; if: session.other.seen. Not @tool.a.b.
""",
    MEMORY: """\
schema:
  public:
    kind: {type: categorical, llm_settable: true, description: big or small}
  private:
    amount: {type: float}
""",
    TOOLS: 'from rasa.mantle import tool\n\n\n@tool(description="x")\nasync def local_one():\n    return 1\n',
    "tools/shared.py": 'import rasa\n\n\n@rasa.tool(description="x")\nasync def shared_one():\n    return 1\n',
    "skills/other/skill.md": "---\nname: Other\n---\nSay hello.\n",
    OTHER: "schema: {public: {seen: {type: bool}}, private: {hidden: {type: bool}}}\n",
    "skills/_draft/skill.md": "no front matter, and nobody reads it",
    "ACTS/__init__.py": "",
    "ACTS/send.py": CALM_ACTIONS,
    SERVER: "action_server: {mcp: {actions: [action_send]}}\n",
}


def check_mantle(folder: Path, files: dict[str, str], *tools: str, load: bool = True) -> Report:
    with write_files(folder, files) as package:
        read = settings.read({"actions": package, "endpoints": folder / SERVER}, {})
        return check(Request(Path("."), package, settings=read, tools=tools, load=load))


FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
    "nothing": (SKILL, "", "", []),
    "a tool that is not there": (
        SKILL,
        "own:action_send",
        "own:action_sned",
        [f"unknown-tool {SKILL}:9", f"unknown-tool {SKILL}:13"],
    ),
    "a server that is not there": (SKILL, "mcp/own:", "mcp/owm:", [f"unknown-mcp-server {SKILL}:5"]),
    "no import": (SKILL, "mcp/away:whatever", "mcp/away/whatever", [f"engine-refuses {SKILL}:6"]),
    "a name with a dot": (SKILL, "mcp/away:whatever", "mcp/away:what.ever", [f"engine-refuses {SKILL}:6"]),
    "a shared tool that is not there": (SKILL, "- shared_one", "- shared_two", [f"unknown-tool {SKILL}:7"]),
    "two of one name": (SKILL, "mcp/away:whatever", "mcp/away:action_send", [f"duplicate-name {SKILL}:6"]),
    "a name of the engine's": (SKILL, "away:whatever", "away:cancel", [f"duplicate-name {SKILL}:6"]),
    "a name of the skill's own": (SKILL, "away:whatever", "away:local_one", [f"duplicate-name {SKILL}:6"]),
    "a constraint of no tool": (SKILL, "- local_one: {}", "- local_two: {}", [f"unknown-tool {SKILL}:11"]),
    "words about no tool": (SKILL, "@tool.complete", "@tool.compleet", [f"unknown-tool {SKILL}:13"]),
    "no field of the skill's": (SKILL, "session.send.kind", "session.send.kid", [f"unknown-memory {SKILL}:10"]),
    "no field of the project's": (SKILL, "project.customer", "project.costumer", [f"unknown-memory {SKILL}:10"]),
    "no field in the words": (SKILL, "@memory.send.amount", "@memory.send.sum", [f"unknown-memory {SKILL}:13"]),
    "a private field of another": (SKILL, "session.other.seen", "session.other.hidden", [f"unknown-memory {SKILL}:13"]),
    "no such skill": (SKILL, "session.other.seen", "session.otter.seen", [f"unknown-memory {SKILL}:13"]),
    "memory of the engine": (SKILL, "session.other.seen", "session.system.language", []),
    "no front matter": (SKILL, "---\nname: Send", "name: Send", [f"unreadable {SKILL}:1"]),
    "a key twice": (SKILL, "name: Send", "name: Send\nname: Sent", [f"duplicate-name {SKILL}:3"]),
    "no YAML": (MEMORY, "type: float", "type: [float", [f"unreadable {MEMORY}:5"]),
    "a type that is none": (MEMORY, "type: float", "type: number", [f"readable-with-care {MEMORY}:5"]),
    "a seed of a skill": (MEMORY, "type: float", "seed: true", [f"engine-refuses {MEMORY}:5"]),
    "a field of the project that a model sets": (
        TOP_MEMORY,
        "type: text",
        "llm_settable: true",
        [f"engine-refuses {TOP_MEMORY}:1"],
    ),
    "a server twice": (
        INTEGRATIONS,
        "name: away",
        "name: own",
        [f"duplicate-name {INTEGRATIONS}:8", f"unknown-mcp-server {SKILL}:6"],
    ),
    "a name of a server": (
        INTEGRATIONS,
        "name: away",
        "name: far away",
        [f"engine-refuses {INTEGRATIONS}:8", f"unknown-mcp-server {SKILL}:6"],
    ),
    "a URL of a variable": (
        INTEGRATIONS,
        "https://away.example.org/mcp",
        "${AWAY}",
        [f"engine-refuses {INTEGRATIONS}:9"],
    ),
    "a secret": (INTEGRATIONS, "${OWN_TOKEN}", "s3cret", [f"engine-refuses {INTEGRATIONS}:6"]),
    "two credentials": (INTEGRATIONS, "token:", "api_key: ${KEY}\n    token:", [f"engine-refuses {INTEGRATIONS}:6"]),
    "slots": (INTEGRATIONS, "static:", "from_slots:", [f"engine-refuses {INTEGRATIONS}:7"]),
    "a hook": (INTEGRATIONS, "token:", "pre_call_hook: a.b\n    token:", [f"engine-refuses {INTEGRATIONS}:6"]),
    "no time": (
        INTEGRATIONS,
        "token:",
        "tool_timeout: 0\n    token:",
        [f"engine-refuses {INTEGRATIONS}:6", f"slow-tool {SKILL}:5"],
    ),
    "a shorter time": (INTEGRATIONS, "token:", "tool_timeout: 5\n    token:", [f"slow-tool {SKILL}:5"]),
    "a longer time": (SERVER, "mcp: {", "mcp: {timeout: 12, ", [f"slow-tool {SKILL}:5"]),
    "a shorter time for all": (AGENT, "agent:", "tool_timeout: 5\nagent:", [f"slow-tool {SKILL}:5"]),
    "an action that is not offered": (SKILL, "away:whatever", "own:action_ask_amount", [f"unknown-tool {SKILL}:6"]),
    "code that waits": (
        "ACTS/send.py",
        "        return [SlotSet",
        "        import time\n        time.sleep(1)\n        return [SlotSet",
        ["blocking-call ACTS/send.py:13"],
    ),
    "a module of tools that does not parse": (TOOLS, "return 1", "return (", []),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_each_planted_fault_is_found(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """By rule, file and line; what is right goes without a word, and so does what only other engines need."""
    file, old, new, expected = fault
    files = edit(FILES, file, old, new) if old else FILES

    assert lines_of(check_mantle(tmp_path, files)) == expected


@pytest.mark.parametrize(("agent", "server", "is_slow"), [("", "", True), ("15", "", False), ("15", "11", True)])
def test_a_server_has_its_own_time_or_that_of_the_agent(tmp_path: Path, agent: str, server: str, is_slow: bool) -> None:
    """As the engine takes them (rasa-pro 3.21.0, read): a tool that takes 12 s is fine where it waits longer."""
    files = edit(FILES, SERVER, "mcp: {", "mcp: {timeout: 12, ")
    files = edit(files, AGENT, "agent:", f"tool_timeout: {agent}\nagent:" if agent else "agent:")
    files = edit(files, INTEGRATIONS, "token:", f"tool_timeout: {server}\n    token:" if server else "token:")

    assert lines_of(check_mantle(tmp_path, files)) == ([f"slow-tool {SKILL}:5"] if is_slow else [])


def test_files_of_other_engines_are_refused(tmp_path: Path) -> None:
    """A domain and an endpoints.yml in the project; no skill; no agent.yml."""
    extra = {"domain.yml": "slots: {}\n", "endpoints.yml": ""}
    skills = [name for name in FILES if name.startswith("skills/")]
    without_skills = {name: text for name, text in FILES.items() if name not in skills}
    without_agent = {name: text for name, text in FILES.items() if name != "agent.yml"}
    found = []
    for number, files in enumerate([FILES | extra, without_skills, without_agent]):
        folder = tmp_path / str(number)
        with pytest.MonkeyPatch.context() as patch:
            folder.mkdir()
            patch.chdir(folder)
            found.append(lines_of(check_mantle(folder, files)))

    assert found == [
        ["engine-refuses domain.yml:0", "engine-refuses endpoints.yml:0"],
        ["engine-refuses .:0"],
        ["engine-refuses .:0"],
    ]


def test_a_tool_that_cannot_be_offered_is_found(tmp_path: Path) -> None:
    """The name of an action that there is not, in the endpoints file of the action server."""
    found = check_mantle(tmp_path, edit(FILES, SERVER, "[action_send]", "[action_sent]")).findings

    assert [(finding.rule.id, Path(finding.place.file).name) for finding in found] == [("refused-tool", SERVER)]


def test_tools_of_other_servers_are_known_where_they_are_named(tmp_path: Path) -> None:
    """A file given by `--tools` tells what the server away offers."""
    (tmp_path / "tools.json").write_text('[{"name": "something", "inputSchema": {"type": "object"}}]', encoding="utf-8")

    assert lines_of(check_mantle(tmp_path, FILES, "away=tools.json")) == [f"unknown-tool {SKILL}:6"]


def test_what_nobody_knows_is_not_reported(tmp_path: Path) -> None:
    """Actions that are not imported; a server at another port; a finding that is silenced."""
    files = edit(FILES, SKILL, "own:action_send", "own:action_sned")
    silenced = edit(FILES, SKILL, "- shared_one", "- shared_two  # action-server: ignore[unknown-tool]")
    elsewhere = edit(edit(FILES, SKILL, "@tool.action_send", "it"), INTEGRATIONS, "actions:5055", "actions:6066")
    elsewhere = edit(elsewhere, SKILL, "- mcp/own:action_send", "- mcp/own:other\n  - mcp/away:action_send")

    assert f"unknown-tool {SKILL}:5" not in lines_of(check_mantle(tmp_path, files, load=False))
    assert lines_of(check_mantle(tmp_path, silenced)) == []
    assert lines_of(check_mantle(tmp_path, elsewhere)) == []


def test_what_tools_prints_for_mantle_is_without_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`tools --for mantle` put into a project as it says, and the check as a person runs it."""
    kept = ("agent.yml", "ACTS/__init__.py", "ACTS/send.py", SERVER)
    with write_files(tmp_path, {name: FILES[name] for name in kept}) as package:
        flags = ["--actions", package, "--endpoints", SERVER]
        assert main(["tools", "--for", "mantle", "--server", "own", *flags]) == 0
        integrations, _, rest = capsys.readouterr().out.partition("# skills")
        imports = rest[rest.index("import_tools:") : rest.index("\n\n")]
        (tmp_path / INTEGRATIONS).write_text(integrations, encoding="utf-8")
        (tmp_path / "skills/send").mkdir(parents=True)
        (tmp_path / SKILL).write_text(f"---\nname: Send\n{imports}\n---\nSend it.\n", encoding="utf-8")
        code = main(["check", *flags])

    assert (code, capsys.readouterr().out.strip()) == (0, "nothing found (1 skill, 1 MCP server, 3 actions)")
