import asyncio
import os
import sys

from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient

URL = os.environ["PROVIDER_URL"]


def openai():
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model="gpt-4o", base_url=URL + "/v1", api_key="none", max_retries=0)


def anthropic():
    from langchain_anthropic import ChatAnthropic

    return ChatAnthropic(model="claude-sonnet-4-5", base_url=URL, api_key="none", max_retries=0)


def google():
    from langchain_google_genai import ChatGoogleGenerativeAI

    return ChatGoogleGenerativeAI(model="gemini-2.5-flash", base_url=URL, api_key="none", max_retries=1)


async def main():
    client = MultiServerMCPClient({"clinic": {"url": os.environ["MCP_URL"], "transport": "streamable_http"}})
    agent = create_agent(globals()[sys.argv[1]](), await client.get_tools())
    await agent.ainvoke({"messages": [("user", "Book an appointment.")]}, {"recursion_limit": 50})


asyncio.run(main())
