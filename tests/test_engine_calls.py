"""Tests get their requests from the kit; those that are about what a request is made of write their own."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parent
# Where a request is written by hand, since the kit cannot make it or must not: what the tests there are about.
BY_HAND = {
    "action_server/idempotency/test_rules.py": "keys of drawn calls, whatever stands in them",
    "action_server/idempotency/turns.py": "keys of single parts of a tracker, which are there or are not",
    "action_server/protocol/test_calls.py": "the decoder: what is missing, of another type, or no JSON",
    "action_server/protocol/test_domain_files.py": "digests that belong to no domain, or to another one",
    "action_server/protocol/test_domains.py": "digests that belong to no domain, or to another one",
    "action_server/protocol/test_lazy.py": "two decoders, of drawn bytes",
    "action_server/protocol/test_malformed_domains.py": "domains that are none, under digests of any kind",
    "action_server/serving/grpc/grpc_calls.py": "values that only gRPC has, in trackers with nothing else",
    "action_server/serving/http/raw_calls.py": "how many bytes a body has, and where they are cut",
    "action_server/serving/http/test_app.py": "bodies that are cut short",
    "action_server/serving/http/test_compression.py": "bytes to be packed, which nobody decodes",
    "action_server/serving/http/test_openapi.py": "what schemathesis draws from the document",
    "action_server/serving/test_hot_path.py": "what a call costs, by the size of its parts",
    "action_server/telemetry/test_known_domains.py": "where in the bytes the domain stands",
    "action_server/test_assembly.py": "two ways in, of requests that are wrong in every way",
    "hostile/body_cases.py": "bodies of somebody who means harm",
    "hostile/case.py": "bodies of somebody who means harm",
    "hostile/http_cases.py": "bodies of somebody who means harm",
    "test_engine_calls.py": "this rule",
}


def is_request(node: ast.AST, of_ours: set[str]) -> bool:
    """Whether it is a request: as a dict, as text or bytes, as a message of gRPC, or as a call that was decoded."""
    if isinstance(node, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        return "next_action" in keys and ("tracker" in keys or None in keys)
    if isinstance(node, ast.Constant):
        return '"next_action": ' in str(node.value)
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        return (name == "WebhookRequest" and bool(node.keywords)) or (name == "Call" and name in of_ours)
    return False


def has_request(text: str) -> bool:
    if not any(word in text for word in ("next_action", "WebhookRequest(", " Call(")):
        # Most files: parsing all of them takes seconds.
        return False
    nodes = list(ast.walk(ast.parse(text)))
    imports = [n for n in nodes if isinstance(n, ast.ImportFrom) and str(n.module).startswith("action_server")]
    of_ours = {alias.name for node in imports for alias in node.names}
    return any(is_request(node, of_ours) for node in nodes)


def test_requests_are_the_kits() -> None:
    """One that no engine sends tests what no engine needs, unless that is what the test is for."""
    files = {path: path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py")}

    assert {str(path.relative_to(TESTS)) for path, text in files.items() if has_request(text)} == set(BY_HAND)
