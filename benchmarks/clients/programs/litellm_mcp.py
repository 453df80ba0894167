import asyncio
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
from litellm.experimental_mcp_client import call_openai_tool, load_mcp_tools
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

URL = os.environ["PROVIDER_URL"]
MODELS = {
    "openai": {"model": "openai/gpt-4o", "api_base": URL + "/v1"},
    "azure": {"model": "azure/gpt-4o", "api_base": URL, "api_version": "2024-10-21"},
    "anthropic": {"model": "anthropic/claude-sonnet-4-5", "api_base": URL},
    "gemini": {"model": "gemini/gemini-2.5-flash", "api_base": URL + "/v1beta/models/gemini-2.5-flash"},
    "mistral": {"model": "mistral/mistral-large-latest", "api_base": URL + "/v1"},
    "ollama": {"model": "ollama_chat/llama3.1", "api_base": URL},
    "bedrock": {
        "model": "bedrock/converse/anthropic.claude-3-5-sonnet-20240620-v1:0",
        "aws_bedrock_runtime_endpoint": URL,
        "aws_access_key_id": "none",
        "aws_secret_access_key": "none",
        "aws_region_name": "eu-central-1",
    },
}


def settings():
    if sys.argv[1] != "fallback":
        return {**MODELS[sys.argv[1]], "api_key": "none"}, litellm.acompletion
    refused = {**MODELS["gemini"], "api_base": URL + "/refused", "api_key": "none"}
    models = [("first", refused), ("second", {**MODELS["openai"], "api_key": "none"})]
    router = litellm.Router(
        model_list=[{"model_name": name, "litellm_params": params} for name, params in models],
        fallbacks=[{"first": ["second"]}],
        num_retries=0,
    )
    return {"model": "first"}, router.acompletion


async def main():
    chosen, complete = settings()
    async with (
        streamable_http_client(os.environ["MCP_URL"]) as (read, write, *_),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        tools = await load_mcp_tools(session=session, format="openai")
        messages = [{"role": "user", "content": "Book an appointment."}]
        while True:
            found = (await complete(**chosen, messages=messages, tools=tools)).choices[0].message
            messages.append(found.model_dump(exclude_none=True))
            if not found.tool_calls:
                return
            for call in found.tool_calls:
                result = await call_openai_tool(session=session, openai_tool=call.model_dump())
                messages.append({"role": "tool", "tool_call_id": call.id, "content": result.content[0].text})


if __name__ == "__main__":
    asyncio.run(main())
