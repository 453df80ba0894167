import asyncio
import os
import sys

from agents import Agent, OpenAIProvider, RunConfig, Runner
from agents.mcp import MCPServerStreamableHttp


async def main():
    async with MCPServerStreamableHttp(params={"url": os.environ["MCP_URL"]}) as server:
        config = {"convert_schemas_to_strict": sys.argv[1] == "strict"}
        agent = Agent(name="clinic", mcp_servers=[server], model="gpt-4o", mcp_config=config)
        provider = OpenAIProvider(base_url=os.environ["PROVIDER_URL"] + "/v1", api_key="none")
        run_config = RunConfig(model_provider=provider, tracing_disabled=True)
        await Runner.run(agent, "Book an appointment.", run_config=run_config, max_turns=20)


asyncio.run(main())
