import asyncio
import os

from agent_framework import Agent, MCPStreamableHTTPTool
from agent_framework.openai import OpenAIChatCompletionClient


async def main():
    url = os.environ["PROVIDER_URL"] + "/v1"
    async with MCPStreamableHTTPTool(name="clinic", url=os.environ["MCP_URL"]) as tools:
        client = OpenAIChatCompletionClient(model="gpt-4o", api_key="none", base_url=url)
        await Agent(client=client, instructions="You book appointments.", tools=[tools]).run("Book an appointment.")


asyncio.run(main())
