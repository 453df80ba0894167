import asyncio
import os

from agno.agent import Agent
from agno.models.openai import OpenAIChat
from agno.tools.mcp import MCPTools


async def main():
    async with MCPTools(url=os.environ["MCP_URL"], transport="streamable-http") as tools:
        model = OpenAIChat(id="gpt-4o", base_url=os.environ["PROVIDER_URL"] + "/v1", api_key="none")
        await Agent(model=model, tools=[tools], telemetry=False).arun("Book an appointment.")


asyncio.run(main())
