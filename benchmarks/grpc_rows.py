"""Measures gRPC beside rasa-sdk's own server and a bare handler: ``python -m benchmarks.grpc_rows``.

All three run at once on core 0 and take turns; the client, which is Python's as well, has core 1 and is the limit where
a call is cheap: so the server's CPU for each call is what to compare. rasa-sdk takes messages up to 4 MiB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import ParseDict
from rasa_sdk.grpc_py import action_webhook_pb2 as pb

from benchmarks import bench, payloads
from benchmarks.load import cpu_seconds, pinned, rss_kb
from benchmarks.servers import ROOT, SERVED, free_port

RESULT = Path(__file__).resolve().parent / "result-grpc.json"
SERVERS: dict[str, tuple[str, ...]] = {
    "ours": ("-m", "action_server", "run", "--grpc", "-p", "{port}", "--actions", "bench_actions", "--quiet"),
    "rasa-sdk": ("-m", "rasa_sdk", "--grpc", "--actions", "bench_actions", "-p", "{port}"),
    "bare grpcio": ("limit_grpc.py", "{port}"),
}
LOADS = (("S", "action_noop"), ("M", "action_noop"), ("L", "action_noop"), ("S", "action_noop_sync"))
METHOD = "/action_server_webhook.ActionService/Webhook"
_CALLERS = 16


def message(size: str, action: str) -> bytes:
    """Return a request of a size (of its JSON), serialized; names of the domain are those that an engine empties."""
    call = json.loads(payloads.body(size, action))
    call.get("domain", {}).update(intents=[], actions=[])
    request = ParseDict(call, pb.WebhookRequest(), ignore_unknown_fields=True)
    return bytes(request.SerializeToString())


@contextmanager
def started(name: str) -> Iterator[tuple[str, int]]:
    """Run a server within the block; gives its address and its process."""
    port = free_port()
    command = [sys.executable, *(part.format(port=port) for part in SERVERS[name])]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ACTION_SERVER", "OTEL_"))}
    environment = {**kept, "PYTHONPATH": str(ROOT), "ACTION_SERVER__METRICS": "false"}
    with subprocess.Popen(  # noqa: S603
        pinned(command, 0),
        cwd=SERVED,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield f"127.0.0.1:{port}", process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


async def measure(address: str, pid: int, body: bytes, seconds: float) -> dict[str, Any]:
    """Call a server without a pause from several callers, each on a channel of its own."""
    latencies: list[float] = []
    async with ExitStackOfChannels(address) as channels:
        calls = [channel.unary_unary(METHOD) for channel in channels]
        await asyncio.gather(*(call(body, wait_for_ready=True) for call in calls))
        used, begun = cpu_seconds(pid), time.perf_counter()

        async def caller(call: Any) -> None:
            while (now := time.perf_counter()) - begun < seconds:
                await call(body)
                latencies.append(time.perf_counter() - now)

        await asyncio.gather(*(caller(call) for call in calls))
        taken, used = time.perf_counter() - begun, cpu_seconds(pid) - used
    latencies.sort()
    count = len(latencies)
    times = {name: latencies[int(count * part)] * 1e6 for name, part in (("p50", 0.5), ("p99", 0.99))}
    cost = used / count * 1e6
    return {"requests_per_second": count / taken, **times, "cpu": cost, "rss_kb": rss_kb(pid), "errors": 0}


class ExitStackOfChannels:
    """Channels to one address, each with a connection of its own."""

    def __init__(self, address: str) -> None:
        options = (("grpc.max_send_message_length", -1),)
        self._channels = [
            grpc.aio.insecure_channel(address, options=[("caller", n), *options]) for n in range(_CALLERS)
        ]

    async def __aenter__(self) -> list[grpc.aio.Channel]:
        return self._channels

    async def __aexit__(self, *_: object) -> None:
        for channel in self._channels:
            await channel.close()


def prime(address: str) -> None:
    """Send a server the domain: from then on the digest is enough."""
    call = json.loads(payloads.first("action_noop"))
    call["domain"].update(intents=[], actions=[])
    request = ParseDict(call, pb.WebhookRequest(), ignore_unknown_fields=True)
    with grpc.insecure_channel(address) as channel:
        channel.unary_unary(METHOD)(request.SerializeToString(), wait_for_ready=True, timeout=60)


def main() -> int:
    """Measure; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    begun = time.time()
    os.sched_setaffinity(0, {os.cpu_count() - 1 if os.cpu_count() else 0})  # type: ignore[operator]
    order = random.Random(payloads.SEED)  # noqa: S311
    samples = []
    with ExitStack() as stack:
        up = {name: stack.enter_context(started(name)) for name in SERVERS}
        for address, _ in up.values():
            prime(address)
        for number in range(args.rounds):
            for size, action in LOADS:
                body = message(size, action)
                for name in order.sample(list(up), len(up)):
                    found = asyncio.run(measure(*up[name], body, args.seconds))
                    case = size if action == "action_noop" else f"{action}, {size}"
                    samples.append({"group": "grpc", "case": case, "server": name, "round": number, **found})
                    rate, cost = found["requests_per_second"], found["cpu"]
                    sys.stdout.write(f"{number + 1}/{args.rounds} {case}: {name}: {rate:.0f}/s, {cost:.0f} us\n")
                    sys.stdout.flush()
    about = bench.about(begun, args.rounds, int(args.seconds))
    args.out.write_text(json.dumps({"about": about, "samples": samples, "once": {}}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
