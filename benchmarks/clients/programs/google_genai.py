import asyncio
import os

from google import genai
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client


async def main():
    client = genai.Client(api_key="none", http_options={"base_url": os.environ["PROVIDER_URL"]})
    async with (
        streamable_http_client(os.environ["MCP_URL"]) as (read, write, *_),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        # As a dict: a session inside of a config object would be copied, and cannot be.
        config = {"tools": [session], "automatic_function_calling": {"maximum_remote_calls": 20}}
        await client.aio.models.generate_content(
            model="gemini-2.5-flash", contents="Book an appointment.", config=config
        )


asyncio.run(main())
