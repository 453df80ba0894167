import asyncio
import os

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai import OpenAI
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec


async def main():
    tools = await McpToolSpec(client=BasicMCPClient(os.environ["MCP_URL"])).to_tool_list_async()
    model = OpenAI(model="gpt-4o", api_base=os.environ["PROVIDER_URL"] + "/v1", api_key="none", max_retries=0)
    await FunctionAgent(tools=tools, llm=model, streaming=False).run("Book an appointment.")


asyncio.run(main())
