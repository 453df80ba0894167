import sys

from mcp.server.fastmcp import FastMCP

port, kind = int(sys.argv[1]), sys.argv[2]
server = FastMCP("clinic", port=port, stateless_http=kind == "stateless", json_response=kind == "stateless")


@server.tool()
def action_greet(who: str | None = None) -> dict[str, str]:
    """Greet somebody."""
    return {"text": f"hello {who}"}


server.settings.log_level = "ERROR"
server.run(transport="streamable-http")
