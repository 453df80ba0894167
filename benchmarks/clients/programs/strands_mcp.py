import os

from mcp.client.streamable_http import streamable_http_client
from strands import Agent
from strands.models.openai import OpenAIModel
from strands.tools.mcp import MCPClient

model = OpenAIModel(
    model_id="gpt-4o", stream=False, client_args={"base_url": os.environ["PROVIDER_URL"] + "/v1", "api_key": "none"}
)
with MCPClient(lambda: streamable_http_client(os.environ["MCP_URL"])) as client:
    Agent(model=model, tools=client.list_tools_sync(), callback_handler=None)("Book an appointment.")
