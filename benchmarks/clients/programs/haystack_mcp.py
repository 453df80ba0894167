import os

from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret
from haystack_integrations.tools.mcp import MCPToolset, StreamableHttpServerInfo

tools = MCPToolset(StreamableHttpServerInfo(url=os.environ["MCP_URL"]))
url, key = os.environ["PROVIDER_URL"] + "/v1", Secret.from_token("none")
agent = Agent(chat_generator=OpenAIChatGenerator(key, model="gpt-4o", api_base_url=url, max_retries=0), tools=tools)
agent.run(messages=[ChatMessage.from_user("Book an appointment.")])
tools.close()
