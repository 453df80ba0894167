"""The official Python clients of MCP, each in an environment of its own: two versions cannot share one.

They are no part of the developer's environment either, since what they bring along (a web framework, a second HTTP
client) would change what the server is tested with. An environment is made once, below ``.venv``.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = Path(sys.prefix) / "clients"
PATIENCE = 60

# What engines use, and the first generation that needs no handshake.
ENGINE, MODERN = "1.30.0", "2.3.0"

_CALLS = """
import asyncio, json, sys
url, calls = sys.argv[1], json.loads(sys.argv[2])
def plain(found):
    return found.model_dump(mode="json", by_alias=True, exclude_none=True)
async def ask(session):
    tools = [plain(tool) for tool in (await session.list_tools()).tools]
    results = []
    for name, arguments, meta in calls:
        try:
            results.append(plain(await session.call_tool(name, arguments, meta=meta)))
        except Exception as exc:
            results.append({"raised": f"{type(exc).__name__}: {exc}"})
    return tools, results
"""
_ENGINE = """
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
async def main():
    async with streamable_http_client(url) as (read, write, *_), ClientSession(read, write) as session:
        version = (await session.initialize()).protocolVersion
        await session.send_ping()
        print(json.dumps([version, *await ask(session)]))
asyncio.run(main())
"""
_MODERN = """
from mcp import Client
async def main():
    async with Client(url) as session:
        print(json.dumps([session.protocol_version, *await ask(session)]))
asyncio.run(main())
"""
_SCRIPTS = {ENGINE: _CALLS + _ENGINE, MODERN: _CALLS + _MODERN}

Call = tuple[str, Mapping[str, Any], Mapping[str, Any] | None]


def python_of(version: str) -> Path:
    """Return the Python that has this version of the client; it is installed if it is not there yet."""
    return environment_of(f"mcp-{version}", (f"mcp=={version}",))


def environment_of(name: str, packages: Sequence[str]) -> Path:
    """Return the Python of an environment that has these packages; it is made if it is not there yet."""
    folder = ENVIRONMENTS / name
    python = folder / "bin" / "python"
    with unless_complete(folder, packages) as missing:
        if missing:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
            subprocess.run(install, check=True, stderr=subprocess.PIPE)
    return python


@contextmanager
def unless_complete(folder: Path, packages: Sequence[str]) -> Iterator[bool]:
    """Tell whether a folder lacks its packages; they are taken to be there when the block has ended."""
    complete = folder / "complete"
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / f"{folder.name}.lock").open("w") as lock:
        # Others may be making it in this moment.
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = not complete.exists() or complete.read_text(encoding="utf-8") != "\n".join(packages)
        yield missing
        complete.write_text("\n".join(packages), encoding="utf-8")


async def use_client(version: str, url: str, calls: Sequence[Call]) -> tuple[str, list[Any], list[Any]]:
    """Connect, list the tools and make the calls; return the protocol's version, the tools and the results."""
    python = await asyncio.to_thread(python_of, version)
    arguments = ["-c", _SCRIPTS[version], url, json.dumps(calls)]
    process = await asyncio.create_subprocess_exec(
        str(python), *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT / "tests"
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    spoken, tools, results = json.loads(output)
    return spoken, tools, results
