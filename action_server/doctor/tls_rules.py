"""The rules about how engine and server speak: HTTP or gRPC, with TLS or without, with which files."""

from __future__ import annotations

from action_server.findings.rule import READ, Rule, rules_in

TRANSPORT = "transport"

HTTPS_TO_HTTP = Rule(
    "https-to-http",
    "error",
    "the engine speaks TLS, and this server has no certificate",
    fix="start the server with --ssl-certificate and --ssl-keyfile, or write http://",
    section=TRANSPORT,
)
HTTP_TO_HTTPS = Rule(
    "http-to-https",
    "error",
    "the engine speaks plain HTTP, and this server has a certificate and speaks TLS",
    fix="write https://, or start the server without --ssl-certificate",
    section=TRANSPORT,
)
HTTP_CLIENT_CERTIFICATE = Rule(
    "http-client-certificate",
    "error",
    "the server asks for client certificates (--ssl-ca-file), and engines have none over HTTP",
    fix="start the server without --ssl-ca-file, or use gRPC",
    section=TRANSPORT,
    known=READ,
)
GRPC_TO_HTTP = Rule(
    "grpc-to-http",
    "error",
    "the engine speaks gRPC, and this server HTTP",
    fix="start the server with --grpc or --grpc-port (doctor takes the flags of run), or write http:// or https://",
    section=TRANSPORT,
)
HTTP_TO_GRPC = Rule(
    "http-to-grpc",
    "error",
    "the engine speaks HTTP, and this server gRPC",
    fix="start the server without --grpc, or write grpc://",
    section=TRANSPORT,
)
GRPC_PLAINTEXT = Rule(
    "grpc-plaintext",
    "warning",
    "without `cafile` the engine speaks gRPC in plain text: others on the network can read the conversations",
    fix="set `cafile`, and start the server with --ssl-certificate and --ssl-keyfile",
    section=TRANSPORT,
    known=READ,
)
GRPC_TO_TLS = Rule(
    "grpc-to-tls",
    "error",
    "without `cafile` the engine speaks gRPC in plain text, and this server has a certificate and speaks TLS",
    fix="set `cafile` to the CA of the server's certificate",
    section=TRANSPORT,
    known=READ,
)
TLS_TO_GRPC = Rule(
    "tls-to-grpc",
    "error",
    "with `cafile` the engine speaks gRPC over TLS, and this server has no certificate and key",
    fix="start the server with --ssl-certificate and --ssl-keyfile, or remove `cafile`",
    section=TRANSPORT,
    known=READ,
)
FILE_UNUSABLE = Rule(
    "file-unusable",
    "error",
    "the file cannot be used: <reason>",
    fix="name a PEM file that exists and the engine may read; the path is relative to where the engine starts",
    section=TRANSPORT,
)
CLIENT_CERTIFICATE_HALF = Rule(
    "client-certificate-half",
    "warning",
    "`ssl_client_cert` and `ssl_client_key` go together: with one of them the engine shows no certificate",
    fix="set both, or none",
    section=TRANSPORT,
    known=READ,
)
CAFILE_PLAINTEXT = Rule(
    "cafile-plaintext",
    "warning",
    "`cafile` does nothing with http://: the engine speaks plain text, and others on the network can read it",
    fix="write https://, or remove `cafile`",
    section=TRANSPORT,
    known=READ,
)
TLS_HANDSHAKE = Rule(
    "tls-handshake",
    "error",
    "the engine and this server do not agree on TLS: <reason>",
    fix="have the certificate made for the url's host by the CA in `cafile`, and the client's by that of --ssl-ca-file",
    section=TRANSPORT,
)
HTTPS_UNTRUSTED = Rule(
    "https-untrusted",
    "warning",
    "without `cafile` this machine does not trust the server's certificate: <reason>",
    fix="set `cafile` to the CA of the certificate, if the engine's machine does not know it either",
    section=TRANSPORT,
    known=READ,
)

RULES = rules_in(globals())
