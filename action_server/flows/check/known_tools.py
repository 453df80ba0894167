"""The tools of MCP servers, as far as they are known: of the project's own, of files, and of servers that are asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from action_server.config.settings import Settings
from action_server.endpoints import Block
from action_server.errors import SettingsError
from action_server.project.server_addresses import Address, address_of
from action_server.protocol.jsonable import JsonObject
from action_server.runtime.registry import Registry
from action_server.tools.offer import read_offer
from action_server.yaml_file import read_text

_SCHEMES = ("http://", "https://")


@dataclass(frozen=True)
class KnownTool:
    """A tool. ``output_schema`` is None if it has none; ``seconds`` is how long a call may take, None if nobody says.

    ``is_lenient``: it is one of ours, which read a number from a text, and whose answers may have further keys.
    """

    name: str
    input_schema: JsonObject
    output_schema: JsonObject | None = None
    seconds: float | None = None
    is_lenient: bool = False


@dataclass(frozen=True)
class KnownTools:
    """Tools by server. ``own`` are those of the server at one of ``addresses``, None if nobody knows them.

    ``others`` are by the server's name; those of the name "" are any other server's.
    """

    own: Mapping[str, KnownTool] | None = None
    addresses: frozenset[Address] = frozenset()
    others: Mapping[str, Mapping[str, KnownTool]] = field(default_factory=dict)

    def of(self, server: str, url: str) -> Mapping[str, KnownTool] | None:
        """Return the tools of a server, None if nobody knows them."""
        if server in self.others:
            return self.others[server]
        return self.own if self.is_own(url) else self.others.get("")

    def is_own(self, url: str) -> bool:
        """Tell whether an address is the project's own server's."""
        return address_of(url) in self.addresses


def own_tools(settings: Settings, registry: Registry) -> dict[str, KnownTool]:
    """Return the tools of the project's own server.

    Raises:
        StartupError: one cannot be made, so that the server does not start.
    """
    offer = read_offer(registry, settings.mcp, settings.options, settings.domain)
    return {
        name: KnownTool(name, tool.input_schema, tool.output_schema, tool.patience, is_lenient=True)
        for name, tool in offer.tools.items()
    }


def read_tools(texts: Iterable[str], servers: Block | None = None) -> dict[str, dict[str, KnownTool]]:
    """Return tools by server from texts ``[NAME=]FILE`` or ``[NAME=]URL``; without a name they are any other server's.

    A server is asked with the credential that its entry of ``servers``, `mcp_servers` of the endpoints file, has.

    Raises:
        SettingsError: a file is no list of tools, or a server does not answer with one.
    """
    found: dict[str, dict[str, KnownTool]] = {}
    for text in texts:
        name, equals, source = ("", "", text) if text.startswith(_SCHEMES) else text.partition("=")
        server, source = (name, source) if equals else ("", text)
        listed = _ask(server, source, servers) if source.startswith(_SCHEMES) else _read_file(Path(source))
        found.setdefault(server, {}).update({entry["name"]: _tool(entry) for entry in listed})
    return found


def _read_file(path: Path) -> list[JsonObject]:
    """Read what `action-server tools --json` printed, or the result of `tools/list`."""
    try:
        found = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as exc:
        raise SettingsError("--tools", f"cannot read {path} as JSON ({type(exc).__name__})") from exc
    entries = found.get("tools") if isinstance(found, dict) else found
    if not isinstance(entries, list) or not all(_is_tool(entry) for entry in entries):
        raise SettingsError("--tools", f"{path} is no list of tools, as `action-server tools --json` prints it")
    return entries


def _ask(name: str, url: str, servers: Block | None) -> list[JsonObject]:
    """Ask a running server for its tools."""
    # Here, as hardly any check asks a server.
    from action_server.flows.player.mcp_servers import McpServer, find_server, list_tools

    entries = servers.written if servers is not None and isinstance(servers.written, list) else []
    is_known = any(isinstance(entry, dict) and entry.get("name") == name for entry in entries)
    server = replace(find_server(servers, name), url=url) if servers and is_known else McpServer(name, url)
    shown = url.partition("?")[0]
    try:
        found = asyncio.run(list_tools(server))
    except ValueError as exc:
        raise SettingsError("--tools", f"{shown} does not list its tools: {exc}") from exc
    if not all(_is_tool(entry) for entry in found):
        raise SettingsError("--tools", f"{shown} lists a tool without a name or a schema")
    return found


def _is_tool(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("name"), str) and isinstance(entry.get("inputSchema"), dict)


def _tool(entry: JsonObject) -> KnownTool:
    output, seconds = entry.get("outputSchema"), entry.get("seconds")
    return KnownTool(
        entry["name"],
        entry["inputSchema"],
        output if isinstance(output, dict) else None,
        seconds if isinstance(seconds, (int, float)) else None,
        # Only this server's tools come with these.
        is_lenient="action" in entry and "place" in entry,
    )
