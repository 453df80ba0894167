#!/usr/bin/env bash
# crewAI 1.15.30, the newest, on Python 3.11: of each call of a tool over HTTP that was carried out its model is told that it
# failed.
#
# A tool of the MCP SDK's own server (mcp 1.30.0, streamable HTTP), called as an agent does where no event loop runs. The
# connection is opened in a task of its own (`asyncio.wait_for` makes one before Python 3.12) and closed in another, which
# anyio refuses with a RuntimeError; for that its clean-up looks for an explanation, and takes the error that was being handled
# when the loop was started: "no running event loop". On Python 3.12 the same call is answered. The guess was that an
# answer that has come is handed out.
#
# Output seen:
#   calls that the server carried out  1
#   what the caller gets               RuntimeError: Error executing MCP tool order: Error during MCP client disconnect: no running event loop
set -euo pipefail
python3 -c 'import sys; sys.exit(None if sys.version_info[:2] == (3, 11) else "Python 3.11 is needed")'
folder=$(mktemp -d)
trap 'kill "$(cat "$folder/pid")" 2>/dev/null || true; rm -rf "$folder"' EXIT
cat > "$folder/server.py" <<'PYTHON'
import sys

from mcp.server.fastmcp import FastMCP

server = FastMCP("desk", log_level="ERROR", port=int(sys.argv[1]))


@server.tool()
def order(kind: str) -> str:
    """Order tea."""
    with open(sys.argv[2], "a") as orders:
        orders.write(f"{kind}\n")
    return f"{kind} is ordered"


server.run(transport="streamable-http")
PYTHON
cat > "$folder/try.py" <<'PYTHON'
import os
import socket
import sys
import time

os.environ["CREWAI_DISABLE_TELEMETRY"] = os.environ["OTEL_SDK_DISABLED"] = "true"
from crewai.mcp import MCPServerHTTP
from crewai.mcp.tool_resolver import MCPToolResolver


class Quiet:
    def log(self, *words):
        pass


port = int(sys.argv[1])
while socket.socket().connect_ex(("127.0.0.1", port)):
    time.sleep(0.1)
(tool,) = MCPToolResolver(agent=None, logger=Quiet()).resolve([MCPServerHTTP(url=f"http://127.0.0.1:{port}/mcp")])
try:
    told = tool.run(kind="green")
except RuntimeError as error:
    told = f"RuntimeError: {error}"
orders = open(sys.argv[2]).read().split()
print(f"calls that the server carried out  {len(orders)}")
print(f"what the caller gets               {told}")
assert orders == ["green"]
assert "no running event loop" in told
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install crewai==1.15.30 mcp==1.30.0
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$folder/venv/bin/python" "$folder/server.py" "$port" "$folder/orders" 2> /dev/null & echo $! > "$folder/pid"
"$folder/venv/bin/python" "$folder/try.py" "$port" "$folder/orders" | grep '^calls that\|^what the'
