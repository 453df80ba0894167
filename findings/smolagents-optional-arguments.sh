#!/usr/bin/env bash
# smolagents 1.26.0 with mcpadapt 0.1.19, the newest: what the model is told of an optional argument, it may not send.
#
# A tool of the MCP SDK's own server (mcp 1.30.0) with `hot: Optional[bool] = None` has a schema that is
# `anyOf: [boolean, null]` with a default. Seen: the model is told `boolean`, nullable and required; the check before the call,
# `validate_tool_arguments`, holds the argument to be a text. True and null are refused, to leave it out is refused, and
# the text "true" passes. An argument with a plain type and a default may not be left out either. The guess was that what
# the schema for the model says is what the check takes.
#
# Output seen:
#   the model is told             boolean, nullable, required
#   hot is true                   TypeError
#   hot is null                   TypeError
#   hot is left out               ValueError
#   hot is the text "true"        ok
#   cups, 1 by default, left out  ValueError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/server.py" <<'PYTHON'
from typing import Optional

from mcp.server.fastmcp import FastMCP

server = FastMCP("desk", log_level="ERROR")


@server.tool()
def order(kind: str, cups: int = 1, hot: Optional[bool] = None) -> str:
    """Order tea."""
    return f"{cups} {kind} {hot}"


server.run()
PYTHON
cat > "$folder/try.py" <<'PYTHON'
import sys

from mcp import StdioServerParameters
from smolagents import MCPClient
from smolagents.models import get_tool_json_schema
from smolagents.tools import validate_tool_arguments


def outcome(tool, arguments):
    try:
        validate_tool_arguments(tool, arguments)
    except (TypeError, ValueError) as error:
        return type(error).__name__
    return "ok"


program = StdioServerParameters(command=sys.executable, args=[sys.argv[1]])
with MCPClient(program, structured_output=False) as tools:
    (tool,) = tools
    told = get_tool_json_schema(tool)["function"]["parameters"]
    words = [told["properties"]["hot"]["type"]]
    words += ["nullable"] * told["properties"]["hot"].get("nullable", False) + ["required"] * ("hot" in told["required"])
    usual = {"kind": "green", "cups": 2}
    found = {
        "the model is told": ", ".join(words),
        "hot is true": outcome(tool, {**usual, "hot": True}),
        "hot is null": outcome(tool, {**usual, "hot": None}),
        "hot is left out": outcome(tool, usual),
        'hot is the text "true"': outcome(tool, {**usual, "hot": "true"}),
        "cups, 1 by default, left out": outcome(tool, {"kind": "green", "hot": "true"}),
    }
for what, result in found.items():
    print(f"{what:29} {result}")
assert list(found.values()) == ["boolean, nullable, required", "TypeError", "TypeError", "ValueError", "ok", "ValueError"]
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install smolagents==1.26.0 mcpadapt==0.1.19 mcp==1.30.0 websockets==17.4
"$folder/venv/bin/python" "$folder/try.py" "$folder/server.py"
