"""MCP over HTTP: actions as tools, at ``POST /mcp``, without sessions."""
