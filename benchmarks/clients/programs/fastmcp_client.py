import asyncio
import json
import os

from fastmcp import Client


def plain(found):
    return found.model_dump(mode="json", by_alias=True, exclude_none=True)


async def main():
    async with Client(os.environ["MCP_URL"]) as client:
        tools = [plain(tool) for tool in await client.list_tools()]
        calls = json.loads(os.environ["PLAN"])
        results = []
        for call in calls:
            found = await client.call_tool(*call)
            results.append(
                {"content": [plain(c) for c in found.content], "structuredContent": found.structured_content}
            )
        print(json.dumps({"tools": tools, "results": results}))


asyncio.run(main())
