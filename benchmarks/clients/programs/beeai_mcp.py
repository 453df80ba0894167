import asyncio
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
from beeai_framework.adapters.openai import OpenAIChatModel
from beeai_framework.agents.tool_calling import ToolCallingAgent
from beeai_framework.tools.mcp import MCPTool
from mcp.client.streamable_http import streamablehttp_client


async def main():
    tools = await MCPTool.from_client(streamablehttp_client(os.environ["MCP_URL"]))
    # Otherwise it writes the tools into a schema of the answer, for a model that cannot call any.
    options = {"tool_call_fallback_via_response_format": False, "tool_choice_support": {"auto"}}
    model = OpenAIChatModel("gpt-4o", base_url=os.environ["PROVIDER_URL"] + "/v1", api_key="none", **options)
    await ToolCallingAgent(llm=model, tools=tools, final_answer_as_tool=False).run("Book an appointment.")


asyncio.run(main())
