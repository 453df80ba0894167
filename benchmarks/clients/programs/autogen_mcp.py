import asyncio
import os

from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient
from autogen_ext.tools.mcp import McpWorkbench, StreamableHttpServerParams


async def main():
    async with McpWorkbench(StreamableHttpServerParams(url=os.environ["MCP_URL"])) as workbench:
        model = OpenAIChatCompletionClient(model="gpt-4o", base_url=os.environ["PROVIDER_URL"] + "/v1", api_key="none")
        agent = AssistantAgent("clinic", model_client=model, workbench=workbench, max_tool_iterations=20)
        await agent.run(task="Book an appointment.")


asyncio.run(main())
