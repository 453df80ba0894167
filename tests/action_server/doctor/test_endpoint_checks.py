"""One planted fault in ``action_endpoint`` for every rule about it, and silence where nothing is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.action_server.doctor.bots import AS_GRPC, CLOSED, GRPC, OPEN, URL, basic, examine_bot, ids

BEARER = {"headers": {"authorization": "Bearer right"}}


USER = {"auth": {"basic": {"username": "a", "password": "ß"}}}


# The endpoint, the flags of the server, and all rules that find something.
ENDPOINTS: list[tuple[str, Mapping[str, Any], Mapping[str, Any], list[str]]] = [
    ("no endpoint", {}, {}, ["endpoint-missing"]),
    ("a url that is no text", {"url": 5055}, {}, ["endpoint-missing", "endpoint-shape"]),
    ("headers as a list", {**OPEN, "headers": ["a"]}, {}, ["endpoint-shape"]),
    ("a parameter that is true", {**OPEN, "params": {"debug": True}}, {}, ["endpoint-shape"]),
    ("a variable that is not set", {**OPEN, "params": {"x": "${NOPE}"}}, {}, ["variable-unset"]),
    ("no scheme", {"url": "localhost:5055/webhook"}, {}, ["url-scheme"]),
    ("no scheme and no port", {"url": "localhost/webhook"}, {}, ["url-scheme"]),
    ("an unknown scheme", {"url": "ftp://localhost:5055/webhook"}, {}, ["url-scheme"]),
    ("no host", {"url": "http:///webhook"}, {}, ["url-host"]),
    ("a port too high", {"url": "http://localhost:70000/webhook"}, {}, ["url-host"]),
    ("brackets without end", {"url": "http://[::1/webhook"}, {}, ["url-host"]),
    ("no path", {"url": "http://localhost:5055"}, {}, ["url-path"]),
    ("another path", {"url": "http://localhost:5055/webhooks"}, {}, ["url-path"]),
    ("a prefix at home", {"url": "http://localhost:5055/bot/webhook"}, {}, ["url-path"]),
    ("a prefix elsewhere", {"url": "http://bot.example/bot/webhook"}, {}, ["url-prefix"]),
    ("a slash at the end", {"url": f"{URL}/"}, {}, []),
    ("an address to listen on", {"url": "http://0.0.0.0:5055/webhook"}, {}, ["url-any-host"]),
    ("another port", OPEN, {"port": 5056}, ["url-port"]),
    ("a free port", OPEN, {"port": 0}, []),
    ("another port elsewhere", {"url": "http://bot.example:80/webhook"}, {}, []),
    ("upper case over gRPC", {**GRPC, "headers": {"X-A": "b"}}, AS_GRPC, ["grpc-header-case", "grpc-plaintext"]),
    ("umlauts over gRPC", {**GRPC, "headers": {"x-a": "ä"}}, AS_GRPC, ["header-value", "grpc-plaintext"]),
    ("basic over gRPC", {**GRPC, **basic("a", "b")}, AS_GRPC, ["grpc-plaintext", "grpc-unsent"]),
    ("a token over gRPC", {**GRPC, "token": "a"}, AS_GRPC, ["grpc-plaintext", "grpc-unsent"]),
    ("parameters over gRPC", {**GRPC, "params": {"a": "b"}}, AS_GRPC, ["grpc-plaintext", "grpc-unsent"]),
    ("two ways", {**OPEN, "actions_module": "actions"}, {}, ["url-and-module"]),
    ("in the engine", {"actions_module": "actions"}, {}, ["module-only"]),
    ("the wrong token", {**OPEN, "token": "wrong"}, CLOSED, ["auth-refused"]),
    ("the right token", {**OPEN, "token": "right"}, CLOSED, []),
    ("the right token under a wrong name", {**OPEN, "token": "right", "token_name": "t"}, CLOSED, ["auth-refused"]),
    ("two tokens", {"url": f"{URL}?token=right", "token": "right"}, CLOSED, ["auth-refused"]),
    ("the right token as a bearer", {**OPEN, **BEARER}, CLOSED, []),
    ("a bearer over gRPC", {**GRPC, **BEARER}, {**AS_GRPC, **CLOSED}, ["grpc-plaintext"]),
    (
        "a query over gRPC",
        {**GRPC, "token": "right"},
        {**AS_GRPC, **CLOSED},
        ["auth-not-sent", "grpc-plaintext", "grpc-unsent"],
    ),
    ("a latin-1 user", {**OPEN, **basic("a", "ß")}, USER, []),
    ("a user in the url", {"url": "http://a:%C3%9F@localhost:5055/webhook"}, USER, []),
    ("no credential", OPEN, CLOSED, ["auth-not-sent"]),
    ("a credential for nobody", {**OPEN, "token": "a"}, {}, ["auth-not-asked"]),
    ("a header for nobody", {**OPEN, "headers": {"X-Api-Key": "a"}}, {}, ["auth-not-asked"]),
    ("two ways of basic", {**OPEN, **basic("a", "b"), **BEARER}, {}, ["auth-twice", "auth-not-asked"]),
    ("a password of no latin-1", {**OPEN, **basic("a", "ž")}, {}, ["basic-auth", "auth-not-asked"]),
    ("a user with a colon", {**OPEN, **basic("a:b", "c")}, {}, ["basic-auth", "auth-not-asked"]),
    ("a user without password", {**OPEN, "basic_auth": {"username": "a"}}, {}, ["basic-auth", "auth-not-asked"]),
    ("a header that is a number", {**OPEN, "headers": {"X-A": 5}}, {}, ["header-value"]),
    ("a header with a line break", {**OPEN, "headers": {"X-A": "a\nb"}}, {}, ["header-value"]),
    ("a header name with a blank", {**OPEN, "headers": {"X A": "a"}}, {}, ["header-value"]),
    ("a header with umlauts", {**OPEN, "headers": {"X-A": "ä"}}, {}, ["header-encoding"]),
    ("a token in the clear", {"url": "http://bot.example/webhook", "token": "right"}, CLOSED, ["token-in-the-clear"]),
    ("a token in the url", {"url": "http://bot.example/webhook?token=right"}, CLOSED, ["token-in-the-clear"]),
    ("selective", {**OPEN, "enable_selective_domain": True}, {}, ["selective-domain"]),
]


@pytest.mark.parametrize(("endpoint", "flags", "rules"), [e[1:] for e in ENDPOINTS], ids=[e[0] for e in ENDPOINTS])
def test_in_the_endpoint_the_doctor_finds(
    bot: Path, endpoint: Mapping[str, Any], flags: Mapping[str, Any], rules: list[str]
) -> None:
    """Each planted fault, by its rule, and nothing else."""
    assert ids(examine_bot(bot, {"action_endpoint": endpoint}, flags=flags)) == rules


def test_the_url_of_the_command_line_stands_for_the_endpoints(folder: Path) -> None:
    """Also where there is no endpoint at all."""
    findings = examine_bot(folder, {}, url="http://localhost:5055/")

    assert [(f.rule.id, f.place.exact) for f in findings] == [("url-path", "--url")]


def test_where_is_the_file_and_the_key_or_the_setting(folder: Path) -> None:
    """A setting of the file is named with it, one of a flag or the environment without."""
    content = {"action_endpoint": {**OPEN, "headers": {"X-A": 1}}, "action_server": {"timeout": 100}}

    found = examine_bot(folder, content, flags={"grace": 60})

    assert [f.place.exact for f in found] == [
        "endpoints.yml:action_endpoint.headers.X-A",
        "endpoints.yml:action_server.timeout",
        "setting grace",
    ]
