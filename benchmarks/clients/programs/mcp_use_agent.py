import asyncio
import os

os.environ["MCP_USE_ANONYMIZED_TELEMETRY"] = "false"
from langchain_openai import ChatOpenAI
from mcp_use import MCPAgent, MCPClient


async def main():
    client = MCPClient(config={"mcpServers": {"clinic": {"url": os.environ["MCP_URL"]}}})
    url = os.environ["PROVIDER_URL"] + "/v1"
    model = ChatOpenAI(model="gpt-4o", base_url=url, api_key="none", max_retries=0)
    await MCPAgent(llm=model, client=client, max_steps=20).run("Book an appointment.")
    await client.close_all_sessions()


asyncio.run(main())
