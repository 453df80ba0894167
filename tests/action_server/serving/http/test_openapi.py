"""The document at /openapi.json, and a server that is asked whatever the document allows."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case

from action_server import __version__
from action_server.protocol.openapi import openapi
from tests.processes import server
from tests.projects import GREET, project

DOCUMENT = openapi(__version__)
PAYLOADS = Path(__file__).parents[3] / "contract" / "payloads"
# The document has one address for all; where the server is turns out in the test.
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = project(tmp_path_factory.mktemp("openapi"), {"actions.py": GREET})
    with server(folder) as process:
        yield process.url


@SCHEMA.parametrize()
@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
def test_whatever_the_document_allows_is_answered_as_it_says(case: Case[Any], address: str) -> None:
    """Status, content type and body; and what it does not allow is refused, with no 500."""
    case.call_and_validate(base_url=address)


@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(case=SCHEMA["/webhook"]["POST"].as_strategy())
def test_an_action_runs_whatever_tracker_comes_with_it(case: Case[Any], address: str) -> None:
    """A call of an action that exists, made by the document, is answered 200."""
    assert isinstance(case.body, dict)
    body = json.dumps({**case.body, "domain_digest": None, "next_action": "action_greet"}).encode()

    status, reply = post(f"{address}/webhook", body)

    assert status == 200
    validator("Reply").validate(reply)


def post(url: str, body: bytes) -> tuple[int, Any]:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - of this host
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - of this host
        return response.status, json.load(response)


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("*/*.json")), ids=lambda p: p.stem)
def test_what_engines_send_is_a_call_of_the_document(path: Path) -> None:
    """Every captured request; every recorded 200 is a reply of it."""
    captured = json.loads(path.read_text(encoding="utf-8"))

    validator("Call").validate(captured.get("request_body", captured))
    if captured.get("response_status") == 200:
        validator("Reply").validate(captured["response_body"])


def test_the_server_serves_the_document(address: str) -> None:
    """As it stands in the reference."""
    with urllib.request.urlopen(f"{address}/openapi.json", timeout=60) as response:  # noqa: S310 - of this host
        assert json.load(response) == DOCUMENT
