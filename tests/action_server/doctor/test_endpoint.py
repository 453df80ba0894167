"""``action_endpoint`` as the engine understands it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from action_server.doctor.endpoint import Endpoint, target_of
from action_server.doctor.endpoints_file import EndpointsFile
from tests.action_server.doctor.bots import GRPC, OPEN, URL, basic, examine_bot, ids


def test_variables_are_replaced_as_rasa_does(bot: Path) -> None:
    """Those in braces make a text a template, in which the others are replaced too."""
    endpoint = {"url": "http://${HOST}:$PORT/webhook", "token": "pa$$word"}

    found = examine_bot(bot, {"action_endpoint": endpoint}, {"HOST": "localhost", "PORT": "5057"})

    assert ids(found) == ["url-port", "auth-not-asked"]


def endpoint_of(entries: Mapping[str, Any]) -> Endpoint:
    return Endpoint(EndpointsFile(Path("endpoints.yml"), entries, {}), {}, None)


# The entries, the Authorization header and the query.
SENT: list[tuple[str, Mapping[str, Any], str | None, str]] = [
    ("nothing", OPEN, None, ""),
    ("basic authentication", {**OPEN, **basic("a", "b")}, "Basic YTpi", ""),
    ("a user in the url", {"url": "http://a:b@localhost:5055/webhook"}, "Basic YTpi", ""),
    ("a user in the url before one of the block", {"url": "http://a:b@x/webhook", **basic("c", "d")}, "Basic YTpi", ""),
    ("a token", {**OPEN, "token": 5}, None, "token=5"),
    ("a token of another name", {**OPEN, "token": "a b", "token_name": "t"}, None, "t=a+b"),
    ("a query and parameters", {"url": f"{URL}?a=1", "params": {"b": 2}}, None, "a=1&b=2"),
    ("a query over gRPC", {**GRPC, "token": "a", **basic("a", "b")}, None, ""),
]


@pytest.mark.parametrize(("entries", "header", "query"), [s[1:] for s in SENT], ids=[s[0] for s in SENT])
def test_what_the_engine_sends_is(entries: Mapping[str, Any], header: str | None, query: str) -> None:
    """As aiohttp and gRPC make it of the block."""
    endpoint = endpoint_of(entries)
    assert endpoint.target is not None

    headers, sent = endpoint.credentials_for(endpoint.target)

    assert (headers.get("authorization"), sent) == (header, query)


def test_another_page_of_the_server_is_beside_its_webhook() -> None:
    """Behind a prefix, a slash at the end, an address of IPv6."""
    urls = ("http://localhost:5055/webhook/", "https://bot.example/a/webhook", "http://[::1]:5055/webhook")
    targets = [target_of(url) for url in urls]

    assert [target.at("/health") for target in targets if target] == [
        "http://localhost:5055/health",
        "https://bot.example:443/a/health",
        "http://[::1]:5055/health",
    ]
