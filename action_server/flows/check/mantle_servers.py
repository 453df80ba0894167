"""Rules about `mcp_servers` of a Mantle project's integrations.yml (rasa-pro 3.21.0, read)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from action_server.findings.finding import Findings
from action_server.flows.check import catalogue
from action_server.project.mantle import MantleProject
from action_server.project.yaml_node import Node
from action_server.source import Place

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VARIABLE = re.compile(r"\$\{[^}]+\}")
_SCHEMES = ("http", "https")
_CREDENTIALS = ("token", "api_key", "oauth", "module")
_REFUSED = ("auth", "token_env", "pre_call_hook", "protocol_version")
# What the engine waits for a tool, in seconds, where neither the server's entry nor agent.yml says it.
_PATIENCE = 10.0

_Fault = tuple[Place, str, str]


def check_servers(findings: Findings, project: MantleProject) -> None:
    """Check the entries that the engine refuses, and names that stand twice."""
    block = project.integrations.get("mcp_servers") if project.integrations is not None else None
    if block is not None and not block.is_list and block.value is not None:
        fix = "write `- name: ...` and `url: ...` for each"
        findings.add(catalogue.ENGINE_REFUSES, block.place, "`mcp_servers` has to be a list", fix)
    names: set[str] = set()
    for server in project.server_nodes:
        for at, message, fix in _faults(server):
            findings.add(catalogue.ENGINE_REFUSES, at, message, fix)
        name = server.get("name")
        if name is not None and name.raw in names:
            message = f"the server {name.raw!r} stands twice in `mcp_servers`"
            findings.add(catalogue.DUPLICATE_NAME, name.place, message, "rename one of them")
        if name is not None:
            names.add(name.raw)


def patience_of(server: Node, agent: Node | None) -> float:
    """Return how long the engine waits for a tool of a server, in seconds: as its entry says, or else agent.yml."""
    said = (_seconds(node.get("tool_timeout")) for node in (server, agent) if node is not None)
    return next((seconds for seconds in said if seconds is not None), _PATIENCE)


def _seconds(node: Node | None) -> float | None:
    is_number = node is not None and isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
    return float(node.value) if node is not None and is_number else None


def _faults(server: Node) -> Iterator[_Fault]:
    if not server.is_mapping:
        yield server.place, "an entry of `mcp_servers` has to be a mapping", "write `name: ...` and `url: ...`"
        return
    name, url = server.get("name"), server.get("url")
    if name is None or not isinstance(name.value, str) or not _NAME.fullmatch(name.value):
        at = name.place if name is not None else server.place
        yield at, "a server needs a name of letters, digits, `_`, `.` and `-`", "correct `name`"
    if url is None or not isinstance(url.value, str) or urlsplit(url.value).scheme.lower() not in _SCHEMES:
        at = url.place if url is not None else server.place
        yield at, "a server needs a URL that begins with http:// or https://, also before a variable", "correct `url`"
    yield from _faults_of_credentials(server)
    slots = (server.get("meta_map") or server).get("from_slots")
    if slots is not None:
        fix = "take `static`; who somebody is has to be an argument of the tool (`conversation_argument`)"
        yield slots.place, "`meta_map.from_slots` is not for Mantle, which has no slots", fix
    limit = server.get("tool_timeout")
    seconds = _seconds(limit)
    if limit is not None and seconds is not None and seconds <= 0:
        yield limit.place, "`tool_timeout` has to be above 0", "correct it"


def _faults_of_credentials(server: Node) -> Iterator[_Fault]:
    given = [key for key in _CREDENTIALS if server.get(key) is not None]
    if len(given) > 1:
        message = f"a server has one credential, and this one has {' and '.join(given)}"
        yield server.keys[given[1]], message, "leave one of them"
    for key in _REFUSED:
        if key in server.keys:
            yield server.keys[key], f"`{key}` of a server is not for Mantle", "leave it out"
    oauth = server.get("oauth")
    secrets = [server.get("token"), server.get("api_key"), oauth.get("client_secret") if oauth is not None else None]
    for secret in secrets:
        if secret is not None and not _VARIABLE.fullmatch(secret.raw):
            yield secret.place, "a secret has to come from the environment", "write `${NAME}`"
