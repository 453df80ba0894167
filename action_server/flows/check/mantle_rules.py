"""Rules about Mantle projects, as far as tools, their servers and memory go (rasa-pro 3.21.0, read).

What the engine says itself when it trains is found here without it; what it cannot know, which tools this server
offers and how long they take, is found only here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from action_server.flows.check import catalogue
from action_server.flows.check.known_tools import KnownTool
from action_server.flows.check.mantle_servers import check_servers, patience_of
from action_server.flows.check.reading import report_problem
from action_server.flows.check.subject import Subject
from action_server.project.fields import did_you_mean
from action_server.project.mantle import AGENT, Field, MantleProject, Skill
from action_server.project.server_addresses import address_of
from action_server.project.yaml_node import Node
from action_server.source import Place, shorten

_MCP = "mcp/"
_IMPORT = re.compile(r"mcp/([A-Za-z0-9][A-Za-z0-9_.-]*):([A-Za-z0-9][A-Za-z0-9_-]{0,63})")
_TOOL_IN_TEXT = re.compile(r"(?<!\w)@tool\.([\w-]+)(?![\w-])(?!\.[\w-])")
_MEMORY = re.compile(r"(?<![\w.])(?:session|@memory)\.([\w-]+)\.(\w+)")
# The engine's own, which no import may be named like.
_ENGINE_TOOLS = frozenset(
    ("activate", "complete", "cancel", "set_fields", "correct", "resolve_tool_confirmation", "search_knowledge")
) | {"cannot_help", "listen", "hangup"}
_TYPES = ("any", "text", "int", "float", "bool", "list", "json", "categorical")
# Skills that the engine brings along, and its own memory.
_ENGINES = ("default_", "system")


@dataclass(frozen=True)
class _Import:
    server: str
    tool: str
    at: Place


def check_mantle(subject: Subject, project: MantleProject) -> None:
    """Check the layout, the servers, the tools that skills import and name, and the memory they read."""
    for problem in project.problems:
        report_problem(subject, problem)
    _check_layout(subject, project)
    check_servers(subject.findings, project)
    for skill in project.skills.values():
        imports = list(_read_imports(subject, project, skill))
        for found in imports:
            _check_import(subject, project, found)
        _check_names(subject, skill, imports)
        _check_tools_named(subject, project, skill, imports)
        _check_memory_read(subject, project, skill)
    _check_memory(subject, project)


def _check_layout(subject: Subject, project: MantleProject) -> None:
    root, folder = project.root, Place(shorten(str(project.root)))
    refused = []
    if not (root / AGENT).is_file():
        refused.append((folder, f"the project has no {AGENT}", f"add {AGENT}"))
    if not project.skills:
        refused.append((folder, "the project has no skill", "add skills/<name>/skill.md"))
    for name, fix in (
        ("domain.yml", "move it out of the project: what it says stands in skills and memory"),
        ("endpoints.yml", "move it out of the project; the action server takes it by `--endpoints FILE`"),
    ):
        if (root / name).is_file():
            at = Place(shorten(str(root / name)))
            refused.append((at, f"a Mantle project has no {name}: the engine does not start with it", fix))
    for at, message, fix in refused:
        subject.findings.add(catalogue.ENGINE_REFUSES, at, message, fix)


def _read_imports(subject: Subject, project: MantleProject, skill: Skill) -> Iterator[_Import]:
    """Yield the tools of MCP servers; what is no such import has to be a tool of the project's own `tools/`."""
    for node in skill.imports:
        match = _IMPORT.fullmatch(node.raw)
        if match:
            yield _Import(match[1], match[2], node.place)
        elif node.raw.startswith(_MCP) or not node.is_scalar:
            fix = "write `mcp/<server>:<tool>`; a tool's name has letters, digits, `_` and `-`, 64 at most"
            subject.findings.add(catalogue.ENGINE_REFUSES, node.place, f"{node.raw!r} is no import of a tool", fix)
        elif project.shared is not None and node.raw not in project.shared:
            subject.findings.add(
                catalogue.UNKNOWN_TOOL,
                node.place,
                f"the skill imports {node.raw!r}, which is no tool of tools/{did_you_mean(node.raw, project.shared)}",
                "correct the name; a tool of an MCP server is `mcp/<server>:<tool>`, one of the skill is not imported",
            )


def _check_import(subject: Subject, project: MantleProject, found: _Import) -> None:
    if found.server not in project.servers:
        subject.findings.add(
            catalogue.UNKNOWN_MCP_SERVER,
            found.at,
            f"the skill imports a tool of {found.server!r}, which `mcp_servers` of integrations.yml does not have"
            f"{did_you_mean(found.server, list(project.servers))}",
            "add the server, or correct the name",
        )
        return
    tools, is_own = _tools_of(subject, project, found.server)
    if tools is None:
        return
    tool = tools.get(found.tool)
    if tool is None:
        is_action = is_own and found.tool in subject.code.names
        subject.findings.add(
            catalogue.UNKNOWN_TOOL,
            found.at,
            f"the skill imports {found.tool!r}, which {found.server!r} does not offer{did_you_mean(found.tool, tools)}",
            "offer the action: `action_server: mcp: actions:` of its endpoints file"
            if is_action
            else "correct the name",
        )
        return
    limit = patience_of(project.servers[found.server], project.agent)
    if tool.seconds is not None and tool.seconds > limit:
        subject.findings.add(
            catalogue.SLOW_TOOL,
            found.at,
            f"a call of {tool.name!r} may take {tool.seconds:g} s, and the engine waits {limit:g} for {found.server!r}",
            f"set `tool_timeout` of {found.server!r} above {tool.seconds:g}, or lower `mcp: timeout` of the server",
        )


def _tools_of(subject: Subject, project: MantleProject, server: str) -> tuple[dict[str, KnownTool] | None, bool]:
    """Return the tools of a server, None if nobody knows them, and whether they are the project's own.

    Nothing in a Mantle project says where the action server is. One at its port which is asked for one of its tools is
    taken for it.
    """
    known = subject.tools
    url = project.servers[server].get("url")
    address = address_of(url.raw) if url is not None else None
    tools = known.of(server, url.raw if url is not None else "")
    if tools is not None or known.own is None or address is None:
        return (dict(tools) if tools is not None else None), tools is not None and tools is known.own
    has_port = address[1] in {port for _, port in known.addresses}
    wanted = {m[2] for skill in project.skills.values() for n in skill.imports if (m := _match(n)) and m[1] == server}
    return (dict(known.own), True) if has_port and wanted & known.own.keys() else (None, False)


def _match(node: Node) -> re.Match[str] | None:
    return _IMPORT.fullmatch(node.raw)


def _check_names(subject: Subject, skill: Skill, imports: list[_Import]) -> None:
    """Report names of tools that are taken: models see them without their server."""
    seen: set[str] = set()
    for found in imports:
        taken = ""
        if found.tool in seen:
            taken = "another import of this skill has that name"
        elif found.tool in _ENGINE_TOOLS:
            taken = "the engine has a tool of that name"
        elif found.tool in (skill.tools or ()):
            taken = "the skill has a tool of that name"
        seen.add(found.tool)
        if taken:
            message = f"{found.tool!r} of {found.server!r} cannot be imported: {taken}"
            subject.findings.add(catalogue.DUPLICATE_NAME, found.at, message, "rename one of them")


def _check_tools_named(subject: Subject, project: MantleProject, skill: Skill, imports: list[_Import]) -> None:
    """Check the tools of `tool_constraints` and those that the words name as `@tool.<name>`."""
    if skill.tools is None or project.shared is None or not skill.front.keys:
        return
    own = {*skill.tools, *(node.raw for node in skill.imports), *(found.tool for found in imports)}
    node = skill.front.get("tool_constraints")
    named = [(name, at, own) for entry in (node.elements() if node else ()) for name, at in entry.keys.items()]
    named += [(m[1], at, own | _ENGINE_TOOLS) for at, m in _matches(_TOOL_IN_TEXT, skill)]
    for name, at, known in named:
        if name not in known:
            subject.findings.add(
                catalogue.UNKNOWN_TOOL,
                at,
                f"the skill names the tool {name!r}, which it neither has nor imports{did_you_mean(name, known)}",
                "import it in `import_tools`, or correct the name",
            )


def _matches(pattern: re.Pattern[str], skill: Skill) -> Iterator[tuple[Place, re.Match[str]]]:
    for number, line in enumerate(skill.text.splitlines(), 1):
        for match in pattern.finditer(line):
            yield Place(skill.file, number, match.start() + 1), match


def _check_memory_read(subject: Subject, project: MantleProject, skill: Skill) -> None:
    for at, match in _matches(_MEMORY, skill):
        space, name = match[1], match[2]
        if space.startswith(_ENGINES):
            continue
        known = _readable(project, skill, space)
        if known is not None and name not in known:
            hint = did_you_mean(name, known) or did_you_mean(space, [*project.skills, "project"])
            subject.findings.add(
                catalogue.UNKNOWN_MEMORY,
                at,
                f"the skill reads {space}.{name}, which no memory that it may read has{hint}",
                "declare it in memory.yml (of another skill only what is `public` may be read), or correct the name",
            )


def _readable(project: MantleProject, skill: Skill, space: str) -> Mapping[str, Field] | None:
    """Return the fields of a memory that a skill may read, None if nobody knows them."""
    if space == "project":
        return project.memory
    other = project.skills.get(space)
    memory = other.memory if other is not None else {}
    if other is skill or memory is None:
        return memory
    return {name: field for name, field in memory.items() if field.is_public}


def _check_memory(subject: Subject, project: MantleProject) -> None:
    fields = [("llm_settable", "a model may not set what belongs to the project", project.memory)]
    fields += [("seed", "only the project's memory is seeded", skill.memory) for skill in project.skills.values()]
    for forbidden, why, memory in fields:
        for name, field in (memory or {}).items():
            flag, kind = field.node.get(forbidden), field.node.get("type")
            if flag is not None and flag.value is True:
                message = f"the field {name!r} cannot have `{forbidden}`: {why}"
                subject.findings.add(catalogue.ENGINE_REFUSES, flag.place, message, "leave it out")
            if kind is not None and kind.raw not in _TYPES:
                message = f"the field {name!r} has the type {kind.raw!r}, which the engine takes for a text"
                fix = f"take one of {', '.join(_TYPES)}"
                subject.findings.add(
                    catalogue.READABLE_WITH_CARE, kind.place, message + did_you_mean(kind.raw, _TYPES), fix
                )
