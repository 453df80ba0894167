"""What is done to two replicas behind a proxy while calls go through it, and what became of the calls."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import aiohttp

from benchmarks.proxy_sites import BETWEEN, Site
from tests.proxies.grpc_load import call_grpc_while
from tests.proxies.load import Books, call_while

Case = Callable[[Site], Awaitable[Books]]
KILLS = "kill -9 of one, which starts again"


async def drain_one(site: Site) -> Books:
    """Stop one replica, and start it again."""
    return await call_while(site.url, site.marks, lambda: site.restart(0))


async def drain_often(site: Site) -> Books:
    """Stop the replicas by turns, eight times."""
    return await call_while(site.url, site.marks, lambda: _restart_by_turns(site, 8))


async def drain_twenty(site: Site) -> Books:
    """Stop the replicas by turns, twenty times."""
    return await call_while(site.url, site.marks, lambda: _restart_by_turns(site, 20))


async def _restart_by_turns(site: Site, times: int) -> None:
    for number in range(times):
        await site.restart(number % 2)


async def kill_one(site: Site) -> Books:
    """Kill a replica with all that it is doing."""
    return await call_while(site.url, site.marks, lambda: site.restart(0, signal.SIGKILL))


async def large_bodies(site: Site) -> Books:
    """Send bodies of 2 MB while one replica is restarted."""
    return await call_while(site.url, site.marks, lambda: site.restart(1), callers=2, body_bytes=2_000_000)


async def packed_bodies(site: Site) -> Books:
    """Send bodies that are packed while one replica is restarted."""
    return await call_while(site.url, site.marks, lambda: site.restart(0), body_bytes=20_000, packed=True)


async def old_version(site: Site) -> Books:
    """Speak HTTP/1.0 while one replica is restarted."""
    return await call_while(site.url, site.marks, lambda: site.restart(1), version=aiohttp.HttpVersion10)


async def reload_proxy(site: Site) -> Books:
    """Have the proxy read its configuration again, three times."""

    async def work() -> None:
        for _ in range(3):
            site.reload_proxy()
            await asyncio.sleep(BETWEEN)

    return await call_while(site.url, site.marks, work)


async def tools(site: Site) -> Books:
    """Call a tool at ``/mcp`` while one replica is restarted."""
    return await call_while(site.url, site.marks, lambda: site.restart(0), path="/mcp")


async def grpc_drain_one(site: Site) -> Books:
    """Stop one replica that speaks gRPC, and start it again."""
    return await call_grpc_while(site.target, site.marks, lambda: site.restart(0))


async def grpc_drain_often(site: Site) -> Books:
    """Stop the replicas that speak gRPC by turns, eight times."""
    return await call_grpc_while(site.target, site.marks, lambda: _restart_by_turns(site, 8))


async def grpc_stream(site: Site) -> Books:
    """Let answers come in chunks while one replica is restarted."""
    return await call_grpc_while(site.target, site.marks, lambda: site.restart(1), stream=True)


async def grpc_kill_one(site: Site) -> Books:
    """Kill a replica that speaks gRPC with all that it is doing."""
    return await call_grpc_while(site.target, site.marks, lambda: site.restart(0, signal.SIGKILL))


# With active checks nothing may be lost of 100,000.
TWENTY = "twenty drains, by turns"
OFTEN = "eight drains, by turns"
CASES: dict[str, Case] = {
    "drain of one": drain_one,
    OFTEN: drain_often,
    TWENTY: drain_twenty,
    KILLS: kill_one,
    "2 MB, drain of one": large_bodies,
    "gzip, drain of one": packed_bodies,
    "HTTP/1.0, drain of one": old_version,
    "/mcp, drain of one": tools,
    "the proxy reads its configuration again": reload_proxy,
}
GRPC_OFTEN = f"gRPC, {OFTEN}"
# The kill first: Caddy leaves out for a while what was just stopped, and of two one has to be there.
GRPC_CASES: dict[str, Case] = {
    f"gRPC, {KILLS}": grpc_kill_one,
    "gRPC, drain of one": grpc_drain_one,
    GRPC_OFTEN: grpc_drain_often,
    "gRPC in chunks, drain of one": grpc_stream,
}
