import json
import os

from smolagents import MCPClient
from smolagents.models import get_tool_json_schema
from smolagents.tools import validate_tool_arguments


def as_text(value):
    return value if isinstance(value, str) else json.dumps(value)


def call(tool, arguments):
    told = ""
    try:
        validate_tool_arguments(tool, arguments)
    except (TypeError, ValueError) as exc:
        # The model is told this, and has one way out: to say everything, as text.
        told = str(exc)
        if not any(value is not None for value in arguments.values()):
            return told
        arguments = {name: as_text(arguments.get(name)) for name in tool.inputs}
        validate_tool_arguments(tool, arguments)
    return f"{told} {tool(**arguments)}"


with MCPClient({"url": os.environ["MCP_URL"], "transport": "streamable-http"}, structured_output=False) as tools:
    functions = [get_tool_json_schema(tool)["function"] for tool in tools]
    shown = [{**function, "inputSchema": function["parameters"]} for function in functions]
    by_name = {tool.name: tool for tool in tools}
    answers = [call(by_name[name], arguments) for name, arguments in json.loads(os.environ["PLAN"])]
    results = [{"content": [{"type": "text", "text": answer}]} for answer in answers]
    print(json.dumps({"tools": shown, "results": results}))
