"""What litellm, by which rasa-pro calls models, makes of the tools: its own code, to a stand-in for each provider.

Only litellm and what importing it takes are installed, on top of this environment and of the SDK's: with all that they
ask for it would take five times as long.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from action_server.protocol.jsonable import JsonObject
from action_server.tools import callers
from action_server.tools.callers import Caller
from action_server.tools.model_views import view_of
from action_server.tools.shapes import Shape
from action_server.tools.tool import Tool
from benchmarks.clients.environments import PROGRAMS
from benchmarks.clients.page import known_losses
from benchmarks.clients.provider import Kept, provider
from benchmarks.clients.readings import row_of
from tests.action_server.tools.test_verdicts import SHAPES, tool
from tests.mcp_clients import ENGINE, layer_of, python_of, writes_bytecode

LITELLM = (
    *("litellm==1.101.0", "openai==2.54.0", "httpx==0.28.1", "httpcore==1.0.9", "anyio==4.16.0", "sniffio==1.3.1"),
    *("distro==1.9.0", "jiter==0.19.0", "python-dotenv==1.2.4", "importlib-metadata==8.9.0", "zipp==4.1.2"),
    *("pydantic-settings==2.16.3", "fastuuid==0.14.0", "tiktoken==0.14.0", "tokenizers==0.23.3", "tqdm==4.70.1"),
    *("boto3==1.44.8", "botocore==1.44.8", "s3transfer==0.19.3", "jmespath==1.1.0"),
)
_ASK = """
import asyncio, json, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
sys.path.append(sys.argv[3])
import litellm_mcp
from litellm import acompletion
from litellm.experimental_mcp_client.tools import transform_mcp_tool_to_openai_tool
from mcp.types import Tool
url, listed = sys.argv[4:6]
async def main():
    for name, settings in litellm_mcp.MODELS.items():
        settings = {k: v.replace("http://here", f"{url}/{name}") for k, v in settings.items()}
        said = [{"role": "user", "content": "Book an appointment."}]
        # Read anew for each: on the way to Gemini they are changed in place.
        tools = [Tool.model_validate(tool) for tool in json.loads(listed)]
        made = [transform_mcp_tool_to_openai_tool(tool) for tool in tools]
        await acompletion(**settings, api_key="none", messages=said, tools=made)
asyncio.run(main())
"""
# In seconds. Importing litellm takes eight of a processor's the first time, on a machine that may have more to do.
_PATIENCE = 240
PROVIDERS: Mapping[str, Caller] = {
    "openai": callers.LITELLM_OPENAI,
    "azure": callers.LITELLM_AZURE,
    "anthropic": callers.LITELLM_ANTHROPIC,
    "gemini": callers.LITELLM_GEMINI,
    "bedrock": callers.LITELLM_BEDROCK,
    "mistral": callers.LITELLM_MISTRAL,
    "ollama": callers.LITELLM_OLLAMA,
}
TOOLS = (tool(**SHAPES), replace(tool(), name="bare"), replace(tool(a=Shape("text")), name="one"))


def _site_packages(python: Path) -> Path:
    return next(python.parents[1].glob("lib/python*/site-packages"))


async def _kept(tools: tuple[Tool, ...]) -> Mapping[str, Kept]:
    """Let litellm send these tools to every provider; return what each was sent."""
    layer = await asyncio.to_thread(layer_of, LITELLM)
    engine = await asyncio.to_thread(python_of, ENGINE)
    async with provider() as models:
        models.plans = {name: [] for name in PROVIDERS}
        listed = json.dumps([one.listing for one in tools])
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _ASK, str(layer), str(PROGRAMS), str(_site_packages(engine)), models.url, listed),
            stderr=asyncio.subprocess.PIPE,
            env={**writes_bytecode(), "PROVIDER_URL": "http://here"},
        )
        try:
            _, errors = await asyncio.wait_for(process.communicate(), _PATIENCE)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, errors.decode()
    return models.kept


@pytest.fixture(scope="module")
def kept() -> Mapping[str, Kept]:
    return asyncio.run(_kept(TOOLS))


@pytest.mark.parametrize("name", PROVIDERS)
def test_litellm_loses_nothing_that_is_not_known(kept: Mapping[str, Kept], name: str) -> None:
    """No tool to any provider, and of arguments no type, value, null or description."""
    offered = {one.name: {"description": one.description, **one.input_schema} for one in TOOLS}

    row = row_of(offered, kept[name], 0)

    assert row.tools == len(TOOLS)
    assert set(row.lost) <= known_losses(PROVIDERS[name])


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini"])
def test_a_tool_is_shown_as_litellm_sends_it(kept: Mapping[str, Kept], name: str) -> None:
    """`tools NAME --as` prints what the provider was really sent."""
    for one in TOOLS:
        shown: JsonObject = view_of(one, name)
        function = shown.get("function", shown)
        sent = {**kept[name].schemas[one.name]}
        assert function["description"] == sent.pop("description")
        assert function.get("parameters", function.get("input_schema")) == sent
