"""What the interfaces of five providers say: the tools of a request, the answers it holds, a call and an end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A call that the stand-in asks for; ``number`` counts from 0."""

    number: int
    tool: str
    arguments: Json


@dataclass(frozen=True)
class Format:
    """One interface. ``schemas`` are the arguments of each tool, ``answers`` what the model was shown of each call.

    ``has_nullable`` tells whether null may be a mark beside the type there; in JSON Schema that means nothing.
    """

    schemas: Callable[[Json], dict[str, Json]]
    answers: Callable[[Json], list[str]]
    ask: Callable[[Call], Json]
    end: Json
    has_nullable: bool = False


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _chat_schemas(body: Json) -> dict[str, Json]:
    functions = [tool["function"] for tool in body.get("tools", [])]
    return {f["name"]: {"description": f.get("description"), **f["parameters"]} for f in functions}


def _chat_answers(body: Json) -> list[str]:
    return [_text(message["content"]) for message in body["messages"] if message["role"] == "tool"]


def _chat_choice(message: Json, reason: str) -> Json:
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": None, **message}}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def _chat_ask(call: Call) -> Json:
    function = {"name": call.tool, "arguments": json.dumps(call.arguments)}
    # Mistral's ids have nine letters and digits.
    asked = {"id": f"call{call.number:05}", "type": "function", "function": function}
    return _chat_choice({"tool_calls": [asked]}, "tool_calls")


def _responses_schemas(body: Json) -> dict[str, Json]:
    return {t["name"]: {"description": t.get("description"), **t["parameters"]} for t in body.get("tools", [])}


def _responses_answers(body: Json) -> list[str]:
    items = body["input"] if isinstance(body["input"], list) else []
    return [_text(item["output"]) for item in items if item.get("type") == "function_call_output"]


def _responses_output(*output: Json) -> Json:
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, **details}
    kind = {"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed"}
    rest = {"parallel_tool_calls": False, "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None}
    return {**kind, **rest, "output": list(output), "usage": usage}


def _responses_ask(call: Call) -> Json:
    ids = {"id": f"fc_{call.number}", "call_id": f"call_{call.number}", "status": "completed"}
    asked = {"type": "function_call", "name": call.tool, "arguments": json.dumps(call.arguments), **ids}
    return _responses_output(asked)


def _said(text: str) -> Json:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": content}


def _anthropic_schemas(body: Json) -> dict[str, Json]:
    return {t["name"]: {"description": t.get("description"), **t["input_schema"]} for t in body.get("tools", [])}


def _anthropic_answers(body: Json) -> list[str]:
    parts = [
        part for message in body["messages"] if isinstance(message["content"], list) for part in message["content"]
    ]
    return [_text(part.get("content")) for part in parts if part["type"] == "tool_result"]


def _anthropic_message(content: Json, reason: str) -> Json:
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [content], "usage": usage}
    return {**message, "stop_reason": reason, "stop_sequence": None}


def _anthropic_ask(call: Call) -> Json:
    asked = {"type": "tool_use", "id": f"call_{call.number}", "name": call.tool, "input": call.arguments}
    return _anthropic_message(asked, "tool_use")


def _google_schemas(body: Json) -> dict[str, Json]:
    tools = body.get("tools", [])
    found = [f for tool in tools for f in tool.get("functionDeclarations", tool.get("function_declarations", []))]
    schemas = [
        (f, f.get("parameters") or f.get("parametersJsonSchema") or f.get("parameters_json_schema") or {})
        for f in found
    ]
    return {f["name"]: {"description": f.get("description"), **schema} for f, schema in schemas}


def _google_answers(body: Json) -> list[str]:
    parts = [part for content in body["contents"] for part in content.get("parts", [])]
    answers = [part.get("functionResponse", part.get("function_response")) for part in parts]
    return [_text(answer["response"]) for answer in answers if answer]


def _google_candidate(part: Json) -> Json:
    content = {"role": "model", "parts": [part]}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    return {"candidates": [{"index": 0, "content": content, "finishReason": "STOP"}], "usageMetadata": usage}


def _google_ask(call: Call) -> Json:
    return _google_candidate({"functionCall": {"name": call.tool, "args": call.arguments}})


def _bedrock_schemas(body: Json) -> dict[str, Json]:
    found = [tool["toolSpec"] for tool in body.get("toolConfig", {}).get("tools", [])]
    return {t["name"]: {"description": t.get("description"), **t["inputSchema"]["json"]} for t in found}


def _bedrock_answers(body: Json) -> list[str]:
    parts = [part for message in body["messages"] for part in message["content"]]
    return [_text(part["toolResult"]["content"]) for part in parts if "toolResult" in part]


def _bedrock_message(content: Json, reason: str) -> Json:
    usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
    output = {"message": {"role": "assistant", "content": [content]}}
    return {"output": output, "stopReason": reason, "usage": usage, "metrics": {"latencyMs": 1}}


def _bedrock_ask(call: Call) -> Json:
    asked = {"toolUseId": f"call_{call.number}", "name": call.tool, "input": call.arguments}
    return _bedrock_message({"toolUse": asked}, "tool_use")


def _ollama_message(message: Json) -> Json:
    counts = {"total_duration": 1, "prompt_eval_count": 1, "eval_count": 1}
    times = {"created_at": "2026-11-01T00:00:00Z", "done": True, "done_reason": "stop"}
    return {"model": "m", **times, "message": {"role": "assistant", "content": "", **message}, **counts}


def _ollama_ask(call: Call) -> Json:
    return _ollama_message({"tool_calls": [{"function": {"name": call.tool, "arguments": call.arguments}}]})


DONE = "Done."
FORMATS = {
    "chat": Format(_chat_schemas, _chat_answers, _chat_ask, _chat_choice({"content": DONE}, "stop")),
    "responses": Format(_responses_schemas, _responses_answers, _responses_ask, _responses_output(_said(DONE))),
    "anthropic": Format(
        _anthropic_schemas,
        _anthropic_answers,
        _anthropic_ask,
        _anthropic_message({"type": "text", "text": DONE}, "end_turn"),
    ),
    "google": Format(
        _google_schemas, _google_answers, _google_ask, _google_candidate({"text": DONE}), has_nullable=True
    ),
    "bedrock": Format(_bedrock_schemas, _bedrock_answers, _bedrock_ask, _bedrock_message({"text": DONE}, "end_turn")),
    "ollama": Format(_chat_schemas, _chat_answers, _ollama_ask, _ollama_message({"content": DONE})),
}
# The end of a request's path tells which interface it is.
ENDINGS = {
    "/chat/completions": "chat",
    "/responses": "responses",
    "/v1/messages": "anthropic",
    ":generateContent": "google",
    "/converse": "bedrock",
    "/api/chat": "ollama",
}


def format_of(path: str) -> Format | None:
    """Return the interface that a path belongs to, None if none does."""
    return next((FORMATS[name] for ending, name in ENDINGS.items() if path.endswith(ending)), None)


def texts_of(result: Json) -> Iterator[str]:
    """Give what a client of MCP hands out for a result: its texts and its structure."""
    yield from (block["text"] for block in result.get("content", []) if block.get("type") == "text")
    yield json.dumps(result.get("structuredContent"), ensure_ascii=False)
