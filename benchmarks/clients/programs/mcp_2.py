import asyncio
import json
import os

from mcp import Client


def plain(found):
    return found.model_dump(mode="json", by_alias=True, exclude_none=True)


async def main():
    async with Client(os.environ["MCP_URL"]) as session:
        tools = [plain(tool) for tool in (await session.list_tools()).tools]
        calls = json.loads(os.environ["PLAN"])
        print(json.dumps({"tools": tools, "results": [plain(await session.call_tool(*call)) for call in calls]}))


asyncio.run(main())
