"""Every captured exchange of a real engine, replayed against a real server process.

The replies were recorded from rasa-sdk 3.21.1. Where ours differs on purpose, docs/differences.md says so.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.processes import ServerProcess, server

PAYLOADS = Path(__file__).parent / "payloads"
EXCHANGES = sorted(p for p in PAYLOADS.glob("*/*.json") if p.parent.name != "calm_constructed")


@pytest.fixture(scope="module")
def running() -> Iterator[ServerProcess]:
    """A server with the very actions the replies were recorded with."""
    with server(PAYLOADS, "--actions", "captured_actions") as process:
        yield process


def read(path: Path) -> dict[str, Any]:
    exchange: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return exchange


async def replay(url: str, exchange: dict[str, Any], more_headers: Mapping[str, str]) -> tuple[int, Any]:
    """Send a request byte for byte as the engine did, compressed and chunked where it was."""
    headers = {k: v for k, v in exchange["request_headers"] if k not in ("Host", "Content-Length", "Transfer-Encoding")}
    body = json.dumps(exchange["request_body"]).encode()
    headers.update(more_headers)
    encoding = headers.get("Content-Encoding")
    body = zlib.compress(body) if encoding == "deflate" else gzip.compress(body) if encoding == "gzip" else body
    path = exchange["request_line"].split()[1]
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}{path}", data=body, headers=headers) as response,
    ):
        assert response.content_type == "application/json"
        return response.status, await response.json()


def without_moment(body: dict[str, Any]) -> dict[str, Any]:
    """The reply without the one value that depends on when it was recorded: a reminder's time."""
    return {**body, "events": [{**e, "date_time": None} if "date_time" in e else e for e in body["events"]]}


def test_all_exchanges_are_here() -> None:
    """The captured set is complete: 50 of a conversation with rules, 12 with other ways to authenticate and send."""
    assert len(EXCHANGES) == 62


# A header that usual requests do not have leads to Sanic's route.
WAYS = {
    "as engines send it": {},
    "through the plain route": {"TE": "trailers"},
    "deflated": {"Content-Encoding": "deflate"},
    "gzipped": {"Content-Encoding": "gzip"},
    "gzipped, through the plain route": {"Content-Encoding": "gzip", "TE": "trailers"},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", EXCHANGES, ids=lambda p: f"{p.parent.name}/{p.stem}")
async def test_a_captured_exchange_gets_the_recorded_reply(running: ServerProcess, path: Path, way: str) -> None:
    """Status and body are those of rasa-sdk, except for the leak of its 500."""
    exchange = read(path)

    status, body = await replay(running.url, exchange, WAYS[way])

    assert status == exchange["response_status"]
    if status == 500:
        # differences.md: the 500 says neither the exception's text nor anything of the request.
        assert set(body) == {"error", "action_name", "error_id"}
        assert body["action_name"] == exchange["request_body"]["next_action"]
        assert exchange["response_body"]["error"] not in body["error"]
    elif status == 200:
        assert without_moment(body) == without_moment(exchange["response_body"])
    else:
        assert body == exchange["response_body"]


async def test_a_calm_engine_is_asked_for_the_domain_and_then_answered(running: ServerProcess) -> None:
    """The first call of a CALM engine has only a digest: 449; its retry brings the domain; later calls need none."""
    first = read(PAYLOADS / "calm_constructed" / "calm_first_call_without_domain.json")["request_body"]
    retry = read(PAYLOADS / "calm_constructed" / "calm_retry_with_domain.json")["request_body"]
    for call in (first, retry):
        call["next_action"] = "action_set_urgency"

    assert await post(running.url, first) == 449
    assert await post(running.url, retry) == 200
    assert await post(running.url, first) == 200


async def test_an_unknown_action_is_not_found_before_its_domain_is_asked_for(running: ServerProcess) -> None:
    """A CALM engine calls a validator nobody wrote: 404, not 449."""
    first = read(PAYLOADS / "calm_constructed" / "calm_first_call_without_domain.json")["request_body"]

    assert await post(running.url, {**first, "domain_digest": "0" * 32}) == 404


async def post(url: str, call: dict[str, Any]) -> int:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/webhook", json=call) as response:
        return response.status
