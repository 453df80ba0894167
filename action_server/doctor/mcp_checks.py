"""Checks tools: entries of ``mcp_servers`` that engines (rasa-pro 3.21.0, read) refuse, tools that a caller loses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from action_server.config.settings import Settings
from action_server.doctor import mcp_rules as rules
from action_server.doctor.endpoint import Endpoint, target_of
from action_server.doctor.endpoints_file import EndpointsFile
from action_server.doctor.server_checks import is_this_server, place_in_code
from action_server.findings.finding import Finding
from action_server.runtime.loader import LoadedPackage
from action_server.tools.offer import read_offer
from action_server.tools.verdicts import verdicts_on

_SECRETS = ("token", "api_key", "oauth.client_secret")
_VARIABLE = re.compile(r"\$\{[^}]+\}")


def check_mcp_servers(settings: Settings, file: EndpointsFile, endpoint: Endpoint) -> Iterator[Finding]:
    """Check type, secrets and address of each server. No secret is in a finding."""
    servers = settings.blocks.mcp_servers.written
    for index, entry in enumerate(servers if isinstance(servers, list) else ()):
        if not isinstance(entry, Mapping):
            continue
        where = f"mcp_servers[{index}]"
        if entry.get("type") not in ("http", "https"):
            yield Finding.of(rules.MCP_TYPE, file.at(f"{where}.type"))
        for key in _SECRETS:
            value = _look_up(entry, key)
            if value is not None and not (isinstance(value, str) and _VARIABLE.fullmatch(value)):
                yield Finding.of(rules.MCP_SECRET, file.at(f"{where}.{key}"))
        url = str(entry.get("url", ""))
        target = target_of(url)
        if target is not None and is_this_server(target, endpoint, settings) and not _is_route(url):
            yield Finding.of(rules.MCP_URL, file.at(f"{where}.url"))


def check_tools(settings: Settings, package: LoadedPackage | None) -> Iterator[Finding]:
    """Find the tools that a known caller would not take.

    Raises:
        StartupError: the tools cannot be made, so that the server does not start.
    """
    if package is None:
        return
    offer = read_offer(package.registry, settings.mcp, settings.options, settings.domain)
    for tool in offer.tools.values():
        for verdict in verdicts_on(tool):
            for rule, found in verdict.refused:
                what = "all tools" if rule.refuses == "all tools" else "it"
                facts = {"caller": f"{verdict.caller.name} {verdict.caller.version}", "what": what, "tool": tool.name}
                yield Finding.of(rules.TOOL_LOST, place_in_code(tool.place), **facts, why=found.trait.value)


def _look_up(entry: Mapping[str, Any], key: str) -> Any:
    """Return what stands at a dotted key; None if nothing does."""
    found: Any = entry
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _is_route(url: str) -> bool:
    path = urlsplit(url).path
    # A proxy may have taken a prefix away; a variable may hold the rest.
    return path.rstrip("/").endswith("/mcp") or "${" in url
