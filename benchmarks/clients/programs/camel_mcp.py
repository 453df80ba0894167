import asyncio
import os

from camel.agents import ChatAgent
from camel.models import ModelFactory
from camel.toolkits import MCPToolkit
from camel.utils import BaseTokenCounter


class NoTokens(BaseTokenCounter):
    """Its own fetches a vocabulary."""

    def count_tokens_from_messages(self, messages):
        return 0

    def encode(self, text):
        return []

    def decode(self, token_ids):
        return ""


async def main():
    url = os.environ["PROVIDER_URL"] + "/v1"
    model = ModelFactory.create("openai", "gpt-4o", token_counter=NoTokens(), url=url, api_key="none", max_retries=0)
    config = {"mcpServers": {"clinic": {"url": os.environ["MCP_URL"]}}}
    async with MCPToolkit(config_dict=config) as toolkit:
        await ChatAgent(model=model, tools=toolkit.get_tools()).astep("Book an appointment.")


asyncio.run(main())
