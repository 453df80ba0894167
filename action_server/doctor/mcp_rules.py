"""The rules about ``mcp_servers``: what engines need to call tools."""

from __future__ import annotations

from action_server.findings.rule import READ, Rule, rules_in

TOOLS = "tools"

MCP_TYPE = Rule(
    "mcp-type",
    "error",
    "the MCP server has no `type` that the engine takes (http, https): a CALM assistant does not start with it",
    fix="write `type: http`",
    section=TOOLS,
    known=READ,
)
MCP_SECRET = Rule(
    "mcp-secret",
    "error",
    "a secret stands there as it is: the engine takes it from a variable only, and refuses the file",
    fix="write `${NAME_OF_A_VARIABLE}`, and set the variable where the engine runs",
    section=TOOLS,
    known=READ,
)
MCP_URL = Rule(
    "mcp-url",
    "error",
    "the address is this server's, and its path is not /mcp, where the tools are: every call of a tool fails",
    fix="write a url that ends in /mcp",
    section=TOOLS,
)
TOOL_LOST = Rule(
    "tool-lost",
    "error",
    "<caller> would lose <what>, as the tool <tool> has <why>",
    fix="mend its name, description or schema; `action-server tools --check` shows all callers",
    section=TOOLS,
    known=READ,
)

RULES = rules_in(globals())
