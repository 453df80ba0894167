"""How engine and server speak: planted faults of transport, TLS and its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.action_server.doctor.bots import AS_GRPC, GRPC, OPEN, examine_bot, ids
from tests.action_server.security.certificates import Files

# The endpoint, the flags of the server, and all rules that find something.
TRANSPORTS: list[tuple[str, Mapping[str, Any], Mapping[str, Any], list[str]]] = [
    ("TLS where there is none", {"url": "https://localhost:5055/webhook"}, {}, ["https-to-http"]),
    ("TLS that a proxy ends", {"url": "https://bot.example/webhook"}, {}, []),
    ("gRPC to HTTP", GRPC, {}, ["grpc-to-http", "grpc-plaintext"]),
    ("HTTP to gRPC", OPEN, AS_GRPC, ["http-to-grpc"]),
    ("gRPC in plain text", GRPC, AS_GRPC, ["grpc-plaintext"]),
    ("gRPC beside HTTP", GRPC, {"grpc_port": 5055, "port": 5056}, ["grpc-plaintext"]),
    ("HTTP beside gRPC", OPEN, {"grpc_port": 5056}, []),
    ("a CA that is missing", {**OPEN, "cafile": "no.pem"}, {}, ["file-unusable", "cafile-plaintext"]),
    ("a CA no file can be", {**OPEN, "cafile": "a\0b"}, {}, ["file-unusable", "cafile-plaintext"]),
    ("half a client", {**OPEN, "ssl_client_cert": "no.pem"}, {}, ["file-unusable", "client-certificate-half"]),
]


@pytest.mark.parametrize(("endpoint", "flags", "rules"), [t[1:] for t in TRANSPORTS], ids=[t[0] for t in TRANSPORTS])
def test_in_how_the_two_speak_the_doctor_finds(
    bot: Path, endpoint: Mapping[str, Any], flags: Mapping[str, Any], rules: list[str]
) -> None:
    """HTTP or gRPC, with TLS or without: each planted fault, by its rule, and nothing else."""
    assert ids(examine_bot(bot, {"action_endpoint": endpoint}, flags=flags)) == rules


HTTPS = {"url": "https://localhost:5055/webhook"}


# The endpoint's and the server's entries; names of files are replaced by their paths.
TLS: list[tuple[str, Mapping[str, Any], list[str], list[str]]] = [
    ("a pair that fits", {**HTTPS, "cafile": "ca.pem"}, ["cert", "key"], []),
    ("another CA", {**HTTPS, "cafile": "other-ca.pem"}, ["cert", "key"], ["tls-handshake"]),
    ("another host", {"url": "https://127.0.0.1:5055/webhook", "cafile": "ca.pem"}, ["cert", "key"], ["tls-handshake"]),
    ("a CA nobody knows", HTTPS, ["cert", "key"], ["https-untrusted"]),
    ("a file of no PEM", {**HTTPS, "cafile": "garbage.pem"}, ["cert", "key"], ["file-unusable"]),
    ("a broken PEM", {**HTTPS, "cafile": "broken.pem"}, ["cert", "key"], ["file-unusable"]),
    ("plain HTTP", OPEN, ["cert", "key"], ["http-to-https"]),
    (
        "client certificates over HTTP",
        {**HTTPS, "cafile": "ca.pem"},
        ["cert", "key", "ca"],
        ["http-client-certificate"],
    ),
    ("gRPC that fits", {**GRPC, "cafile": "ca.pem"}, ["grpc", "cert", "key"], []),
    ("gRPC without a CA", GRPC, ["grpc", "cert", "key"], ["grpc-to-tls", "grpc-plaintext"]),
    ("gRPC with the key in the certificate's file", {**GRPC, "cafile": "ca.pem"}, ["grpc", "both"], []),
    ("gRPC without TLS", {**GRPC, "cafile": "ca.pem"}, ["grpc"], ["tls-to-grpc"]),
    ("gRPC without a client", {**GRPC, "cafile": "ca.pem"}, ["grpc", "cert", "key", "ca"], ["tls-handshake"]),
    (
        "gRPC with a client",
        {**GRPC, "cafile": "ca.pem", "ssl_client_cert": "client.pem", "ssl_client_key": "client.key"},
        ["grpc", "cert", "key", "ca"],
        [],
    ),
]


@pytest.mark.parametrize(("endpoint", "server_has", "rules"), [t[1:] for t in TLS], ids=[t[0] for t in TLS])
def test_in_tls_the_doctor_finds(
    bot: Path, files: Files, endpoint: Mapping[str, Any], server_has: list[str], rules: list[str]
) -> None:
    """The certificate is verified by a handshake of the two sides' files."""
    given = {
        n: str(files[v]) if n in ("cafile", "ssl_client_cert", "ssl_client_key") else v for n, v in endpoint.items()
    }
    every = {
        "grpc": ("grpc", True),
        "cert": ("ssl_certificate", files["server.pem"]),
        "key": ("ssl_keyfile", files["server.key"]),
        "ca": ("ssl_ca_file", files["ca.pem"]),
        "both": ("ssl_certificate", files["both.pem"]),
    }

    assert ids(examine_bot(bot, {"action_endpoint": given}, flags=dict(every[n] for n in server_has))) == rules
