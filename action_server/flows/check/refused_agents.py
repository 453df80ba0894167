"""What `rasa train` and `rasa data validate` refuse of sub agents: the folders below `sub_agents`.

Read in rasa-pro 3.21.0 (rasa/agents/validation.py and rasa/core/available_agents.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from action_server.flows.check.subject import Subject
from action_server.project.places import Problems
from action_server.project.settings_parts import SECRETS, is_from_environment, mapping_of, mappings_in
from action_server.project.yaml_tree import Trees
from action_server.source import Place, shorten

_KEYS: Mapping[str, frozenset[str]] = {
    "agent": frozenset(["name", "protocol", "description"]),
    "configuration": frozenset(
        [
            "llm",
            "prompt_template",
            "module",
            "timeout",
            "tool_timeout",
            "max_retries",
            "agent_card",
            "auth",
            "include_date_time",
            "timezone",
            "enable_filler_messages",
            "max_polling_time",
            "polling_initial_delay",
            "pre_call_hook",
            "push_notification_url",
        ]
    ),
    "connections": frozenset(["mcp_servers"]),
}
_Fault = tuple[str, str]


def check_refused_agents(subject: Subject) -> None:
    """Report what the engine does not take, in a project with flows."""
    folder = subject.root / "sub_agents"
    if not subject.project.flows or not folder.is_dir():
        return
    names: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        file = path / "config.yml"
        if not file.is_file():
            # A file of the system's own, such as .DS_Store, is refused as well.
            what = f"{path.name!r} is no folder of a sub agent with a config.yml"
            _refuse(subject, str(path), what, "add it, or take it out of `sub_agents`")
            continue
        problems = Problems()
        tree = Trees().read(file, problems)
        settings = tree.plain() if tree is not None and tree.is_mapping else {}
        for what, fix in _faults(subject, settings):
            _refuse(subject, str(file), f"the sub agent in {path.name!r} {what}", fix)
        _check_imports(subject, path, mapping_of(settings, "configuration"))
        name = str(mapping_of(settings, "agent").get("name") or "")
        if name and names.setdefault(name, path.name) != path.name:
            what = f"the sub agents in {names[name]!r} and {path.name!r} are both called {name!r}"
            _refuse(subject, str(file), what, "give one of them another name")


def _faults(subject: Subject, settings: Mapping[str, Any]) -> Iterator[_Fault]:
    for section, known in _KEYS.items():
        unknown = sorted(str(key) for key in mapping_of(settings, section) if key not in known)
        if unknown:
            yield f"has in `{section}` what engines do not know: {', '.join(unknown)}", "take it out, or correct it"
    agent, configuration = mapping_of(settings, "agent"), mapping_of(settings, "configuration")
    for key in ("name", "description"):
        if not agent.get(key):
            yield f"has no `{key}` in `agent`", "add it"
    if agent.get("name") in subject.project.flows:
        yield f"is called {agent['name']!r} like a flow", "give it another name"
    protocol = str(agent.get("protocol", "RASA")).upper()
    if protocol not in ("RASA", "A2A"):
        yield f"has the protocol {agent['protocol']!r}", "write RASA or A2A"
    is_elsewhere = protocol == "A2A"
    yield from _faults_of_card(configuration) if is_elsewhere else _faults_of_servers(subject, settings)
    if configuration.get("pre_call_hook") and not is_elsewhere:
        fix = "write it at the MCP server in endpoints.yml"
        yield "has a `pre_call_hook`, which is for those that speak A2A alone", fix
    group = mapping_of(configuration, "llm").get("model_group")
    groups = [str(one.get("id")) for one in mappings_in(subject.project.endpoints, "model_groups")]
    if group and subject.project.endpoints_file and str(group) not in groups:
        yield f"asks the model group {str(group)!r}, which endpoints.yml does not have", "add it, or correct the name"


def _faults_of_servers(subject: Subject, settings: Mapping[str, Any]) -> Iterator[_Fault]:
    servers = list(mappings_in(mapping_of(settings, "connections"), "mcp_servers"))
    if not servers:
        yield "names no server in `mcp_servers` of `connections`", "add one: its tools are all that it can do"
    known = [server.get("name") for server in mappings_in(subject.project.endpoints, "mcp_servers")]
    for server in servers:
        if not server.get("name"):
            yield "has a server without a `name`", "name one of `mcp_servers` of endpoints.yml"
        elif subject.project.endpoints_file and server["name"] not in known:
            yield f"uses the MCP server {server['name']!r}, which endpoints.yml does not have", "add it there"


def _faults_of_card(configuration: Mapping[str, Any]) -> Iterator[_Fault]:
    card = configuration.get("agent_card")
    if not isinstance(card, str) or not card:
        yield "speaks A2A and has no `agent_card`", "add its address, or a file"
        return
    address = urlsplit(card)
    if address.scheme and address.netloc:
        if address.scheme not in ("http", "https"):
            yield f"has an `agent_card` at {address.scheme}://", "use https or http"
    elif not Path(card).exists():
        yield f"has the `agent_card` {card!r}, and there is no such file", "write it as seen from where engines start"
    for key, value in mapping_of(configuration, "auth").items():
        inner = value.get("client_secret") if key == "oauth" and isinstance(value, Mapping) else None
        secret = value if key in SECRETS else inner
        if secret is not None and not is_from_environment(secret):
            yield "has a secret as a text of its own in `auth`", "let it come from the environment: `${NAME}`"


def _check_imports(subject: Subject, folder: Path, configuration: Mapping[str, Any]) -> None:
    at = Place(file=shorten(str(folder / "config.yml")))
    for key in ("module", "pre_call_hook"):
        name = configuration.get(key)
        if isinstance(name, str) and name:
            subject.report_name(name, at, f"the sub agent in {folder.name!r} has the `{key}`")


def _refuse(subject: Subject, path: str, what: str, fix: str) -> None:
    subject.refuse(Place(file=shorten(path)), what, fix)
