"""The official Python clients of MCP, each in an environment of its own: two versions cannot share one.

They are no part of the developer's environment either, since what they bring along (a web framework, a second HTTP
client) would change what the server is tested with. An environment is made once, in the user's cache.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

ROOT = Path(__file__).parents[1]
# Of the user, so that the next checkout needs not make them again.
ENVIRONMENTS = user_cache_path("action-server-tests", appauthor=False) / "clients"
PATIENCE = 60

# What engines use, and the first generation that needs no handshake.
ENGINE, MODERN = "1.30.0", "2.3.0"

_PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")
# Most modules are never imported; those that are get compiled then.
_INSTALL = ("install", "--no-compile")
_KNOWS_OTHERS = tuple(map(int, version("pip").split(".")[:2])) >= (22, 3)

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


def python_of(release: str) -> Path:
    """Return the Python that has this version of the client; it is installed if it is not there yet."""
    return environment_of((f"mcp=={release}",))


def environment_of(packages: Sequence[str]) -> Path:
    """Return the Python of an environment that has these packages; it is made if it is not there yet."""
    folder = folder_for(packages, sys.version, sys.base_prefix)
    python = folder / "bin" / "python"
    with unless_complete(folder) as missing:
        if missing:
            # With the pip there is, unless that is too old for it: a second one takes as long as most packages.
            bare = ["--without-pip"] if _KNOWS_OTHERS else []
            subprocess.run([sys.executable, "-m", "venv", "--clear", *bare, str(folder)], check=True)
            pip = [sys.executable, *_PIP, "--python", str(python)] if bare else [str(python), *_PIP]
            subprocess.run([*pip, *_INSTALL, *packages], check=True, stderr=subprocess.PIPE)
    return python


def layer_of(packages: Sequence[str]) -> Path:
    """Return a folder with these packages, and none that they ask for, to stand before others in a Python's path."""
    folder = folder_for(packages, sys.version, "layer")
    with unless_complete(folder) as missing:
        if missing:
            install = [sys.executable, *_PIP, *_INSTALL, "--no-deps", "--upgrade", "--target", str(folder), *packages]
            subprocess.run(install, check=True, stderr=subprocess.PIPE)
    return folder


def folder_for(packages: Sequence[str], *facts: str) -> Path:
    """Return the folder for these packages, and for what else makes two of them differ."""
    digest = hashlib.sha256("\n".join([*packages, *facts]).encode()).hexdigest()[:12]
    return ENVIRONMENTS / f"{re.sub(r'[^a-z0-9.]+', '-', packages[0].lower()).strip('-')}-{digest}"


@contextmanager
def unless_complete(folder: Path) -> Iterator[bool]:
    """Tell whether a folder lacks its packages; they are taken to be there when the block has ended."""
    complete = folder / "complete"
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with (ENVIRONMENTS / f"{folder.name}.lock").open("w") as lock:
        # Others may be making it in this moment.
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = not complete.exists()
        yield missing
        if missing:
            complete.touch()


def writes_bytecode() -> dict[str, str]:
    """Return the variables of this process, but that the next run of a client need not compile its packages again."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


async def use_client(release: str, url: str, calls: Sequence[Call]) -> tuple[str, list[Any], list[Any]]:
    """Connect, list the tools and make the calls; return the protocol's version, the tools and the results."""
    python = await asyncio.to_thread(python_of, release)
    arguments = ["-c", _SCRIPTS[release], url, json.dumps(calls)]
    process = await asyncio.create_subprocess_exec(
        str(python),
        *arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT / "tests",
        env=writes_bytecode(),
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
