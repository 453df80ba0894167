#!/usr/bin/env bash
# mcp-use 1.7.1, the newest: its LangChain adapter tells a model types and descriptions, and not which values there are.
#
# A tool of the MCP SDK's own server (mcp 1.30.0) with a Literal, limits and a list of Literals. Its schema has `enum`,
# `minimum` and `maximum`; mcp-use makes a model of pydantic out of it in which none of them is left, also for the items of
# the list. langchain-mcp-adapters 0.3.2 hands the same schema on as it is. The guess was that two adapters of one
# framework tell the same.
#
# Output seen (what a model of OpenAI's kind is told):
#                       mcp-use            langchain-mcp-adapters
#   values of kind      none               green, black
#   limits of cups      none               1 to 9
#   values of extras    none               milk, sugar
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/server.py" <<'PYTHON'
from typing import Annotated, Literal

from mcp.server.fastmcp import FastMCP
from pydantic import Field

server = FastMCP("desk", log_level="ERROR")


@server.tool()
def order(
    kind: Literal["green", "black"], cups: Annotated[int, Field(ge=1, le=9)], extras: list[Literal["milk", "sugar"]]
) -> str:
    """Order tea."""
    return f"{cups} {kind} {extras}"


server.run()
PYTHON
cat > "$folder/try.py" <<'PYTHON'
import asyncio
import os
import sys

os.environ["MCP_USE_ANONYMIZED_TELEMETRY"] = "false"

from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp_use import MCPClient
from mcp_use.agents.adapters.langchain_adapter import LangChainAdapter

PROGRAM = {"command": sys.executable, "args": [sys.argv[1]]}
WHAT = ("values of kind", "limits of cups", "values of extras")


def told(tool):
    found = convert_to_openai_tool(tool)["function"]["parameters"]["properties"]
    limits = [str(found["cups"][name]) for name in ("minimum", "maximum") if name in found["cups"]]
    values = [found["kind"].get("enum", []), found["extras"]["items"].get("enum", [])]
    kinds, extras = (", ".join(of) or "none" for of in values)
    return [kinds, " to ".join(limits) or "none", extras]


async def main():
    client = MCPClient(config={"mcpServers": {"desk": PROGRAM}})
    tools = await LangChainAdapter().create_tools(client)
    first = told(next(tool for tool in tools if tool.name == "order"))
    await client.close_all_sessions()
    (tool,) = await MultiServerMCPClient({"desk": {**PROGRAM, "transport": "stdio"}}).get_tools()
    second = told(tool)
    for what, one, other in zip(WHAT, first, second):
        print(f"{what:18} {one:16} {other}")
    assert first == ["none", "none", "none"]
    assert second == ["green, black", "1 to 9", "milk, sugar"]


asyncio.run(main())
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install mcp-use==1.7.1 langchain-mcp-adapters==0.3.2 mcp==1.30.0
"$folder/venv/bin/python" "$folder/try.py" "$folder/server.py"
