import asyncio
import os

from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


async def main():
    provider = OpenAIProvider(base_url=os.environ["PROVIDER_URL"] + "/v1", api_key="none")
    agent = Agent(OpenAIChatModel("gpt-4o", provider=provider), toolsets=[MCPToolset(os.environ["MCP_URL"])])
    await agent.run("Book an appointment.")


asyncio.run(main())
