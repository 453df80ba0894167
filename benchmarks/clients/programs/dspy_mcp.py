import asyncio
import json
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import dspy
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client


async def call(tool, arguments):
    try:
        return await tool.acall(**arguments)
    except (RuntimeError, ValueError) as exc:
        # As its ReAct does, which tells the model.
        return f"Execution error in {tool.name}: {exc}"


async def main():
    async with (
        streamable_http_client(os.environ["MCP_URL"]) as (read, write, *_),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        tools = [dspy.Tool.from_mcp_tool(session, tool) for tool in (await session.list_tools()).tools]
        functions = [tool.format_as_litellm_function_call()["function"] for tool in tools]
        by_name = {tool.name: tool for tool in tools}
        answers = [await call(by_name[name], arguments) for name, arguments in json.loads(os.environ["PLAN"])]
        shown = [{**function, "inputSchema": function["parameters"]} for function in functions]
        results = [{"content": [{"type": "text", "text": answer}]} for answer in answers]
        print(json.dumps({"tools": shown, "results": results}))


asyncio.run(main())
