import asyncio
import os

from mcp_agent.agents.agent import Agent
from mcp_agent.app import MCPApp
from mcp_agent.config import LoggerSettings, MCPServerSettings, MCPSettings, OpenAISettings, Settings
from mcp_agent.workflows.llm.augmented_llm import RequestParams
from mcp_agent.workflows.llm.augmented_llm_openai import OpenAIAugmentedLLM

SETTINGS = Settings(
    execution_engine="asyncio",
    logger=LoggerSettings(type="none"),
    mcp=MCPSettings(servers={"clinic": MCPServerSettings(transport="streamable_http", url=os.environ["MCP_URL"])}),
    openai=OpenAISettings(api_key="none", base_url=os.environ["PROVIDER_URL"] + "/v1", default_model="gpt-4o"),
)


async def main():
    async with MCPApp(name="clinic", settings=SETTINGS).run(), Agent(name="clinic", server_names=["clinic"]) as agent:
        model = await agent.attach_llm(OpenAIAugmentedLLM)
        await model.generate_str("Book an appointment.", RequestParams(max_iterations=20, model="gpt-4o"))


asyncio.run(main())
