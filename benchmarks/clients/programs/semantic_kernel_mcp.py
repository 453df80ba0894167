import asyncio
import os

from openai import AsyncOpenAI
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.connectors.mcp import MCPStreamableHttpPlugin


async def main():
    openai = AsyncOpenAI(base_url=os.environ["PROVIDER_URL"] + "/v1", api_key="none", max_retries=0)
    # It puts the plugin's name before each; the stand-in asks for them without.
    async with MCPStreamableHttpPlugin(name="clinic", url=os.environ["MCP_URL"]) as plugin:
        agent = ChatCompletionAgent(
            service=OpenAIChatCompletion("gpt-4o", async_client=openai),
            name="clinic",
            plugins=[plugin],
            function_choice_behavior=FunctionChoiceBehavior.Auto(maximum_auto_invoke_attempts=20),
        )
        await agent.get_response("Book an appointment.")


asyncio.run(main())
