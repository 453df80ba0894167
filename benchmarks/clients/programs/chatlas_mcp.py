import asyncio
import os

from chatlas import ChatOpenAICompletions


async def main():
    chat = ChatOpenAICompletions(base_url=os.environ["PROVIDER_URL"] + "/v1", model="gpt-4o", api_key="none")
    await chat.register_mcp_tools_http_stream_async(url=os.environ["MCP_URL"], name="clinic")
    await chat.chat_async("Book an appointment.", stream=False, echo="none")
    await chat.cleanup_mcp_tools()


asyncio.run(main())
