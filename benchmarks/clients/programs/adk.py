import asyncio
import os

os.environ.update(GOOGLE_API_KEY="none", GOOGLE_GEMINI_BASE_URL=os.environ["PROVIDER_URL"])

from google.adk.agents import LlmAgent
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool.mcp_toolset import McpToolset, StreamableHTTPConnectionParams


async def main():
    toolset = McpToolset(connection_params=StreamableHTTPConnectionParams(url=os.environ["MCP_URL"]))
    agent = LlmAgent(name="clinic", model="gemini-2.5-flash", tools=[toolset])
    runner = InMemoryRunner(agent=agent)
    await runner.run_debug("Book an appointment.")
    await toolset.close()


asyncio.run(main())
